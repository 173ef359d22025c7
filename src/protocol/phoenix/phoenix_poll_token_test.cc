#include "protocol/phoenix/phoenix_poll_token.h"

#include <gtest/gtest.h>

#include <random>
#include <set>

namespace carillon {
namespace {

class SomeRandom final : public Random {
 public:
  void fill(std::span<std::uint8_t> bytes) override {
    for (std::uint8_t& byte : bytes) byte = static_cast<std::uint8_t>(bits_());
  }

 private:
  std::mt19937 bits_{1};
};

TEST(PhoenixPollToken, NamesItsNodeAndPlaceAndIsNeverTheSame) {
  SomeRandom random;
  std::set<std::string> made;
  for (const PhoenixPollHome home : {PhoenixPollHome{0, 0}, {1, 1}, {0, 255}, {65535, 9999}}) {
    const std::string token = make_phoenix_poll_token(home, random);
    EXPECT_EQ(phoenix_poll_home(token), home) << token;
    EXPECT_TRUE(made.insert(token.substr(token.rfind('.'))).second);
    EXPECT_EQ(token.find_first_not_of("0123456789abcdef."), std::string::npos);
  }
}

TEST(PhoenixPollToken, OtherTextsAreNone) {
  const std::string secret(32, 'a');
  EXPECT_EQ(phoenix_poll_home("2.1." + secret), (PhoenixPollHome{2, 1}));
  for (const std::string& token : {std::string(),
                                   secret,
                                   "." + secret,
                                   "1." + secret,
                                   "1.." + secret,
                                   ".1." + secret,
                                   "x.1." + secret,
                                   "1.x." + secret,
                                   "-1.1." + secret,
                                   "1.-1." + secret,
                                   "65536.1." + secret,
                                   "1.10000." + secret,
                                   "1.1." + secret + "a",
                                   "1.1." + secret.substr(1),
                                   "1.1." + secret.substr(1) + "g",
                                   "1.1.." + secret.substr(1),
                                   "1.1.1." + secret,
                                   std::string("eyJhbGciOiJIUzI1NiJ9.e30.c2ln"),
                                   std::string("1."),
                                   std::string("1.1."),
                                   std::string("1.1")}) {
    EXPECT_FALSE(phoenix_poll_home(token)) << token;
  }
}

}  // namespace
}  // namespace carillon
