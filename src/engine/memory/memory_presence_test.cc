// What every presence store promises is asked in engine/presence_contract_test.cc.
#include "engine/memory/memory_presence.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "engine/memory/hub_double.h"

namespace carillon {
namespace {

using testing::SizeIs;
using Kind = PresenceChange::Kind;

struct Diffs final : PresenceEvents {
  void on_presence(const PresenceUpdatePtr& diff) override {
    std::string text = diff->channel;
    for (const auto& entry : diff->changes.leaves) text += " -" + entry.key + "x" + std::to_string(entry.metas.size());
    for (const auto& entry : diff->changes.joins) text += " +" + entry.key + "x" + std::to_string(entry.metas.size());
    texts.push_back(text);
    diffs.push_back(diff);
  }
  std::vector<std::string> texts;
  std::vector<PresenceUpdatePtr> diffs;
};

class MemoryPresenceTest : public testing::Test {
 protected:
  MemoryPresenceTest() {
    a_->set_events(at_a_);
    b_->set_events(at_b_);
  }
  static PresenceChange comes(std::string member, std::string key, std::string meta = "") {
    return {.kind = Kind::kSet, .member = std::move(member), .key = std::move(key), .meta = std::move(meta)};
  }
  static PresenceStatePtr state(PresenceStore& store, const std::string& channel) {
    PresenceStatePtr found;
    store.state(channel, [&](Result<PresenceStatePtr> answer) { found = *answer; });
    return found;
  }

  FixedClock clock_;
  SeededRandom random_{1};
  MemoryPresence all_{clock_, random_};
  std::unique_ptr<PresenceStore> a_ = all_.open_node();
  std::unique_ptr<PresenceStore> b_ = all_.open_node();
  Diffs at_a_, at_b_;
};

TEST_F(MemoryPresenceTest, ADeadNodesMembersLeaveWhenItsLeaseIsOver) {
  a_->renew(30'000);
  b_->renew(30'000);
  a_->change("room", {comes("1", "ann"), comes("2", "ann2")});
  a_->change("hall", {comes("1", "ann")});
  b_->change("room", {comes("1", "bob")});
  a_.reset();  // As by kill -9: it says nothing.
  clock_.now_ms += 29'999;
  b_->renew(30'000);
  EXPECT_THAT(state(*b_, "room")->entries, SizeIs(3));
  clock_.now_ms += 2;
  at_b_.texts.clear();
  b_->renew(30'000);
  EXPECT_THAT(at_b_.texts, testing::UnorderedElementsAre("room -annx1 -ann2x1", "hall -annx1"));
  EXPECT_EQ(all_.membership_count(), 1u);
}

TEST_F(MemoryPresenceTest, AnotherStartHasOtherRefs) {
  a_->change("room", {comes("1", "ann")});
  SeededRandom random(2);
  MemoryPresence restarted(clock_, random);
  const auto node = restarted.open_node();
  Diffs diffs;
  node->set_events(diffs);
  node->change("room", {comes("1", "ann")});
  EXPECT_NE(diffs.diffs[0]->changes.joins[0].metas[0].ref, at_a_.diffs[0]->changes.joins[0].metas[0].ref);
}

TEST(PresenceBatch, AddsUp) {
  const auto entry = [](std::string key, std::string ref, std::string previous = "") {
    return std::vector{PresenceEntry{
        .key = std::move(key),
        .metas = {
            {.ref = std::move(ref), .previous_ref = std::move(previous), .online_at_ms = 0, .meta = {}, .client_id = {}}}}};
  };
  PresenceBatch batch;
  EXPECT_TRUE(batch.empty());
  batch.add({.joins = entry("ann", "2", "1"), .leaves = entry("ann", "1")});
  batch.add({.joins = entry("ann", "3", "2"), .leaves = entry("ann", "2")});
  EXPECT_FALSE(batch.empty());
  const PresenceChanges changes = batch.take();
  EXPECT_EQ(changes.joins, entry("ann", "3", "1"));
  EXPECT_EQ(changes.leaves, entry("ann", "1"));
  EXPECT_TRUE(batch.empty());
  batch.add({.joins = entry("bob", "4"), .leaves = {}});
  batch.add({.joins = {}, .leaves = entry("bob", "4")});
  EXPECT_TRUE(batch.empty());
}

}  // namespace
}  // namespace carillon
