// Several servers on one Redis: what hub/engine.h promises between them.
#include <gtest/gtest.h>

#include <random>

#include "server/redis_engine_double.h"

namespace carillon {
namespace {

using Texts = std::vector<std::string>;

const Selector kAll{Selector::Kind::kTree, ""};
Selector exact(std::string name) {
  return {Selector::Kind::kExact, std::move(name)};
}

TEST_F(RedisEngineTest, EveryNodeHearsTheSameOrderAndHistoryShowsIt) {
  RedisEngineNode a(options()), b(options()), c(options());
  RedisEngineNode* const nodes[] = {&a, &b, &c};
  for (RedisEngineNode* node : nodes) node->listen(kAll);
  constexpr int kEach = 200;
  std::vector<std::thread> threads;
  for (int t = 0; t < 3; ++t) {
    threads.emplace_back([&, t] {
      for (int i = 0; i < kEach; ++i) {
        ASSERT_TRUE(nodes[t]->try_publish("c" + std::to_string(i % 2), std::to_string(t) + ":" + std::to_string(i)));
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  for (const char* const channel : {"c0", "c1"}) {
    for (RedisEngineNode* node : nodes) {
      wait_until_redis("all is heard", [&] { return node->count_of(channel) >= 3 * kEach / 2; });
    }
    const auto heard = a.heard.copy(channel);
    EXPECT_TRUE(has_offsets_without_holes(heard));
    EXPECT_EQ(heard.size(), 3u * kEach / 2);
    EXPECT_EQ(b.heard_of(channel), a.heard_of(channel));
    EXPECT_EQ(c.heard_of(channel), a.heard_of(channel));
    EXPECT_EQ(kept(b, channel), a.heard_of(channel));
    for (std::size_t i = 0; i < heard.size(); ++i) EXPECT_EQ(b.heard.copy(channel)[i]->id, heard[i]->id);
  }
  EXPECT_TRUE(a.heard.gaps().empty());
  EXPECT_TRUE(a.heard.continuities().empty());
}

TEST_F(RedisEngineTest, ChannelsWithoutHistoryHaveOneOrderToo) {
  RedisEngineNode a(options()), b(options());
  for (RedisEngineNode* node : {&a, &b}) node->listen(kAll);
  std::vector<std::thread> threads;
  for (RedisEngineNode* node : {&a, &b}) {
    threads.emplace_back([node] {
      for (int i = 0; i < 300; ++i) {
        const std::size_t before = node->count_of("bare");
        ASSERT_TRUE(node->try_publish("bare", std::to_string(i)));
        ASSERT_GT(node->count_of("bare"), before) << "the own copy comes first";
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  for (RedisEngineNode* node : {&a, &b}) wait_until_redis("all is heard", [&] { return node->count_of("bare") >= 600; });
  EXPECT_EQ(a.heard_of("bare"), b.heard_of("bare"));
  EXPECT_EQ(a.count_of("bare"), 600u);
}

TEST_F(RedisEngineTest, ANodeHearsNothingItDidNotAskFor) {
  RedisEngineNode a(options()), b(options());
  b.listen(exact("wanted"));
  for (const char* const channel : {"other", "wanted", "bare"}) a.publish(channel);
  wait_for_last(b, "wanted", "x");
  EXPECT_EQ(a.count_of("wanted"), 0u) << "it asked for nothing";
  b.engine().add_interest(exact("wanted"));
  b.engine().remove_interest(exact("wanted"));
  a.publish("wanted", "two");
  wait_for_last(b, "wanted", "two");
  b.engine().remove_interest(exact("wanted"));
  b.listen(exact("last"));
  for (const char* const channel : {"wanted", "last"}) a.publish(channel, "three");
  wait_for_last(b, "last", "three");
  EXPECT_EQ(b.count_of("wanted"), 2u);
  EXPECT_EQ(b.count_of("other") + b.count_of("bare"), 0u);
  EXPECT_TRUE(b.heard.gaps().empty());
}

TEST_F(RedisEngineTest, SelectorsHearTheirChannelsWhateverTheirNames) {
  RedisEngineNode a(options()), tree(options()), children(options());
  tree.listen({Selector::Kind::kTree, "repo:[a*]/{x}%"});
  children.listen({Selector::Kind::kChildren, "repo:[a*]"});
  const Texts names = {"repo:[a*]", "repo:[a*]/{x}%", "repo:[a*]/{x}%/deep", "repo:a/{x}%", "repo:[a*]/{x}%y", "last"};
  a.listen(kAll);
  for (const std::string& name : names) a.publish(name);
  for (const std::string& name : names) EXPECT_EQ(a.count_of(name), 1u) << name;
  // A page of a channel that is heard comes behind everything published before.
  for (RedisEngineNode* node : {&tree, &children}) static_cast<void>(node->history({.channel = "repo:[a*]/{x}%"}));
  wait_until_redis("it is heard", [&] { return tree.count_of("repo:[a*]/{x}%/deep") == 1; });
  EXPECT_EQ(tree.count_of("repo:[a*]/{x}%"), 1u);
  for (const char* const name : {"repo:[a*]", "repo:a/{x}%", "repo:[a*]/{x}%y", "last"})
    EXPECT_EQ(tree.count_of(name), 0u) << name;
  wait_until_redis("it is heard", [&] { return children.count_of("repo:[a*]/{x}%y") == 1; });
  for (const char* const name : {"repo:[a*]", "repo:[a*]/{x}%/deep"}) EXPECT_EQ(children.count_of(name), 0u) << name;
}

TEST_F(RedisEngineTest, APageShowsNothingThatWasNotHandedOut) {
  RedisEngineNode a(options()), b(options());
  b.listen(exact("a"));
  std::atomic<bool> publishing{true};
  std::thread publisher([&] {
    for (int i = 0; publishing; ++i) a.publish("a", std::to_string(i));
  });
  for (int i = 0; i < 100; ++i) {
    const std::size_t before = b.count_of("a");
    const HistoryPage page = b.history({.channel = "a", .count_max = 10, .reverse = true});
    EXPECT_GE(page.top->offset, before);
    EXPECT_GE(b.count_of("a"), page.top->offset);
  }
  publishing = false;
  publisher.join();
}

// As after a failover to a replica that was behind.
TEST_F(RedisEngineTest, AKeyIsOneForAllNodesAndForgottenAfterItsWindow) {
  RedisOptions brief = options();
  brief.idempotency_ms = 400;
  RedisEngineNode a(brief), b(brief);
  a.listen(kAll);
  for (const char* const channel : {"a", "bare"}) {
    const Receipt first = a.publish(channel, "x", "key"), again = b.publish(channel, "y", "key");
    EXPECT_FALSE(first.repeated);
    EXPECT_TRUE(again.repeated);
    EXPECT_EQ(again.id, first.id);
    EXPECT_EQ(again.position, first.position);
    EXPECT_EQ(again.time_ms, first.time_ms);
    EXPECT_EQ(a.heard.copy(channel).front()->id, first.id);
    wait_until_redis("the key is forgotten", [&] { return !b.publish(channel, "y", "key").repeated; });
  }
}

TEST_F(RedisEngineTest, KeysAndPlainPublishesOfOneBatchKeepTheirOrder) {
  RedisEngineNode node(options());
  node.listen(exact("a"));
  std::vector<std::promise<Result<Receipt>>> promises(100);
  for (int i = 0; i < 100; ++i) {
    node.engine().publish(
        {.channel = "a",
         .event = "e",
         .payload = Bytes::copy_of(std::to_string(i)),
         .idempotency_key = i % 3 == 0 ? "key" + std::to_string(i / 6) : ""},
        [&promises, i](Result<Receipt> outcome) { promises[static_cast<std::size_t>(i)].set_value(std::move(outcome)); });
  }
  std::uint64_t last = 0;
  std::size_t repeated = 0;
  for (std::size_t i = 0; i < 100; ++i) {
    const Result<Receipt> outcome = promises[i].get_future().get();
    ASSERT_TRUE(outcome) << outcome.error().text;
    repeated += outcome->repeated ? 1u : 0u;
    if (outcome->repeated) continue;
    EXPECT_EQ(outcome->position->offset, ++last);
    EXPECT_EQ(node.heard_of("a")[last - 1], std::to_string(last) + " " + std::to_string(i));
  }
  EXPECT_EQ(repeated, 17u);
  EXPECT_EQ(node.count_of("a"), last);
}

TEST_F(RedisEngineTest, LargePayloadsAreKeptCompressedAndComeBackWhole) {
  RedisEngineNode a(options()), b(options());
  b.listen(exact("a"));
  std::string plain, dense(1 << 20, '\0');
  while (plain.size() < 1 << 20) plain += "{\"a\":1}";
  std::mt19937 bits(1);
  for (char& byte : dense) byte = static_cast<char>(bits());
  for (const std::string* payload : {&plain, &dense}) {
    ASSERT_TRUE(
        a.try_publish({.channel = "a", .event = "e", .payload = Bytes::copy_of(*payload), .format = PayloadFormat::kBytes}));
  }
  wait_until_redis("both are heard", [&] { return b.count_of("a") == 2; });
  const auto heard = b.heard.copy("a"), page = b.history({.channel = "a"}).publications;
  ASSERT_EQ(page.size(), 2u);
  for (const auto* publications : {&heard, &page}) {
    EXPECT_TRUE((*publications)[0]->payload.view() == plain);
    EXPECT_TRUE((*publications)[1]->payload.view() == dense);
  }
  const RespValue used = shared_redis().command({"MEMORY", "USAGE", stream("a")});
  EXPECT_LT(*used.number(), (1 << 20) + (1 << 19)) << "one is compressed, of the other there is nothing to gain";
}

TEST_F(RedisEngineTest, KeepsByCountAgeAndBytes) {
  RedisOptions keeping = options();
  keeping.rule_for = [](std::string_view channel) {
    if (channel == "count") return HistoryRule{.count_max = 10};
    if (channel == "age") return HistoryRule{.count_max = 1000, .age_max_ms = 300};
    return HistoryRule{.count_max = 100'000, .bytes_max = 100'000};
  };
  RedisEngineNode node(keeping);
  const auto length = [&](const std::string& channel) { return *shared_redis().command({"XLEN", stream(channel)}).number(); };
  for (int i = 0; i < 1000; ++i) {
    node.publish("count");
    node.publish("bytes", std::string(1000, 'x'));
  }
  EXPECT_EQ(kept(node, "count").size(), 10u);
  EXPECT_LE(length("count"), 210) << "Redis drops whole nodes of a hundred";
  EXPECT_GE(kept(node, "bytes").size(), 30u);
  EXPECT_LE(kept(node, "bytes").size(), 110u);
  const Position old = *node.publish("age", "old").position;
  wait_until_redis("it is too old", [&] { return kept(node, "age").empty(); });
  EXPECT_FALSE(node.history({.channel = "age", .since = Position{old.epoch, 0}}).complete);
  EXPECT_EQ(node.history({.channel = "age"}).top, old);
  EXPECT_EQ(length("age"), 1) << "nobody has published since";
  wait_until_redis("it is dropped", [&] {
    node.publish("age", "young");
    return node.history({.channel = "age"}).publications.size() + 1 <
               static_cast<std::size_t>(node.history({.channel = "age"}).top->offset) &&
           static_cast<std::uint64_t>(length("age")) < node.history({.channel = "age"}).top->offset;
  });
}

TEST_F(RedisEngineTest, AnIdleChannelIsForgottenAndAskingKeepsNone) {
  RedisOptions brief = options();
  brief.idle_ms = 300;
  RedisEngineNode node(brief);
  const Position before = *node.publish("a").position;
  const auto listed = [&] {
    return wait_for_answer<Result<std::vector<ChannelRecord>>>(
               [&](auto done) { node.engine().channels("", "", 10, std::move(done)); })
        ->size();
  };
  EXPECT_EQ(listed(), 1u);
  wait_until_redis("it is forgotten", [&] { return listed() == 0; });
  EXPECT_NE(node.history({.channel = "a"}).top->epoch, before.epoch);
  EXPECT_EQ(listed(), 0u) << "asked for, not published to";
  EXPECT_EQ(node.publish("a").position->offset, 1u);
  EXPECT_EQ(listed(), 1u);
}

TEST_F(RedisEngineTest, ThreadsOfSeveralNodesPublishReadAndListen) {
  RedisEngineNode a(options()), b(options());
  a.listen(kAll);
  b.listen(exact("c0"));
  constexpr int kThreads = 4, kEach = 200;
  std::vector<std::thread> threads;
  for (int t = 0; t < kThreads; ++t) {
    threads.emplace_back([&, t] {
      RedisEngineNode& node = t % 2 == 0 ? a : b;
      for (int i = 0; i < kEach; ++i) {
        ASSERT_TRUE(node.try_publish("c" + std::to_string(i % 2), std::to_string(t)));
        if (i % 20 == 0) {
          node.engine().add_interest(exact("c1"));
          ASSERT_TRUE(node.try_history({.channel = "c1", .count_max = 5, .reverse = true}));
          node.engine().remove_interest(exact("c1"));
        }
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  constexpr std::size_t kOfOne = kThreads * kEach / 2;
  wait_until_redis("all is heard",
                   [&] { return a.count_of("c0") >= kOfOne && a.count_of("c1") >= kOfOne && b.count_of("c0") >= kOfOne; });
  EXPECT_TRUE(has_offsets_without_holes(a.heard.copy("c0")));
  EXPECT_TRUE(has_offsets_without_holes(a.heard.copy("c1")));
  EXPECT_EQ(b.heard_of("c0"), a.heard_of("c0"));
}

}  // namespace
}  // namespace carillon
