#include "server/make_token.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "wire/signing/jwt.h"

namespace carillon {
namespace {

using testing::HasSubstr;
using testing::StartsWith;

constexpr std::int64_t kNow = 1'700'000'000'000;
const std::string kSecret = "a secret of thirty-two bytes, no less";

std::string claims_of(const AuthOptions& options, const TokenCall& call) {
  const Result<std::string> token = make_token(options, call, kNow);
  if (!token) return token.error().text;
  return *open_jws(*token, options.jwt_secrets);
}

TEST(MakeToken, HoldsWhatWasAskedFor) {
  const AuthOptions options{.jwt_secrets = {kSecret, "an old one"}};
  EXPECT_EQ(claims_of(options, {.user = "al\"ice"}), R"({"sub":"al\"ice","iat":1700000000,"exp":1700003600})");
  EXPECT_EQ(
      claims_of(options,
                {.user = "alice", .lifetime = std::chrono::seconds(5), .claims = {{"role", "\"editor\""}, {"aud", "[\"x\"]"}}}),
      R"({"sub":"alice","iat":1700000000,"exp":1700000005,"role":"editor","aud":["x"]})");
}

TEST(MakeToken, TheServersIssuerAndAudienceAreFilledIn) {
  const AuthOptions options{.jwt_secrets = {kSecret}, .jwt_issuer = "us", .jwt_audience = "here"};
  EXPECT_THAT(claims_of(options, {.user = "alice"}), HasSubstr(R"("iss":"us","aud":"here"})"));
  EXPECT_THAT(claims_of(options, {.user = "alice", .claims = {{"aud", R"(["here","there"])"}}}),
              HasSubstr(R"("iss":"us","aud":["here","there"]})"));
  EXPECT_EQ(claims_of(options, {.user = "alice", .claims = {{"aud", "\"there\""}}}),
            "the server would refuse it: the token is for another audience");
}

TEST(MakeToken, RefusesWhatNoServerWouldTake) {
  const AuthOptions options{.jwt_secrets = {kSecret}};
  EXPECT_THAT(claims_of({}, {.user = "alice"}), StartsWith("there is no secret to sign with"));
  EXPECT_THAT(claims_of({.jwt_secrets = {"short"}}, {.user = "alice"}), HasSubstr("has 5 bytes"));
  EXPECT_EQ(claims_of(options, {.user = "alice", .lifetime = Milliseconds(999)}), "a token holds for 1s at least");
  EXPECT_THAT(claims_of(options, {.user = ""}), StartsWith("a user is 1 to 255 bytes"));
  EXPECT_THAT(claims_of(options, {.user = "alice", .claims = {{"role", "editor"}}}), HasSubstr("is no JSON"));
  EXPECT_THAT(claims_of(options, {.user = "alice", .claims = {{"exp", "1"}}}), HasSubstr("has it already"));
  EXPECT_THAT(claims_of(options, {.user = "alice", .claims = {{"a", "1"}, {"a", "2"}}}), HasSubstr("has it already"));
  EXPECT_THAT(claims_of(options, {.user = "alice", .claims = {{"x", "\"" + std::string(9000, 'x') + "\""}}}),
              StartsWith("the server would refuse it: the token is malformed: it is longer"));
}

}  // namespace
}  // namespace carillon
