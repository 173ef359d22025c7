#include "hub/durable_subscriptions.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <deque>
#include <thread>

#include "engine/memory/hub_double.h"

namespace carillon {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::SizeIs;

constexpr Millis kHour{3'600'000};

// A store that answers when told to.
class LateState final : public StateStore {
 public:
  explicit LateState(StateStore& inner) : inner_(inner) {}
  void change(std::vector<StateChange> changes, bool synced, UniqueFunction<void(Result<void>)> done) override {
    waiting.push_back([this, changes = std::move(changes), synced, done = std::move(done)]() mutable {
      if (fail) return done(Error{ErrorKind::kUnavailable, "away"});
      inner_.change(std::move(changes), synced, std::move(done));
    });
  }
  void read(std::string key, UniqueFunction<void(Result<std::optional<std::string>>)> done) override {
    waiting.push_back([this, key, done = std::move(done)]() mutable { inner_.read(key, std::move(done)); });
  }
  void list(std::string prefix, std::string after, std::size_t count_max,
            UniqueFunction<void(Result<std::vector<StateRecord>>)> done) override {
    waiting.push_back([this, prefix, after, count_max, done = std::move(done)]() mutable {
      inner_.list(prefix, after, count_max, std::move(done));
    });
  }
  void answer_all() {
    while (!waiting.empty()) {
      Task answer = std::move(waiting.front());
      waiting.pop_front();
      answer();
    }
  }

  std::deque<Task> waiting;
  bool fail = false;

 private:
  StateStore& inner_;
};

class DurableSubscriptionsTest : public ::testing::Test {
 protected:
  Result<void> keep(const std::string& subscriber, const std::string& channel, std::optional<Position> heard = {},
                    Millis expiry = kHour) {
    Result<void> outcome = Error{};
    subscriptions.keep(subscriber, {channel, heard}, expiry, [&](Result<void> result) { outcome = std::move(result); });
    return outcome;
  }
  std::vector<DurableSubscription> load(const std::string& subscriber) {
    std::vector<DurableSubscription> loaded;
    subscriptions.load(subscriber, [&](Result<std::vector<DurableSubscription>> result) { loaded = *std::move(result); });
    return loaded;
  }
  std::vector<std::string> channels(const std::string& subscriber) {
    std::vector<std::string> names;
    for (DurableSubscription& each : load(subscriber)) names.push_back(std::move(each.channel));
    return names;
  }
  std::vector<std::string> subscribers(const std::string& channel, const std::string& after = {}, std::size_t most = 100) {
    std::vector<std::string> names;
    subscriptions.subscribers(channel, after, most,
                              [&](Result<std::vector<std::string>> result) { names = *std::move(result); });
    return names;
  }
  bool forget(const std::string& subscriber, const std::string& channel) {
    bool had = false;
    subscriptions.forget(subscriber, channel, [&](Result<bool> result) { had = *result; });
    return had;
  }

