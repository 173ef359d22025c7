#include "engine/redis/redis_nodes.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "server/redis_node_double.h"

namespace carillon {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using testing::SizeIs;

struct Messages final : NodeEvents {
  void on_node_message(std::string_view from, std::string_view message) override {
    const std::lock_guard lock(mutex);
    all.push_back(std::string(from) + ": " + std::string(message));
  }
  std::vector<std::string> heard() {
    const std::lock_guard lock(mutex);
    return all;
  }
  std::mutex mutex;
  std::vector<std::string> all;
};

class RedisNodesTest : public testing::Test {
 protected:
  std::unique_ptr<RedisNodeDouble> node(const std::string& name, std::int64_t lease_ms = 30'000) {
    auto made = std::make_unique<RedisNodeDouble>(thread_, soon_again({redis_.server()}),
                                                  RedisNodeDouble::Options{.name = name, .lease_ms = lease_ms});
    EXPECT_TRUE(wait_until([&] { return made->nodes().self().number != 0; }));
    return made;
  }
  std::vector<std::string> names(RedisNodeDouble& asked) {
    std::vector<std::string> all;
    auto listed = wait_for<std::vector<NodeRecord>>([&](auto done) { asked.nodes().list(std::move(done)); });
    if (!listed) return {listed.error().text};
    for (const NodeRecord& record : *listed) all.push_back(std::to_string(record.number) + ' ' + record.name);
    return all;
  }
  static std::size_t send(RedisNodeDouble& from, std::string to, std::string message) {
    return *wait_for<std::size_t>([&](auto done) { from.nodes().send(std::move(to), std::move(message), std::move(done)); });
  }

  RedisProcess redis_;
  LoopThread thread_;
};

TEST_F(RedisNodesTest, NumbersAreUniqueAndUsedAgain) {
  const auto a = node("a");
  const auto b = node("b");
  auto c = node("c");
  EXPECT_THAT(names(*a), ElementsAre("1 a", "2 b", "3 c"));
  b->leave();
  EXPECT_THAT(names(*a), ElementsAre("1 a", "3 c"));
  const auto d = node("d");
  EXPECT_THAT(names(*c), ElementsAre("1 a", "2 d", "3 c"));
}

TEST_F(RedisNodesTest, ManyAtOnceGetOneNumberEach) {
  std::vector<std::unique_ptr<RedisNodeDouble>> all;
  for (int i = 0; i < 20; ++i) {
    all.push_back(std::make_unique<RedisNodeDouble>(thread_, soon_again({redis_.server()}),
                                                    RedisNodeDouble::Options{.name = "n" + std::to_string(i)}));
  }
  std::set<std::uint16_t> numbers;
  for (const auto& one : all) {
    ASSERT_TRUE(wait_until([&] { return one->nodes().self().number != 0; }));
    numbers.insert(one->nodes().self().number);
  }
  EXPECT_THAT(numbers, SizeIs(20));
  EXPECT_EQ(*numbers.rbegin(), 20);
}

TEST_F(RedisNodesTest, ANodesRecordIsWhatItSaidLast) {
  const auto a = node("a");
  const auto b = node("b");
  a->nodes().describe("http://[::1]:80", R"({"n":"ü 1"})");
  std::vector<NodeRecord> records;
  ASSERT_TRUE(wait_until([&] {
    records = *wait_for<std::vector<NodeRecord>>([&](auto done) { b->nodes().list(std::move(done)); });
    return records.size() == 2 && !records[0].stats.empty();
  }));
  EXPECT_EQ(records[0].address, "http://[::1]:80");
  EXPECT_EQ(records[0].stats, R"({"n":"ü 1"})");
  EXPECT_EQ(records[0].started_at_ms, a->nodes().self().started_at_ms);
  EXPECT_EQ(records[1].address, "");
}

TEST_F(RedisNodesTest, ADeadNodeIsGoneWithItsLeaseAndItsNumberFree) {
  auto a = node("a", 500);
  const auto b = node("b");
  EXPECT_THAT(names(*b), ElementsAre("1 a", "2 b"));
  a->die();
  ASSERT_TRUE(wait_until([&] { return names(*b) == std::vector<std::string>{"2 b"}; }));
  ASSERT_TRUE(wait_until([&] { return *redis_.command({"HLEN", "t:r:{nodes}"}).number() == 1; }));
  const auto c = node("c");
  EXPECT_EQ(c->nodes().self().number, 1);
}

TEST_F(RedisNodesTest, MessagesComeInTheOrderTheyWereSent) {
  const auto a = node("a");
  const auto b = node("b");
  const auto c = node("c");
  Messages at_a, at_b, at_c;
  a->nodes().set_events(at_a);
  b->nodes().set_events(at_b);
  c->nodes().set_events(at_c);
  // Both are heard once their first has come.
  ASSERT_TRUE(wait_until([&] { return send(*a, "", "hello") == 2; }));
  const std::size_t greetings = at_b.heard().size();
  std::vector<std::string> wanted;
  for (int i = 0; i < 50; ++i) {
    const bool to_all = i % 3 == 0;
    const std::string message("message\r\n\0 ", 11);
    a->nodes().send(to_all ? "" : "b", message + std::to_string(i), [](const Result<std::size_t>&) {});
    wanted.push_back("a: " + message + std::to_string(i));
  }
  EXPECT_EQ(send(*a, "b", "last"), 1u);
  EXPECT_EQ(send(*a, "nobody", "x"), 0u);
  wanted.push_back("a: last");
  ASSERT_TRUE(wait_until([&] { return !at_b.heard().empty() && at_b.heard().back() == "a: last"; }));
  const auto heard = at_b.heard();
  EXPECT_EQ(std::vector<std::string>(heard.end() - 51, heard.end()), wanted);
  EXPECT_GE(heard.size(), 51 + greetings);
  EXPECT_THAT(at_a.heard(), IsEmpty()) << "not what it said itself";
  ASSERT_TRUE(wait_until([&] { return at_c.heard().size() >= 17 + 1; }));
}

TEST_F(RedisNodesTest, AfterAnEmptyRestartAllAreThereAgain) {
  const auto a = node("a");
  const auto b = node("b");
  redis_.kill();
  redis_.start();
  ASSERT_TRUE(wait_until([&] {
    return names(*a) == std::vector<std::string>{"1 a", "2 b"};
  })) << testing::PrintToString(names(*a));
  Messages at_b;
  b->nodes().set_events(at_b);
  ASSERT_TRUE(wait_until([&] { return send(*a, "b", "x") == 1; }));
  ASSERT_TRUE(wait_until([&] { return at_b.heard() == std::vector<std::string>{"a: x"}; }));
}

TEST_F(RedisNodesTest, WithoutRedisItIsUnavailable) {
  const auto a = node("a");
  redis_.kill();
  const auto listed = wait_for<std::vector<NodeRecord>>([&](auto done) { a->nodes().list(std::move(done)); });
  ASSERT_FALSE(listed);
  EXPECT_EQ(listed.error().kind, ErrorKind::kUnavailable);
}

}  // namespace
}  // namespace carillon
