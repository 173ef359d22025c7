// What every presence store promises (hub/presence_store.h), asked of each: two nodes, who share one store. A store may tell
// later, on another thread: the tests wait for what they expect.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "engine/memory/memory_presence.h"
#include "server/redis_node_double.h"

namespace carillon {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using testing::SizeIs;
using Kind = PresenceChange::Kind;

enum class Store { kMemory, kRedis };

class PresenceContract : public testing::TestWithParam<Store> {
 protected:
  PresenceContract() {
    if (GetParam() == Store::kMemory) {
      memory_ = std::make_unique<MemoryPresence>(clock_, random_);
      for (std::size_t i = 0; i < 2; ++i) {
        doors_.push_back(memory_->open_node());
        heard_[i] = &own_heard_[i];
        doors_[i]->set_events(*heard_[i]);
        stores_[i] = doors_[i].get();
      }
      return;
    }
    redis_ = std::make_unique<RedisProcess>();
    thread_ = std::make_unique<LoopThread>();
    for (std::size_t i = 0; i < 2; ++i) {
      nodes_.push_back(std::make_unique<RedisNodeDouble>(
          *thread_, soon_again({redis_->server()}), RedisNodeDouble::Options{.name = std::string("node") + char('a' + i)}));
      for (const char* const channel : {"room", "hall"}) nodes_[i]->hear(channel);
      // What is asked for after the interest is answered when the channel is heard.
      EXPECT_THAT(nodes_[i]->shown("room")->entries, IsEmpty());
      EXPECT_THAT(nodes_[i]->shown("hall")->entries, IsEmpty());
      stores_[i] = &nodes_[i]->presence();
      heard_[i] = &nodes_[i]->heard;
    }
  }
  ~PresenceContract() override {
    EXPECT_THAT(at_a().faults(), IsEmpty());
    EXPECT_THAT(at_b().faults(), IsEmpty());
  }

  static PresenceChange comes(std::string member, std::string key, std::string meta = "") {
    return {.kind = Kind::kSet, .member = std::move(member), .key = std::move(key), .meta = std::move(meta)};
  }
  static PresenceChange goes(std::string member) {
    return {.kind = Kind::kLeave, .member = std::move(member), .key = {}, .meta = {}};
  }
  PresenceStore& a() { return *stores_[0]; }
  PresenceStore& b() { return *stores_[1]; }
  PresenceHeard& at_a() { return *heard_[0]; }
  PresenceHeard& at_b() { return *heard_[1]; }
  static PresenceStatePtr state(PresenceStore& store, const std::string& channel) {
    auto answer = wait_for<PresenceStatePtr>([&](auto done) { store.state(channel, std::move(done)); });
    EXPECT_TRUE(answer) << answer.error().text;
    return *answer;
  }
  static PresenceCounts counts(PresenceStore& store, const std::string& channel) {
    return *wait_for<PresenceCounts>([&](auto done) { store.counts(channel, std::move(done)); });
  }
  // Both nodes have been told this many diffs.
  void expect_told(std::size_t count) {
    ASSERT_TRUE(wait_until([&] { return at_a().texts().size() >= count && at_b().texts().size() >= count; }));
    EXPECT_THAT(at_a().texts(), SizeIs(count));
    EXPECT_THAT(at_b().texts(), SizeIs(count));
  }

  FixedClock clock_;
  SeededRandom random_{1};
  std::unique_ptr<MemoryPresence> memory_;
  std::vector<std::unique_ptr<PresenceStore>> doors_;
  PresenceHeard own_heard_[2];

  std::unique_ptr<RedisProcess> redis_;
  std::unique_ptr<LoopThread> thread_;
  std::vector<std::unique_ptr<RedisNodeDouble>> nodes_;

