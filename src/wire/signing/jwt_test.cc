#include "wire/signing/jwt.h"

#include <gtest/gtest.h>

#include "wire/signing/hmac_sha256.h"
#include "wire/text/base64.h"

namespace carillon {
namespace {

constexpr std::int64_t kNow = 1'700'000'000'000;
const std::string kSecret = "a secret of thirty-two bytes, no less";

JwtRules rules() {
  return {.secrets = {kSecret}, .leeway_ms = 5'000};
}

std::string token(std::string_view claims) {
  return sign_jwt(claims, kSecret);
}

// Signed as it should be, whatever the header says.
std::string token_with_header(std::string_view header) {
  const std::string text = base64url_encode(header) + "." + base64url_encode(R"({"sub":"alice"})");
  const HmacDigest digest = hmac_sha256(kSecret, text);
  return text + "." + base64url_encode({reinterpret_cast<const char*>(digest.data()), digest.size()});
}

std::string fault(std::string_view text, const JwtRules& asked = rules()) {
  const Result<Jwt> read = read_jwt(text, asked, kNow);
  if (read) return "";
  EXPECT_EQ(read.error().kind, ErrorKind::kUnauthorized);
  return read.error().text;
}

// RFC 7515, appendix A.1.
constexpr std::string_view kExample =
    "eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9"
    ".eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ"
    ".dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
constexpr std::string_view kExampleKey =
    "AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow";

TEST(Jwt, OpensTheExampleOfTheStandard) {
  const std::vector<std::string> secrets = {"another", *base64url_decode(kExampleKey)};
  const Result<std::string> opened = open_jws(kExample, secrets);
  ASSERT_TRUE(opened) << opened.error().text;
  EXPECT_EQ(*opened, "{\"iss\":\"joe\",\r\n \"exp\":1300819380,\r\n \"http://example.com/is_root\":true}");
  const JwtRules asked{.secrets = secrets};
  EXPECT_EQ(fault(kExample, asked), "the token expired " + std::to_string(kNow / 1000 - 1300819380) + " s ago");
  EXPECT_EQ(read_jwt(kExample, asked, 1300819379'000).error().text, "the token names no user: it has no `sub`");
}

TEST(Jwt, ReadsTheUserTheClaimsAndTheEnd) {
  const std::string claims = R"({"sub":"al\u0069ce","role":["a", 1],"exp":1700000060.5})";
  const Result<Jwt> read = read_jwt(token(claims), rules(), kNow);
  ASSERT_TRUE(read) << read.error().text;
  EXPECT_EQ(read->user, "alice");
  EXPECT_EQ(read->claims, claims);
  EXPECT_EQ(read->expires_at_ms, 1'700'000'065'500);
  EXPECT_EQ(read_jwt(token(R"({"sub":"bob"})"), rules(), kNow)->expires_at_ms, 0);
}

TEST(Jwt, NoPartOfATokenIsOne) {
  const std::string whole = token(R"({"sub":"alice"})");
  for (std::size_t size = 0; size < whole.size(); ++size) EXPECT_NE(fault(whole.substr(0, size)), "") << size;
  EXPECT_EQ(fault(whole), "");
  EXPECT_NE(fault(whole + "A"), "");
  EXPECT_NE(fault(whole + "."), "");
  EXPECT_NE(fault(whole + "="), "");
}

TEST(Jwt, EveryLetterCounts) {
  const std::string whole = token(R"({"sub":"alice"})");
  for (std::size_t i = 0; i < whole.size(); ++i) {
    for (const char other : {'A', 'B', 'x', '-', '.', '=', ' ', '\0'}) {
      if (whole[i] == other) continue;
      std::string changed = whole;
      changed[i] = other;
      EXPECT_NE(fault(changed), "") << changed;
    }
  }
}

TEST(Jwt, OnlyHs256IsRead) {
  EXPECT_EQ(fault(token_with_header(R"({"typ":"anything","alg":"HS256"})")), "");
  for (const char* header : {R"({"alg":"none"})", R"({"alg":"None"})", R"({"alg":"hs256"})", R"({"alg":"HS512"})",
                             R"({"alg":"RS256"})", R"({"alg":["HS256"]})", R"({"typ":"JWT"})"}) {
    EXPECT_EQ(fault(token_with_header(header)), "the token's `alg` is not HS256") << header;
  }
  const std::string unsigned_text = base64url_encode(R"({"alg":"none"})") + "." + base64url_encode(R"({"sub":"alice"})") + ".";
  EXPECT_EQ(fault(unsigned_text), "the token's `alg` is not HS256");
  EXPECT_EQ(fault(token_with_header(R"({"alg":"HS256","crit":["exp"]})")), "the token's `crit` asks for what is not supported");
  EXPECT_EQ(fault(token_with_header(R"({"alg":"none","alg":"HS256"})")),
            "the token is malformed: a name stands twice in its header");
}

TEST(Jwt, AnySecretWillDoAndNoOther) {
  JwtRules asked = rules();
  asked.secrets = {"a new secret, which comes before it", kSecret};
  EXPECT_EQ(fault(token(R"({"sub":"alice"})"), asked), "");
  EXPECT_EQ(fault(sign_jwt(R"({"sub":"alice"})", asked.secrets[0]), asked), "");
  EXPECT_EQ(fault(sign_jwt(R"({"sub":"alice"})", "not theirs"), asked), "the token's signature is wrong");
  asked.secrets.clear();
  EXPECT_EQ(fault(sign_jwt(R"({"sub":"alice"})", ""), asked), "the token's signature is wrong");
}

TEST(Jwt, TimesHaveTheLeeway) {
  const auto at = [](std::string_view name, std::int64_t seconds) {
    return fault(token(R"({"sub":"alice",")" + std::string(name) + "\":" + std::to_string(seconds) + "}"));
  };
  constexpr std::int64_t kNowSeconds = kNow / 1000;
  EXPECT_EQ(at("exp", kNowSeconds + 1), "");
  EXPECT_EQ(at("exp", kNowSeconds - 4), "");
  EXPECT_EQ(at("exp", kNowSeconds - 5), "the token expired 5 s ago");
  EXPECT_EQ(at("exp", -1), "the token expired 1700000001 s ago");
  EXPECT_EQ(at("nbf", kNowSeconds - 1), "");
  EXPECT_EQ(at("nbf", kNowSeconds + 5), "");
  EXPECT_EQ(at("nbf", kNowSeconds + 6), "the token is not valid for 6 s yet");
  EXPECT_EQ(fault(token(R"({"sub":"alice","exp":9e300})")), "");
  for (const char* exp : {R"("1800000000")", "null", "true", "1e999"}) {
    EXPECT_EQ(fault(token(R"({"sub":"alice","exp":)" + std::string(exp) + "}")),
              "the token is malformed: its `exp` is no number of seconds")
        << exp;
  }
}

TEST(Jwt, IssuerAndAudienceWhereTheyAreAskedFor) {
  JwtRules asked = rules();
  EXPECT_EQ(fault(token(R"({"sub":"alice","iss":"x","aud":5})"), asked), "");
  asked.issuer = "https://id.example.com";
  EXPECT_EQ(fault(token(R"({"sub":"alice","iss":"https://id.example.com"})"), asked), "");
  EXPECT_EQ(fault(token(R"({"sub":"alice","iss":"https://id.example.org"})"), asked), "the token is of another issuer");
  EXPECT_EQ(fault(token(R"({"sub":"alice"})"), asked), "the token is of another issuer");
  asked.issuer.clear();
  asked.audience = "carillon";
  EXPECT_EQ(fault(token(R"({"sub":"alice","aud":"carillon"})"), asked), "");
  EXPECT_EQ(fault(token(R"({"sub":"alice","aud":["other",5,"carillon"]})"), asked), "");
  for (const char* aud : {R"("other")", R"(["other"])", "[]", "null", R"({"carillon":1})"}) {
    EXPECT_EQ(fault(token(R"({"sub":"alice","aud":)" + std::string(aud) + "}"), asked), "the token is for another audience");
  }
}

TEST(Jwt, WithoutAUserItIsNoUse) {
  EXPECT_EQ(fault(token("{}")), "the token names no user: it has no `sub`");
  EXPECT_EQ(fault(token(R"({"sub":5})")), "the token names no user: it has no `sub`");
  for (const std::string& user : {std::string(), std::string("a\\nb"), std::string("a\\u0000"), std::string(256, 'x')}) {
    EXPECT_TRUE(fault(token(R"({"sub":")" + user + "\"}")).starts_with("the token's `sub` is no user")) << user;
  }
  EXPECT_EQ(fault(token(R"({"sub":"alice","sub":"bob"})")), "the token is malformed: a name stands twice in its claims");
  EXPECT_EQ(fault(token("[]")), "the token is malformed: its claims are no JSON object");
  EXPECT_EQ(fault(token("")), "the token is malformed: its claims are no JSON object");
}

TEST(Jwt, ALongTokenIsRefusedUnread) {
  EXPECT_EQ(fault(token(R"({"sub":"alice","x":")" + std::string(kJwtBytesMax, 'x') + "\"}")),
            "the token is malformed: it is longer than 8192 bytes");
}

}  // namespace
}  // namespace carillon
