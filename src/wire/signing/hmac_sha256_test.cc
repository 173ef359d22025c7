#include "wire/signing/hmac_sha256.h"

#include <gtest/gtest.h>

#include <vector>

namespace carillon {
namespace {

std::string hex(const HmacDigest& digest) {
  std::string text;
  for (const std::uint8_t byte : digest) {
    text += "0123456789abcdef"[byte >> 4];
    text += "0123456789abcdef"[byte & 15];
  }
  return text;
}

// RFC 4231, sections 4.3 and 4.7 (a key longer than the block).
TEST(HmacSha256, GivesTheExamplesOfTheStandard) {
  EXPECT_EQ(hex(hmac_sha256("Jefe", "what do ya want for nothing?")),
            "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
  EXPECT_EQ(hex(hmac_sha256(std::string(131, '\xAA'), "Test Using Larger Than Block-Size Key - Hash Key First")),
            "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54");
}

TEST(HmacSha256, AnyOfTheSecretsWillDo) {
  const std::vector<std::string> secrets = {"old", "new"};
  EXPECT_TRUE(any_hmac_sha256(secrets, "text", hmac_sha256("old", "text")));
  EXPECT_TRUE(any_hmac_sha256(secrets, "text", hmac_sha256("new", "text")));
  EXPECT_FALSE(any_hmac_sha256(secrets, "text", hmac_sha256("other", "text")));
  EXPECT_FALSE(any_hmac_sha256(secrets, "texts", hmac_sha256("new", "text")));
  EXPECT_FALSE(any_hmac_sha256({}, "text", hmac_sha256("new", "text")));
}

}  // namespace
}  // namespace carillon
