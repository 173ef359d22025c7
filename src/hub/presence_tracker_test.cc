#include "carillon/presence_tracker.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace carillon {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

PresenceMeta meta(const std::string& ref, std::int64_t online_at_ms = 0) {
  return {.ref = ref, .previous_ref = {}, .online_at_ms = online_at_ms, .meta = {}, .client_id = "client of " + ref};
}

PresenceMeta replacing(const std::string& previous, PresenceMeta meta) {
  meta.previous_ref = previous;
  return meta;
}

class Presence : public testing::Test {
 protected:
  void join(const std::string& key, const std::string& ref) { tracker.join("room", key, meta(ref)); }

  PresenceTracker tracker;
};

TEST_F(Presence, AJoinIsItsDiff) {
  const PresenceDiff diff = tracker.join("room", "alice", meta("1", 1700));
  EXPECT_EQ(diff, (PresenceDiff{"room", {.joins = {{"alice", {meta("1", 1700)}}}, .leaves = {}}}));
  EXPECT_EQ(presence_diff_label(diff), "room:+1/-0");
  EXPECT_EQ(tracker.get("room", "alice"), (PresenceEntry{"alice", {meta("1", 1700)}}));
}

TEST_F(Presence, ALeaveTakesOneMeta) {
  join("alice", "1");
  join("alice", "2");
  const PresenceDiff diff = tracker.leave("room", "alice", "1");
  EXPECT_EQ(diff, (PresenceDiff{"room", {.joins = {}, .leaves = {{"alice", {meta("1")}}}}}));
  EXPECT_EQ(presence_diff_label(diff), "room:+0/-1");
  EXPECT_THAT(tracker.list("room"), ElementsAre(PresenceEntry{"alice", {meta("2")}}));
}

TEST_F(Presence, CountsKeysAndRefs) {
  join("alice", "1");
  join("alice", "2");
  join("bob", "3");
  EXPECT_EQ(tracker.key_count("room"), 2u);
  EXPECT_EQ(tracker.ref_count("room"), 3u);
  EXPECT_EQ(tracker.key_count("elsewhere"), 0u);
  EXPECT_EQ(tracker.ref_count("elsewhere"), 0u);
}

TEST_F(Presence, ARefIsNotAddedTwice) {
  join("alice", "1");
  EXPECT_TRUE(tracker.join("room", "alice", meta("1", 99)).changes.empty());
  EXPECT_EQ(tracker.get("room", "alice"), (PresenceEntry{"alice", {meta("1")}}));
  EXPECT_FALSE(tracker.join("room", "bob", meta("1")).changes.empty());
  EXPECT_EQ(tracker.ref_count("room"), 2u);
  tracker.leave("room", "alice", "1");
  EXPECT_THAT(tracker.list("room"), ElementsAre(PresenceEntry{"bob", {meta("1")}}));
}

TEST_F(Presence, WhoIsNotThereCannotLeave) {
  join("alice", "1");
  EXPECT_TRUE(tracker.leave("room", "alice", "2").changes.empty());
  EXPECT_TRUE(tracker.leave("room", "bob", "1").changes.empty());
  EXPECT_TRUE(tracker.leave("elsewhere", "alice", "1").changes.empty());
  EXPECT_EQ(tracker.ref_count("room"), 1u);
  EXPECT_THAT(tracker.topics(), ElementsAre("room"));
}

TEST_F(Presence, KeysAreInTheOrderInWhichTheyBecamePresent) {
  join("carol", "1");
  join("alice", "2");
  join("bob", "3");
  join("carol", "4");
  tracker.leave("room", "carol", "1");
  tracker.leave("room", "alice", "2");
  join("alice", "5");
  EXPECT_THAT(tracker.list("room"), ElementsAre(PresenceEntry{"carol", {meta("4")}}, PresenceEntry{"bob", {meta("3")}},
                                                PresenceEntry{"alice", {meta("5")}}));
}

TEST_F(Presence, ATopicGoesWithItsLastMeta) {
  join("alice", "1");
  tracker.join("hall", "alice", meta("2"));
  EXPECT_THAT(tracker.topics(), ElementsAre("hall", "room"));
  tracker.leave("room", "alice", "1");
  EXPECT_THAT(tracker.topics(), ElementsAre("hall"));
  tracker.drop("hall");
  EXPECT_THAT(tracker.topics(), IsEmpty());
  EXPECT_EQ(tracker.get("hall", "alice"), std::nullopt);
}

TEST_F(Presence, AReplacementIsOneDiffAndKeepsItsPlace) {
  join("alice", "1");
  join("alice", "2");
  join("bob", "3");
  const PresenceDiff diff = tracker.replace("room", "alice", "1", "alice", meta("4", 5));
  EXPECT_EQ(diff,
            (PresenceDiff{"room", {.joins = {{"alice", {replacing("1", meta("4", 5))}}}, .leaves = {{"alice", {meta("1")}}}}}));
  EXPECT_THAT(tracker.list("room"), ElementsAre(PresenceEntry{"alice", {replacing("1", meta("4", 5)), meta("2")}},
                                                PresenceEntry{"bob", {meta("3")}}));
  EXPECT_TRUE(tracker.leave("room", "alice", "1").changes.empty());
  EXPECT_FALSE(tracker.leave("room", "alice", "4").changes.empty());
}

TEST_F(Presence, AReplacementMayChangeTheKey) {
  join("alice", "1");
  const PresenceDiff diff = tracker.replace("room", "alice", "1", "bob", meta("2"));
  EXPECT_EQ(diff,
            (PresenceDiff{"room", {.joins = {{"bob", {replacing("1", meta("2"))}}}, .leaves = {{"alice", {meta("1")}}}}}));
  EXPECT_THAT(tracker.list("room"), ElementsAre(PresenceEntry{"bob", {replacing("1", meta("2"))}}));
}

TEST_F(Presence, AReplacementMayKeepItsRef) {
  join("alice", "1");
  const PresenceDiff diff = tracker.replace("room", "alice", "1", "alice", meta("1", 7));
  EXPECT_EQ(presence_diff_label(diff), "room:+1/-1");
  EXPECT_THAT(tracker.list("room"), ElementsAre(PresenceEntry{"alice", {replacing("1", meta("1", 7))}}));
}

TEST_F(Presence, AReplacementOfNobodyIsAJoin) {
  EXPECT_EQ(tracker.replace("room", "alice", "1", "alice", meta("2")),
            (PresenceDiff{"room", {.joins = {{"alice", {meta("2")}}}, .leaves = {}}}));
  EXPECT_EQ(presence_diff_label(tracker.replace("room", "alice", "1", "alice", meta("3"))), "room:+1/-0");
}

TEST_F(Presence, AReplacementByARefThatIsThereIsALeave) {
  join("alice", "1");
  join("alice", "2");
  EXPECT_EQ(tracker.replace("room", "alice", "1", "alice", meta("2", 9)),
            (PresenceDiff{"room", {.joins = {}, .leaves = {{"alice", {meta("1")}}}}}));
  EXPECT_THAT(tracker.list("room"), ElementsAre(PresenceEntry{"alice", {meta("2")}}));
}

}  // namespace
}  // namespace carillon
