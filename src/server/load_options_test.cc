#include "server/load_options.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/scratch_file.h"

namespace carillon {
namespace {

using testing::HasSubstr;

class LoadOptions : public testing::Test {
 protected:
  void write(const std::string& text) { file_.write(text); }

  const ScratchFile file_{".toml"};
  const std::string path_ = file_.path();
};

TEST_F(LoadOptions, FlagsOverEnvironmentOverFile) {
  write("[server]\nloops = 1\ndrain_time = \"1s\"\nlog_level = \"debug\"\n");
  const char* environment[] = {"CARILLON_SERVER_LOOPS=2", "CARILLON_SERVER_DRAIN_TIME=2s", nullptr};
  const auto options = load_options(
      {.config_path = path_, .environment = environment, .flags = {{"--loops", "server.loops", "3"}}, .message_max = {}});
  ASSERT_TRUE(options) << options.error().text;
  EXPECT_EQ(options->loops, 3u);
  EXPECT_EQ(options->drain_time, std::chrono::seconds(2));
  EXPECT_EQ(options->log_level, LogLevel::kDebug);
}

TEST_F(LoadOptions, AContradictionIsRefusedWhereverItComesFrom) {
  write("[websocket]\nping_interval = \"50s\"\n");
  const char* environment[] = {"CARILLON_WEBSOCKET_IDLE_TIME=40s", nullptr};
  EXPECT_THAT(load_options({.config_path = path_, .environment = environment}).error().text,
              HasSubstr("websocket.ping_interval (50s) must be shorter"));
}

TEST_F(LoadOptions, ErrorsNameWhatTheUserWrote) {
  EXPECT_THAT(load_options({.config_path = path_ + ".none"}).error().text, HasSubstr(path_ + ".none: No such file"));
  EXPECT_EQ(load_options({.flags = {{"--loops", "server.loops", "many"}}}).error().text,
            "--loops takes a whole number, not \"many\"");
  EXPECT_THAT(load_options({.message_max = "32M"}).error().text, HasSubstr("--message-max takes a size"));
}

TEST_F(LoadOptions, ALargerMessageRaisesWhatMustHoldIt) {
  const auto large = load_options({.message_max = "300MB"});
  ASSERT_TRUE(large) << large.error().text;
  EXPECT_EQ(large->limits.message_bytes, 300'000'000u);
  EXPECT_EQ(large->limits.body_bytes, 300'000'000u);
  EXPECT_EQ(large->limits.outbox_bytes, 600'000'000u);
  EXPECT_EQ(large->limits.outbox_memory_bytes, 600'000'000u);

  const auto small = load_options({.message_max = "10KB"});
  ASSERT_TRUE(small);
  EXPECT_EQ(small->limits.message_bytes, 10'000u);
  EXPECT_EQ(small->limits.body_bytes, ServerOptions().limits.body_bytes);
  EXPECT_EQ(small->limits.outbox_bytes, ServerOptions().limits.outbox_bytes);
}

}  // namespace
}  // namespace carillon
