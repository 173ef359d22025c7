// Many publishes at once, which go to Redis by commands: as those of the script, whatever becomes of the stream.
#include <gtest/gtest.h>

#include <algorithm>

#include "server/redis_engine_double.h"

namespace carillon {
namespace {

using Texts = std::vector<std::string>;
using Gaps = std::vector<std::pair<std::string, std::uint64_t>>;

constexpr int kBurst = 20;  // Enough for one batch by commands.

Selector exact(std::string name) {
  return {Selector::Kind::kExact, std::move(name)};
}

class RedisBatchesTest : public RedisEngineTest {
 protected:
  static std::vector<Position> from(std::uint64_t epoch, std::uint64_t offset, int count = kBurst) {
    std::vector<Position> all;
    for (int i = 0; i < count; ++i) all.push_back({epoch, offset + static_cast<std::uint64_t>(i)});
    return all;
  }
  // "<offset> <payload>" from the first on.
  static Texts texts(std::uint64_t offset, int first, int count = kBurst) {
    Texts all;
    for (int i = 0; i < count; ++i)
      all.push_back(std::to_string(offset + static_cast<std::uint64_t>(i)) + ' ' + std::to_string(first + i));
    return all;
  }
  // How often Redis was asked for a transaction: a batch by commands is one, one by the script is none.
  std::size_t transactions() const {
    const RespValue told = redis.command({"INFO", "commandstats"});
    const std::size_t at = told.text()->find("cmdstat_exec:calls=");
    return at == std::string::npos ? 0 : std::strtoull(told.text()->c_str() + at + 19, nullptr, 10);
  }

