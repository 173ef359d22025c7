// Several servers on one Redis: what hub/engine.h promises between them, and what happens when Redis is away, full or damaged.
#include "engine/redis/redis_engine.h"

#include <gtest/gtest.h>

#include <random>
#include <set>

#include "engine/redis/redis_engine_double.h"
#include "engine/redis/redis_gzip.h"
#include "hub/epoch_text.h"

namespace carillon {
namespace {

using Texts = std::vector<std::string>;
using Gaps = std::vector<std::pair<std::string, std::uint64_t>>;

const Selector kAll{Selector::Kind::kTree, ""};
Selector exact(std::string name) {
  return {Selector::Kind::kExact, std::move(name)};
}

class RedisEngineTest : public testing::Test {
 protected:
  RedisOptions options(const RedisProcess& process) {
    RedisOptions options;
    options.servers = {process.server()};
    options.prefix = prefix_;
    options.retry_min = Millis(10);
    options.retry_max = Millis(100);
    options.rule_for = [](std::string_view channel) {
      return channel.starts_with("bare") ? HistoryRule{} : HistoryRule{.count_max = 100'000};
    };
    return options;
  }
  RedisOptions options() { return options(shared_redis()); }
  // Of a node that deafen() makes deaf.
  RedisOptions guest(const RedisProcess& process) {
    process.command({"ACL", "SETUSER", "guest", "on", ">guest", "~*", "&*", "+@all"});
    RedisOptions made = options(process);
    made.user = made.password = "guest";
    return made;
  }
  // Until the guest's user is on again it cannot connect.
  static void deafen(const RedisProcess& process) {
    process.command({"ACL", "SETUSER", "guest", "off"});
    process.command({"CLIENT", "KILL", "TYPE", "pubsub"});
  }
  std::string stream(const std::string& channel) { return RedisKeys(prefix_).stream(channel); }

  static bool has_offsets_without_holes(const std::vector<PublicationPtr>& publications) {
    for (std::size_t i = 0; i < publications.size(); ++i) {
      if (publications[i]->position != Position{publications[0]->position->epoch, i + 1}) return false;
    }
    return true;
  }
  // Everything the channel keeps.
  static Texts kept(RedisEngineNode& node, const std::string& channel) {
    return RedisEngineNode::texts(node.history({.channel = channel, .count_max = 100'000}).publications);
  }
  // The node hears what was published last, and so everything before it.
  static void wait_for_last(RedisEngineNode& node, const std::string& channel, const std::string& payload) {
    wait_until_redis("the last is heard", [&] {
      const auto heard = node.heard.copy(channel);
      return !heard.empty() && heard.back()->payload.view() == payload;
    });
  }

  const std::string prefix_ = fresh_prefix();
};

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

TEST_F(RedisEngineTest, WhatWasMissedWhileTheSubscriptionWasCutIsReadFromTheStream) {
  RedisProcess redis;
  RedisEngineNode a(options(redis)), b(options(redis));
  for (const char* const channel : {"a", "b"}) b.listen(exact(channel));
  a.listen(exact("a"));
  std::atomic<bool> publishing{true};
  int count = 0;
  std::thread publisher([&] {
    for (; publishing; ++count) {
      for (const char* const channel : {"a", "b"}) ASSERT_TRUE(a.try_publish(channel, std::to_string(count)));
    }
  });
  for (std::size_t cut = 1; cut <= 5; ++cut) {
    const std::size_t before = b.count_of("a");
    redis.command({"CLIENT", "KILL", "TYPE", "pubsub"});
    wait_until_redis("it hears again", [&] {
      const auto told = b.heard.continuities();
      return static_cast<std::size_t>(std::count(told.begin(), told.end(), Continuity::kOk)) >= cut;
    });
    wait_until_redis("more is heard", [&] { return b.count_of("a") > before + 20; });
  }
  publishing = false;
  publisher.join();
  for (const char* const channel : {"a", "b"}) {
    wait_for_last(b, channel, std::to_string(count - 1));
    EXPECT_TRUE(has_offsets_without_holes(b.heard.copy(channel)));
    EXPECT_EQ(b.count_of(channel), static_cast<std::size_t>(count));
  }
  EXPECT_TRUE(has_offsets_without_holes(a.heard.copy("a")));
  EXPECT_EQ(a.count_of("a"), static_cast<std::size_t>(count));
  for (RedisEngineNode* node : {&a, &b}) {
    EXPECT_EQ(node->heard.gaps(), Gaps{});
    const auto told = node->heard.continuities();
    EXPECT_EQ(std::count(told.begin(), told.end(), Continuity::kReset), 0) << "nothing without history was wanted";
    EXPECT_EQ(told.front(), Continuity::kDegraded);
  }
}

TEST_F(RedisEngineTest, WhereNothingIsKeptALossOfTheSubscriptionIsTold) {
  RedisProcess redis;
  RedisEngineNode node(options(redis));
  node.listen(exact("bare"));
  redis.command({"CLIENT", "KILL", "TYPE", "pubsub"});
  wait_until_redis("it hears again", [&] { return node.heard.is_well_again(); });
  EXPECT_EQ(node.heard.continuities(), (std::vector{Continuity::kDegraded, Continuity::kReset, Continuity::kOk}));
  node.publish("bare", "after");
  EXPECT_EQ(node.heard_of("bare"), Texts{"after"});
}

TEST_F(RedisEngineTest, WhatIsGoneBeforeItCouldBeReadIsTold) {
  RedisProcess redis;
  RedisOptions few = guest(redis);
  few.rule_for = [](std::string_view) { return HistoryRule{.count_max = 1}; };
  RedisEngineNode a(options(redis)), b(few);
  b.listen(exact("a"));
  for (int i = 0; i < 3; ++i) a.publish("a", std::to_string(i));
  wait_for_last(b, "a", "2");
  // Deaf for as long as it takes.
  deafen(redis);
  wait_until_redis("it is deaf", [&] { return !b.heard.continuities().empty(); });
  for (int i = 3; i < 500; ++i) a.publish("a", std::to_string(i));
  redis.command({"XTRIM", stream("a"), "MAXLEN", "10"});
  redis.command({"ACL", "SETUSER", "guest", "on"});
  wait_for_last(b, "a", "499");
  EXPECT_EQ(b.count_of("a"), 13u);
  EXPECT_EQ(b.heard.gaps(), (Gaps{{"a", 487}}));
}

TEST_F(RedisEngineTest, WhileRedisIsAwayPublishesFailAndAnEmptyOneBeginsANewEpoch) {
  RedisProcess redis;
  RedisOptions impatient = options(redis);
  impatient.wait_max = Millis(300);
  RedisEngineNode a(impatient), b(impatient);
  b.listen(exact("a"));
  for (int i = 0; i < 5; ++i) a.publish("a", std::to_string(i));
  wait_for_last(b, "a", "4");
  const Position before = *b.heard.copy("a").back()->position;
  redis.kill();
  const Result<Receipt> failed = a.try_publish("a", "lost");
  ASSERT_FALSE(failed);
  EXPECT_EQ(failed.error().kind, ErrorKind::kUnavailable);
  EXPECT_EQ(b.try_history({.channel = "a"}).error().kind, ErrorKind::kUnavailable);
  redis.start();
  wait_until_redis("it hears again", [&] { return b.heard.is_well_again(); });
  wait_until_redis("it publishes", [&] { return a.try_publish("a", "new").has_value(); });
  wait_for_last(b, "a", "new");
  const auto heard = b.heard.copy("a");
  EXPECT_GT(heard.back()->position->epoch, before.epoch);
  EXPECT_EQ(heard.back()->position->offset, 1u);
  EXPECT_EQ(b.heard.gaps(), (Gaps{{"a", 0}}));
  EXPECT_FALSE(b.history({.channel = "a", .since = before}).complete);
}

TEST_F(RedisEngineTest, ARedisThatComesBackWithItsDataGoesOn) {
  RedisProcess redis({.append_only = true});
  RedisEngineNode a(options(redis)), b(options(redis));
  b.listen(exact("a"));
  for (int i = 0; i < 5; ++i) a.publish("a", std::to_string(i));
  redis.kill();
  redis.start();
  EXPECT_EQ(a.publish("a", "5").position->offset, 6u);
  wait_for_last(b, "a", "5");
  EXPECT_TRUE(has_offsets_without_holes(b.heard.copy("a")));
  EXPECT_EQ(b.heard.gaps(), Gaps{});
  EXPECT_EQ(kept(b, "a").size(), 6u);
}

// As after a failover to a replica that was behind.
TEST_F(RedisEngineTest, AStreamThatLostItsEndBeginsANewEpoch) {
  RedisProcess redis;
  RedisEngineNode a(options(redis)), b(options(redis)), c(options(redis));
  b.listen(exact("a"));
  c.listen(exact("a"));
  a.publish("a", "0");
  redis.command({"COPY", stream("a"), "copy"});
  for (int i = 1; i < 4; ++i) a.publish("a", std::to_string(i));
  for (RedisEngineNode* node : {&b, &c}) wait_for_last(*node, "a", "3");
  redis.command({"COPY", "copy", stream("a"), "REPLACE"});
  EXPECT_EQ(a.publish("a", "4").position->offset, 1u) << "it knows of more: it published it";
  for (RedisEngineNode* node : {&b, &c}) wait_for_last(*node, "a", "4");
  EXPECT_EQ(b.heard.gaps(), (Gaps{{"a", 0}}));

  // And where nobody publishes, who heard more says so when it hears again.
  for (int i = 5; i < 8; ++i) a.publish("a", std::to_string(i));
  for (RedisEngineNode* node : {&b, &c}) wait_for_last(*node, "a", "7");
  redis.command({"COPY", "copy", stream("a"), "REPLACE"});
  redis.command({"CLIENT", "KILL", "TYPE", "pubsub"});
  for (RedisEngineNode* node : {&b, &c}) {
    wait_until_redis("it hears again", [&] { return node->heard.is_well_again(); });
    EXPECT_EQ(node->heard.gaps(), (Gaps{{"a", 0}, {"a", 0}}));
  }
  RedisEngineNode d(options(redis));
  d.publish("a", "8");
  for (RedisEngineNode* node : {&b, &c}) wait_for_last(*node, "a", "8");
}

TEST_F(RedisEngineTest, ARedisThatStandsStillIsWaitedForOrGivenUp) {
  RedisProcess redis;
  RedisOptions impatient = options(redis);
  impatient.command_timeout = Millis(400);
  impatient.wait_max = Millis(400);
  RedisEngineNode a(impatient), b(options(redis));
  b.listen(exact("a"));
  a.publish("a", "0");
  redis.freeze();
  const Result<Receipt> given_up = a.try_publish("a", "1");
  ASSERT_FALSE(given_up);
  EXPECT_EQ(given_up.error().kind, ErrorKind::kUnavailable);
  EXPECT_NE(given_up.error().text.find("may have been"), std::string::npos) << given_up.error().text;
  std::promise<Result<Receipt>> promise;
  b.engine().publish({.channel = "a", .event = "e", .payload = Bytes::copy_of("2")},
                     [&promise](Result<Receipt> outcome) { promise.set_value(std::move(outcome)); });
  redis.thaw();
  const Result<Receipt> waited = promise.get_future().get();
  ASSERT_TRUE(waited) << waited.error().text;
  wait_until_redis("it publishes", [&] { return a.try_publish("a", "3").has_value(); });
  wait_for_last(b, "a", "3");
  EXPECT_TRUE(has_offsets_without_holes(b.heard.copy("a")));
}

TEST_F(RedisEngineTest, AFullRedisIsALimit) {
  RedisProcess redis;
  RedisEngineNode node(options(redis));
  node.publish("a");
  redis.command({"CONFIG", "SET", "maxmemory-policy", "noeviction"});
  redis.command({"CONFIG", "SET", "maxmemory", "100kb"});
  for (const char* const channel : {"a", "new"}) {
    const Result<Receipt> full = node.try_publish(channel);
    ASSERT_FALSE(full);
    EXPECT_EQ(full.error().kind, ErrorKind::kLimit) << full.error().text;
  }
  EXPECT_EQ(kept(node, "a"), Texts{"1 x"});
  EXPECT_TRUE(node.try_history({.channel = "never"}));
  redis.command({"CONFIG", "SET", "maxmemory", "0"});
  EXPECT_EQ(node.publish("a").position->offset, 2u);
}

TEST_F(RedisEngineTest, SomethingElseUnderAKeyIsTheFaultOfThatChannelOnly) {
  RedisEngineNode node(options());
  node.listen(exact("broken"));
  shared_redis().command({"DEL", stream("broken")});
  shared_redis().command({"SET", stream("broken"), "something else"});
  const auto kind_of = [](const auto& outcome) { return outcome ? ErrorKind::kInternal : outcome.error().kind; };
  EXPECT_EQ(kind_of(node.try_publish("broken")), ErrorKind::kCorrupt);
  EXPECT_EQ(kind_of(node.try_history({.channel = "broken"})), ErrorKind::kCorrupt);
  EXPECT_EQ(kind_of(wait_for_answer<Result<void>>([&](auto done) { node.engine().remove_history("broken", std::move(done)); })),
            ErrorKind::kCorrupt);
  EXPECT_EQ(node.publish("whole").position->offset, 1u);
  const auto channels = *wait_for_answer<Result<std::vector<ChannelRecord>>>(
      [&](auto done) { node.engine().channels("", "", 100, std::move(done)); });
  ASSERT_EQ(channels.size(), 1u);
  EXPECT_EQ(channels[0].name, "whole");
  shared_redis().command({"DEL", stream("broken")});
  EXPECT_EQ(node.publish("broken").position->offset, 1u);
  const RedisKeys keys(prefix_);
  shared_redis().command({"LPUSH", keys.idempotency("whole", "key"), "something else"});
  EXPECT_EQ(kind_of(node.try_publish("whole", "x", "key")), ErrorKind::kCorrupt);
  EXPECT_EQ(node.publish("whole").position->offset, 2u);
}

TEST_F(RedisEngineTest, WhatAnotherProgramWritesEndsTheEpochOrIsLeftAside) {
  RedisEngineNode a(options()), b(options());
  b.listen(exact("a"));
  const Position before = *a.publish("a", "1").position;
  const std::string epoch = std::to_string(before.epoch);
  // Not ours; ours by its looks, but not to be read; no position at all.
  shared_redis().command({"XADD", stream("a"), epoch + "-*", "some", "garbage"});
  EXPECT_EQ(b.try_history({.channel = "a"}).error().kind, ErrorKind::kCorrupt);
  const RedisKeys keys(prefix_);
  for (const char* const message : {"", "garbage", "\xdb\xff\xff\xff\xff",
                                    "\xa1"
                                    "1\xa3"
                                    "1-1\xa1"
                                    "1\xa2-9"}) {
    shared_redis().command({"PUBLISH", keys.publications("a"), message});
  }
  const Position after = *a.publish("a", "2").position;
  EXPECT_GT(after.epoch, before.epoch);
  EXPECT_EQ(after.offset, 1u);
  wait_for_last(b, "a", "2");
  EXPECT_EQ(b.heard.gaps(), (Gaps{{"a", 0}}));
  EXPECT_EQ(kept(b, "a"), Texts{"1 2"});
  shared_redis().command({"XADD", stream("foreign"), "*", "some", "garbage"});
  EXPECT_EQ(a.publish("foreign").position->offset, 1u);
}

TEST_F(RedisEngineTest, AnUnreadableEntryAmongThoseMissedIsTold) {
  RedisProcess redis;
  RedisEngineNode a(options(redis)), b(guest(redis));
  b.listen(exact("a"));
  const Position first = *a.publish("a", "1").position;
  wait_for_last(b, "a", "1");
  deafen(redis);
  wait_until_redis("it is deaf", [&] { return !b.heard.continuities().empty(); });
  redis.command({"XADD", stream("a"), std::to_string(first.epoch) + "-*", "time", "1", "id", "1", "event", "e", "data", "x",
                 "encoding", "unknown"});
  a.publish("a", "3");
  redis.command({"ACL", "SETUSER", "guest", "on"});
  wait_for_last(b, "a", "3");
  EXPECT_EQ(b.heard.gaps(), (Gaps{{"a", 1}}));
  EXPECT_EQ(b.heard_of("a"), (Texts{"1 1", "3 3"}));
}

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

TEST_F(RedisEngineTest, PublishesOfAChannelKeepTheirOrderOverLostConnections) {
  RedisProcess redis;
  RedisEngineNode a(options(redis)), b(options(redis));
  b.listen(exact("a"));
  constexpr std::size_t kCount = 3000;
  std::vector<Result<Receipt>> outcomes(kCount, Error{});
  std::atomic<std::size_t> answered{0};
  for (std::size_t i = 0; i < kCount; ++i) {
    a.engine().publish({.channel = "a", .event = "e", .payload = Bytes::copy_of(std::to_string(i))},
                       [&, i](Result<Receipt> outcome) {
                         outcomes[i] = std::move(outcome);
                         ++answered;
                       });
    if (i % 500 == 250) redis.command({"CLIENT", "KILL", "TYPE", "normal"});
  }
  wait_until_redis("all is answered", [&] { return answered == kCount; });
  const std::string last = std::to_string(kCount);
  a.publish("a", last);
  wait_for_last(b, "a", last);
  const auto heard = b.heard.copy("a");
  EXPECT_TRUE(has_offsets_without_holes(heard));
  std::map<std::string, Position> there;
  int before = -1;
  for (const PublicationPtr& publication : heard) {
    const std::string payload(publication->payload.view());
    EXPECT_GT(std::stoi(payload), before) << "in the order of the calls, none twice";
    before = std::stoi(payload);
    there[payload] = *publication->position;
  }
  for (std::size_t i = 0; i < kCount; ++i) {
    if (outcomes[i]) {
      EXPECT_EQ(there[std::to_string(i)], outcomes[i]->position);
    } else {
      EXPECT_EQ(outcomes[i].error().kind, ErrorKind::kUnavailable) << outcomes[i].error().text;
    }
  }
}

TEST_F(RedisEngineTest, StoppingAnswersWhateverWaits) {
  RedisProcess redis;
  std::atomic<int> answered{0};
  RedisEngineNode node(options(redis));
  node.listen(exact("a"));
  redis.freeze();
  for (int i = 0; i < 100; ++i) {
    node.engine().publish({.channel = i % 2 == 0 ? "a" : "bare", .event = "e"}, [&](const Result<Receipt>&) { ++answered; });
  }
  node.engine().history({.channel = "a"}, [&](const Result<HistoryPage>&) { ++answered; });
  node.engine().publications("a", {Uuid{}}, [&](const auto&) { ++answered; });
  node.engine().channels("", "", 10, [&](const auto&) { ++answered; });
  node.engine().remove_history("a", [&](const auto&) { ++answered; });
  node.stop();
  EXPECT_EQ(answered, 104);
  node.engine().publish({.channel = "a", .event = "e"}, [&](const Result<Receipt>& outcome) {
    EXPECT_EQ(outcome.error().kind, ErrorKind::kUnavailable);
    ++answered;
  });
  EXPECT_EQ(answered, 105);
  redis.thaw();
}

TEST_F(RedisEngineTest, MoreThanMayWaitIsRefusedAtOnce) {
  RedisProcess redis;
  RedisOptions small = options(redis);
  small.waiting_max = 10;
  RedisEngineNode node(small);
  node.publish("a");
  redis.freeze();
  std::atomic<int> limited{0}, published{0};
  for (int i = 0; i < 30; ++i) {
    node.engine().publish({.channel = "a", .event = "e"},
                          [&](const Result<Receipt>& outcome) { (outcome ? published : limited) += 1; });
  }
  EXPECT_EQ(limited, 20);
  redis.thaw();
  wait_until_redis("the others are published", [&] { return published == 10; });
  EXPECT_EQ(node.engine().stats().waiting, 0u);
}

TEST_F(RedisEngineTest, LargePayloadsAreKeptCompressedAndComeBackWhole) {
  RedisEngineNode a(options()), b(options());
  b.listen(exact("a"));
  std::string plain, dense(1 << 20, '\0');
  while (plain.size() < 1 << 20) plain += "{\"a\":" + std::to_string(plain.size()) + "}";
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
