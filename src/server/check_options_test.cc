#include "server/check_options.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace carillon {
namespace {

using std::chrono::seconds;
using testing::HasSubstr;

void expect_refused(const ServerOptions& options, std::string_view why) {
  const Result<void> checked = check_options(options);
  ASSERT_FALSE(checked) << why;
  EXPECT_EQ(checked.error().kind, ErrorKind::kInvalid);
  EXPECT_THAT(checked.error().text, HasSubstr(std::string(why)));
}

TEST(CheckOptions, TheDefaultsAreGood) {
  EXPECT_TRUE(check_options({}));
}

TEST(CheckOptions, APublicAddressNeedsAKeyOrInsecure) {
  for (const char* listen : {"0.0.0.0:80", "[::]:80", "192.168.1.1:80", "example.com:80"}) {
    expect_refused({.listen = listen}, "which others can reach");
    EXPECT_TRUE(check_options({.listen = listen, .api_key = "secret"}));
    EXPECT_TRUE(check_options({.listen = listen, .insecure = true}));
  }
  for (const char* listen : {"127.0.0.1:0", "127.9.9.9:80", "[::1]:80", "localhost:80"}) {
    EXPECT_TRUE(check_options({.listen = listen})) << listen;
  }
}

TEST(CheckOptions, TheAddressMustBeOne) {
  for (const char* listen : {"", "8080", ":8080", "127.0.0.1", "127.0.0.1:", "127.0.0.1:x", "127.0.0.1:65536", "127.0.0.1:-1",
                             "::1:80", "[::1:80", "[::g]:80", "[]:80", "a b:80", "http://x:80"}) {
    expect_refused({.listen = listen}, "server.listen is `");
  }
}

TEST(CheckOptions, TakesAddressesApart) {
  const auto v6 = parse_listen_address("[::1]:8080");
  ASSERT_TRUE(v6);
  EXPECT_EQ(v6->host, "::1");
  EXPECT_EQ(v6->port, 8080);
  EXPECT_EQ(parse_listen_address("localhost:0")->host, "localhost");
}

TEST(CheckOptions, AKeyMustFitIntoAHeader) {
  expect_refused({.api_key = "two words"}, "auth.api_key");
  expect_refused({.api_key = "key\n"}, "auth.api_key");
  expect_refused({.api_key = "schlüssel"}, "auth.api_key");
}

TEST(CheckOptions, WhereOtherServersReachThisOneIsAnAddress) {
  ServerOptions options{.engine = {.kind = "redis"},
                        .redis = {.urls = {"redis://127.0.0.1"}, .advertise = "http://10.0.0.5:8080"}};
  EXPECT_TRUE(check_options(options));
  options.redis.advertise = "10.0.0.5:8080";
  expect_refused(options, "redis.advertise (`10.0.0.5:8080`) is no address");
}

TEST(CheckOptions, ASecretForTokensIsLongEnough) {
  expect_refused({.auth = {.jwt_secrets = {std::string(32, 'x'), std::string(31, 'x')}}},
                 "auth.jwt_secrets holds a secret of 31 bytes; HS256 takes 32 at least");
  EXPECT_TRUE(check_options({.auth = {.jwt_secrets = {std::string(32, 'x')}}}));
}

TEST(CheckOptions, WhoMustShowATokenCanHaveOne) {
  expect_refused({.auth = {.require_token = true}}, "auth.require_token is set");
  EXPECT_TRUE(check_options({.api_key = "secret", .auth = {.require_token = true}}));
  EXPECT_TRUE(check_options({.auth = {.jwt_secrets = {std::string(32, 'x')}, .require_token = true}}));
}

TEST(CheckOptions, AnOwnerNeedsAPlaceInTheName) {
  expect_refused({.channels = {{.match = "user:*", .subscribe = ChannelAccess::kOwner}}},
                 "channels rule 1 (`user:*`): `owner` needs a match");
  EXPECT_TRUE(check_options({.channels = {{.match = "user:{user}/**", .publish = ChannelAccess::kOwner}}}));
}

TEST(CheckOptions, LimitsMustHaveRoomForOneAnother) {
  ServerOptions options;
  options.limits.outbox_bytes = options.limits.message_bytes;
  expect_refused(options, "limits.outbox_bytes (1MiB) has no room for one message");
  options = {};
  options.limits.outbox_memory_bytes = 1024 * 1024;
  expect_refused(options, "limits.outbox_memory_bytes (1MiB)");
  options = {};
  options.limits.body_bytes = 4096;
  expect_refused(options, "limits.body_bytes (4KiB)");
  options = {};
  options.engine.history_bytes_max = 1024 * 1024;
  options.limits.message_bytes += 1;
  expect_refused(options, "engine.history_bytes_max");
}

TEST(CheckOptions, TimesMustHaveTheirOrder) {
  ServerOptions options;
  options.websocket.ping_interval = options.websocket.idle_time;
  expect_refused(options, "websocket.ping_interval (1m) must be shorter than websocket.idle_time (1m)");
  options = {};
  options.sse.retry_min = seconds(6);
  expect_refused(options, "sse.retry_min (6s) is longer than sse.retry_max (5s)");
}

TEST(CheckOptions, ARuleThatIsNeverUsedIsRefused) {
  expect_refused({.channels = {{.match = "room:*"}, {.match = "room:*"}}}, "rule 2 (`room:*`) has the same match as rule 1");
  expect_refused({.channels = {{.match = "room:**"}, {.match = "room:42"}}}, "rule 2 (`room:42`) is never used");
  expect_refused({.channels = {{.match = "room:{user}"}, {.match = "room:*"}}}, "rule 2 (`room:*`) is never used");
  expect_refused({.channels = {{.match = "room:*"}, {.match = "room:{user}"}}}, "rule 2 (`room:{user}`) is never used");
  expect_refused({.channels = {{.match = "ro*m"}}}, "channels rule 1: `ro*m` is not a channel pattern");
  EXPECT_TRUE(check_options({.channels = {{.match = "room:42"}, {.match = "room:**"}, {.match = "**"}}}));
}

TEST(CheckOptions, PathsMustDiffer) {
  ServerOptions options;
  options.sse.path = "/ws";
  expect_refused(options, "native.path and sse.path are both `/ws`");
  options = {};
  options.native.path = "/echo";
  EXPECT_TRUE(check_options(options));
  options.enable_echo = true;
  expect_refused(options, "both `/echo`");
  for (const char* path : {"", "/", "ws", "/ws/", "/a b", "/a?b", "//ws", "/%20"}) {
    options = {};
    options.native.path = path;
    expect_refused(options, "native.path");
  }
}

TEST(CheckOptions, FurtherPathsOfBayeuxMustDifferToo) {
  ServerOptions options;
  options.bayeux.subscribe_path = options.bayeux.handshake_path = options.bayeux.connect_path = options.bayeux.disconnect_path =
      "/";
  EXPECT_TRUE(check_options(options));
  options.bayeux.handshake_path = "/a";
  EXPECT_TRUE(check_options(options));
  options.native.path = "/a/handshake";
  expect_refused(options, "native.path and bayeux.handshake_path, with `/handshake`, are both `/a/handshake`");
  options = {};
  options.bayeux.subscribe_path = "/cometd";
  expect_refused(options, "bayeux.path and bayeux.subscribe_path are both `/cometd`");
  for (const char* path : {"ws", "/ws/", "/a b"}) {
    options = {};
    options.bayeux.connect_path = path;
    expect_refused(options, "bayeux.connect_path");
  }
  options = {};
  options.bayeux.path = "/";
  expect_refused(options, "bayeux.path is `/`");
}

TEST(CheckOptions, OriginsAreOrigins) {
  EXPECT_TRUE(check_options({.origins = {"*", "https://app.example.com", "http://localhost:5173"}}));
  for (const char* origin : {"", "app.example.com", "https://", "https://a/b", "https://*.example.com", "://x"}) {
    expect_refused({.origins = {origin}}, "server.origins holds");
  }
}

TEST(CheckOptions, AnEmptySecretIsRefused) {
  ServerOptions options;
  options.webhooks.github_secrets = {"a", ""};
  expect_refused(options, "webhooks.github_secrets holds an empty secret");
}

TEST(CheckOptions, RangesHoldForEmbeddersToo) {
  ServerOptions options;
  options.limits.subscriptions_per_client = 0;
  expect_refused(options, "limits.subscriptions_per_client takes a whole number from 1 to 1000000, not 0");
  options = {};
  options.engine.kind = "punchcards";
  expect_refused(options, "engine.kind takes \"log\", \"memory\" or \"redis\"");
  options = {};
  options.engine.kind = "log";
  options.engine.data_dir = "";
  expect_refused(options, "engine.data_dir is empty");
  options = {};
  options.channels = {{.match = "room:*", .history_age = seconds(0)}};
  expect_refused(options, "channels rule 1 (`room:*`): history_age takes a duration from 1ms");
}

}  // namespace
}  // namespace carillon
