#include "server/check_bayeux.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "server/check_options.h"

namespace carillon {
namespace {

using testing::HasSubstr;

ServerOptions with(BayeuxOptions bayeux) {
  ServerOptions options;
  options.bayeux = std::move(bayeux);
  return options;
}

void expect_refused(const ServerOptions& options, const std::string& why) {
  const Result<void> checked = check_options(options);
  ASSERT_FALSE(checked) << why;
  EXPECT_EQ(checked.error().kind, ErrorKind::kInvalid);
  EXPECT_THAT(checked.error().text, HasSubstr(why));
}

std::string refusal_of(const BayeuxHooks& hooks) {
  const Result<void> checked = check_bayeux_hooks(hooks, {});
  return checked ? "" : checked.error().text;
}

std::string refusal_of_service(std::string pattern) {
  return refusal_of({.services = {{std::move(pattern), [](const BayeuxCall&) {}}}});
}

std::string refusal_of_authorizer(std::string pattern) {
  return refusal_of({.authorizers = {{std::move(pattern), [](const BayeuxQuestion&) { return BayeuxAnswer(); }}}});
}

TEST(CheckBayeux, TimesMustHaveTheirOrder) {
  expect_refused(with({.timeout = std::chrono::seconds(61)}), "bayeux.timeout (61s) is longer than bayeux.timeout_max (1m)");
  EXPECT_TRUE(check_options(with({.timeout = std::chrono::seconds(60)})));
  expect_refused(with({.max_processing = std::chrono::seconds(30)}),
                 "bayeux.max_processing (30s) is not longer than bayeux.timeout (30s)");
  EXPECT_TRUE(check_options(with({.max_processing = std::chrono::seconds(31)})));
}

TEST(CheckBayeux, ACookieForOtherSitesMustBeSecure) {
  expect_refused(with({.cookie_same_site = SameSite::kNone, .cookie_secure = CookieSecure::kNever}), "bayeux.cookie_same_site");
  EXPECT_TRUE(check_options(with({.cookie_same_site = SameSite::kNone})));
}

TEST(CheckBayeux, TransportsAreKnown) {
  expect_refused(with({.transports = {"websocket", "carrier-pigeon"}}), "bayeux.transports takes some of");
  expect_refused(with({.transports = {}}), "bayeux.transports takes some of");
}

TEST(CheckBayeux, LazyChannelsAreChannelsThatAreHeard) {
  EXPECT_TRUE(check_options(with({.lazy_channels = {"/a/b", "/a/*", "/a/**", "/**"}})));
  for (const char* channel : {"a", "/", "/a*", "/a/", "/a/*/b", "/meta/connect", "/service/a"}) {
    expect_refused(with({.lazy_channels = {"/a", channel}}), "bayeux.lazy_channels: `" + std::string(channel) + "` is ");
  }
  expect_refused(with({.strict_channels = true, .lazy_channels = {"/a.b"}}), "bayeux.lazy_channels");
  EXPECT_TRUE(check_options(with({.lazy_channels = {"/a.b"}})));
}

TEST(CheckBayeux, AuthorizersAreWhole) {
  EXPECT_TRUE(check_options(with({.authorizers = {{.channel = "/**"}, {.channel = "/service/a/*"}}})));
  expect_refused(with({.authorizers = {{.channel = "/a"}, {.channel = "/b*"}}}), "bayeux.authorizers rule 2 (`/b*`): ");
  expect_refused(with({.authorizers = {{.channel = "/meta/handshake"}}}),
                 "`/meta/handshake` is a channel of the protocol itself");
  expect_refused(with({.authorizers = {{.channel = "/a", .operations = {"listen"}}}}),
                 "rule 1 (`/a`): operations takes some of \"create\", \"subscribe\", \"publish\", not \"listen\"");
  expect_refused(with({.authorizers = {{.channel = "/a", .operations = {}}}}), "rule 1 (`/a`): operations takes some of");
  expect_refused(with({.authorizers = {{.channel = "/a", .decision = BayeuxDecision::kDeny, .reason = "a:b"}}}),
                 "rule 1 (`/a`): reason takes a text without `:`");
  expect_refused(with({.authorizers = {{.channel = "/a", .decision = static_cast<BayeuxDecision>(9)}}}), "decision takes");
}

TEST(CheckBayeux, ARuleOfAUserNeedsTokens) {
  ServerOptions options = with({.authorizers = {{.channel = "/a", .user = "alice"}}});
  expect_refused(options, "bayeux.authorizers rule 1 (`/a`): it is for the user `alice` and never used");
  options.auth.jwt_secrets = {std::string(32, 'x')};
  EXPECT_TRUE(check_options(options));
}

TEST(CheckBayeuxHooks, ServicesAreServiceChannels) {
  for (const char* pattern : {"/service/echo", "/service/room/{room}", "/service/{a}/{b}", "/service/files/**", "/service/*"}) {
    EXPECT_EQ(refusal_of_service(pattern), "") << pattern;
  }
  for (const char* pattern : {"", "/", "service/a", "/service", "/services/a", "/a", "/meta/a", "/**", "/service/a/"}) {
    EXPECT_THAT(refusal_of_service(pattern), HasSubstr("the Bayeux service `" + std::string(pattern) + "`: it is no "));
  }
  for (const char* pattern :
       {"/service/{}", "/service/a{b}", "/service/{b}a", "/service/{a", "/service/}", "/service/{a}{b}"}) {
    EXPECT_THAT(refusal_of_service(pattern), HasSubstr("is no parameter")) << pattern;
  }
  EXPECT_THAT(refusal_of_service("/service/{a}/{a}"), HasSubstr("it has the parameter `a` twice"));
  EXPECT_THAT(refusal_of({.services = {{"/service/a", nullptr}}}), HasSubstr("has no function"));
}

TEST(CheckBayeuxHooks, AuthorizersAreOfChannels) {
  for (const char* pattern : {"/a", "/a/*", "/**", "/service/a"}) EXPECT_EQ(refusal_of_authorizer(pattern), "") << pattern;
  for (const char* pattern : {"", "a", "/a*", "/meta/**"}) {
    EXPECT_THAT(refusal_of_authorizer(pattern), HasSubstr("a Bayeux authorizer's pattern: ")) << pattern;
  }
  EXPECT_THAT(refusal_of({.authorizers = {{"/a", nullptr}}}), HasSubstr("has no function"));
}

}  // namespace
}  // namespace carillon
