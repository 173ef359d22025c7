#include "server/config_file.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/scratch_file.h"
#include "server/check_options.h"

namespace carillon {
namespace {

using testing::HasSubstr;
using testing::StartsWith;

constexpr std::string_view kWhole = R"(# A whole configuration.
[server]
listen = "0.0.0.0:8080"
loops = 4
drain_time = "10s"
log_level = "debug"
origins = ["https://app.example.com"]
enable_echo = true

[auth]
api_key = "k"

[limits]
message_bytes = 65536
outbox_bytes = "1MiB"
slow_consumer = "close"

[websocket]
ping_interval = "500ms"
idle_time = "1h30m"
compression = false

[[channels]]
match = "repo:**"
history_count = 1000
history_age = "1d"

[[channels]]
match = "room:*"
publish = "open"
subscribe = "nobody"

[native]
event_names = "dotted"
refuse_unknown_types = true

[webhooks]
github_secrets = ["a", "b"]
keep_raw = true

[[bayeux.authorizers]]
channel = "/repo/**"

[bayeux]
path = "/faye"
transports = ["websocket", "long-polling"]
timeout = "20s"
cookies = "required"
lazy_channels = ["/news/**"]
activity = "client_server"

[[bayeux.authorizers]]
channel = "/repo/*"
operations = ["publish"]
decision = "deny"
reason = "read_only"

[engine]
kind = "memory"
)";

std::string refusal_of(std::string_view text) {
  ServerOptions options;
  const Result<void> outcome = read_config(text, "c.toml", options);
  EXPECT_EQ(options, ServerOptions()) << "a refused file changes nothing";
  return outcome ? "" : outcome.error().text;
}

TEST(ConfigFile, SetsWhatItSays) {
  ServerOptions options;
  const Result<void> outcome = read_config(kWhole, "c.toml", options);
  ASSERT_TRUE(outcome) << outcome.error().text;
  EXPECT_EQ(options.listen, "0.0.0.0:8080");
  EXPECT_EQ(options.loops, 4u);
  EXPECT_EQ(options.drain_time, std::chrono::seconds(10));
  EXPECT_EQ(options.log_level, LogLevel::kDebug);
  EXPECT_EQ(options.origins, std::vector<std::string>{"https://app.example.com"});
  EXPECT_TRUE(options.enable_echo);
  EXPECT_EQ(options.api_key, "k");
  EXPECT_EQ(options.limits.message_bytes, 65536u);
  EXPECT_EQ(options.limits.outbox_bytes, 1024u * 1024u);
  EXPECT_EQ(options.limits.slow_consumer, SlowConsumer::kClose);
  EXPECT_EQ(options.websocket.ping_interval, Milliseconds(500));
  EXPECT_EQ(options.websocket.idle_time, std::chrono::minutes(90));
  EXPECT_FALSE(options.websocket.compression);
  ASSERT_EQ(options.channels.size(), 2u);
  EXPECT_EQ(options.channels[0],
            (ChannelRule{.match = "repo:**", .history_count = 1000, .history_age = std::chrono::hours(24)}));
  EXPECT_EQ(options.channels[1],
            (ChannelRule{.match = "room:*", .publish = ChannelAccess::kOpen, .subscribe = ChannelAccess::kNobody}));
  EXPECT_EQ(options.native.event_names, EventNames::kDotted);
  EXPECT_TRUE(options.native.refuse_unknown_types);
  EXPECT_EQ(options.webhooks.github_secrets, (std::vector<std::string>{"a", "b"}));
  EXPECT_TRUE(options.webhooks.keep_raw);
  EXPECT_EQ(options.bayeux.path, "/faye");
  EXPECT_EQ(options.bayeux.transports, (std::vector<std::string>{"websocket", "long-polling"}));
  EXPECT_EQ(options.bayeux.timeout, std::chrono::seconds(20));
  EXPECT_EQ(options.bayeux.cookies, BayeuxCookies::kRequired);
  EXPECT_EQ(options.bayeux.lazy_channels, std::vector<std::string>{"/news/**"});
  EXPECT_EQ(options.bayeux.activity, BayeuxActivity::kClientServer);
  ASSERT_EQ(options.bayeux.authorizers.size(), 2u);
  EXPECT_EQ(options.bayeux.authorizers[0], (BayeuxAuthorizerRule{.channel = "/repo/**"}));
  EXPECT_EQ(options.bayeux.authorizers[1],
            (BayeuxAuthorizerRule{
                .channel = "/repo/*", .operations = {"publish"}, .decision = BayeuxDecision::kDeny, .reason = "read_only"}));
  EXPECT_TRUE(check_options(options));
}

TEST(ConfigFile, LeavesTheRestAlone) {
  ServerOptions options;
  options.loops = 3;
  options.channels = {{.match = "kept:*"}};
  options.bayeux.authorizers = {{.channel = "/kept"}};
  ASSERT_TRUE(read_config("", "c.toml", options));
  ASSERT_TRUE(read_config("[server]\nlisten = \"127.0.0.1:1\"\n[bayeux]\ntimestamps = true\n", "c.toml", options));
  EXPECT_EQ(options.loops, 3u);
  EXPECT_EQ(options.channels.size(), 1u);
  EXPECT_TRUE(options.bayeux.timestamps);
  EXPECT_EQ(options.bayeux.authorizers.size(), 1u);
}

TEST(ConfigFile, NamesThePlaceAndTheWordThatWasMeant) {
  EXPECT_EQ(refusal_of("[[channels]]\nmatch = \"a\"\nhistroy_count = 5\n"),
            "c.toml:3:1: unknown key `histroy_count` in [[channels]]; did you mean `history_count`?");
  EXPECT_EQ(refusal_of("[limts]\n"), "c.toml:1:2: unknown section [limts]; did you mean `limits`?");
  EXPECT_EQ(refusal_of("[server]\n  mesage_bytes = 1\n"), "c.toml:2:3: unknown key `mesage_bytes` in [server]");
  EXPECT_EQ(refusal_of("[server]\nmessage_bytes = 1\n"),
            "c.toml:2:1: unknown key `message_bytes` in [server]; it belongs to [limits]");
  EXPECT_EQ(refusal_of("listen = \"x\"\n"), "c.toml:1:1: unknown key `listen` outside of any section; it belongs to [server]");
  EXPECT_EQ(refusal_of("[server]\nlog_level = \"warn\"\n"),
            "c.toml:2:13: `log_level` takes \"debug\", \"info\", \"warning\", \"error\" or \"off\", not \"warn\"");
  EXPECT_EQ(
      refusal_of("[server]\nlog_level = \"debgu\"\n"),
      "c.toml:2:13: `log_level` takes \"debug\", \"info\", \"warning\", \"error\" or \"off\", not \"debgu\"; did you mean "
      "`debug`?");
}

TEST(ConfigFile, RefusesWrongTypesAndRanges) {
  EXPECT_EQ(refusal_of("[server]\nloops = \"4\"\n"), "c.toml:2:9: `loops` takes a whole number from 0 to 255, not \"4\"");
  EXPECT_EQ(refusal_of("[server]\nloops = -1\n"), "c.toml:2:9: `loops` takes a whole number from 0 to 255, not -1");
  EXPECT_EQ(refusal_of("[server]\nloops = 1.5\n"),
            "c.toml:2:9: `loops` takes a whole number from 0 to 255, not a number with a fraction");
  EXPECT_EQ(refusal_of("[server]\nenable_echo = \"yes\"\n"), "c.toml:2:15: `enable_echo` takes true or false, not \"yes\"");
  EXPECT_THAT(refusal_of("[server]\ndrain_time = 5\n"),
              HasSubstr("not a bare number; write a text with a unit, such as \"5s\""));
  EXPECT_THAT(refusal_of("[server]\ndrain_time = \"5 years\"\n"), HasSubstr("`5 years` is not a duration"));
  EXPECT_THAT(refusal_of("[server]\ndrain_time = \"11m\"\n"), HasSubstr("from 0s to 10m, not \"11m\""));
  EXPECT_THAT(refusal_of("[limits]\nmessage_bytes = \"32M\"\n"), HasSubstr("write 32MB or 32MiB"));
  EXPECT_THAT(refusal_of("[limits]\nmessage_bytes = 1\n"), HasSubstr("a size from 1KiB to 1GiB, not 1"));
  EXPECT_THAT(refusal_of("[limits]\nmessage_bytes = -5\n"), HasSubstr("not -5"));
  EXPECT_THAT(refusal_of("[limits]\nmessage_bytes = true\n"), HasSubstr("not true"));
  EXPECT_THAT(refusal_of("[server]\norigins = \"https://a\"\n"), HasSubstr("takes a list of origins"));
  EXPECT_THAT(refusal_of("[server]\norigins = [1]\n"), HasSubstr("not a list"));
  EXPECT_THAT(refusal_of("[server]\nlisten = 2020-01-01\n"), HasSubstr("not a date"));
  EXPECT_THAT(refusal_of("[server]\nlisten = {}\n"), HasSubstr("not a table"));
  EXPECT_THAT(refusal_of("[engine]\nkind = \"tape\"\n"),
              HasSubstr("`kind` takes \"log\", \"memory\" or \"redis\", not \"tape\""));
  EXPECT_THAT(refusal_of("server = 1\n"), HasSubstr("`server` is a section"));
  EXPECT_THAT(refusal_of("[channels]\nmatch = \"x\"\n"), HasSubstr("in double brackets"));
  EXPECT_THAT(refusal_of("channels = [1]\n"), HasSubstr("a channel rule is a [[channels]] table"));
  EXPECT_THAT(refusal_of("[[channels]]\nhistory_count = 1\n"), HasSubstr("needs `match`"));
}

TEST(ConfigFile, AuthorizersAreRefusedWithPlaceAndHint) {
  EXPECT_EQ(refusal_of("[[bayeux.authorizers]]\nchannel = \"/a\"\ndecison = \"deny\"\n"),
            "c.toml:3:1: unknown key `decison` in [[bayeux.authorizers]]; did you mean `decision`?");
  EXPECT_EQ(refusal_of("[[bayeux.authorizers]]\nchannel = \"/a\"\noperations = [\"publsh\"]\n"),
            "c.toml:3:14: `operations` takes some of \"create\", \"subscribe\", \"publish\", not \"publsh\"; did you mean "
            "`publish`?");
  EXPECT_EQ(refusal_of("[[bayeux.authorizers]]\nchannel = \"/a\"\ndecision = \"alow\"\n"),
            "c.toml:3:12: `decision` takes \"grant\", \"deny\" or \"ignore\", not \"alow\"");
  EXPECT_THAT(refusal_of("[[bayeux.authorizers]]\nuser = \"alice\"\n"),
              HasSubstr("a [[bayeux.authorizers]] rule needs `channel`, the pattern it is for"));
  EXPECT_THAT(refusal_of("[bayeux.authorizers]\nchannel = \"/a\"\n"),
              HasSubstr("authorizers are written as [[bayeux.authorizers]], in double brackets, not as a table"));
  EXPECT_THAT(refusal_of("[bayeux]\nauthorizers = [1]\n"),
              HasSubstr("an authorizer is a [[bayeux.authorizers]] table, not a whole number"));
  EXPECT_EQ(refusal_of("[[bayeux.authorisers]]\nchannel = \"/a\"\n"),
            "c.toml:1:10: unknown key `authorisers` in [bayeux]; did you mean `authorizers`?");
  EXPECT_EQ(refusal_of("[[authorizers]]\nchannel = \"/a\"\n"),
            "c.toml:1:3: unknown section [authorizers]; did you mean `bayeux.authorizers`?");
  EXPECT_THAT(refusal_of("[bayeux]\n\"\" = 1\n"), HasSubstr("unknown key `` in [bayeux]"));
}

TEST(ConfigFile, RefusesWhatIsNoToml) {
  EXPECT_THAT(refusal_of("[server\n"), StartsWith("c.toml:1:"));
  EXPECT_THAT(refusal_of("[server]\nloops = 1\nloops = 2\n"), StartsWith("c.toml:3:"));
  EXPECT_THAT(refusal_of("[server]\nlisten = \"\xFF\"\n"), HasSubstr("is not UTF-8"));
  EXPECT_THAT(refusal_of(std::string(kConfigBytesMax + 1, '#')), HasSubstr("larger than"));
}

TEST(ConfigFile, ReportsEverythingInItsOrder) {
  EXPECT_EQ(refusal_of("[websocket]\nidle = 1\n[auth]\nkey = 1\n"),
            "c.toml:2:1: unknown key `idle` in [websocket]\nc.toml:4:1: unknown key `key` in [auth]");
  std::string many = "[server]\n";
  for (int i = 0; i < 25; ++i) many += "x" + std::to_string(i) + " = 1\n";
  EXPECT_THAT(refusal_of(many), HasSubstr("and 5 more"));
}

TEST(ConfigFile, EveryPrefixIsReadOrRefusedAtAPlace) {
  for (std::size_t size = 0; size < kWhole.size(); ++size) {
    ServerOptions options;
    const Result<void> outcome = read_config(kWhole.substr(0, size), "c.toml", options);
    if (!outcome) {
      EXPECT_THAT(outcome.error().text, StartsWith("c.toml:")) << size;
    }
  }
}

TEST(ConfigFile, IsReadFromDisk) {
  const ScratchFile file(".toml");
  const std::string& path = file.path();
  file.write("[server]\nloops = 2\n");
  ServerOptions options;
  ASSERT_TRUE(read_config_file(path, options));
  EXPECT_EQ(options.loops, 2u);
  file.remove();

  const Result<void> missing = read_config_file(path, options);
  ASSERT_FALSE(missing);
  EXPECT_EQ(missing.error().kind, ErrorKind::kNotFound);
  EXPECT_THAT(missing.error().text, HasSubstr("No such file"));
  EXPECT_FALSE(read_config_file(testing::TempDir(), options)) << "a directory";
}

}  // namespace
}  // namespace carillon
