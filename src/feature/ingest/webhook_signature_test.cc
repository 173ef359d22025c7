#include "feature/ingest/webhook_signature.h"

#include <gtest/gtest.h>

#include <vector>

namespace carillon {
namespace {

// The example of GitHub's own documentation ("Validating webhook deliveries").
constexpr std::string_view kSecret = "It's a Secret to Everybody";
constexpr std::string_view kBody = "Hello, World!";
const std::string kSignature = "757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17";

bool verify(std::vector<std::string> secrets, std::string_view body, std::string_view signature) {
  return verify_webhook_signature(secrets, body, signature);
}

TEST(WebhookSignature, MakesTheDocumentedExample) {
  EXPECT_EQ(webhook_signature(kSecret, kBody), kSignature);
}

TEST(WebhookSignature, AcceptsBothShapesAndEitherCase) {
  const std::vector<std::string> secrets{std::string(kSecret)};
  EXPECT_TRUE(verify(secrets, kBody, "sha256=" + kSignature));
  EXPECT_TRUE(verify(secrets, kBody, kSignature));
  std::string upper = kSignature;
  for (char& c : upper) c = static_cast<char>(std::toupper(c));
  EXPECT_TRUE(verify(secrets, kBody, "sha256=" + upper));
}

TEST(WebhookSignature, AnyOfSeveralSecretsWillDo) {
  EXPECT_TRUE(verify({"new", std::string(kSecret)}, kBody, kSignature));
  EXPECT_TRUE(verify({std::string(kSecret), "new"}, kBody, kSignature));
  EXPECT_FALSE(verify({"new", "other"}, kBody, kSignature));
  EXPECT_FALSE(verify({}, kBody, kSignature));
}

TEST(WebhookSignature, AnyFlippedBitIsRefused) {
  const std::vector<std::string> secrets{std::string(kSecret)};
  for (std::size_t i = 0; i < kSignature.size(); ++i) {
    std::string changed = kSignature;
    changed[i] = changed[i] == '0' ? '1' : '0';
    EXPECT_FALSE(verify(secrets, kBody, changed)) << i;
  }
  EXPECT_FALSE(verify(secrets, "Hello, World?", kSignature));
  EXPECT_FALSE(verify(secrets, "", kSignature));
}

TEST(WebhookSignature, AnythingElseIsNoSignature) {
  const std::vector<std::string> secrets{std::string(kSecret)};
  for (const std::string& signature :
       {std::string(), std::string("sha256="), kSignature.substr(1), kSignature + "0", "sha1=" + kSignature,
        "sha256=" + kSignature + " ", " sha256=" + kSignature, "sha256=sha256=" + kSignature, "SHA256=" + kSignature,
        kSignature.substr(1) + "g", std::string(64, '='), std::string(64, '\0')}) {
    EXPECT_FALSE(verify(secrets, kBody, signature)) << signature;
  }
}

}  // namespace
}  // namespace carillon