  RedisProcess redis;
};

TEST_F(RedisBatchesTest, AreHeardByEveryNodeInOrderAndHistoryShowsThem) {
  RedisEngineNode a(options(redis)), b(options(redis));
  for (RedisEngineNode* node : {&a, &b}) node->listen(exact("a"));
  const Position first = *a.publish("a", "0").position;
  const std::size_t before = transactions();
  EXPECT_EQ(burst(a, "a", 1, kBurst).positions(), from(first.epoch, 2));
  EXPECT_EQ(burst(a, "a", 21, 300).positions(), from(first.epoch, 22, 300));
  EXPECT_GT(transactions(), before + 2);
  wait_for_last(b, "a", "320");
  EXPECT_EQ(b.heard_of("a"), texts(1, 0, 321));
  EXPECT_EQ(a.heard_of("a"), b.heard_of("a"));
  EXPECT_EQ(kept(b, "a"), b.heard_of("a"));
  const auto pages = b.history({.channel = "a", .count_max = 1000}).publications;
  const auto heard = b.heard.copy("a"), own = a.heard.copy("a");
  for (std::size_t i = 0; i < pages.size(); ++i) {
    EXPECT_EQ(pages[i]->id, heard[i]->id);
    EXPECT_EQ(own[i]->id, heard[i]->id);
    EXPECT_EQ(pages[i]->time_ms, heard[i]->time_ms);
    EXPECT_GE(heard[i]->time_ms, heard[i == 0 ? 0 : i - 1]->time_ms);
  }
  EXPECT_TRUE(b.heard.gaps().empty());
}

TEST_F(RedisBatchesTest, HaveAllThatAPublicationHas) {
  RedisEngineNode a(options(redis)), b(options(redis));
  for (RedisEngineNode* node : {&a, &b}) node->listen(exact("a"));
  a.publish("a", "0");
  const std::string large(100'000, 'x');
  burst(a, "a", 1, kBurst, [&](int i, Draft& draft) {
    draft.identity = std::make_shared<const Identity>(Identity{.user = "u" + std::to_string(i), .verified = true});
    draft.tags = {{"n", std::to_string(i)}};
    draft.publisher_session = 7;
    draft.deliver_to = DeliverTo::kOtherSessions;
    if (i % 2 == 0) draft.payload = Bytes::copy_of(large);
    if (i % 3 == 0) draft.format = PayloadFormat::kBytes;
  }).positions();
  wait_until_redis("all is heard", [&] { return b.count_of("a") == 1 + kBurst; });
  for (const auto& seen : {b.heard.copy("a"), b.history({.channel = "a", .count_max = 100}).publications}) {
    for (int i = 1; i <= kBurst; ++i) {
      const Publication& publication = *seen[static_cast<std::size_t>(i)];
      EXPECT_EQ(publication.identity->user, "u" + std::to_string(i));
      EXPECT_EQ(publication.tags, (Tags{{"n", std::to_string(i)}}));
      EXPECT_EQ(publication.deliver_to, DeliverTo::kOtherSessions);
      EXPECT_EQ(publication.payload.view(), i % 2 == 0 ? large : std::to_string(i));
      EXPECT_EQ(publication.format, i % 3 == 0 ? PayloadFormat::kBytes : PayloadFormat::kJson);
    }
  }
}

TEST_F(RedisBatchesTest, OfSeveralNodesHaveOneOrder) {
  RedisEngineNode a(options(redis)), b(options(redis)), c(options(redis));
  RedisEngineNode* const nodes[] = {&a, &b, &c};
  for (RedisEngineNode* node : nodes) node->listen(exact("a"));
  for (RedisEngineNode* node : nodes) node->publish("a");
  constexpr int kRounds = 20;
  std::vector<std::thread> threads;
  for (RedisEngineNode* node : nodes) {
    threads.emplace_back([node] {
      for (int i = 0; i < kRounds; ++i) {
        const auto positions = burst(*node, "a", 0, kBurst).positions();
        for (std::size_t j = 1; j < positions.size(); ++j) ASSERT_LT(positions[j - 1].offset, positions[j].offset);
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  for (RedisEngineNode* node : nodes) {
    wait_until_redis("all is heard", [&] { return node->count_of("a") == 3 + 3 * kRounds * kBurst; });
    EXPECT_TRUE(has_offsets_without_holes(node->heard.copy("a")));
    EXPECT_EQ(node->heard_of("a"), a.heard_of("a"));
    EXPECT_TRUE(node->heard.gaps().empty());
  }
  EXPECT_EQ(kept(a, "a"), a.heard_of("a"));
}

TEST_F(RedisBatchesTest, KeysKeepThePlaceOfTheirPublication) {
  RedisEngineNode a(options(redis)), b(options(redis));
  b.listen(exact("a"));
  a.publish("a", "0");
  const auto keyed = [](int i, Draft& draft) {
    if (i == 150) draft.idempotency_key = "key";
  };
  Burst made = burst(a, "a", 1, 300, keyed);
  made.positions();
  wait_for_last(b, "a", "300");
  EXPECT_EQ(b.heard_of("a"), texts(1, 0, 301));
  EXPECT_EQ(a.publish("a", "again", "key").position->offset, 151u);
}

TEST_F(RedisBatchesTest, ToAStreamThatIsGoneBeginANewOneOnceAndInOrder) {
  RedisEngineNode a(options(redis)), b(options(redis));
  for (RedisEngineNode* node : {&a, &b}) node->listen(exact("a"));
  const Position first = *a.publish("a", "0").position;
  redis.command({"DEL", stream("a")});
  const auto positions = burst(a, "a", 1, 300).positions();
  ASSERT_EQ(positions.size(), 300u);
  EXPECT_GT(positions[0].epoch, first.epoch);
  EXPECT_EQ(positions, from(positions[0].epoch, 1, 300));
  wait_for_last(b, "a", "300");
  Texts all = {"1 0"};
  std::ranges::copy(texts(1, 1, 300), std::back_inserter(all));
  EXPECT_EQ(b.heard_of("a"), all);
  EXPECT_EQ(a.heard_of("a"), all);
  EXPECT_EQ(kept(b, "a"), texts(1, 1, 300));
  // And so on, by commands.
  const std::size_t before = transactions();
  EXPECT_EQ(burst(a, "a", 301, kBurst).positions(), from(positions[0].epoch, 301));
  EXPECT_GT(transactions(), before);
}

TEST_F(RedisBatchesTest, ToAStreamThatAnotherNodeBeganAnewGoOnThere) {
  RedisEngineNode a(options(redis)), b(options(redis));
  b.listen(exact("a"));
  a.publish("a", "0");
  EXPECT_TRUE(wait_for_answer<Result<void>>([&](auto done) { b.engine().remove_history("a", std::move(done)); }));
  const Position anew = *b.publish("a", "1").position;
  EXPECT_EQ(burst(a, "a", 2, 300).positions(), from(anew.epoch, 2, 300));
  wait_for_last(b, "a", "301");
  EXPECT_EQ(kept(b, "a"), texts(1, 1, 301));
}

TEST_F(RedisBatchesTest, ToAStreamThatLostItsEndBeginANewEpoch) {
  RedisEngineNode a(options(redis)), b(options(redis));
  for (RedisEngineNode* node : {&a, &b}) node->listen(exact("a"));
  const Position first = *a.publish("a", "0").position;
  redis.command({"COPY", stream("a"), "copy"});
  burst(a, "a", 1, kBurst).positions();
  wait_for_last(b, "a", "20");
  redis.command({"COPY", "copy", stream("a"), "REPLACE"});
  const auto positions = burst(a, "a", 21, 300).positions();
  ASSERT_EQ(positions.size(), 300u);
  EXPECT_GT(positions[0].epoch, first.epoch);
  EXPECT_EQ(positions, from(positions[0].epoch, 1, 300));
  wait_for_last(b, "a", "320");
  EXPECT_EQ(kept(b, "a"), texts(1, 21, 300));
  Texts all = texts(1, 0, 21);
  std::ranges::copy(texts(1, 21, 300), std::back_inserter(all));
  EXPECT_EQ(b.heard_of("a"), all);
  EXPECT_EQ(b.heard.gaps(), (Gaps{{"a", 0}}));
}

TEST_F(RedisBatchesTest, WhereAnotherPublicationIsThanTheirNodeHasPublishedBeginANewEpoch) {
  for (const int others : {20, 25}) {
    SCOPED_TRACE(others);
    const std::string channel = "a" + std::to_string(others);
    RedisEngineNode a(options(redis)), b(options(redis));
    const Position first = *a.publish(channel, "0").position;
    redis.command({"COPY", stream(channel), "copy", "REPLACE"});
    ASSERT_EQ(burst(a, channel, 1, kBurst).positions().back(), (Position{first.epoch, 21}));
    redis.command({"COPY", "copy", stream(channel), "REPLACE"});
    for (int i = 0; i < others; ++i) EXPECT_EQ(b.publish(channel, "other").position->epoch, first.epoch);
    const auto positions = burst(a, channel, 21, kBurst).positions();
    ASSERT_EQ(positions.size(), static_cast<std::size_t>(kBurst));
    EXPECT_GT(positions[0].epoch, first.epoch);
    EXPECT_EQ(positions, from(positions[0].epoch, 1));
    EXPECT_EQ(kept(b, channel), texts(1, 21, kBurst));
  }
}

TEST_F(RedisBatchesTest, BehindAnEntryOfAnotherProgramBeginANewEpoch) {
  RedisEngineNode a(options(redis)), b(options(redis));
  for (RedisEngineNode* node : {&a, &b}) node->listen(exact("a"));
  const Position first = *a.publish("a", "0").position;
  redis.command({"XADD", stream("a"), std::to_string(first.epoch) + "-*", "some", "garbage"});
  const auto positions = burst(a, "a", 1, 100).positions();
  ASSERT_EQ(positions.size(), 100u);
  EXPECT_GT(positions[0].epoch, first.epoch);
  EXPECT_EQ(positions, from(positions[0].epoch, 1, 100));
  wait_for_last(b, "a", "100");
  EXPECT_EQ(kept(b, "a"), texts(1, 1, 100));
}

TEST_F(RedisBatchesTest, AreToldThoughRedisHasLostTheScript) {
  RedisEngineNode a(options(redis)), b(options(redis));
  for (RedisEngineNode* node : {&a, &b}) node->listen(exact("a"));
  const Position first = *a.publish("a", "0").position;
  burst(a, "a", 1, kBurst).positions();
  for (int round = 1; round <= 2; ++round) {
    redis.command({"SCRIPT", "FLUSH"});
    const int begin = 1 + round * kBurst;
    EXPECT_EQ(burst(a, "a", begin, kBurst).positions(), from(first.epoch, static_cast<std::uint64_t>(begin) + 1));
    wait_for_last(b, "a", std::to_string(begin + kBurst - 1));
  }
  EXPECT_EQ(b.heard_of("a"), texts(1, 0, 1 + 3 * kBurst));
  EXPECT_TRUE(b.heard.gaps().empty());
}

TEST_F(RedisBatchesTest, OfAFullRedisAreRefusedWhole) {
  RedisEngineNode a(options(redis)), b(options(redis));
  b.listen(exact("a"));
  a.publish("a", "0");
  redis.command({"CONFIG", "SET", "maxmemory-policy", "noeviction"});
  redis.command({"CONFIG", "SET", "maxmemory", "100kb"});
  Burst refused = burst(a, "a", 1, kBurst);
  for (auto& outcome : refused.outcomes) {
    const Result<Receipt> told = outcome.get();
    ASSERT_FALSE(told);
    EXPECT_EQ(told.error().kind, ErrorKind::kLimit) << told.error().text;
  }
  redis.command({"CONFIG", "SET", "maxmemory", "0"});
  EXPECT_EQ(burst(a, "a", 1, kBurst).positions().front().offset, 2u);
  wait_for_last(b, "a", "20");
  EXPECT_EQ(b.heard_of("a"), texts(1, 0, 21));
}

TEST_F(RedisBatchesTest, ToSomethingElseUnderTheKeyAreRefused) {
  RedisEngineNode a(options(redis));
  a.publish("a", "0");
  redis.command({"SET", stream("a"), "something else"});
  Burst refused = burst(a, "a", 1, kBurst);
  for (auto& outcome : refused.outcomes) {
    const Result<Receipt> told = outcome.get();
    ASSERT_FALSE(told);
    EXPECT_EQ(told.error().kind, ErrorKind::kCorrupt) << told.error().text;
  }
}

TEST_F(RedisBatchesTest, ANodeThatIsDeafMeanwhileMissesNothing) {
  RedisEngineNode a(options(redis)), b(options(redis));
  b.listen(exact("a"));
  a.publish("a", "0");
  for (int round = 0; round < 10; ++round) {
    Burst made = burst(a, "a", 1 + round * 100, 100);
    redis.command({"CLIENT", "KILL", "TYPE", "pubsub"});
    made.positions();
  }
  wait_for_last(b, "a", "1000");
  EXPECT_EQ(b.heard_of("a"), texts(1, 0, 1001));
  EXPECT_TRUE(b.heard.gaps().empty());
}

TEST_F(RedisBatchesTest, EntriesThatNobodyAnnouncedAreLeftAside) {
  RedisEngineNode a(options(redis)), b(options(redis));
  b.listen(exact("a"));
  a.publish("a", "0");
  std::string entries;
  append_packed(entries, redis_entry({.channel = "a", .event = "e", .payload = Bytes::copy_of("ghost")}, {}, "1f", {}));
  redis.command({"PUBLISH", RedisKeys(prefix_).publications("a"), entries});
  a.publish("a", "1");
  wait_for_last(b, "a", "1");
  EXPECT_EQ(b.heard_of("a"), texts(1, 0, 2));
}

}  // namespace
}  // namespace carillon
