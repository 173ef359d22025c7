#include "server/identifier.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "protocol/exchange_double.h"

namespace carillon {
namespace {

using testing::HasSubstr;
using testing::StartsWith;

constexpr std::int64_t kNow = 1'700'000'000'000;
const std::string kSecret = "a secret of thirty-two bytes, no less";

class FixedClock final : public Clock {
 public:
  std::int64_t unix_ms() const override { return kNow; }
};

struct Asked {
  std::string query = {};
  std::string authorization = {};
  std::string token = {};  // What the room found.
  bool loopback = true;
};

Result<IdentityPtr> identify(const ServerOptions& options, const Asked& asked, bool on_loopback = true) {
  const ApiAccess access(options.api_key);
  const FixedClock clock;
  const Identifier identifier(identifier_options(options, on_loopback), access, clock);
  HttpRequest request;
  request.query = asked.query;
  if (!asked.authorization.empty()) request.headers.add("Authorization", asked.authorization);
  const ExchangeDouble exchange(std::move(request), {.text = "peer", .loopback = asked.loopback}, {},
                                std::make_shared<AnswerDouble>());
  return identifier.identify(exchange, asked.token);
}

// "alice, verified", or the refusal.
std::string who(const ServerOptions& options, const Asked& asked, bool on_loopback = true) {
  const Result<IdentityPtr> identity = identify(options, asked, on_loopback);
  if (!identity) return std::string(error_kind_name(identity.error().kind)) + ": " + identity.error().text;
  if (*identity == nullptr) return "anonymous";
  return (*identity)->user + ((*identity)->trusted ? ", trusted" : "") + ((*identity)->verified ? ", verified" : "");
}

std::string token(std::string_view claims = R"({"sub":"alice"})") {
  return sign_jwt(claims, kSecret);
}

const ServerOptions kOpen;
const ServerOptions kWithKey{.api_key = "key"};
const ServerOptions kWithSecret{.auth = {.jwt_secrets = {kSecret}}};
const ServerOptions kWithBoth{.api_key = "key", .auth = {.jwt_secrets = {kSecret}}};

TEST(Identifier, WithNothingToShowThisMachineIsTrusted) {
  EXPECT_EQ(who(kOpen, {}), ", trusted");
  EXPECT_EQ(who(kOpen, {.loopback = true}, false), ", trusted");
  EXPECT_EQ(who(kOpen, {.loopback = false}, false), "anonymous");
  EXPECT_EQ(who(kOpen, {.authorization = "Bearer x"}), ", trusted") << "nothing could be checked";
}

TEST(Identifier, TheKeyIsTrustedAndNotTakenInAQuery) {
  EXPECT_EQ(who(kWithKey, {.authorization = "Bearer key"}), ", trusted");
  EXPECT_EQ(who(kWithKey, {.token = "key"}), ", trusted");
  EXPECT_EQ(who(kWithKey, {.query = "token=key"}), "anonymous");
  EXPECT_EQ(who(kWithKey, {.authorization = "Bearer wrong"}), "anonymous");
  EXPECT_EQ(who(kWithKey, {}), "anonymous");
  EXPECT_EQ(who(kWithBoth, {.authorization = "Bearer key"}), ", trusted");
  EXPECT_THAT(who(kWithBoth, {.query = "token=key"}), StartsWith("unauthorized: the token is malformed"));
}

TEST(Identifier, ATokenNamesTheUser) {
  for (const Asked& asked : {Asked{.query = "token=" + token()}, Asked{.query = "access_token=" + token()},
                             Asked{.authorization = "Bearer " + token()}, Asked{.token = token()}}) {
    EXPECT_EQ(who(kWithSecret, asked), "alice, verified");
    EXPECT_EQ(who(kWithBoth, asked), "alice, verified");
  }
  const Result<IdentityPtr> identity = identify(kWithSecret, {.token = token(R"({"sub":"bob","exp":1700000060})")});
  ASSERT_TRUE(identity);
  EXPECT_EQ((*identity)->expires_at_ms, kNow + 65'000);
  EXPECT_EQ(*(*identity)->claims, R"({"sub":"bob","exp":1700000060})");
}

TEST(Identifier, ATokenThatDoesNotHoldIsRefused) {
  EXPECT_EQ(who(kWithSecret, {.token = token(R"({"sub":"alice","exp":1699999988})")}),
            "unauthorized: the token expired 12 s ago");
  EXPECT_EQ(who(kWithSecret, {.token = sign_jwt(R"({"sub":"alice"})", "other")}),
            "unauthorized: the token's signature is wrong");
  EXPECT_THAT(who(kWithSecret, {.authorization = "Bearer x"}), HasSubstr("malformed"));
  EXPECT_THAT(who(kWithSecret, {.query = "token=x&user=alice"}), HasSubstr("malformed"));
  EXPECT_EQ(who(kWithSecret, {.authorization = "Bearer " + token(R"({"sub":"header"})"), .token = token()}), "alice, verified");
}

TEST(Identifier, OptionsReachTheToken) {
  ServerOptions options = kWithSecret;
  options.auth.jwt_leeway = std::chrono::seconds(20);
  EXPECT_EQ(who(options, {.token = token(R"({"sub":"alice","exp":1699999988})")}), "alice, verified");
  options.auth.jwt_issuer = "us";
  EXPECT_EQ(who(options, {.token = token()}), "unauthorized: the token is of another issuer");
  EXPECT_EQ(who(options, {.token = token(R"({"sub":"alice","iss":"us"})")}), "alice, verified");
  options.auth.jwt_audience = "here";
  EXPECT_EQ(who(options, {.token = token(R"({"sub":"alice","iss":"us"})")}), "unauthorized: the token is for another audience");
}

TEST(Identifier, WhereSecretsAreThisMachineIsNotTrusted) {
  EXPECT_EQ(who(kWithSecret, {}), "anonymous");
  EXPECT_EQ(who(kWithBoth, {}), "anonymous");
}

TEST(Identifier, ATokenMayBeRequired) {
  ServerOptions options = kWithBoth;
  options.auth.require_token = true;
  EXPECT_THAT(who(options, {}), StartsWith("unauthorized: this needs a token"));
  EXPECT_THAT(who(options, {.query = "user=alice"}), StartsWith("unauthorized: this needs a token"));
  EXPECT_EQ(who(options, {.token = token()}), "alice, verified");
  EXPECT_EQ(who(options, {.authorization = "Bearer key"}), ", trusted");
  options.auth.jwt_secrets.clear();
  EXPECT_THAT(who(options, {.token = token()}), StartsWith("unauthorized: this needs the API key"));
}

TEST(Identifier, AClaimedUserIsNotVerified) {
  EXPECT_EQ(who(kOpen, {.query = "user=alice"}), "alice, trusted");
  EXPECT_EQ(who(kOpen, {.query = "user_id=a+b"}), "a b, trusted");
  EXPECT_EQ(who(kWithKey, {.query = "user=alice"}), "alice");
  EXPECT_EQ(who(kWithKey, {.query = "user=alice"}, false), "anonymous");
  EXPECT_EQ(who(kWithSecret, {.query = "user=alice"}), "anonymous");
  EXPECT_EQ(who(kWithSecret, {.query = "user=root&token=" + token()}), "alice, verified");
  EXPECT_THAT(who(kOpen, {.query = "user=a%0Ab"}), StartsWith("invalid: a user is 1 to 255 bytes"));

  ServerOptions always = kWithSecret;
  always.auth.claimed_users = ClaimedUsers::kAlways;
  EXPECT_EQ(who(always, {.query = "user=alice"}, false), "alice");
  EXPECT_EQ(who(always, {.query = "user=root&token=" + token()}, false), "alice, verified");
  ServerOptions never = kOpen;
  never.auth.claimed_users = ClaimedUsers::kNever;
  EXPECT_EQ(who(never, {.query = "user=alice"}), ", trusted");
}

}  // namespace
}  // namespace carillon
