// What the log promises beyond every engine's promises: it is there again after a restart, a crash, a loss of power, a full
// disk.
#include "engine/log/log_engine.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <deque>
#include <map>
#include <random>
#include <set>

#include "base/simulated_disk.h"
#include "engine/memory/hub_double.h"
#include "engine/memory/memory_engine.h"

namespace carillon {
namespace {

using testing::HasSubstr;

class Heard final : public EngineEvents {
 public:
  void on_publication(const PublicationPtr& publication) override { heard.push_back(publication); }
  void on_gap(const std::string& channel, std::uint64_t) override { ADD_FAILURE() << "a gap in " << channel; }
  void on_continuity(Continuity) override { ADD_FAILURE() << "one node is always continuous"; }
  std::vector<PublicationPtr> heard;
};

class LogEngineTest : public testing::Test {
 protected:
  explicit LogEngineTest(std::uint64_t seed = 1) : disk_(seed) {}

  Result<void> try_open() {
    LogEngineOptions options;
    options.store.directory = "/log";
    options.store.write_buffer_bytes = write_buffer_bytes_;
    options.writer.channel_idle_ms = 60'000;
    options.readers = 0;
    options.rule_for = [this](std::string_view channel) {
      HistoryRule rule = rule_;
      if (channel.starts_with("unsynced")) rule.durability = Durability::kNone;
      if (channel.starts_with("interval")) rule.durability = Durability::kInterval;
      return rule;
    };
    auto opened = LogEngine::open(disk_, clock_, random_, memory_, options);
    if (!opened) return opened.error();
    engine_ = *std::move(opened);
    engine_->set_events(heard_);
    return {};
  }
  void open() {
    const Result<void> opened = try_open();
    ASSERT_TRUE(opened) << opened.error().text;
  }
  // As after a stop.
  void reopen() {
    engine_.reset();
    open();
  }
  // As after a crash of the machine.
  void lose_power() {
    disk_.lose_power();
    engine_.reset();
    disk_.restore_power();
    open();
  }

