#include "wire/text/base64.h"

#include <random>

namespace carillon {
namespace {

// RFC 4648, section 10.
const std::pair<std::string_view, std::string_view> kExamples[] = {{"", ""},
                                                                   {"f", "Zg=="},
                                                                   {"fo", "Zm8="},
                                                                   {"foo", "Zm9v"},
                                                                   {"foob", "Zm9vYg=="},
                                                                   {"fooba", "Zm9vYmE="},
                                                                   {"foobar", "Zm9vYmFy"},
                                                                   {"\xFF\xEF\xBE", "/+++"}};

TEST(Base64, ReadsAndWritesTheExamplesOfTheStandard) {
  for (const auto& [bytes, text] : kExamples) {
    EXPECT_EQ(base64_encode(bytes), text);
    std::string appended = "before";
    append_base64(appended, bytes);
    EXPECT_EQ(appended, "before" + std::string(text));
    EXPECT_EQ(base64_decode(text), std::optional<std::string>(bytes)) << text;
  }
}

TEST(Base64, RefusesEverythingButTheOneText) {
  for (const char* text : {"Z", "Zg", "Zg=", "Zg===", "=", "====", "A===", "Zh==", "Zm9=", "Zm 9v", "Zm9v\n", "Zm-_",
                           "Zg==Zg==", "Z=g=", "Zm9v====", "\xC3\xA9=="}) {
    EXPECT_FALSE(base64_decode(text)) << text;
  }
}

TEST(Base64, RoundTripsRandomBytes) {
  std::mt19937 random(20);
  for (std::size_t size = 0; size < 300; ++size) {
    std::string bytes(size, '\0');
    for (char& byte : bytes) byte = static_cast<char>(random());
    EXPECT_EQ(base64_decode(base64_encode(bytes)), bytes);
    EXPECT_EQ(base64url_decode(base64url_encode(bytes)), bytes);
  }
}

TEST(Base64Url, HasItsOwnLettersAndNoPadding) {
  EXPECT_EQ(base64url_encode("\xFF\xEF\xBE"), "_---");
  EXPECT_EQ(base64url_encode("f"), "Zg");
  EXPECT_EQ(base64url_encode(""), "");
  EXPECT_EQ(base64url_decode("Zm9vYg"), "foob");
  for (const char* text : {"Z", "Zg=", "Zg==", "Zh", "Zm9", "/+++", "Zm 9v", "Zm9v\n", "Zm9vZ"}) {
    EXPECT_FALSE(base64url_decode(text)) << text;
  }
}

}  // namespace
}  // namespace carillon