  FixedClock clock;
  MemoryState store{clock};
  DurableSubscriptions subscriptions{store, clock, {.channels_max = 3}};
};

TEST_F(DurableSubscriptionsTest, WhatIsKeptIsThereForTheSubscriberAndForTheChannel) {
  EXPECT_THAT(load("a"), IsEmpty());
  EXPECT_TRUE(keep("a", "room:1"));
  EXPECT_TRUE(keep("a", "log:x", Position{7, 3}));
  EXPECT_TRUE(keep("b", "room:1"));
  EXPECT_THAT(load("a"),
              ElementsAre(DurableSubscription{"log:x", Position{7, 3}}, DurableSubscription{"room:1", std::nullopt}));
  EXPECT_THAT(subscribers("room:1"), ElementsAre("a", "b"));
  EXPECT_THAT(subscribers("room:1", "a"), ElementsAre("b"));
  EXPECT_THAT(subscribers("room:1", {}, 1), ElementsAre("a"));
  EXPECT_TRUE(forget("a", "room:1"));
  EXPECT_FALSE(forget("a", "room:1"));
  EXPECT_THAT(channels("a"), ElementsAre("log:x"));
  EXPECT_THAT(subscribers("room:1"), ElementsAre("b"));
}

TEST_F(DurableSubscriptionsTest, ItOutlivesTheObject) {
  EXPECT_TRUE(keep("a", "c", Position{~0ull, ~0ull}));
  DurableSubscriptions later(store, clock);
  std::vector<DurableSubscription> loaded;
  later.load("a", [&](Result<std::vector<DurableSubscription>> result) { loaded = *result; });
  EXPECT_THAT(loaded, ElementsAre(DurableSubscription{"c", Position{~0ull, ~0ull}}));
}

TEST_F(DurableSubscriptionsTest, EveryUseRenewsTheExpiry) {
  EXPECT_TRUE(keep("a", "c"));
  clock.now_ms += kHour.count() - 1;
  EXPECT_THAT(channels("a"), ElementsAre("c"));
  clock.now_ms += kHour.count() - 1;
  EXPECT_THAT(subscribers("c"), ElementsAre("a"));
  subscriptions.heard("a", {{"c", Position{1, 1}}}, [](const Result<void>&) {});
  clock.now_ms += kHour.count() - 1;
  EXPECT_THAT(channels("a"), ElementsAre("c"));
  clock.now_ms += kHour.count();
  EXPECT_THAT(channels("a"), IsEmpty());
  EXPECT_THAT(subscribers("c"), IsEmpty());
}

TEST_F(DurableSubscriptionsTest, WhatWasHeardOnlyGrowsWithinAnEpoch) {
  EXPECT_TRUE(keep("a", "c", Position{1, 5}));
  EXPECT_TRUE(keep("a", "c", Position{1, 4}));
  EXPECT_TRUE(keep("a", "c"));
  EXPECT_THAT(load("a"), ElementsAre(DurableSubscription{"c", Position{1, 5}}));
  subscriptions.heard("a", {{"c", Position{2, 1}}, {"never", Position{2, 1}}}, [](const Result<void>&) {});
  EXPECT_THAT(load("a"), ElementsAre(DurableSubscription{"c", Position{2, 1}}));
}

TEST_F(DurableSubscriptionsTest, OneMoreThanTheLimitIsRefusedAndAKnownOneIsNot) {
  for (const char* const channel : {"1", "2", "3"}) EXPECT_TRUE(keep("a", channel));
  const Result<void> refused = keep("a", "4");
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().kind, ErrorKind::kLimit);
  EXPECT_TRUE(keep("a", "2", Position{1, 1}));
  EXPECT_TRUE(forget("a", "1"));
  EXPECT_TRUE(keep("a", "4"));
}

TEST_F(DurableSubscriptionsTest, NamesThatAreTooLongAreRefused) {
  EXPECT_TRUE(keep(std::string(200, '/'), std::string(255, '/')));
  EXPECT_THAT(subscribers(std::string(255, '/')), ElementsAre(std::string(200, '/')));
  for (const auto& [subscriber, channel] :
       {std::pair{std::string(201, 'a'), std::string("c")}, {"", "c"}, {"a", std::string(256, 'c')}, {"a", ""}}) {
    const Result<void> refused = keep(subscriber, channel);
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().kind, ErrorKind::kInvalid);
  }
}

TEST_F(DurableSubscriptionsTest, NoNameReachesIntoAnother) {
  EXPECT_NE(durable_subscriber({"native", "a/b", "c"}), durable_subscriber({"native", "a", "b/c"}));
  EXPECT_NE(durable_subscriber({"native", "a%2Fb"}), durable_subscriber({"native", "a/b"}));
  EXPECT_EQ(durable_subscriber({"infotainer", "x"}), "infotainer/x");
  EXPECT_TRUE(keep("a", "b/c"));
  EXPECT_TRUE(keep("a/b", "c"));
  EXPECT_THAT(channels("a"), ElementsAre("b/c"));
  EXPECT_THAT(channels("a/b"), ElementsAre("c"));
  EXPECT_THAT(subscribers("c"), ElementsAre("a/b"));
  EXPECT_THAT(subscribers("b/c"), ElementsAre("a"));
}

