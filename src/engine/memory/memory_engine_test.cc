#include "engine/memory/memory_engine.h"

#include <gtest/gtest.h>

#include <atomic>
#include <set>
#include <thread>

#include "engine/memory/hub_double.h"
#include "hub/engine_double.h"

namespace carillon {
namespace {

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
  HeardEvents heard_;
  std::unique_ptr<MemoryEngine> engine_;
};

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

}  // namespace
}  // namespace carillon
