#include "engine/redis/redis_servers.h"

#include <gtest/gtest.h>

#include "server/redis_world.h"

namespace carillon {
namespace {

// Writes down what it hears.
struct Listener final : RedisSubscriber {
  void on_message(std::size_t, std::string_view channel, std::string_view message) override {
    heard.push_back(std::string(channel) + "=" + std::string(message));
  }
  void on_deaf(std::size_t master) override { heard.push_back("deaf " + std::to_string(master)); }
  void on_hearing(std::size_t master) override { heard.push_back("hearing " + std::to_string(master)); }
  std::vector<std::string> heard;
};

RedisOptions options_for(std::vector<RedisOptions::Server> servers) {
  RedisOptions options;
  options.servers = std::move(servers);
  options.retry_min = Millis{10};
  options.retry_max = Millis{200};
  return options;
}

TEST(RedisServersTest, CommandsAreAnsweredInTheirOrder) {
  RedisProcess redis;
  RedisWorld world(options_for({redis.server()}));
  std::vector<std::string> answers;
  world.await<bool>([&](auto done) {
    auto all = std::make_shared<decltype(done)>(std::move(done));
    for (int i = 0; i < 1'000; ++i) {
      world.client().send("n", RespCommand{"INCR", "n"}, [&answers, all](Result<RespValue> value) {
        answers.push_back(RedisWorld::describe(value));
        if (answers.size() == 1'000) (*all)(true);
      });
      EXPECT_TRUE(answers.empty());
    }
  });
  for (int i = 0; i < 1'000; ++i) EXPECT_EQ(answers[i], std::to_string(i + 1));
}

}  // namespace
}  // namespace carillon
