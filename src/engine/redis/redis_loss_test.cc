// What the Redis engine does when Redis is away, full, damaged, or has lost something.
#include <gtest/gtest.h>

#include <algorithm>
#include <map>

#include "server/redis_engine_double.h"

namespace carillon {
namespace {

using Texts = std::vector<std::string>;
using Gaps = std::vector<std::pair<std::string, std::uint64_t>>;

Selector exact(std::string name) {
  return {Selector::Kind::kExact, std::move(name)};
}

using RedisLossTest = RedisEngineTest;

TEST_F(RedisLossTest, WhatWasMissedWhileTheSubscriptionWasCutIsReadFromTheStream) {
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

TEST_F(RedisLossTest, WhereNothingIsKeptALossOfTheSubscriptionIsTold) {
  RedisProcess redis;
  RedisEngineNode node(options(redis));
  node.listen(exact("bare"));
  redis.command({"CLIENT", "KILL", "TYPE", "pubsub"});
  wait_until_redis("it hears again", [&] { return node.heard.is_well_again(); });
  EXPECT_EQ(node.heard.continuities(), (std::vector{Continuity::kDegraded, Continuity::kReset, Continuity::kOk}));
  node.publish("bare", "after");
  EXPECT_EQ(node.heard_of("bare"), Texts{"after"});
}

TEST_F(RedisLossTest, WhatIsGoneBeforeItCouldBeReadIsTold) {
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

TEST_F(RedisLossTest, WhileRedisIsAwayPublishesFailAndAnEmptyOneBeginsANewEpoch) {
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

TEST_F(RedisLossTest, ARedisThatComesBackWithItsDataGoesOn) {
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

TEST_F(RedisLossTest, AStreamThatLostItsEndBeginsANewEpoch) {
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

// The replica that was promoted lacked the end of the stream, and others went on there before this node heard again.
TEST_F(RedisLossTest, WhatIsPublishedAtOffsetsThatWereGivenOutBeforeIsToldAsALoss) {
  RedisProcess redis;
  RedisEngineNode a(options(redis)), b(guest(redis));
  b.listen(exact("a"));
  a.publish("a", "0");
  redis.command({"COPY", stream("a"), "copy"});
  for (int i = 1; i < 4; ++i) a.publish("a", std::to_string(i));
  wait_for_last(b, "a", "3");
  const Position before = *b.heard.copy("a").back()->position;
  for (const int beyond : {-1, 0, 2}) {
    SCOPED_TRACE(beyond);
    // Deaf for as long as it takes.
    Gaps gaps = b.heard.gaps();
    deafen(redis);
    wait_until_redis("it is deaf", [&] {
      const auto told = b.heard.continuities();
      return !told.empty() && told.back() == Continuity::kDegraded;
    });
    const std::uint64_t at = b.heard.copy("a").back()->position->offset;
    redis.command({"COPY", "copy", stream("a"), "REPLACE"});
    // It knows of nothing.
    RedisEngineNode c(options(redis));
    Position other;
    while (other.offset < at + static_cast<std::uint64_t>(beyond)) other = *c.publish("a", "other").position;
    EXPECT_EQ(other.epoch, b.heard.copy("a").back()->position->epoch);
    redis.command({"ACL", "SETUSER", "guest", "on"});
    wait_until_redis("it hears again", [&] { return b.heard.is_well_again(); });
    gaps.emplace_back("a", 0);
    EXPECT_EQ(b.heard.gaps(), gaps);
    EXPECT_FALSE(b.history({.channel = "a", .since = before}).complete);
    EXPECT_EQ(c.publish("a", "after").position->offset, 1u);
    wait_for_last(b, "a", "after");
    redis.command({"COPY", stream("a"), "copy", "REPLACE"});
    for (int i = 0; i < 4; ++i) c.publish("a", std::to_string(i));
    wait_for_last(b, "a", "3");
  }
}

TEST_F(RedisLossTest, WhoPublishesAndFindsAnotherPublicationWhereItsOwnWasBeginsANewEpoch) {
  RedisProcess redis;
  RedisEngineNode a(options(redis));
  const Position first = *a.publish("a", "0").position;
  redis.command({"COPY", stream("a"), "copy"});
  for (const int others : {3, 5}) {
    SCOPED_TRACE(others);
    Position own = first;
    while (own.offset < 4) own = *a.publish("a", "own").position;
    redis.command({"COPY", "copy", stream("a"), "REPLACE"});
    RedisEngineNode b(options(redis));
    for (int i = 0; i < others; ++i) EXPECT_EQ(b.publish("a", "other").position->epoch, own.epoch);
    const Position after = *a.publish("a", "after").position;
    EXPECT_GT(after.epoch, own.epoch);
    EXPECT_EQ(after.offset, 1u);
    EXPECT_EQ(kept(b, "a"), Texts{"1 after"});
    redis.command({"COPY", stream("a"), "copy", "REPLACE"});
  }
}

TEST_F(RedisLossTest, WhoHeardWhatIsLostBeginsANewEpochWhenItPublishes) {
  RedisProcess redis;
  RedisEngineNode a(options(redis)), b(options(redis));
  b.listen(exact("a"));
  const Position first = *a.publish("a", "0").position;
  redis.command({"COPY", stream("a"), "copy"});
  a.publish("a", "1");
  wait_for_last(b, "a", "1");
  redis.command({"COPY", "copy", stream("a"), "REPLACE"});
  const Position after = *b.publish("a", "after").position;
  EXPECT_GT(after.epoch, first.epoch);
  EXPECT_EQ(after.offset, 1u);
  wait_for_last(b, "a", "after");
  EXPECT_EQ(b.heard.gaps(), (Gaps{{"a", 0}}));
}

TEST_F(RedisLossTest, ARedisThatStandsStillIsWaitedForOrGivenUp) {
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

TEST_F(RedisLossTest, AFullRedisIsALimit) {
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

TEST_F(RedisLossTest, SomethingElseUnderAKeyIsTheFaultOfThatChannelOnly) {
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

TEST_F(RedisLossTest, WhatAnotherProgramWritesEndsTheEpochOrIsLeftAside) {
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

TEST_F(RedisLossTest, AnUnreadableEntryAmongThoseMissedIsTold) {
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

TEST_F(RedisLossTest, PublishesOfAChannelKeepTheirOrderOverLostConnections) {
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

TEST_F(RedisLossTest, StoppingAnswersWhateverWaits) {
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

TEST_F(RedisLossTest, MoreThanMayWaitIsRefusedAtOnce) {
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

}  // namespace
}  // namespace carillon