TEST_F(DurableSubscriptionsTest, AllOfASubscriberAndAllOfAChannelCanBeForgotten) {
  for (const char* const channel : {"1", "2"}) EXPECT_TRUE(keep("a", channel));
  for (int i = 0; i < 250; ++i) EXPECT_TRUE(keep("s" + std::to_string(i), "1"));
  bool done = false;
  subscriptions.forget_all("a", [&](const Result<void>& outcome) { done = outcome.has_value(); });
  EXPECT_TRUE(done);
  EXPECT_THAT(channels("a"), IsEmpty());
  EXPECT_THAT(subscribers("1", {}, 1000), SizeIs(250));
  done = false;
  subscriptions.forget_channel("1", [&](const Result<void>& outcome) { done = outcome.has_value(); });
  EXPECT_TRUE(done);
  EXPECT_THAT(subscribers("1"), IsEmpty());
  EXPECT_THAT(channels("s7"), IsEmpty());
}

// A load that renews writes what it read: it must not bring back what was forgotten meanwhile, nor undo what was heard.
TEST_F(DurableSubscriptionsTest, WhatIsAskedOfOneSubscriberIsDoneInItsOrderWithASlowStore) {
  LateState late(store);
  DurableSubscriptions slow(late, clock, {.channels_max = 3});
  std::vector<std::string> answers;
  const auto note = [&](std::string what) {
    return [&answers, what](const Result<void>& outcome) { answers.push_back(what + (outcome ? "" : " failed")); };
  };
  for (int i = 1; i <= 4; ++i) slow.keep("a", {std::to_string(i), {}}, kHour, note("keep " + std::to_string(i)));
  slow.load("a", [&](const Result<std::vector<DurableSubscription>>& loaded) {
    answers.push_back("load " + std::to_string(loaded->size()));
  });
  slow.heard("a", {{"2", Position{1, 9}}}, note("heard"));
  slow.forget("a", "1", [&](const Result<bool>& had) { answers.push_back(*had ? "forgot" : "knew nothing"); });
  slow.keep("a", {"4", {}}, kHour, note("keep 4"));
  slow.keep("b", {"1", {}}, kHour, note("keep b"));
  late.answer_all();
  EXPECT_THAT(answers, ::testing::UnorderedElementsAre("keep 1", "keep 2", "keep 3", "keep 4 failed", "load 3", "heard",
                                                       "forgot", "keep 4", "keep b"));
  EXPECT_THAT(load("a"), ElementsAre(DurableSubscription{"2", Position{1, 9}}, DurableSubscription{"3", std::nullopt},
                                     DurableSubscription{"4", std::nullopt}));
}

TEST_F(DurableSubscriptionsTest, AStoreThatFailsIsToldAndTheNextStepGoesOn) {
  LateState late(store);
  auto slow = std::make_unique<DurableSubscriptions>(late, clock);
  std::vector<bool> outcomes;
  late.fail = true;
  slow->keep("a", {"1", {}}, kHour, [&](const Result<void>& outcome) {
    outcomes.push_back(outcome.has_value());
    late.fail = false;
  });
  slow->keep("a", {"2", {}}, kHour, [&](const Result<void>& outcome) { outcomes.push_back(outcome.has_value()); });
  slow.reset();  // What was asked is still done.
  late.answer_all();
  EXPECT_THAT(outcomes, ElementsAre(false, true));
  EXPECT_THAT(channels("a"), ElementsAre("2"));
}

TEST_F(DurableSubscriptionsTest, SeveralThreadsKeepForOneSubscriber) {
  DurableSubscriptions many(store, clock, {.channels_max = 400});
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&many, t] {
      for (int i = 0; i < 100; ++i) {
        many.keep("a", {std::to_string(t * 100 + i), {}}, kHour, [](const Result<void>& kept) { EXPECT_TRUE(kept); });
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  std::size_t count = 0;
  many.load("a", [&](const Result<std::vector<DurableSubscription>>& loaded) { count = loaded->size(); });
  EXPECT_EQ(count, 400u);
}

}  // namespace
}  // namespace carillon
