// What every engine promises (hub/engine.h), asked of each.
#include <gtest/gtest.h>

#include <atomic>
#include <future>
#include <set>
#include <thread>

#include "base/simulated_disk.h"
#include "engine/log/log_engine.h"
#include "engine/memory/hub_double.h"
#include "engine/memory/memory_engine.h"
#include "hub/engine_double.h"
#include "server/redis_engine_double.h"

namespace carillon {
namespace {

enum class Kind { kMemory, kLog, kLogWithThreads, kRedis };

const char* name_of(Kind kind) {
  switch (kind) {
    case Kind::kMemory: return "memory";
    case Kind::kLog: return "log";
    case Kind::kLogWithThreads: return "log_with_threads";
    case Kind::kRedis: return "redis";
  }
  return "";
}

struct Settings {
  std::int64_t idempotency_ms = 60'000;
  std::size_t channels_max = 1000;
  std::int64_t channel_idle_ms = 10'000;
};

class EngineContract : public testing::TestWithParam<Kind> {
 protected:
  ~EngineContract() override {
    engine_ = nullptr;
    log_.reset();
    redis_.reset();
  }

  void make(Settings settings = {}, HistoryRule rule = {.count_max = 100}) {
    const auto rule_for = [rule](std::string_view channel) { return channel.starts_with("bare") ? HistoryRule{} : rule; };
    if (GetParam() == Kind::kRedis) return make_redis(rule_for);
    MemoryEngineOptions memory;
    memory.idempotency_ms = settings.idempotency_ms;
    memory.channels_max = settings.channels_max;
    memory.channel_idle_ms = settings.channel_idle_ms;
    if (GetParam() == Kind::kMemory) memory.rule_for = rule_for;
    memory_ = std::make_unique<MemoryEngine>(clock_, random_, memory);
    engine_ = memory_.get();
    if (GetParam() != Kind::kMemory) {
      LogEngineOptions options;
      options.store.directory = "/log";
      options.writer.idempotency_ms = settings.idempotency_ms;
      options.writer.channels_max = settings.channels_max;
      options.writer.channel_idle_ms = settings.channel_idle_ms;
      options.readers = GetParam() == Kind::kLog ? 0 : 2;
      options.rule_for = rule_for;
      auto log = LogEngine::open(disk_, clock_, random_, *memory_, options);
      ASSERT_TRUE(log) << log.error().text;
      log_ = *std::move(log);
      engine_ = log_.get();
    }
    engine_->set_events(heard_);
  }

  // It hands out what is wanted only: everything.
  void make_redis(std::function<HistoryRule(std::string_view)> rule_for) {
    RedisOptions options;
    options.servers = {shared_redis().server()};
    options.prefix = fresh_prefix();
    options.rule_for = std::move(rule_for);
    redis_ = std::make_unique<RedisEngineNode>(options);
    engine_ = &redis_->engine();
    engine_->set_events(heard_);
    engine_->add_interest({Selector::Kind::kTree, ""});
    history({.channel = "bare"});
  }
  bool is_redis() const { return GetParam() == Kind::kRedis; }
  // Redis has the time from its own clock, which is this machine's.
  std::int64_t now_ms() const { return is_redis() ? SystemClock().unix_ms() : clock_.unix_ms(); }
  // Lets the time be later: by so much, or by a little where it cannot be moved.
  void pass(std::int64_t span_ms) {
    clock_.now_ms += span_ms;
    if (!is_redis()) return;
    const std::int64_t until_ms = now_ms() + 3;
    wait_until_redis("time has passed", [&] { return now_ms() >= until_ms; });
  }

  // Calls with a completion, and waits for it.
  template <class T, class Call>
  static T wait_for(Call call) {
    auto promise = std::make_shared<std::promise<T>>();
    std::future<T> outcome = promise->get_future();
    call([promise](T result) { promise->set_value(std::move(result)); });
    return outcome.get();
  }

