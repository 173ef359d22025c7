#include "engine/memory/memory_presence.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "engine/memory/hub_double.h"

namespace carillon {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
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
  static PresenceChange goes(std::string member) {
    return {.kind = Kind::kLeave, .member = std::move(member), .key = {}, .meta = {}};
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

TEST_F(MemoryPresenceTest, EveryNodeHearsOneDiffACall) {
  a_->change("room", {comes("1", "ann"), comes("2", "ann"), comes("3", "bob"), goes("3")});
  EXPECT_THAT(at_a_.texts, ElementsAre("room +annx2"));
  EXPECT_EQ(at_b_.texts, at_a_.texts);
  EXPECT_EQ(at_b_.diffs[0]->counts, (PresenceCounts{.users = 1, .members = 2}));
}

TEST_F(MemoryPresenceTest, NothingHappenedIsNoDiff) {
  a_->change("room", {goes("1"), comes("1", "ann"), goes("1")});
  EXPECT_THAT(at_a_.texts, IsEmpty());
}

TEST_F(MemoryPresenceTest, ALeaveHasTheRefOfItsJoin) {
  a_->change("room", {comes("1", "ann", R"({"mood":1})")});
  a_->change("room", {comes("1", "ann", R"({"mood":2})"), comes("1", "ann", R"({"mood":3})")});
  a_->change("room", {goes("1")});
  ASSERT_THAT(at_a_.texts, ElementsAre("room +annx1", "room -annx1 +annx1", "room -annx1"));
  const auto& first = at_a_.diffs[0]->changes.joins[0].metas[0];
  const auto& update = at_a_.diffs[1]->changes;
  EXPECT_EQ(update.leaves[0].metas[0].ref, first.ref);
  EXPECT_EQ(update.joins[0].metas[0].previous_ref, first.ref) << "what came between was never told";
  EXPECT_EQ(update.joins[0].metas[0].meta, R"({"mood":3})");
  EXPECT_EQ(at_a_.diffs[2]->changes.leaves[0].metas[0].ref, update.joins[0].metas[0].ref);
}

TEST_F(MemoryPresenceTest, MembersOfTwoNodesMayHaveOneName) {
  a_->change("room", {comes("1", "ann")});
  b_->change("room", {comes("1", "bob")});
  EXPECT_THAT(state(*a_, "room")->entries, SizeIs(2));
  b_->change("room", {goes("1")});
  EXPECT_THAT(at_a_.texts, ElementsAre("room +annx1", "room +bobx1", "room -bobx1"));
}

TEST_F(MemoryPresenceTest, VersionsGrowAlsoWhenAChannelWasEmpty) {
  a_->change("room", {comes("1", "ann")});
  a_->change("room", {goes("1")});
  const auto empty = state(*a_, "room");
  EXPECT_THAT(empty->entries, IsEmpty());
  EXPECT_GE(empty->version, at_a_.diffs[1]->version);
  b_->change("room", {comes("1", "bob")});
  EXPECT_GT(at_a_.diffs[2]->version, empty->version);
  EXPECT_EQ(state(*a_, "room")->version, at_a_.diffs[2]->version);
  EXPECT_EQ(state(*a_, "room"), state(*b_, "room")) << "made once";
}

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

TEST_F(MemoryPresenceTest, ACrashDropsOneNodesMembersOfOneChannel) {
  a_->change("room", {comes("1", "ann")});
  b_->change("room", {comes("1", "bob")});
  a_->change("hall", {comes("1", "ann")});
  a_->crash("room", "handler failed");
  EXPECT_EQ(at_b_.texts.back(), "room -annx1");
  a_->crash("hall", "handler failed");
  EXPECT_EQ(at_b_.texts.back(), "hall -annx1");
  a_->change("hall", {comes("1", "ann")});
  EXPECT_EQ(at_b_.texts.back(), "hall +annx1") << "it can be used again";
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
