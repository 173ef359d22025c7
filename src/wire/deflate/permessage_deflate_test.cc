#include "wire/deflate/permessage_deflate.h"

namespace carillon {
namespace {

constexpr const char* kPlainAnswer = "permessage-deflate; server_no_context_takeover; client_no_context_takeover";

std::string answer(std::string_view offers) {
  const auto agreement = negotiate_deflate(offers);
  return agreement ? agreement->text() : "declined";
}

TEST(PerMessageDeflate, AcceptsOffers) {
  for (const char* offers : {
           "permessage-deflate",
           "Permessage-Deflate",
           " permessage-deflate\t",
           "permessage-deflate; client_max_window_bits",
           "permessage-deflate;client_max_window_bits=8",
           "permessage-deflate; client_max_window_bits=\"15\"",
           "permessage-deflate; server_no_context_takeover; client_no_context_takeover",
           "x-webkit-deflate-frame, permessage-deflate",
           "foo; bar=\"a\"; baz, permessage-deflate; client_max_window_bits",
           ", ,permessage-deflate,",
           "permessage-deflate, permessage-deflate; server_max_window_bits=10",
       }) {
    EXPECT_EQ(answer(offers), kPlainAnswer) << offers;
  }
}

TEST(PerMessageDeflate, HonoursTheServersWindow) {
  for (int bits = 8; bits <= 15; ++bits) {
    const auto agreement = negotiate_deflate("permessage-deflate; server_max_window_bits=" + std::to_string(bits));
    ASSERT_TRUE(agreement) << bits;
    EXPECT_EQ(agreement->server_window_bits, bits);
    EXPECT_EQ(agreement->text(), kPlainAnswer + ("; server_max_window_bits=" + std::to_string(bits)));
  }
  EXPECT_EQ(answer("permessage-deflate; server_max_window_bits=\"1\\0\"; client_max_window_bits"),
            std::string(kPlainAnswer) + "; server_max_window_bits=10");
}

TEST(PerMessageDeflate, PassesOverWhatItCannotAccept) {
  for (const char* offer : {
           "permessage-deflate; unknown",
           "permessage-deflate; unknown=1",
           "permessage-deflate; server_max_window_bits",
           "permessage-deflate; server_max_window_bits=7",
           "permessage-deflate; server_max_window_bits=16",
           "permessage-deflate; server_max_window_bits=09",
           "permessage-deflate; server_max_window_bits=-9",
           "permessage-deflate; server_max_window_bits=9999999999",
           "permessage-deflate; client_max_window_bits=x",
           "permessage-deflate; client_max_window_bits=7",
           "permessage-deflate; server_no_context_takeover=1",
           "permessage-deflate; client_no_context_takeover=true",
           "permessage-deflate; server_no_context_takeover; server_no_context_takeover",
           "permessage-deflate; client_max_window_bits; client_max_window_bits=9",
           "permessage-deflate; server_max_window_bits=9; server_max_window_bits=9",
           "permessage-deflate-2",
           "deflate",
       }) {
    EXPECT_EQ(answer(offer), "declined") << offer;
    EXPECT_EQ(answer(std::string(offer) + ", permessage-deflate"), kPlainAnswer) << offer;
  }
}

TEST(PerMessageDeflate, StopsReadingWhereTheSyntaxBreaks) {
  for (const char* offers :
       {"", " ", ",", ";", "=", "permessage-deflate;", "permessage-deflate; =9", "permessage-deflate foo",
        "permessage-deflate; client_max_window_bits=", "permessage-deflate; client_max_window_bits=\"",
        "permessage-deflate; client_max_window_bits=\"9", "permessage-deflate; client_max_window_bits=\"\"",
        "permessage-deflate; client_max_window_bits=\"9\\", "permessage-deflate; client_max_window_bits=\"9 \"",
        "permessage-deflate; client_max_window_bits=\"9\"9", "foo bar, permessage-deflate", "foo;, permessage-deflate",
        "f\xC3\xB6o, permessage-deflate"}) {
    EXPECT_EQ(answer(offers), "declined") << offers;
  }
}

TEST(PerMessageDeflate, AnyBeginningOfAnOfferIsHarmless) {
  const std::string offers =
      "foo; bar=\"b\\\"az\", permessage-deflate; server_max_window_bits=\"1\\2\"; client_max_window_bits=15";
  for (std::size_t size = 0; size < offers.size(); ++size) {
    const std::string part = offers.substr(0, size);  // A copy of its own, so that the sanitizers see its end.
    (void)negotiate_deflate(part);
  }
  EXPECT_EQ(answer("foo; bar=\"baz\", permessage-deflate; server_max_window_bits=\"1\\2\"; client_max_window_bits=15"),
            std::string(kPlainAnswer) + "; server_max_window_bits=12");
}

}  // namespace
}  // namespace carillon
