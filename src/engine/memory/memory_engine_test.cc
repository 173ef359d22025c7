#include "engine/memory/memory_engine.h"

#include <gtest/gtest.h>

#include <atomic>
#include <map>
#include <mutex>
#include <set>
#include <thread>

#include "engine/memory/hub_double.h"

namespace carillon {
namespace {

class Heard final : public EngineEvents {
 public:
  void on_publication(const PublicationPtr& publication) override {
    const std::lock_guard lock(mutex_);
    by_channel[publication->channel].push_back(publication);
  }
  std::map<std::string, std::vector<PublicationPtr>> by_channel;

 private:
  std::mutex mutex_;
};

class MemoryEngineTest : public testing::Test {
 protected:
  MemoryEngine& make(MemoryEngineOptions options = {}, HistoryRule rule = {.count_max = 100}) {
    options.rule_for = [rule](std::string_view channel) { return channel.starts_with("bare") ? HistoryRule{} : rule; };
    engine_ = std::make_unique<MemoryEngine>(clock_, random_, options);
    engine_->set_events(heard_);
    return *engine_;
  }
  Result<Receipt> try_publish(const std::string& channel, std::string_view payload = "x", std::string key = {}) {
    std::optional<Result<Receipt>> outcome;
    engine_->publish({.channel = channel, .event = "e", .payload = Bytes::copy_of(payload), .idempotency_key = std::move(key)},
                     [&outcome](Result<Receipt> receipt) { outcome = std::move(receipt); });
    EXPECT_TRUE(outcome) << "answered inside the call";
    return *outcome;
  }
  Receipt publish(const std::string& channel, std::string_view payload = "x", std::string key = {}) {
    return *try_publish(channel, payload, std::move(key));
  }
  HistoryPage history(HistoryQuery query) {
    HistoryPage page;
    engine_->history(std::move(query), [&page](Result<HistoryPage> outcome) { page = *std::move(outcome); });
    return page;
  }
  static std::vector<std::uint64_t> offsets(const HistoryPage& page) {
    std::vector<std::uint64_t> all;
    for (const PublicationPtr& publication : page.publications) all.push_back(publication->position->offset);
    return all;
  }
  std::vector<std::string> channels(std::string prefix, std::string after = {}, std::size_t count_max = 100) {
    std::vector<std::string> names;
    engine_->channels(std::move(prefix), std::move(after), count_max, [&names](Result<std::vector<ChannelRecord>> records) {
      for (const ChannelRecord& record : *records) names.push_back(record.name);
    });
    return names;
  }
  void remove(std::string channel) {
    engine_->remove_history(std::move(channel), [](Result<void> outcome) { EXPECT_TRUE(outcome); });
  }