  Result<Receipt> try_publish(Draft draft) {
    return wait_for<Result<Receipt>>([&](auto done) { engine_->publish(std::move(draft), std::move(done)); });
  }
  Result<Receipt> try_publish(const std::string& channel, std::string_view payload = "x", std::string key = {}) {
    return try_publish(
        {.channel = channel, .event = "e", .payload = Bytes::copy_of(payload), .idempotency_key = std::move(key)});
  }
  Receipt publish(const std::string& channel, std::string_view payload = "x", std::string key = {}) {
    return *try_publish(channel, payload, std::move(key));
  }
  HistoryPage history(HistoryQuery query) {
    return *wait_for<Result<HistoryPage>>([&](auto done) { engine_->history(std::move(query), std::move(done)); });
  }
  static std::vector<std::uint64_t> offsets(const HistoryPage& page) {
    std::vector<std::uint64_t> all;
    for (const PublicationPtr& publication : page.publications) all.push_back(publication->position->offset);
    return all;
  }
  std::vector<std::string> channels(std::string prefix, std::string after = {}, std::size_t count_max = 100) {
    const auto records = *wait_for<Result<std::vector<ChannelRecord>>>(
        [&](auto done) { engine_->channels(std::move(prefix), std::move(after), count_max, std::move(done)); });
    std::vector<std::string> names;
    for (const ChannelRecord& record : records) names.push_back(record.name);
    return names;
  }
  void remove(std::string channel) {
    EXPECT_TRUE(wait_for<Result<void>>([&](auto done) { engine_->remove_history(std::move(channel), std::move(done)); }));
  }
  void change(std::vector<StateChange> changes) {
    EXPECT_TRUE(wait_for<Result<void>>([&](auto done) { engine_->state().change(std::move(changes), true, std::move(done)); }));
  }
  std::optional<std::string> state(std::string key) {
    return *wait_for<Result<std::optional<std::string>>>(
        [&](auto done) { engine_->state().read(std::move(key), std::move(done)); });
  }
  std::vector<std::string> states(std::string prefix, std::string after = {}, std::size_t count_max = 100) {
    const auto records = *wait_for<Result<std::vector<StateRecord>>>(
        [&](auto done) { engine_->state().list(std::move(prefix), std::move(after), count_max, std::move(done)); });
    std::vector<std::string> all;
    for (const StateRecord& record : records) all.push_back(record.key + "=" + record.value);
    return all;
  }

