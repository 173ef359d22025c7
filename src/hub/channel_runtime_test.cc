#include "carillon/channel_runtime.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace carillon {
namespace {

using namespace channel_event;
using testing::ElementsAre;
using testing::IsEmpty;

class ChannelRuntimeTest : public testing::Test {
 protected:
  // The texts of what an event led to.
  std::vector<std::string> said(ChannelEvent event) {
    runtime.handle(std::move(event));
    return flushed();
  }
  std::vector<std::string> flushed() {
    std::vector<std::string> texts;
    for (const ChannelOutbound& outbound : runtime.flush()) texts.push_back(channel_outbound_text(outbound));
    return texts;
  }
  void join(const std::string& client, const std::string& user, const std::string& topic = "room") {
    said(Join{client, topic, user, 0});
  }

  ChannelRuntime runtime = ChannelRuntime::single_node();
};

TEST_F(ChannelRuntimeTest, ANewOneIsEmpty) {
  EXPECT_FALSE(runtime.crashed());
  EXPECT_FALSE(runtime.crashed("room"));
  EXPECT_EQ(runtime.membership_count(), 0u);
  EXPECT_EQ(runtime.topic_count(), 0u);
  EXPECT_THAT(runtime.topics(), IsEmpty());
  EXPECT_THAT(runtime.subscribers("room"), IsEmpty());
  EXPECT_THAT(runtime.presences("room"), IsEmpty());
  EXPECT_THAT(flushed(), IsEmpty());
}

TEST_F(ChannelRuntimeTest, AJoinIsAnsweredAndThenShown) {
  EXPECT_THAT(said(Join{"c1", "room", "alice", 1700, R"({"mood":"well"})"}),
              ElementsAre(R"(reply "c1" "room" "ok" "")",
                          R"(presence_diff "room" +"alice"[("1" "" 1700 "{\"mood\":\"well\"}" "c1")])"));
  EXPECT_THAT(runtime.subscribers("room"), ElementsAre("c1"));
  EXPECT_THAT(runtime.presences("room"), ElementsAre(PresenceEntry{"alice", {{"1", "", 1700, R"({"mood":"well"})", "c1"}}}));
  EXPECT_TRUE(runtime.is_member("c1", "room"));
  EXPECT_FALSE(runtime.is_member("c1", "hall"));
  EXPECT_FALSE(runtime.is_member("c2", "room"));
}

TEST_F(ChannelRuntimeTest, AJoinByAMemberIsRefusedAndChangesNothing) {
  join("c1", "alice");
  const auto before = runtime.presences("room");
  EXPECT_THAT(said(Join{"c1", "room", "bob", 5}), ElementsAre(R"(reply "c1" "room" "error" "already_joined")"));
  EXPECT_EQ(runtime.presences("room"), before);
  EXPECT_THAT(runtime.subscribers("room"), ElementsAre("c1"));
  EXPECT_EQ(runtime.membership_count(), 1u);
}

TEST_F(ChannelRuntimeTest, ARejoinByAMemberReplacesItsPresenceInOneDiffAndKeepsItsPlace) {
  join("c1", "alice");
  join("c2", "bob");
  EXPECT_THAT(said(Rejoin{"c1", "room", "alice", 9, "{}"}),
              ElementsAre(R"(reply "c1" "room" "ok" "rejoined")",
                          R"(presence_diff "room" +"alice"[("3" "1" 9 "{}" "c1")] -"alice"[("1" "" 0 "" "c1")])"));
  EXPECT_THAT(runtime.subscribers("room"), ElementsAre("c1", "c2"));
  EXPECT_EQ(runtime.membership_count(), 2u);
  EXPECT_EQ(runtime.presences("room").front().key, "alice");
  EXPECT_EQ(runtime.ref_count("room"), 2u);
}

TEST_F(ChannelRuntimeTest, ARejoinMayChangeTheUser) {
  join("c1", "alice");
  join("c2", "alice");
  EXPECT_THAT(said(Rejoin{"c1", "room", "bob", 9}),
              ElementsAre(R"(reply "c1" "room" "ok" "rejoined")",
                          R"(presence_diff "room" +"bob"[("3" "1" 9 "" "c1")] -"alice"[("1" "" 0 "" "c1")])"));
  EXPECT_THAT(runtime.subscribers("room"), ElementsAre("c1", "c2"));
  EXPECT_EQ(runtime.key_count("room"), 2u);
  // It is bob who leaves now, and again in the right place.
  EXPECT_THAT(said(Rejoin{"c1", "room", "bob", 10}),
              ElementsAre(R"(reply "c1" "room" "ok" "rejoined")",
                          R"(presence_diff "room" +"bob"[("4" "3" 10 "" "c1")] -"bob"[("3" "1" 9 "" "c1")])"));
  EXPECT_THAT(said(Leave{"c1", "room"}),
              ElementsAre(R"(reply "c1" "room" "ok" "")", R"(presence_diff "room" -"bob"[("4" "3" 10 "" "c1")])"));
  EXPECT_EQ(runtime.key_count("room"), 1u);
}

TEST_F(ChannelRuntimeTest, ARejoinByAStrangerIsAJoin) {
  EXPECT_THAT(said(Rejoin{"c1", "room", "alice", 9}),
              ElementsAre(R"(reply "c1" "room" "ok" "rejoined")", R"(presence_diff "room" +"alice"[("1" "" 9 "" "c1")])"));
  EXPECT_THAT(runtime.subscribers("room"), ElementsAre("c1"));
}

TEST_F(ChannelRuntimeTest, ALeaveIsAnsweredAndThenShown) {
  join("c1", "alice");
  EXPECT_THAT(said(Leave{"c1", "room"}),
              ElementsAre(R"(reply "c1" "room" "ok" "")", R"(presence_diff "room" -"alice"[("1" "" 0 "" "c1")])"));
  EXPECT_EQ(runtime.membership_count(), 0u);
  EXPECT_THAT(runtime.topics(), IsEmpty());
  EXPECT_EQ(runtime.key_count("room"), 0u);
}

TEST_F(ChannelRuntimeTest, StrangersAreToldSoAndNothingElseHappens) {
  join("c1", "alice");
  const std::vector<ChannelEvent> events = {Leave{"c2", "room"}, Broadcast{"c2", "room", "hello"},
                                            Push{"c2", "room", "e", "p"}};
  for (const ChannelEvent& event : events) {
    EXPECT_THAT(said(event), ElementsAre(R"(reply "c2" "room" "error" "not_joined")")) << channel_event_label(event);
  }
  EXPECT_THAT(said(Leave{"c1", "nowhere"}), ElementsAre(R"(reply "c1" "nowhere" "error" "not_joined")"));
  EXPECT_EQ(runtime.membership_count(), 1u);
}

TEST_F(ChannelRuntimeTest, ABroadcastIsOneOutboundForAllInTheOrderTheyJoined) {
  for (const char* client : {"c3", "c1", "c2"}) join(client, "alice");
  EXPECT_THAT(said(Broadcast{"c1", "room", "hello"}),
              ElementsAre(R"(broadcast_message "room" "hello" ["c3" "c1" "c2"])", R"(reply "c1" "room" "ok" "")"));
}

TEST_F(ChannelRuntimeTest, ABroadcastMayLeaveOutItsSender) {
  join("c1", "alice");
  EXPECT_THAT(said(Broadcast{.client_id = "c1", .topic = "room", .payload = "hello", .to_sender = false}),
              ElementsAre(R"(broadcast_message "room" "hello" [])", R"(reply "c1" "room" "ok" "")"));
  join("c2", "bob");
  EXPECT_THAT(said(Broadcast{.client_id = "c1", .topic = "room", .payload = "hello", .to_sender = false}),
              ElementsAre(R"(broadcast_message "room" "hello" ["c2"])", R"(reply "c1" "room" "ok" "")"));
}

TEST_F(ChannelRuntimeTest, ABroadcastIsForThoseWhoWereThere) {
  join("c1", "alice");
  join("c2", "bob");
  runtime.handle(Broadcast{"c1", "room", "hello"});
  runtime.handle(Leave{"c2", "room"});
  runtime.handle(Join{"c3", "room", "carol", 0});
  EXPECT_EQ(flushed().front(), R"(broadcast_message "room" "hello" ["c1" "c2"])");
}

TEST_F(ChannelRuntimeTest, APushIsForTheClientItself) {
  join("c1", "alice");
  EXPECT_THAT(said(Push{"c1", "room", "new_msg", "hello"}),
              ElementsAre(R"(push_message "c1" "room" "new_msg" "hello")", R"(reply "c1" "room" "ok" "")"));
}

TEST_F(ChannelRuntimeTest, ACrashOfATopicTakesItsMembersAndNoOthers) {
  join("c1", "alice", "room");
  join("c2", "bob", "room");
  join("c1", "alice", "hall");
  EXPECT_THAT(said(Crash{"bug", "room"}), ElementsAre(R"(system "crash:room:bug" "room")"));
  EXPECT_TRUE(runtime.crashed("room"));
  EXPECT_FALSE(runtime.crashed("hall"));
  EXPECT_FALSE(runtime.crashed());
  EXPECT_EQ(runtime.membership_count(), 1u);
  EXPECT_THAT(runtime.subscribers("room"), IsEmpty());
  EXPECT_THAT(runtime.presences("room"), IsEmpty());
  EXPECT_THAT(said(Broadcast{"c1", "hall", "still here"}),
              ElementsAre(R"(broadcast_message "hall" "still here" ["c1"])", R"(reply "c1" "hall" "ok" "")"));
}

TEST_F(ChannelRuntimeTest, WhatNamesACrashedTopicIsRefused) {
  const auto refuses = [this](const std::string& topic) {
    const std::vector<ChannelEvent> events = {Join{"c1", topic, "alice", 0}, Rejoin{"c1", topic, "alice", 0},
                                              Leave{"c1", topic}, Broadcast{"c1", topic, "hello"}, Push{"c1", topic, "e", "p"}};
    for (const ChannelEvent& event : events) {
      EXPECT_THAT(said(event), ElementsAre(R"(reply "c1" ")" + topic + R"(" "error" "crashed")")) << channel_event_label(event);
    }
  };
  join("c1", "alice", "room");
  said(Crash{"bug", "room"});
  refuses("room");
  said(Crash{"worse"});
  refuses("room");
  refuses("never heard of");
  EXPECT_EQ(runtime.membership_count(), 0u);
}

TEST_F(ChannelRuntimeTest, ACrashOfEverythingTakesEverybody) {
  join("c1", "alice", "room");
  join("c2", "bob", "hall");
  EXPECT_THAT(said(Crash{"bug"}), ElementsAre(R"(system "crash:bug" "")"));
  EXPECT_TRUE(runtime.crashed());
  EXPECT_TRUE(runtime.crashed("any"));
  EXPECT_EQ(runtime.membership_count(), 0u);
  EXPECT_EQ(runtime.topic_count(), 0u);
  EXPECT_THAT(runtime.presences("hall"), IsEmpty());
}

TEST_F(ChannelRuntimeTest, WhatHasCrashedDoesNotCrashAgain) {
  said(Crash{"bug", "room"});
  EXPECT_THAT(said(Crash{"again", "room"}), IsEmpty());
  EXPECT_THAT(said(Crash{"all"}), ElementsAre(R"(system "crash:all" "")"));
  EXPECT_THAT(said(Crash{"again"}), IsEmpty());
  EXPECT_THAT(said(Crash{"again", "room"}), IsEmpty());
}

TEST_F(ChannelRuntimeTest, ARestartTakesMembersAgain) {
  join("c1", "alice");
  said(Crash{"bug", "room"});
  EXPECT_THAT(said(Restart{"room"}), ElementsAre(R"(system "restart:room" "room")"));
  EXPECT_FALSE(runtime.crashed("room"));
  EXPECT_THAT(said(Leave{"c1", "room"}), ElementsAre(R"(reply "c1" "room" "error" "not_joined")"));
  // The ref is a new one: none is given twice.
  EXPECT_THAT(said(Rejoin{"c1", "room", "alice", 2}),
              ElementsAre(R"(reply "c1" "room" "ok" "rejoined")", R"(presence_diff "room" +"alice"[("2" "" 2 "" "c1")])"));
}

TEST_F(ChannelRuntimeTest, ARestartWithoutATopicBringsBackEverything) {
  said(Crash{"bug", "room"});
  EXPECT_THAT(said(Restart{}), ElementsAre(R"(system "restart" "")"));
  EXPECT_FALSE(runtime.crashed("room"));
  said(Crash{"bug", "room"});
  said(Crash{"all"});
  EXPECT_THAT(said(Restart{"room"}), IsEmpty());
  EXPECT_TRUE(runtime.crashed("room"));
  EXPECT_THAT(said(Restart{}), ElementsAre(R"(system "restart" "")"));
  EXPECT_FALSE(runtime.crashed());
  EXPECT_FALSE(runtime.crashed("room"));
}

TEST_F(ChannelRuntimeTest, ARestartOfWhatHasNotCrashedSaysNothing) {
  join("c1", "alice");
  EXPECT_THAT(said(Restart{}), IsEmpty());
  EXPECT_THAT(said(Restart{"room"}), IsEmpty());
  EXPECT_TRUE(runtime.is_member("c1", "room"));
}

TEST_F(ChannelRuntimeTest, FlushesInTheOrderOfEmissionAndOnlyOnce) {
  runtime.handle(Join{"c1", "room", "alice", 1});
  runtime.handle(Push{"c1", "room", "e", "p"});
  runtime.handle(Crash{"bug", "room"});
  EXPECT_EQ(runtime.outbox_size(), 5u);
  EXPECT_THAT(flushed(), ElementsAre(R"(reply "c1" "room" "ok" "")", R"(presence_diff "room" +"alice"[("1" "" 1 "" "c1")])",
                                     R"(push_message "c1" "room" "e" "p")", R"(reply "c1" "room" "ok" "")",
                                     R"(system "crash:room:bug" "room")"));
  EXPECT_THAT(flushed(), IsEmpty());
  EXPECT_EQ(runtime.outbox_size(), 0u);
}

TEST_F(ChannelRuntimeTest, AClientMayBeInManyTopicsAndAUserInOneBySeveralClients) {
  join("c1", "alice", "room");
  join("c2", "alice", "room");
  join("c1", "alice", "hall");
  EXPECT_EQ(runtime.membership_count(), 3u);
  EXPECT_THAT(runtime.topics(), ElementsAre("hall", "room"));
  EXPECT_EQ(runtime.subscriber_count("room"), 2u);
  EXPECT_EQ(runtime.key_count("room"), 1u);
  EXPECT_THAT(runtime.presences("room"), ElementsAre(PresenceEntry{"alice", {{"1", "", 0, "", "c1"}, {"2", "", 0, "", "c2"}}}));
  said(Leave{"c1", "room"});
  EXPECT_THAT(runtime.presences("room"), ElementsAre(PresenceEntry{"alice", {{"2", "", 0, "", "c2"}}}));
  EXPECT_TRUE(runtime.is_member("c1", "hall"));
}

TEST_F(ChannelRuntimeTest, RefsCountInBase36) {
  for (int i = 1; i <= 36; ++i) join("c" + std::to_string(i), "u" + std::to_string(i));
  EXPECT_EQ(runtime.presences("room")[9].metas.front().ref, "a");
  EXPECT_EQ(runtime.presences("room")[34].metas.front().ref, "z");
  EXPECT_EQ(runtime.presences("room")[35].metas.front().ref, "10");
}

TEST_F(ChannelRuntimeTest, ANodeOfAClusterPutsItsNameIntoRefs) {
  EXPECT_EQ(runtime.adapter_label(), "single_node");
  runtime = ChannelRuntime::cluster_ready("n1", "east");
  EXPECT_EQ(runtime.adapter_label(), "cluster_ready:n1@east");
  join("c1", "alice");
  EXPECT_EQ(runtime.presences("room").front().metas.front().ref, "n1.1");
}

}  // namespace
}  // namespace carillon