  Result<Receipt> try_publish(const std::string& channel, std::string_view payload = "x", std::string key = {}) {
    std::optional<Result<Receipt>> outcome;
    engine_->publish({.channel = channel, .event = "e", .payload = Bytes::copy_of(payload), .idempotency_key = std::move(key)},
                     [&outcome](Result<Receipt> receipt) { outcome = std::move(receipt); });
    return *outcome;
  }
  Receipt publish(const std::string& channel, std::string_view payload = "x", std::string key = {}) {
    Result<Receipt> outcome = try_publish(channel, payload, std::move(key));
    EXPECT_TRUE(outcome) << outcome.error().text;
    return *outcome;
  }
  HistoryPage history(HistoryQuery query) {
    std::optional<HistoryPage> page;
    engine_->history(std::move(query), [&page](Result<HistoryPage> outcome) { page = *std::move(outcome); });
    return *page;
  }
  std::vector<std::string> payloads(const std::string& channel) {
    std::vector<std::string> all;
    for (const PublicationPtr& publication : history({.channel = channel, .count_max = 100'000}).publications) {
      all.emplace_back(publication->payload.view());
    }
    return all;
  }
  Result<void> change(std::vector<StateChange> changes, bool synced = true) {
    std::optional<Result<void>> outcome;
    engine_->state().change(std::move(changes), synced, [&outcome](Result<void> done) { outcome = std::move(done); });
    return *outcome;
  }
  std::optional<std::string> state(std::string key) {
    std::optional<std::string> value;
    engine_->state().read(std::move(key), [&value](Result<std::optional<std::string>> found) { value = *found; });
    return value;
  }
  // What the writer does with the time.
  void pass(std::int64_t ms) {
    clock_.now_ms += ms;
    for (std::size_t i = 0; i <= LogChannels::kStripes; ++i) engine_->tick();
  }

  HistoryRule rule_{.count_max = 1'000'000, .durability = Durability::kSync};
  std::size_t write_buffer_bytes_ = 1u << 20;
  FixedClock clock_;
  SeededRandom random_{1};
  SimulatedDisk disk_;
  MemoryEngine memory_{clock_, random_, {}};
  Heard heard_;
  std::unique_ptr<LogEngine> engine_;
};

TEST_F(LogEngineTest, ARestartChangesNothing) {
  open();
  const Receipt first = publish("a", "one", "key");
  publish("a", "two");
  ASSERT_TRUE(change({{.key = "k", .value = "v"}}));
  reopen();
  EXPECT_EQ(payloads("a"), (std::vector<std::string>{"one", "two"}));
  EXPECT_EQ(history({.channel = "a"}).top, (Position{first.position->epoch, 2}));
  EXPECT_TRUE(history({.channel = "a", .since = first.position}).complete);
  const Receipt again = publish("a", "one", "key");
  EXPECT_TRUE(again.repeated);
  EXPECT_EQ(again.id, first.id);
  EXPECT_EQ(publish("a", "three").position, (Position{first.position->epoch, 3}));
  EXPECT_EQ(state("k"), "v");
}

TEST_F(LogEngineTest, APositionBeforeTheFirstPublicationHoldsOverARestart) {
  open();
  const Position before = *history({.channel = "a"}).top;
  reopen();
  publish("a");
  EXPECT_TRUE(history({.channel = "a", .since = before}).complete);
  EXPECT_EQ(history({.channel = "a", .since = before}).publications.size(), 1u);
}

TEST_F(LogEngineTest, ARemovalHoldsOverARestart) {
  open();
  const Position before = *publish("a").position;
  engine_->remove_history("a", [](Result<void> outcome) { EXPECT_TRUE(outcome); });
  reopen();
  EXPECT_FALSE(history({.channel = "a", .since = before}).complete);
  EXPECT_NE(publish("a").position->epoch, before.epoch);
}

// Every acknowledged publish with durability "sync", and every synced state change, is there after a loss of power; what was
// not acknowledged is there whole or not at all, and what is there has no hole.
TEST_F(LogEngineTest, WhatWasAnsweredAfterASyncSurvivesALossOfPower) {
  std::mt19937_64 choose(7);
  open();
  std::map<std::string, std::vector<std::string>> acknowledged;
  std::uint64_t epoch = history({.channel = "a"}).top->epoch, said = 0;
  for (int life = 0; life < 25; ++life) {
    disk_.lose_power_before_change(1 + choose() % 60);
    std::string last_state;
    while (disk_.has_power()) {
      const std::string channel(1, static_cast<char>('a' + choose() % 3));
      const std::string payload = std::to_string(++said) + std::string(choose() % 2000, '.');
      if (try_publish(channel, payload)) {
        acknowledged[channel].push_back(payload);
      } else {
        acknowledged[channel].push_back("?" + payload);
      }
      if (change({{.key = "last", .value = payload}})) last_state = payload;
    }
    lose_power();
    for (auto& [channel, expected] : acknowledged) {
      const HistoryPage page = history({.channel = channel, .count_max = 1'000'000});
      std::vector<std::string> there;
      for (std::size_t i = 0; i < page.publications.size(); ++i) {
        ASSERT_EQ(page.publications[i]->position, (Position{epoch, i + 1}));
        there.emplace_back(page.publications[i]->payload.view());
      }
      // What failed may be there, at the end, once.
      std::vector<std::string> known;
      for (const std::string& payload : expected) {
        const bool unsure = payload[0] == '?';
        if (!unsure) {
          known.push_back(payload);
        } else if (known.size() < there.size() && there[known.size()] == payload.substr(1)) {
          known.push_back(payload.substr(1));
        }
      }
      ASSERT_EQ(there, known) << "channel " << channel << " life " << life;
      expected = known;
    }
    if (!last_state.empty()) {
      const std::uint64_t kept = std::stoull(*state("last"));
      ASSERT_GE(kept, std::stoull(last_state)) << "life " << life;
    }
  }
  EXPECT_GT(said, 100u);
}

// Everything at once, from a seed, on a disk that loses power: publishes of every durability with and without idempotency keys,
// retention by count, removals, state. What must be there after a loss is what was written before the last synced write.
class PowerLossTest : public LogEngineTest, public testing::WithParamInterface<std::uint64_t> {
 protected:
  struct Known {
    std::uint64_t epoch = 0;
    std::vector<std::string> payloads;                  // By offset, from 1; the last may be one that failed.
    std::vector<std::pair<std::string, Receipt>> keys;  // Acknowledged.
    std::uint64_t durable = 0;                          // The offset of the last that survives.
    bool removing = false;                              // A removal failed: it may have happened.
  };

  PowerLossTest() : LogEngineTest(GetParam()) {}

  void everything_so_far_survives() {
    for (auto& [name, known] : channels_) known.durable = known.payloads.size();
    state_durable_ = state_written_;
  }
  void publish_one(const std::string& channel) {
    Known& known = channels_[channel];
    const std::string payload = std::to_string(++said_) + std::string(choose_() % 1500, '.');
    const std::string key = choose_() % 3 == 0 ? "key " + std::to_string(said_) : "";
    const Result<Receipt> receipt = try_publish(channel, payload, key);
    known.payloads.push_back(payload);
    if (!receipt) return;
    ASSERT_FALSE(receipt->repeated);
    if (known.payloads.size() == 1) known.epoch = receipt->position->epoch;
    ASSERT_EQ(receipt->position, (Position{known.epoch, known.payloads.size()}));
    if (!key.empty()) known.keys.emplace_back(key, *receipt);
    if (channel.starts_with("synced")) everything_so_far_survives();
  }
  void change_state() {
    const bool synced = choose_() % 2 == 0;
    if (change({{.key = "state", .value = std::to_string(++state_written_)}}, synced) && synced) everything_so_far_survives();
  }
  void remove_one(const std::string& channel) {
    Known& known = channels_[channel];
    bool removed = false;
    engine_->remove_history(channel, [&removed](const Result<void>& outcome) { removed = outcome.has_value(); });
    if (!removed) {
      known.removing = true;
    } else if (!known.payloads.empty()) {
      known = {};
      everything_so_far_survives();
    }
  }
  void let_the_interval_pass() {
    pass(200);
    if (!disk_.has_power()) return;
    for (auto& [name, known] : channels_) {
      if (name.starts_with("interval")) known.durable = known.payloads.size();
    }
  }
  void do_something() {
    static const std::vector<std::string> kChannels = {"synced", "synced too", "interval", "unsynced", "unsynced too"};
    const std::string& channel = kChannels[choose_() % kChannels.size()];
    const std::uint64_t what = choose_() % 100;
    if (what < 2) return remove_one(channel);
    if (what < 5) return let_the_interval_pass();
    if (what < 15) return change_state();
    publish_one(channel);
  }

  void check(const std::string& name, Known& known) {
    SCOPED_TRACE("channel " + name);
    const HistoryPage page = history({.channel = name, .count_max = 1'000'000});
    if (page.top->epoch != known.epoch && known.removing) known = {.epoch = page.top->epoch};
    known.removing = false;
    const std::uint64_t top = page.top->offset;
    // Nothing of it was acknowledged, or nothing is left.
    if (known.epoch == 0 || top == 0) known.epoch = page.top->epoch;
    ASSERT_EQ(page.top->epoch, known.epoch);
    ASSERT_GE(top, known.durable);
    ASSERT_LE(top, known.payloads.size());
    ASSERT_EQ(page.publications.size(), std::min<std::uint64_t>(top, rule_.count_max));
    for (std::size_t i = 0; i < page.publications.size(); ++i) {
      const std::uint64_t offset = top - page.publications.size() + 1 + i;
      ASSERT_EQ(page.publications[i]->position, (Position{known.epoch, offset}));
      ASSERT_EQ(page.publications[i]->payload.view(), known.payloads[offset - 1]);
    }
    known.payloads.resize(top);
    known.durable = top;  // It was read from the disk.
    std::erase_if(known.keys, [top](const auto& key) { return key.second.position->offset > top; });
    for (std::size_t i = known.keys.size() < 10 ? 0 : known.keys.size() - 10; i < known.keys.size(); ++i) {
      const Receipt again = publish(name, "again", known.keys[i].first);
      ASSERT_TRUE(again.repeated);
      ASSERT_EQ(again.id, known.keys[i].second.id);
    }
  }
  void check_all() {
    for (auto& [name, known] : channels_) check(name, known);
    const std::optional<std::string> value = state("state");
    const std::uint64_t kept = value ? std::stoull(*value) : 0;
    ASSERT_GE(kept, state_durable_);
    ASSERT_LE(kept, state_written_);
    state_durable_ = state_written_ = kept;
  }

  std::mt19937_64 choose_{GetParam()};
  std::map<std::string, Known> channels_;
  std::uint64_t said_ = 0, state_written_ = 0, state_durable_ = 0;
};

TEST_P(PowerLossTest, WhatWasSyncedIsThereWithoutHolesAndOpeningIsNeverRefused) {
  rule_.count_max = 60;
  write_buffer_bytes_ = 64u << 10;  // So that logs follow each other.
  open();
  for (int life = 0; life < 12; ++life) {
    SCOPED_TRACE("life " + std::to_string(life));
    disk_.lose_power_before_change(1 + choose_() % 700);
    while (disk_.has_power() && !HasFatalFailure()) do_something();
    lose_power();
    if (HasFatalFailure()) return;
    check_all();
    if (HasFatalFailure()) return;
  }
}

INSTANTIATE_TEST_SUITE_P(Seeds, PowerLossTest, testing::Range<std::uint64_t>(1, 9));

TEST_F(LogEngineTest, WhatTheIntervalSyncedSurvivesALossOfPower) {
  open();
  publish("interval", "one");
  publish("unsynced", "x");
  const std::uint64_t syncs = disk_.counts().syncs;
  pass(200);
  EXPECT_GT(disk_.counts().syncs, syncs);
  publish("interval", "two");
  lose_power();
  const std::vector<std::string> kept = payloads("interval");
  ASSERT_GE(kept.size(), 1u);
  EXPECT_EQ(kept[0], "one");
}

TEST_F(LogEngineTest, WithoutIntervalAndSyncTheDiskIsNotAsked) {
  open();
  const std::uint64_t syncs = disk_.counts().syncs;
  publish("unsynced", "x");
  pass(10'000);
  EXPECT_EQ(disk_.counts().syncs, syncs);
}

TEST_F(LogEngineTest, AFullDiskFailsPublishesReadsGoOnAndItRecoversByItself) {
  open();
  publish("a", "before");
  disk_.set_capacity(1);
  const Result<Receipt> full = try_publish("a", std::string(5000, 'x'));
  ASSERT_FALSE(full);
  EXPECT_EQ(full.error().kind, ErrorKind::kLimit);
  EXPECT_THAT(full.error().text, HasSubstr("full"));
  EXPECT_FALSE(engine_->stats().writable);
  EXPECT_FALSE(try_publish("a", "still full"));
  EXPECT_FALSE(try_publish("new channel", "still full"));
  EXPECT_FALSE(change({{.key = "k", .value = "v"}}));
  EXPECT_EQ(payloads("a"), std::vector<std::string>{"before"});
  EXPECT_EQ(heard_.heard.size(), 1u) << "nobody hears what was refused";

  disk_.set_capacity(~std::uint64_t{0});
  pass(1000);
  EXPECT_TRUE(engine_->stats().writable);
  const Result<Receipt> after = try_publish("a", "after");
  ASSERT_TRUE(after) << after.error().text;
  EXPECT_EQ(after->position->offset, 2u) << "what was refused took no place";
  EXPECT_TRUE(try_publish("new channel", "x"));
  EXPECT_EQ(payloads("a"), (std::vector<std::string>{"before", "after"}));
  lose_power();
  EXPECT_EQ(payloads("a"), (std::vector<std::string>{"before", "after"}));
}

TEST_F(LogEngineTest, ASyncThatFailsIsNotAcknowledgedAndLaterOnesHold) {
  std::mt19937_64 choose(3);
  open();
  std::vector<std::string> acknowledged;
  for (int i = 0; i < 40; ++i) {
    if (i % 5 == 4) {
      disk_.fail_next(
          {.operation = DiskOperation::kSync, .error = {ErrorKind::kInternal, "input/output error"}, .after = choose() % 3});
    }
    const std::string payload = std::to_string(i);
    if (try_publish("a", payload)) acknowledged.push_back(payload);
    pass(1000);
  }
  disk_.fail_next({.operation = DiskOperation::kSync, .error = {}, .count = 0});
  EXPECT_LT(acknowledged.size(), 40u);
  EXPECT_GE(acknowledged.size(), 30u) << "the writer did not go on";
  EXPECT_EQ(payloads("a"), acknowledged);
  lose_power();
  EXPECT_EQ(payloads("a"), acknowledged);
}

// A log is synced before the next one begins; also for who did not ask for it the disk may refuse that.
TEST_F(LogEngineTest, ASyncThatFailsBetweenTwoLogsIsToldAndTheWriterGoesOn) {
  write_buffer_bytes_ = 64u << 10;
  open();
  publish("unsynced", "first");
  DiskFault fault{.operation = DiskOperation::kSync, .error = {ErrorKind::kInternal, "input/output error"}};
  fault.path_part = ".log";
  disk_.fail_next(std::move(fault));
  std::vector<std::string> acknowledged = {"first"};
  int failed = 0;
  for (int i = 0; i < 600; ++i) {
    const std::string payload = std::to_string(i) + std::string(1000, '.');
    if (try_publish("unsynced", payload)) {
      acknowledged.push_back(payload);
    } else {
      ++failed;
      pass(1000);
    }
  }
  EXPECT_EQ(failed, 1);
  EXPECT_TRUE(engine_->stats().writable);
  EXPECT_EQ(payloads("unsynced"), acknowledged);
  reopen();
  EXPECT_EQ(payloads("unsynced"), acknowledged);
}

TEST_F(LogEngineTest, RetentionByCountErasesWhatIsGone) {
  rule_.count_max = 50;
  open();
  for (int i = 0; i < 5000; ++i) publish("a", std::to_string(i));
  EXPECT_EQ(payloads("a").size(), 50u);
  reopen();
  EXPECT_EQ(payloads("a").size(), 50u);
  EXPECT_EQ(payloads("a").front(), "4950");
}

TEST_F(LogEngineTest, RetentionByAgeHoldsForChannelsNobodyUsesToo) {
  rule_.age_max_ms = 1000;
  open();
  const Position old = *publish("a", "one").position;
  clock_.now_ms += 600;
  publish("a", "two");
  clock_.now_ms += 600;
  EXPECT_EQ(payloads("a"), std::vector<std::string>{"two"});
  reopen();
  EXPECT_EQ(payloads("a"), std::vector<std::string>{"two"});
  pass(2000);
  pass(2000);
  EXPECT_EQ(history({.channel = "a", .since = old}).top, (Position{old.epoch, 2})) << "the position stays";
  EXPECT_FALSE(history({.channel = "a", .since = old}).complete);
  EXPECT_EQ(publish("a", "three").position->offset, 3u);
  reopen();
  // Idle for long: it is forgotten, and its epoch with it.
  for (int i = 0; i < 80; ++i) pass(2000);
  EXPECT_NE(publish("a").position->epoch, old.epoch);
}

TEST_F(LogEngineTest, TheClockMayGoBackOverARestart) {
  open();
  publish("a", "one");
  reopen();
  clock_.now_ms -= 3'600'000;
  publish("a", "two");
  const auto page = history({.channel = "a"});
  EXPECT_GE(page.publications[1]->time_ms, page.publications[0]->time_ms);
}

TEST_F(LogEngineTest, ASecondServerOnTheDirectoryIsRefused) {
  open();
  const std::unique_ptr<LogEngine> first = std::move(engine_);
  const Result<void> second = try_open();
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().kind, ErrorKind::kConflict);
  EXPECT_THAT(second.error().text, HasSubstr("another server uses the log in /log"));
}

TEST_F(LogEngineTest, OlderDamageIsRefusedWithTheNameOfTheRepairCommand) {
  open();
  for (int i = 0; i < 100; ++i) publish("a", std::string(1000, 'x'));
  disk_.lose_power();
  engine_.reset();
  disk_.restore_power();
  const std::vector<std::string> names = *disk_.list("/log");
  for (const std::string& name : names) {
    if (!name.ends_with(".log")) continue;
    // The same log with one byte changed in the middle.
    const std::string path = "/log/" + name;
    std::string bytes(disk_.info(path)->size, '\0');
    ASSERT_TRUE((*disk_.read_from(path))->read(0, bytes));
    bytes[bytes.size() / 2] = static_cast<char>(bytes[bytes.size() / 2] ^ 1);
    ASSERT_TRUE((*disk_.create(path))->append(bytes));
  }
  const Result<void> opened = try_open();
  ASSERT_FALSE(opened);
  EXPECT_EQ(opened.error().kind, ErrorKind::kCorrupt);
  EXPECT_THAT(opened.error().text, HasSubstr("carillon log check /log"));
}

TEST_F(LogEngineTest, ManyChannelsAreKnownAgainThoughFewAreInMemory) {
  open();
  for (int i = 0; i < 2000; ++i) publish("c:" + std::to_string(i), "x");
  pass(1000);
  reopen();
  for (int i = 0; i < 2000; i += 97) EXPECT_EQ(publish("c:" + std::to_string(i)).position->offset, 2u);
}

TEST_F(LogEngineTest, AStopAnswersEverybodyAndRefusesWhatComesAfter) {
  open();
  publish("a", "x");
  engine_->stop();
  const Result<Receipt> late = try_publish("a", "y");
  ASSERT_FALSE(late);
  EXPECT_EQ(late.error().kind, ErrorKind::kUnavailable);
}

}  // namespace
}  // namespace carillon