  using Offsets = std::vector<std::uint64_t>;
  using Texts = std::vector<std::string>;
  FixedClock clock_;
  SeededRandom random_{1};
  HeardEvents heard_;
  SimulatedDisk disk_{1};
  std::unique_ptr<MemoryEngine> memory_;
  std::unique_ptr<LogEngine> log_;
  std::unique_ptr<RedisEngineNode> redis_;
  Engine* engine_ = nullptr;
};

INSTANTIATE_TEST_SUITE_P(Engines, EngineContract,
                         testing::Values(Kind::kMemory, Kind::kLog, Kind::kLogWithThreads, Kind::kRedis),
                         [](const auto& about) { return name_of(about.param); });

TEST_P(EngineContract, WhatIsForItsPublisherAloneIsHandedOutAndNotKept) {
  make();
  publish("a", "first");
  for (const DeliverTo to : {DeliverTo::kOwnUser, DeliverTo::kOwnSession}) {
    const auto receipt = try_publish({.channel = "a", .event = "e", .payload = Bytes::copy_of("private"), .deliver_to = to});
    ASSERT_TRUE(receipt);
    EXPECT_FALSE(receipt->position);
    EXPECT_EQ(heard_.by_channel["a"].back()->deliver_to, to);
  }
  for (const DeliverTo to : {DeliverTo::kOtherUsers, DeliverTo::kOtherSessions}) {
    EXPECT_TRUE(try_publish({.channel = "a", .event = "e", .payload = Bytes::copy_of("x"), .deliver_to = to})->position);
    EXPECT_EQ(heard_.by_channel["a"].back()->deliver_to, to);
  }
  const HistoryPage page = history({.channel = "a"});
  EXPECT_EQ(offsets(page), (Offsets{1, 2, 3}));
  for (const PublicationPtr& publication : page.publications) EXPECT_NE(publication->payload.view(), "private");
}

TEST_P(EngineContract, PositionsGrowByOneWithoutHoles) {
  make();
  std::uint64_t epoch = 0;
  for (std::uint64_t i = 1; i <= 150; ++i) {
    const Receipt receipt = publish("a");
    epoch = epoch == 0 ? receipt.position->epoch : epoch;
    EXPECT_EQ(*receipt.position, (Position{epoch, i}));
    EXPECT_EQ(heard_.by_channel["a"].back()->position, receipt.position);
    EXPECT_EQ(heard_.by_channel["a"].back()->id, receipt.id);
  }
  EXPECT_EQ(publish("b").position->offset, 1u);
}

TEST_P(EngineContract, WithoutHistoryThereIsNoPosition) {
  make();
  EXPECT_FALSE(publish("bare").position);
  const HistoryPage page = history({.channel = "bare"});
  EXPECT_FALSE(page.top);
  EXPECT_TRUE(page.publications.empty());
  EXPECT_FALSE(history({.channel = "bare", .since = Position{1, 1}}).complete);
  EXPECT_TRUE(channels("").empty());
}

TEST_P(EngineContract, ThePublicationIsTheDraftMadeWhole) {
  make();
  const std::int64_t begun_ms = now_ms();
  const auto identity = std::make_shared<const Identity>(Identity{.user = "alice"});
  ASSERT_TRUE(try_publish({.channel = "a",
                           .event = "said",
                           .payload = Bytes::copy_of("{}"),
                           .format = PayloadFormat::kCbor,
                           .identity = identity,
                           .publisher_session = 7,
                           .tags = {{"k", "v"}}}));
  for (const PublicationPtr& publication : {heard_.by_channel["a"][0], history({.channel = "a"}).publications[0]}) {
    const Publication& made = *publication;
    EXPECT_EQ(made.event, "said");
    EXPECT_EQ(made.payload.view(), "{}");
    EXPECT_EQ(made.format, PayloadFormat::kCbor);
    EXPECT_EQ(made.identity->user, "alice");
    EXPECT_EQ(made.position, (Position{made.position->epoch, 1}));
    EXPECT_EQ(made.publisher_session, 7u);
    EXPECT_EQ(made.tags, (Tags{{"k", "v"}}));
    EXPECT_LE(made.time_ms, now_ms());
    EXPECT_GE(made.time_ms, begun_ms);
  }
}

TEST_P(EngineContract, KeepsTheNewestByCount) {
  make({}, {.count_max = 3});
  for (int i = 0; i < 10; ++i) publish("a");
  const HistoryPage page = history({.channel = "a"});
  EXPECT_EQ(offsets(page), (Offsets{8, 9, 10}));
  EXPECT_EQ(page.top->offset, 10u);
}

TEST_P(EngineContract, KeepsTheNewestByAge) {
  if (is_redis()) GTEST_SKIP() << "Redis' clock cannot be moved: redis_engine_test.cc asks it with short ages";
  make({}, {.count_max = 100, .age_max_ms = 1000});
  for (int i = 0; i < 10; ++i) {
    publish("a");
    clock_.now_ms += 300;
  }
  EXPECT_EQ(offsets(history({.channel = "a"})), (Offsets{8, 9, 10}));
  clock_.now_ms += 10'000;
  const HistoryPage page = history({.channel = "a", .since = Position{history({.channel = "a"}).top->epoch, 9}});
  EXPECT_TRUE(page.publications.empty());
  EXPECT_EQ(page.top->offset, 10u);
  EXPECT_FALSE(page.complete) << "the tenth is gone";
}

TEST_P(EngineContract, PagingForwardsMeetsEverythingOnce) {
  make();
  for (int i = 0; i < 50; ++i) publish("a");
  for (const std::size_t size : {1u, 7u, 50u, 100u}) {
    Offsets seen;
    std::optional<Position> since;
    while (true) {
      const HistoryPage page = history({.channel = "a", .since = since, .count_max = size});
      EXPECT_TRUE(page.complete);
      for (const std::uint64_t offset : offsets(page)) seen.push_back(offset);
      EXPECT_EQ(page.more, seen.size() < 50);
      if (!page.more) break;
      since = page.publications.back()->position;
    }
    ASSERT_EQ(seen.size(), 50u);
    for (std::size_t i = 0; i < 50; ++i) EXPECT_EQ(seen[i], i + 1);
  }
}

TEST_P(EngineContract, AnEmptyPageSaysWhetherThereIsMore) {
  make();
  const Position top = *publish("a").position;
  for (const bool reverse : {false, true}) {
    EXPECT_TRUE(history({.channel = "a", .count_max = 0, .reverse = reverse}).more);
    EXPECT_FALSE(history({.channel = "b", .count_max = 0, .reverse = reverse}).more);
  }
  EXPECT_FALSE(history({.channel = "a", .since = top, .count_max = 0}).more);
  EXPECT_FALSE(history({.channel = "a", .since = top, .count_max = 0, .reverse = true}).more);
}

TEST_P(EngineContract, PagingBackwardsMeetsEverythingOnceNewestFirst) {
  make();
  for (int i = 0; i < 50; ++i) publish("a");
  Offsets seen;
  std::optional<Position> since;
  while (true) {
    const HistoryPage page = history({.channel = "a", .since = since, .count_max = 8, .reverse = true});
    EXPECT_TRUE(page.complete);
    for (const std::uint64_t offset : offsets(page)) seen.push_back(offset);
    if (!page.more) break;
    since = page.publications.back()->position;
  }
  ASSERT_EQ(seen.size(), 50u);
  for (std::size_t i = 0; i < 50; ++i) EXPECT_EQ(seen[i], 50 - i);
}

TEST_P(EngineContract, SaysWhetherAPageJoinsItsSince) {
  make({}, {.count_max = 5});
  for (int i = 0; i < 10; ++i) publish("a");  // 6 to 10 are kept.
  const std::uint64_t epoch = history({.channel = "a"}).top->epoch;
  struct Case {
    Position since;
    bool reverse;
    Offsets expected;
    bool complete;
  };
  for (const Case& c : std::vector<Case>{
           {{epoch, 10}, false, {}, true},
           {{epoch, 9}, false, {10}, true},
           {{epoch, 5}, false, {6, 7, 8, 9, 10}, true},
           {{epoch, 4}, false, {6, 7, 8, 9, 10}, false},
           {{epoch, 0}, false, {6, 7, 8, 9, 10}, false},
           {{epoch, 11}, false, {}, false},
           {{epoch + 1, 9}, false, {6, 7, 8, 9, 10}, false},
           {{epoch, 8}, true, {7, 6}, true},
           {{epoch, 6}, true, {}, false},
           {{epoch, 3}, true, {}, false},
           {{epoch, 1}, true, {}, true},
           {{epoch, 99}, true, {10, 9, 8, 7, 6}, false},
           {{epoch + 1, 3}, true, {10, 9, 8, 7, 6}, false},
       }) {
    const HistoryPage page = history({.channel = "a", .since = c.since, .reverse = c.reverse});
    EXPECT_EQ(offsets(page), c.expected) << c.since.offset << " " << c.reverse;
    EXPECT_EQ(page.complete, c.complete) << c.since.offset << " " << c.reverse;
    EXPECT_FALSE(page.more);
  }
}

TEST_P(EngineContract, AskingForNothingTellsThePositionAndThatThereIsMore) {
  make();
  publish("a");
  const HistoryPage page = history({.channel = "a", .count_max = 0});
  EXPECT_TRUE(page.publications.empty());
  EXPECT_EQ(page.top->offset, 1u);
  EXPECT_TRUE(page.more);
}

TEST_P(EngineContract, ThePositionBeforeTheFirstPublicationHolds) {
  make();
  const Position before = *history({.channel = "a"}).top;
  EXPECT_EQ(before.offset, 0u);
  EXPECT_TRUE(history({.channel = "a", .since = before}).complete);
  publish("a");
  const HistoryPage page = history({.channel = "a", .since = before});
  EXPECT_TRUE(page.complete);
  EXPECT_EQ(offsets(page), Offsets{1});
}

TEST_P(EngineContract, RemovingHistoryBeginsANewEpoch) {
  make();
  for (int i = 0; i < 3; ++i) publish("a");
  publish("b");
  const Position before = *history({.channel = "a"}).top;
  remove("a");
  remove("never there");
  EXPECT_FALSE(history({.channel = "a", .since = before}).complete);
  const Position after = *publish("a").position;
  EXPECT_NE(after.epoch, before.epoch);
  EXPECT_EQ(after.offset, 1u);
  EXPECT_FALSE(history({.channel = "a", .since = before}).complete);
  EXPECT_EQ(publish("b").position->offset, 2u) << "others go on";
  EXPECT_EQ(channels(""), (std::vector<std::string>{"a", "b"}));
}

TEST_P(EngineContract, ARepeatedKeyIsAnsweredWithTheFirstReceiptAndNotPublished) {
  make();
  const Receipt first = publish("a", "one", "key");
  EXPECT_FALSE(first.repeated);
  const Receipt again = publish("a", "two", "key");
  EXPECT_TRUE(again.repeated);
  EXPECT_EQ(again.id, first.id);
  EXPECT_EQ(again.position, first.position);
  EXPECT_EQ(again.time_ms, first.time_ms);
  EXPECT_EQ(heard_.by_channel["a"].size(), 1u);
  EXPECT_FALSE(publish("b", "x", "key").repeated) << "keys belong to their channel";
  EXPECT_FALSE(publish("bare", "x", "key").repeated);
  EXPECT_TRUE(publish("bare", "x", "key").repeated);
}

TEST_P(EngineContract, KeysAreForgottenAfterTheirWindow) {
  if (is_redis()) GTEST_SKIP() << "Redis' clock cannot be moved: redis_engine_test.cc asks it with a short window";
  make({.idempotency_ms = 1000});
  publish("a", "x", "key");
  clock_.now_ms += 1000;
  EXPECT_TRUE(publish("a", "x", "key").repeated);
  clock_.now_ms += 1;
  EXPECT_FALSE(publish("a", "x", "key").repeated);
}

TEST_P(EngineContract, ChannelsAreListedByPagesInTheOrderOfNames) {
  make();
  for (const char* const channel : {"b:2", "a", "b:1", "b", "c", "b:3"}) publish(channel);
  EXPECT_EQ(channels("b"), (std::vector<std::string>{"b", "b:1", "b:2", "b:3"}));
  EXPECT_EQ(channels("b", "b:1", 1), std::vector<std::string>{"b:2"});
  EXPECT_EQ(channels("", "b:3"), std::vector<std::string>{"c"});
  EXPECT_EQ(channels("b", "a"), (std::vector<std::string>{"b", "b:1", "b:2", "b:3"}));
  EXPECT_TRUE(channels("b", "c").empty());
}

TEST_P(EngineContract, MoreChannelsThanTheLimitAreRefusedThoseThereGoOn) {
  if (is_redis()) GTEST_SKIP() << "what it keeps is limited by Redis' memory: redis_engine_test.cc fills it";
  make({.channels_max = 2});
  publish("a");
  publish("b");
  const Result<Receipt> refused = try_publish("c", "x", "key");
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().kind, ErrorKind::kLimit);
  EXPECT_TRUE(try_publish("a"));
  EXPECT_TRUE(try_publish("bare"));
  remove("a");
  EXPECT_FALSE(publish("c", "x", "key").repeated);
}

TEST_P(EngineContract, IdsAreDifferentAndWellFormed) {
  make();
  std::set<std::string> ids;
  for (int i = 0; i < 1000; ++i) ids.insert(publish(std::to_string(i % 50)).id.text());
  EXPECT_EQ(ids.size(), 1000u);
  for (const std::string& id : ids) EXPECT_EQ(id[14], '4');
}

TEST_P(EngineContract, ConcurrentPublishersAreHeardInTheOrderOfPositions) {
  make({}, {.count_max = 1'000'000});
  constexpr int kThreads = 4, kEach = 1500;
  std::vector<std::thread> threads;
  std::atomic<bool> publishing{true};
  for (int t = 0; t < kThreads; ++t) {
    threads.emplace_back([this, t] {
      for (int i = 0; i < kEach; ++i) {
        const std::string channel = "c" + std::to_string((i + t) % 3);
        ASSERT_TRUE(try_publish(channel, std::to_string(t)));
      }
    });
  }
  // A reader never sees a hole, and nothing that was not handed out before.
  threads.emplace_back([this, &publishing] {
    while (publishing) {
      std::uint64_t expected = 0;
      const HistoryPage page = history({.channel = "c0", .count_max = 100'000});
      for (const PublicationPtr& publication : page.publications) ASSERT_EQ(publication->position->offset, ++expected);
      if (page.top) {
        ASSERT_EQ(page.top->offset, expected);
      }
      ASSERT_LE(channels("", "", 10).size(), 3u);
    }
  });
  for (int t = 0; t < kThreads; ++t) threads[static_cast<std::size_t>(t)].join();
  publishing = false;
  threads.back().join();
  std::size_t total = 0;
  for (const auto& [channel, publications] : heard_.by_channel) {
    std::uint64_t expected = 0;
    for (const PublicationPtr& publication : publications) ASSERT_EQ(publication->position->offset, ++expected);
    total += publications.size();
  }
  EXPECT_EQ(total, static_cast<std::size_t>(kThreads * kEach));
}

TEST_P(EngineContract, KeepsTheNewestByBytesAbout) {
  make({}, {.count_max = 1000, .bytes_max = 20'000});
  for (int i = 0; i < 100; ++i) publish("a", std::string(1000, 'x'));
  const HistoryPage page = history({.channel = "a"});
  EXPECT_GE(page.publications.size(), 10u);
  EXPECT_LE(page.publications.size(), 20u);
  EXPECT_EQ(page.publications.back()->position->offset, 100u);
}

TEST_P(EngineContract, APageMayBeginAtATime) {
  make();
  for (int i = 0; i < 10; ++i) {
    publish("a");
    pass(100);
  }
  const std::int64_t third_ms = heard_.by_channel["a"][2]->time_ms;
  EXPECT_EQ(offsets(history({.channel = "a", .from_time_ms = third_ms})), (Offsets{3, 4, 5, 6, 7, 8, 9, 10}));
  EXPECT_EQ(offsets(history({.channel = "a", .from_time_ms = third_ms + 1, .count_max = 2})), (Offsets{4, 5}));
  EXPECT_EQ(offsets(history({.channel = "a", .from_time_ms = third_ms, .reverse = true})), (Offsets{2, 1}));
  EXPECT_EQ(offsets(history({.channel = "a", .from_time_ms = 0, .count_max = 1})), Offsets{1});
  EXPECT_TRUE(history({.channel = "a", .from_time_ms = now_ms()}).publications.empty());
  EXPECT_TRUE(history({.channel = "never", .from_time_ms = 0}).publications.empty());
}

TEST_P(EngineContract, NoPublicationIsOlderThanTheOneBeforeItWhateverTheClockDoes) {
  make();
  publish("a");
  clock_.now_ms -= 60'000;
  publish("a");
  clock_.now_ms += 120'000;
  publish("a");
  std::int64_t last_ms = 0;
  for (const PublicationPtr& publication : history({.channel = "a"}).publications) {
    EXPECT_GE(publication->time_ms, last_ms);
    last_ms = publication->time_ms;
  }
}

TEST_P(EngineContract, PublicationsAreFoundByTheirIds) {
  make({}, {.count_max = 5});
  std::vector<Uuid> ids;
  for (int i = 0; i < 8; ++i) ids.push_back(publish("a").id);
  const Uuid elsewhere = publish("b").id;
  const std::vector<Uuid> asked = {ids[7], ids[0], elsewhere, ids[4], Uuid{}, ids[7]};
  const auto found =
      *wait_for<Result<std::vector<PublicationPtr>>>([&](auto done) { engine_->publications("a", asked, std::move(done)); });
  ASSERT_EQ(found.size(), asked.size());
  for (const std::size_t there : {0u, 3u, 5u}) {
    ASSERT_NE(found[there], nullptr);
    EXPECT_EQ(found[there]->id, asked[there]);
  }
  for (const std::size_t gone : {1u, 2u, 4u}) EXPECT_EQ(found[gone], nullptr);
  const auto nowhere = *wait_for<Result<std::vector<PublicationPtr>>>(
      [&](auto done) { engine_->publications("never", {ids[7]}, std::move(done)); });
  EXPECT_EQ(nowhere, std::vector<PublicationPtr>{nullptr});
}

TEST_P(EngineContract, StateIsReadAsTheLastChangeLeftIt) {
  make();
  change({{.key = "a/1", .value = "one"}, {.key = "a/2", .value = "two"}, {.key = "b/1", .value = "other"}});
  EXPECT_EQ(state("a/1"), "one");
  EXPECT_EQ(state("a/3"), std::nullopt);
  change({{.key = "a/1", .value = "changed"}, {.key = "a/2", .value = std::nullopt}, {.key = "a/3", .value = ""}});
  EXPECT_EQ(state("a/1"), "changed");
  EXPECT_EQ(state("a/2"), std::nullopt);
  EXPECT_EQ(state("a/3"), "");
  EXPECT_EQ(states("a/"), (Texts{"a/1=changed", "a/3="}));
  EXPECT_EQ(states("a/", "a/1"), Texts{"a/3="});
  EXPECT_EQ(states("", "", 2).size(), 2u);
  EXPECT_EQ(states("", "a/3"), Texts{"b/1=other"});
}

TEST_P(EngineContract, ExpiredStateIsReadByNobody) {
  make();
  change({{.key = "a/1", .value = "short", .expires_at_ms = now_ms() + (is_redis() ? 300 : 1000)},
          {.key = "a/2", .value = "long"}});
  EXPECT_EQ(state("a/1"), "short");
  clock_.now_ms += 1000;
  if (is_redis()) wait_until_redis("it has expired", [&] { return !state("a/1"); });
  EXPECT_EQ(state("a/1"), std::nullopt);
  EXPECT_EQ(states("a/"), Texts{"a/2=long"});
}

}  // namespace
}  // namespace carillon