  using Offsets = std::vector<std::uint64_t>;
  FixedClock clock_;
  SeededRandom random_{1};
  Heard heard_;
  std::unique_ptr<MemoryEngine> engine_;
};

TEST_F(MemoryEngineTest, PositionsGrowByOneWithoutHoles) {
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

TEST_F(MemoryEngineTest, WithoutHistoryThereIsNoPosition) {
  make();
  EXPECT_FALSE(publish("bare").position);
  const HistoryPage page = history({.channel = "bare"});
  EXPECT_FALSE(page.top);
  EXPECT_TRUE(page.publications.empty());
  EXPECT_FALSE(history({.channel = "bare", .since = Position{1, 1}}).complete);
  EXPECT_TRUE(channels("").empty());
  EXPECT_EQ(engine_->history_bytes(), 0u);
}

TEST_F(MemoryEngineTest, ThePublicationIsTheDraftMadeWhole) {
  make();
  const auto identity = std::make_shared<const Identity>(Identity{.user = "alice"});
  engine_->publish({.channel = "a",
                    .event = "said",
                    .payload = Bytes::copy_of("{}"),
                    .format = PayloadFormat::kCbor,
                    .identity = identity,
                    .publisher_session = 7,
                    .tags = {{"k", "v"}}},
                   [](Result<Receipt>) {});
  const Publication& made = *heard_.by_channel["a"][0];
  EXPECT_EQ(made.event, "said");
  EXPECT_EQ(made.payload.view(), "{}");
  EXPECT_EQ(made.format, PayloadFormat::kCbor);
  EXPECT_EQ(made.identity, identity);
  EXPECT_EQ(made.publisher_session, 7u);
  EXPECT_EQ(made.tags, (Tags{{"k", "v"}}));
  EXPECT_EQ(made.time_ms, clock_.unix_ms());
}

TEST_F(MemoryEngineTest, KeepsTheNewestByCount) {
  make({}, {.count_max = 3});
  for (int i = 0; i < 10; ++i) publish("a");
  const HistoryPage page = history({.channel = "a"});
  EXPECT_EQ(offsets(page), (Offsets{8, 9, 10}));
  EXPECT_EQ(page.top->offset, 10u);
}

TEST_F(MemoryEngineTest, KeepsTheNewestByAge) {
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

TEST_F(MemoryEngineTest, TheBytesBudgetDropsTheOldestOfWhoPublishes) {
  MemoryEngineOptions options;
  options.history_bytes_max = 20'000;
  make(options);
  for (int i = 0; i < 5; ++i) publish("quiet", std::string(1000, 'x'));
  for (int i = 0; i < 50; ++i) {
    publish("loud", std::string(1000, 'x'));
    ASSERT_LE(engine_->history_bytes(), 20'000u);
  }
  EXPECT_EQ(history({.channel = "quiet"}).publications.size(), 5u);
  const HistoryPage loud = history({.channel = "loud"});
  EXPECT_GE(loud.publications.size(), 5u);
  EXPECT_EQ(loud.publications.back()->position->offset, 50u);
  // Too large for what is left: its position shows that it cannot be recovered.
  publish("huge", std::string(30'000, 'x'));
  const HistoryPage huge = history({.channel = "huge", .since = Position{loud.top->epoch, 0}});
  EXPECT_TRUE(huge.publications.empty());
  EXPECT_EQ(huge.top->offset, 1u);
  EXPECT_FALSE(huge.complete);
  for (const char* const channel : {"quiet", "loud", "huge"}) remove(channel);
  EXPECT_EQ(engine_->history_bytes(), 0u);
}

TEST_F(MemoryEngineTest, PagingForwardsMeetsEverythingOnce) {
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

TEST_F(MemoryEngineTest, AnEmptyPageSaysWhetherThereIsMore) {
  make();
  const Position top = *publish("a").position;
  for (const bool reverse : {false, true}) {
    EXPECT_TRUE(history({.channel = "a", .count_max = 0, .reverse = reverse}).more);
    EXPECT_FALSE(history({.channel = "b", .count_max = 0, .reverse = reverse}).more);
  }
  EXPECT_FALSE(history({.channel = "a", .since = top, .count_max = 0}).more);
  EXPECT_FALSE(history({.channel = "a", .since = top, .count_max = 0, .reverse = true}).more);
}

TEST_F(MemoryEngineTest, PagingBackwardsMeetsEverythingOnceNewestFirst) {
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

TEST_F(MemoryEngineTest, SaysWhetherAPageJoinsItsSince) {
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

TEST_F(MemoryEngineTest, AskingForNothingTellsThePositionAndThatThereIsMore) {
  make();
  publish("a");
  const HistoryPage page = history({.channel = "a", .count_max = 0});
  EXPECT_TRUE(page.publications.empty());
  EXPECT_EQ(page.top->offset, 1u);
  EXPECT_TRUE(page.more);
}

TEST_F(MemoryEngineTest, ThePositionBeforeTheFirstPublicationHolds) {
  make();
  const Position before = *history({.channel = "a"}).top;
  EXPECT_EQ(before.offset, 0u);
  EXPECT_TRUE(history({.channel = "a", .since = before}).complete);
  publish("a");
  const HistoryPage page = history({.channel = "a", .since = before});
  EXPECT_TRUE(page.complete);
  EXPECT_EQ(offsets(page), Offsets{1});
}

TEST_F(MemoryEngineTest, RemovingHistoryBeginsANewEpoch) {
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

TEST_F(MemoryEngineTest, ARepeatedKeyIsAnsweredWithTheFirstReceiptAndNotPublished) {
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

TEST_F(MemoryEngineTest, KeysAreForgottenAfterTheirWindow) {
  MemoryEngineOptions options;
  options.idempotency_ms = 1000;
  make(options);
  publish("a", "x", "key");
  clock_.now_ms += 1000;
  EXPECT_TRUE(publish("a", "x", "key").repeated);
  clock_.now_ms += 1;
  EXPECT_FALSE(publish("a", "x", "key").repeated);
}

TEST_F(MemoryEngineTest, KeysAreBoundedInAllAndOneChannelMayUseThemAll) {
  MemoryEngineOptions options;
  options.idempotency_keys_max = 1000;
  make(options);
  for (int i = 0; i < 1000; ++i) publish("a", "x", std::to_string(i));
  EXPECT_TRUE(publish("a", "x", "0").repeated);
  for (int i = 0; i < 500; ++i) publish("b:" + std::to_string(i), "x", "k");
  for (int i = 1000; i < 1600; ++i) publish("a", "x", std::to_string(i));
  EXPECT_FALSE(publish("a", "x", "0").repeated);
  EXPECT_TRUE(publish("a", "x", "1599").repeated);
}

TEST_F(MemoryEngineTest, ExpireDropsWhatIsOldAndForgetsIdleChannels) {
  MemoryEngineOptions options;
  options.channel_idle_ms = 10'000;
  make(options, {.count_max = 10, .age_max_ms = 1000});
  const Position old = *publish("a").position;
  publish("b");
  clock_.now_ms += 2000;
  engine_->expire();
  EXPECT_EQ(engine_->history_bytes(), 0u);
  EXPECT_EQ(channels("").size(), 2u);
  EXPECT_EQ(publish("b").position->offset, 2u) << "the position stays";
  clock_.now_ms += 9000;
  engine_->expire();
  EXPECT_EQ(channels(""), std::vector<std::string>{"b"});
  EXPECT_FALSE(history({.channel = "a", .since = old}).complete);
  EXPECT_NE(publish("a").position->epoch, old.epoch);
}

TEST_F(MemoryEngineTest, ChannelsAreListedByPagesInTheOrderOfNames) {
  make();
  for (const char* const channel : {"b:2", "a", "b:1", "b", "c", "b:3"}) publish(channel);
  EXPECT_EQ(channels("b"), (std::vector<std::string>{"b", "b:1", "b:2", "b:3"}));
  EXPECT_EQ(channels("b", "b:1", 1), std::vector<std::string>{"b:2"});
  EXPECT_EQ(channels("", "b:3"), std::vector<std::string>{"c"});
  EXPECT_EQ(channels("b", "a"), (std::vector<std::string>{"b", "b:1", "b:2", "b:3"}));
  EXPECT_TRUE(channels("b", "c").empty());
}

TEST_F(MemoryEngineTest, MoreChannelsThanTheLimitAreRefusedThoseThereGoOn) {
  MemoryEngineOptions options;
  options.channels_max = 2;
  make(options);
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

TEST_F(MemoryEngineTest, IdsAreDifferentAndWellFormed) {
  make();
  std::set<std::string> ids;
  for (int i = 0; i < 1000; ++i) ids.insert(publish(std::to_string(i % 50)).id.text());
  EXPECT_EQ(ids.size(), 1000u);
  for (const std::string& id : ids) EXPECT_EQ(id[14], '4');
}

TEST_F(MemoryEngineTest, ConcurrentPublishersAreHeardInTheOrderOfPositions) {
  make({}, {.count_max = 1'000'000});
  constexpr int kThreads = 4, kEach = 1500;
  std::vector<std::thread> threads;
  std::atomic<bool> publishing{true};
  for (int t = 0; t < kThreads; ++t) {
    threads.emplace_back([this, t] {
      for (int i = 0; i < kEach; ++i) {
        const std::string channel = "c" + std::to_string((i + t) % 3);
        engine_->publish({.channel = channel, .event = "e", .payload = Bytes::copy_of(std::to_string(t))},
                         [](Result<Receipt> receipt) { ASSERT_TRUE(receipt); });
      }
    });
  }
  // A reader never sees a hole, and nothing that was not handed out before.
  threads.emplace_back([this, &publishing] {
    while (publishing) {
      std::uint64_t expected = 0;
      engine_->history({.channel = "c0", .count_max = 100'000}, [&expected](Result<HistoryPage> page) {
        for (const PublicationPtr& publication : page->publications) ASSERT_EQ(publication->position->offset, ++expected);
        if (page->top) {
          ASSERT_EQ(page->top->offset, expected);
        }
      });
      engine_->expire();
      engine_->channels("", "", 10, [](Result<std::vector<ChannelRecord>> records) { ASSERT_LE(records->size(), 3u); });
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

}  // namespace
}  // namespace carillon
