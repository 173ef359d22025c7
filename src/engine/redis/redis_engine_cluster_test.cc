// Servers on a Redis Cluster of three masters: the same promises, and what happens when one of the masters is away.
#include <gtest/gtest.h>

#include <algorithm>
#include <set>

#include "engine/redis/redis_slots.h"
#include "server/redis_engine_double.h"

namespace carillon {
namespace {

class RedisEngineClusterTest : public RedisEngineTest {
 protected:
  RedisOptions options(const RedisClusterProcess& cluster) {
    RedisOptions made = RedisEngineTest::options();
    made.servers = cluster.servers();
    made.cluster = true;
    return made;
  }
  // Which of the three has the channel's stream.
  std::size_t home_of(RedisClusterProcess& cluster, const std::string& channel) {
    const RespValue slot = cluster[0].command({"CLUSTER", "KEYSLOT", stream(channel)});
    std::size_t home = 0;
    while (*slot.number() >= RedisClusterProcess::kFirstSlots[home + 1]) ++home;
    return home;
  }
};

TEST_F(RedisEngineClusterTest, ChannelsOnAllMastersHaveTheirOrderOnEveryNode) {
  RedisClusterProcess cluster;
  RedisEngineNode a(options(cluster)), b(options(cluster));
  for (RedisEngineNode* node : {&a, &b}) node->listen({Selector::Kind::kTree, ""});
  std::vector<std::string> channels;
  std::set<std::size_t> homes;
  for (int i = 0; i < 9; ++i) {
    channels.push_back("c" + std::to_string(i));
    homes.insert(home_of(cluster, channels.back()));
  }
  EXPECT_EQ(homes.size(), 3u);
  constexpr std::size_t kEach = 50;
  std::vector<std::thread> threads;
  for (RedisEngineNode* node : {&a, &b}) {
    threads.emplace_back([&, node] {
      for (std::size_t i = 0; i < kEach * channels.size(); ++i) {
        ASSERT_TRUE(node->try_publish(channels[i % channels.size()], std::to_string(i), i % 7 == 0 ? std::to_string(i) : ""));
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  for (const std::string& channel : channels) {
    const std::size_t there = kept(a, channel).size();
    for (RedisEngineNode* node : {&a, &b}) wait_until_redis("all is heard", [&] { return node->count_of(channel) >= there; });
    EXPECT_TRUE(has_offsets_without_holes(a.heard.copy(channel)));
    EXPECT_EQ(a.heard_of(channel), b.heard_of(channel));
    EXPECT_EQ(a.heard_of(channel), kept(b, channel));
  }
  const auto records = *wait_for_answer<Result<std::vector<ChannelRecord>>>(
      [&](auto done) { b.engine().channels("c", "", 100, std::move(done)); });
  std::vector<std::string> names;
  for (const ChannelRecord& record : records) names.push_back(record.name);
  EXPECT_EQ(names, channels);
}

TEST_F(RedisEngineClusterTest, ACutSubscriptionIsMadeUpForOnEveryMaster) {
  RedisClusterProcess cluster;
  RedisEngineNode a(options(cluster)), b(options(cluster));
  const std::vector<std::string> channels = {"c0", "c1", "c2", "c3", "c4", "c5"};
  for (const std::string& channel : channels) b.listen({Selector::Kind::kExact, channel});
  std::atomic<bool> publishing{true};
  int count = 0;
  std::thread publisher([&] {
    for (; publishing; ++count) {
      for (const std::string& channel : channels) ASSERT_TRUE(a.try_publish(channel, std::to_string(count)));
    }
  });
  for (std::size_t round = 0; round < 3; ++round) {
    const std::size_t before = b.count_of("c0");
    for (std::size_t master = 0; master < 3; ++master) cluster[master].command({"CLIENT", "KILL", "TYPE", "pubsub"});
    wait_until_redis("more is heard", [&] { return b.heard.is_well_again() && b.count_of("c0") > before + 20; });
  }
  publishing = false;
  publisher.join();
  for (const std::string& channel : channels) {
    wait_for_last(b, channel, std::to_string(count - 1));
    EXPECT_TRUE(has_offsets_without_holes(b.heard.copy(channel)));
    EXPECT_EQ(b.count_of(channel), static_cast<std::size_t>(count));
  }
  EXPECT_TRUE(b.heard.gaps().empty());
}

TEST_F(RedisEngineClusterTest, BatchesKeepTheirOrderWhileTheirSlotMoves) {
  RedisClusterProcess cluster;
  RedisEngineNode a(options(cluster)), b(options(cluster));
  b.listen({Selector::Kind::kExact, "c0"});
  a.publish("c0", "0");
  const std::size_t from = home_of(cluster, "c0"), to = (from + 1) % 3;
  const std::uint16_t slot = redis_slot_of(stream("c0"));
  const std::function<void()> steps[] = {[] {}, [&] { cluster.begin_move(slot, from, to); },
                                         [&] { cluster.move_keys(slot, from, to); }, [&] { cluster.end_move(slot, to); }};
  int next = 1;
  for (const std::function<void()>& step : steps) {
    Burst before = burst(a, "c0", next, 100);
    step();
    Burst behind = burst(a, "c0", next + 100, 100);
    before.positions();
    EXPECT_EQ(behind.positions().back().offset, static_cast<std::uint64_t>(next) + 200);
    next += 200;
  }
  wait_for_last(b, "c0", "800");
  EXPECT_TRUE(has_offsets_without_holes(b.heard.copy("c0")));
  EXPECT_EQ(b.count_of("c0"), 801u);
  EXPECT_EQ(kept(a, "c0"), b.heard_of("c0"));
  EXPECT_TRUE(b.heard.gaps().empty());
}

TEST_F(RedisEngineClusterTest, WithOneMasterAwayTheOthersChannelsGoOn) {
  RedisClusterProcess cluster({.arguments = {"--cluster-require-full-coverage", "no"}});
  RedisOptions impatient = options(cluster);
  impatient.wait_max = Millis(500);
  RedisEngineNode a(impatient), b(impatient);
  std::vector<std::string> channel_of(3);
  for (int i = 0; i < 20; ++i) channel_of[home_of(cluster, "c" + std::to_string(i))] = "c" + std::to_string(i);
  for (const std::string& channel : channel_of) b.listen({Selector::Kind::kExact, channel});
  for (const std::string& channel : channel_of) a.publish(channel, "1");
  for (const std::string& channel : channel_of) wait_for_last(b, channel, "1");
  cluster[1].kill();
  const Result<Receipt> failed = a.try_publish(channel_of[1], "lost");
  ASSERT_FALSE(failed);
  EXPECT_EQ(failed.error().kind, ErrorKind::kUnavailable);
  for (const std::size_t home : {0u, 2u}) {
    wait_until_redis("it publishes", [&] { return a.try_publish(channel_of[home], "2").has_value(); });
    wait_for_last(b, channel_of[home], "2");
  }
  cluster[1].start();
  wait_until_redis("it publishes", [&] { return a.try_publish(channel_of[1], "3").has_value(); });
  wait_for_last(b, channel_of[1], "3");
  EXPECT_EQ(b.heard.copy(channel_of[1]).back()->position->offset, 1u) << "it came back empty";
  wait_until_redis("it hears all", [&] { return b.heard.is_well_again(); });
  ASSERT_EQ(b.heard.gaps().size(), 1u);
  EXPECT_EQ(b.heard.gaps()[0].first, channel_of[1]);
}

}  // namespace
}  // namespace carillon
