#include "server/settings.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>
#include <set>
#include <sstream>

#include "server/config_file.h"

namespace carillon {
namespace {

using testing::HasSubstr;

std::string refusal_of(std::initializer_list<const char*> variables) {
  std::vector<const char*> environment(variables);
  environment.push_back(nullptr);
  ServerOptions options;
  const Result<void> applied = apply_environment(options, environment.data());
  return applied ? "" : applied.error().text;
}

TEST(Settings, EveryDefaultPassesItsOwnCheckAndNamesAreUnique) {
  std::set<std::string> names;
  for (const auto& setting : server_settings()) {
    EXPECT_TRUE(setting.check(ServerOptions())) << setting.name();
    EXPECT_TRUE(names.insert(environment_name(setting)).second) << setting.name();
    EXPECT_FALSE(setting.help.empty()) << setting.name();
  }
}

Result<void> set(ServerOptions& options, std::string_view name, std::string_view text) {
  return set_option(options, {.name = name, .shown = name, .text = text});
}

TEST(Settings, EveryKeyOfARuleIsNamedOnceAndPassesItsOwnCheck) {
  std::set<std::string> names;
  for (const auto& setting : bayeux_authorizer_settings()) {
    EXPECT_TRUE(setting.check(BayeuxAuthorizerRule())) << setting.name();
    EXPECT_TRUE(names.insert(setting.name()).second) << setting.name();
  }
}

TEST(Settings, ByDottedName) {
  ServerOptions options;
  EXPECT_TRUE(set(options, "limits.message_bytes", "32MB"));
  EXPECT_EQ(options.limits.message_bytes, 32'000'000u);
  EXPECT_TRUE(set(options, "server.origins", "https://a.example,https://b.example"));
  EXPECT_EQ(options.origins, (std::vector<std::string>{"https://a.example", "https://b.example"}));
  EXPECT_TRUE(set(options, "limits.slow_consumer", "close"));
  EXPECT_EQ(options.limits.slow_consumer, SlowConsumer::kClose);

  EXPECT_EQ(set(options, "limits.mesage_bytes", "1").error().text,
            "unknown setting `limits.mesage_bytes`; did you mean `limits.message_bytes`?");
  EXPECT_EQ(set(options, "limits.slow_consumer", "drop_oldst").error().text,
            "limits.slow_consumer takes \"drop_oldest\" or \"close\", not \"drop_oldst\"; did you mean `drop_oldest`?");
  EXPECT_THAT(set(options, "server.loops", "many").error().text, HasSubstr("server.loops takes a whole number"));
  EXPECT_THAT(set(options, "server.loops", "256").error().text, HasSubstr("from 0 to 255, not 256"));
}

TEST(Settings, WordsAreKnownAndComeOnce) {
  ServerOptions options;
  EXPECT_TRUE(set(options, "bayeux.transports", "long-polling,eventsource"));
  EXPECT_EQ(options.bayeux.transports, (std::vector<std::string>{"long-polling", "eventsource"}));
  EXPECT_EQ(set(options, "bayeux.transports", "long-poling").error().text,
            "bayeux.transports takes some of \"websocket\", \"long-polling\", \"callback-polling\", \"eventsource\", not "
            "\"long-poling\"; did you mean `long-polling`?");
  EXPECT_THAT(set(options, "bayeux.transports", "websocket,websocket").error().text, HasSubstr("not \"websocket\" twice"));
  EXPECT_THAT(set(options, "bayeux.transports", "").error().text, HasSubstr("not []"));
  EXPECT_EQ(options.bayeux.transports.size(), 2u) << "what is refused changes nothing";
}

TEST(Environment, OverridesAndIsTyped) {
  ServerOptions options;
  const char* environment[] = {"PATH=/bin",
                               "CARILLON_SERVER_LISTEN=127.0.0.1:9",
                               "CARILLON_LIMITS_MESSAGE_BYTES=64KiB",
                               "CARILLON_AUTH_API_KEY=k=1",
                               "CARILLON_WEBSOCKET_COMPRESSION=false",
                               "CARILLON_SSE_HEARTBEAT=3s",
                               "CARILLON_BAYEUX_COOKIE_SAME_SITE=strict",
                               "CARILLON_BAYEUX_LAZY_CHANNELS=/a/*,/b",
                               "CARILLON_SERVER_ORIGINS=",
                               nullptr};
  ASSERT_TRUE(apply_environment(options, environment));
  EXPECT_EQ(options.listen, "127.0.0.1:9");
  EXPECT_EQ(options.limits.message_bytes, 65536u);
  EXPECT_EQ(options.api_key, "k=1");
  EXPECT_FALSE(options.websocket.compression);
  EXPECT_EQ(options.sse.heartbeat, std::chrono::seconds(3));
  EXPECT_TRUE(options.origins.empty());
  EXPECT_EQ(options.bayeux.cookie_same_site, SameSite::kStrict);
  EXPECT_EQ(options.bayeux.lazy_channels, (std::vector<std::string>{"/a/*", "/b"}));
}

TEST(Environment, AMisspeltNameIsRefused) {
  EXPECT_EQ(refusal_of({"CARILLON_LIMITS_MESAGE_BYTES=1"}),
            "unknown environment variable CARILLON_LIMITS_MESAGE_BYTES; did you mean `CARILLON_LIMITS_MESSAGE_BYTES`?");
  EXPECT_EQ(refusal_of({"CARILLON_API_KEY=x"}),
            "unknown environment variable CARILLON_API_KEY; did you mean `CARILLON_AUTH_API_KEY`?");
  EXPECT_EQ(refusal_of({"CARILLON_LIMTS_HEAD_BYTES=1"}),
            "unknown environment variable CARILLON_LIMTS_HEAD_BYTES; did you mean `CARILLON_LIMITS_HEAD_BYTES`?");
  EXPECT_EQ(refusal_of({"CARILLON_SERVER_LOOPS=x"}), "CARILLON_SERVER_LOOPS takes a whole number, not \"x\"");
}

TEST(Environment, WhatOthersAddIsLeftAlone) {
  EXPECT_EQ(refusal_of({"CARILLON_PORT=tcp://10.0.0.1:80", "CARILLON_SERVICE_HOST=10.0.0.1", "CARILLON_SERVER_SERVICE_PORT=80",
                        "CARILLON_SERVER_PORT_80_TCP_ADDR=10.0.0.1", "CARILLON_URL=http://x", "CARILLON_", "CARILLON_X"}),
            "");
}

TEST(OptionsToml, ReadsBackAsTheSame) {
  ServerOptions options;
  options.limits.message_bytes = 12345;
  options.origins = {"https://a\"b\\c"};
  options.http.api_path = "/x\ty";
  options.channels = {{.match = "room:*", .history_count = 7, .publish = ChannelAccess::kOpen}};
  options.bayeux.transports = {"long-polling", "websocket"};
  options.bayeux.authorizers = {
      {.channel = "/room/**"},
      {.channel = "/room/*", .operations = {"create"}, .user = "\"al\"", .decision = BayeuxDecision::kDeny, .reason = "no"}};
  ServerOptions read;
  const Result<void> outcome = read_config(options_toml(options), "shown", read);
  ASSERT_TRUE(outcome) << outcome.error().text;
  EXPECT_EQ(read, options);
}

TEST(OptionsToml, HidesSecrets) {
  ServerOptions options;
  options.api_key = "hush";
  options.webhooks.github_secrets = {"whisper"};
  options.auth.jwt_secrets = {"murmur"};
  const std::string shown = options_toml(options);
  EXPECT_EQ(shown.find("hush"), std::string::npos);
  EXPECT_EQ(shown.find("whisper"), std::string::npos);
  EXPECT_EQ(shown.find("murmur"), std::string::npos);
  EXPECT_THAT(shown, HasSubstr("api_key = \"(set, not shown)\""));
  EXPECT_THAT(options_toml({}), HasSubstr("api_key = \"\""));
}

// docs/guide/configuration.md holds the tables between its two marks. CARILLON_WRITE_DOCS=1 writes them anew.
TEST(Settings, TheGuideShowsThemAll) {
  const std::string path = CARILLON_SOURCE_DIR "/docs/guide/configuration.md";
  std::stringstream page;
  page << std::ifstream(path).rdbuf();
  const std::string text = page.str();
  const std::string begin_mark = "<!-- settings: written by settings_test -->\n";
  const std::size_t begin = text.find(begin_mark);
  const std::size_t end = text.find("<!-- end of settings -->");
  ASSERT_NE(begin, std::string::npos);
  ASSERT_NE(end, std::string::npos);
  const std::string wanted = text.substr(0, begin + begin_mark.size()) + "\n" + settings_markdown() + "\n" + text.substr(end);
  if (std::getenv("CARILLON_WRITE_DOCS") != nullptr) std::ofstream(path) << wanted;
  EXPECT_EQ(text, wanted) << "run server_test once with CARILLON_WRITE_DOCS=1";
}

}  // namespace
}  // namespace carillon