  PresenceStore* stores_[2] = {};
  PresenceHeard* heard_[2] = {};
};

INSTANTIATE_TEST_SUITE_P(Stores, PresenceContract, testing::Values(Store::kMemory, Store::kRedis),
                         [](const auto& about) { return about.param == Store::kMemory ? "memory" : "redis"; });

TEST_P(PresenceContract, EveryNodeHearsOneDiffACall) {
  a().change("room", {comes("1", "ann"), comes("2", "ann"), comes("3", "bob"), goes("3")});
  expect_told(1);
  EXPECT_THAT(at_a().texts(), ElementsAre("room +annx2"));
  EXPECT_EQ(at_b().texts(), at_a().texts());
  EXPECT_EQ(at_b().diffs()[0]->counts, (PresenceCounts{.users = 1, .members = 2}));
  EXPECT_EQ(at_a().diffs()[0]->version, at_b().diffs()[0]->version);
}

TEST_P(PresenceContract, NothingHappenedIsNoDiff) {
  a().change("room", {goes("1"), comes("1", "ann"), goes("1")});
  EXPECT_THAT(state(a(), "room")->entries, IsEmpty());
  EXPECT_THAT(at_a().texts(), IsEmpty());
}

TEST_P(PresenceContract, ALeaveHasTheRefOfItsJoin) {
  a().change("room", {comes("1", "ann", R"({"mood":1})")});
  a().change("room", {comes("1", "ann", R"({"mood":2})"), comes("1", "ann", R"({"mood":3})")});
  a().change("room", {goes("1")});
  expect_told(3);
  ASSERT_THAT(at_a().texts(), ElementsAre("room +annx1", "room -annx1 +annx1", "room -annx1"));
  const auto diffs = at_b().diffs();
  const auto& first = diffs[0]->changes.joins[0].metas[0];
  const auto& update = diffs[1]->changes;
  EXPECT_EQ(update.leaves[0].metas[0].ref, first.ref);
  EXPECT_EQ(update.joins[0].metas[0].previous_ref, first.ref) << "what came between was never told";
  EXPECT_EQ(update.joins[0].metas[0].meta, R"({"mood":3})");
  EXPECT_EQ(diffs[2]->changes.leaves[0].metas[0].ref, update.joins[0].metas[0].ref);
}

TEST_P(PresenceContract, AMemberMayTakeAnotherKey) {
  a().change("room", {comes("1", "ann"), comes("2", "ann")});
  a().change("room", {comes("1", "bob")});
  expect_told(2);
  EXPECT_THAT(at_b().texts(), ElementsAre("room +annx2", "room -annx1 +bobx1"));
  EXPECT_EQ(counts(b(), "room"), (PresenceCounts{.users = 2, .members = 2}));
  a().change("room", {goes("2")});
  expect_told(3);
  EXPECT_EQ(counts(b(), "room"), (PresenceCounts{.users = 1, .members = 1}));
}

TEST_P(PresenceContract, MembersOfTwoNodesMayHaveOneName) {
  a().change("room", {comes("1", "ann")});
  expect_told(1);
  b().change("room", {comes("1", "bob")});
  expect_told(2);
  EXPECT_THAT(state(a(), "room")->entries, SizeIs(2));
  b().change("room", {goes("1")});
  expect_told(3);
  EXPECT_THAT(at_a().texts(), ElementsAre("room +annx1", "room +bobx1", "room -bobx1"));
}

TEST_P(PresenceContract, AStateIsTheSameOnAllNodesAndAsItWasTold) {
  a().change("room", {comes("1", "ann", R"({"a":"ü {} \u0000"})"), comes("2", "bob x")});
  expect_told(1);
  b().change("room", {comes("1", "ann")});
  a().change("hall", {comes("1", "ann")});
  expect_told(3);
  a().change("room", {comes("1", "ann", "{}")});
  expect_told(4);
  const auto at_one = state(a(), "room");
  const auto at_other = state(b(), "room");
  EXPECT_EQ(at_one->entries, at_other->entries);
  EXPECT_EQ(at_one->version, at_other->version);
  EXPECT_EQ(at_one->counts, (PresenceCounts{.users = 2, .members = 3}));
  EXPECT_EQ(present_in(*at_one), at_b().present("room"));
  ASSERT_THAT(at_one->entries, SizeIs(2));
  EXPECT_EQ(at_one->entries[0].key, "ann");
  ASSERT_THAT(at_one->entries[0].metas, SizeIs(2));
  EXPECT_EQ(at_one->entries[0].metas[0].meta, "{}") << "at the place of what it replaced";
  EXPECT_TRUE(at_one->entries[0].metas[1].client_id.ends_with("/1"));
  EXPECT_EQ(at_one->entries[1].key, "bob x");
}

TEST_P(PresenceContract, VersionsGrowAlsoWhenAChannelWasEmpty) {
  a().change("room", {comes("1", "ann")});
  a().change("room", {goes("1")});
  expect_told(2);
  const auto empty = state(a(), "room");
  EXPECT_THAT(empty->entries, IsEmpty());
  EXPECT_GE(empty->version, at_a().diffs()[1]->version);
  b().change("room", {comes("1", "bob")});
  expect_told(3);
  EXPECT_GT(at_a().diffs()[2]->version, empty->version);
  EXPECT_EQ(state(a(), "room")->version, at_a().diffs()[2]->version);
  EXPECT_EQ(state(a(), "room"), state(a(), "room")) << "made once";
}

TEST_P(PresenceContract, AStateShowsWhatItsNodeChangedBefore) {
  for (int i = 0; i < 20; ++i) {
    a().change("room", {comes(std::to_string(i), "ann")});
    EXPECT_EQ(state(a(), "room")->counts.members, static_cast<std::uint64_t>(i + 1));
    EXPECT_EQ(at_a().present("room").size(), static_cast<std::size_t>(i + 1)) << "and it was handed out before";
    EXPECT_EQ(counts(a(), "room").members, static_cast<std::uint64_t>(i + 1));
  }
}

TEST_P(PresenceContract, ACrashDropsOneNodesMembersOfOneChannel) {
  a().change("room", {comes("1", "ann")});
  expect_told(1);
  b().change("room", {comes("1", "bob")});
  expect_told(2);
  a().change("hall", {comes("1", "ann")});
  expect_told(3);
  a().crash("room", "handler failed");
  expect_told(4);
  EXPECT_EQ(at_b().texts().back(), "room -annx1");
  a().crash("hall", "handler failed");
  expect_told(5);
  EXPECT_EQ(at_b().texts().back(), "hall -annx1");
  a().change("hall", {comes("1", "ann")});
  expect_told(6);
  EXPECT_EQ(at_b().texts().back(), "hall +annx1") << "it can be used again";
}

// Many threads change; every node hears the same, and each state shows what was handed out before it.
TEST_P(PresenceContract, AllNodesHearTheSameInOneOrder) {
  std::vector<std::thread> threads;
  for (std::size_t i = 0; i < 4; ++i) {
    threads.emplace_back([this, i] {
      PresenceStore& store = *stores_[i % 2];
      for (int round = 0; round < 100; ++round) {
        const std::string member = std::to_string(i) + '.' + std::to_string(round % 7);
        if (round % 3 == 2) {
          store.change("room", {goes(member)});
        } else {
          store.change("room", {comes(member, "user" + std::to_string(round % 5))});
        }
        if (round % 10 == 0) {
          const auto shown = state(store, "room");
          const auto told = heard_[i % 2]->diffs();
          EXPECT_TRUE(shown->version == 0 || (!told.empty() && told.back()->version >= shown->version));
        }
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  for (std::size_t i = 0; i < 2; ++i) state(*stores_[i], "room");  // What was changed before is in Redis then.
  const auto at_one = state(a(), "room");
  const auto at_other = state(b(), "room");
  EXPECT_EQ(at_one->entries, at_other->entries);
  EXPECT_EQ(present_in(*at_one), at_a().present("room"));
  EXPECT_EQ(at_a().present("room"), at_b().present("room"));
  EXPECT_EQ(at_a().texts(), at_b().texts());
}

}  // namespace
}  // namespace carillon
