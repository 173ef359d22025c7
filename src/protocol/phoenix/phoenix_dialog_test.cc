#include "protocol/phoenix/phoenix_dialog.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "engine/memory/hub_double.h"
#include "hub/epoch_text.h"
#include "protocol/exchange_double.h"
#include "protocol/link_double.h"
#include "protocol/phoenix/phoenix.h"

namespace carillon {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::StartsWith;

// One client of a hub with one loop.
class PhoenixClient {
 public:
  PhoenixClient(World& world, RoutesDouble& routes, const std::string& query)
      : world_(world), link(world.shards[0]->frame_memory()) {
    const auto answer = routes.ask("GET", "/socket/websocket?" + query);
    EXPECT_TRUE(answer->websocket) << query;
    dialog = answer->websocket(link);
    link.dialog = dialog.get();
  }
  ~PhoenixClient() {
    if (!link.closed) dialog->on_link_closed();
  }

  // Sends, and returns all that came until nothing happens any more.
  std::vector<std::string> say(std::string_view message, MessageKind kind = MessageKind::kText) {
    dialog->on_message(message, kind);
    return hear();
  }
  std::vector<std::string> hear() {
    world_.settle();
    return link.received();
  }

 private:
  World& world_;

 public:
  LinkDouble link;
  std::unique_ptr<Dialog> dialog;
};

std::string ok(std::string address, std::string response = "{}") {
  return "[" + address + R"(,"phx_reply",{"status":"ok","response":)" + response + "}]";
}
std::string error(std::string address, std::string response) {
  return "[" + address + R"(,"phx_reply",{"status":"error","response":)" + response + "}]";
}

class PhoenixDialogTest : public ::testing::Test {
 protected:
  explicit PhoenixDialogTest(World::Options options = {.loops = 1}) : world(options) { room.add_routes(routes); }

  std::unique_ptr<PhoenixClient> client(const std::string& query = "vsn=2.0.0") {
    return std::make_unique<PhoenixClient>(world, routes, query);
  }
  std::unique_ptr<PhoenixClient> member(const std::string& topic, const std::string& payload = "{}") {
    auto made = client();
    EXPECT_THAT(made->say(R"(["1","1",")" + topic + R"(","phx_join",)" + payload + "]"), Not(IsEmpty()));
    return made;
  }
  std::string top_of(const std::string& channel) {
    Position top;
    world.hub->history({.channel = channel}, [&](Result<HistoryPage> page) { top = page->top.value_or(Position{}); });
    return R"("offset":)" + std::to_string(top.offset) + R"(,"epoch":")" + epoch_text(top.epoch) + '"';
  }
  void pass(Millis time) {
    world.loops[0]->advance(time);
    world.settle();
  }

  World world;
  IdentityPtr identity;
  PhoenixSiblings siblings;
  PhoenixRoom room{{.shard = *world.shards[0],
                    .random = world.random,
                    .identify = [this](const Exchange&, std::string_view) { return identity; },
                    .rule_for =
                        [](std::string_view channel) {
                          return PhoenixTopicRule{.to_others = channel.starts_with("quiet"),
                                                  .presence = channel.starts_with("lobby")};
                        },
                    .may_use_origin = [](const HttpRequest&) { return true; },
                    .text_options = {},
                    .siblings = siblings},
                   {.topics_max = 3}};
  RoutesDouble routes;
};

// --- Joining and leaving

TEST_F(PhoenixDialogTest, AHeartbeatIsAnsweredWithoutAJoinRef) {
  const auto alice = client();
  EXPECT_THAT(alice->say(R"([null,"7","phoenix","heartbeat",{}])"), ElementsAre(ok(R"(null,"7","phoenix")")));
  EXPECT_THAT(alice->say(R"(["1","8","phoenix","heartbeat",{}])"), ElementsAre(ok(R"(null,"8","phoenix")")));
}

TEST_F(PhoenixDialogTest, AJoinIsAnsweredOnItsTopic) {
  const auto alice = client();
  EXPECT_THAT(alice->say(R"(["1","1","room:1","phx_join",{"any":"thing"}])"), ElementsAre(ok(R"("1","1","room:1")")));
  EXPECT_EQ(world.hub->stats().subscriptions, 1u);
}

TEST_F(PhoenixDialogTest, AJoinIsRefusedWithItsReason) {
  const auto alice = client();
  EXPECT_THAT(alice->say(R"(["1","1","secret","phx_join",{}])"),
              ElementsAre(error(R"("1","1","secret")", R"({"reason":"unauthorized","message":"secret"})")));
  EXPECT_THAT(alice->say(R"(["2","2","room:1","phx_join",{"since":7}])"),
              ElementsAre(AllOf(StartsWith(R"(["2","2","room:1","phx_reply",{"status":"error")"), HasSubstr("invalid join"))));
  for (const std::string topic : {"phoenix", "repo:", "", "a\\nb"}) {
    EXPECT_THAT(alice->say(R"(["3","3",")" + topic + R"(","phx_join",{}])"),
                ElementsAre(StartsWith(R"([null,"3",")" + topic +
                                       R"(","phx_reply",{"status":"error","response":{"reason":"unmatched topic")")))
        << topic;
  }
  EXPECT_EQ(world.hub->stats().subscriptions, 0u);
}

TEST_F(PhoenixDialogTest, OneTopicTooManyIsRefused) {
  const auto alice = client();
  for (const std::string topic : {"a", "b", "c"}) alice->say(R"(["1","1",")" + topic + R"(","phx_join",{}])");
  EXPECT_THAT(alice->say(R"(["4","4","d","phx_join",{}])"),
              ElementsAre(error(R"("4","4","d")", R"({"reason":"too many channels joined"})")));
  EXPECT_THAT(alice->say(R"(["5","5","c","phx_join",{}])"),
              ElementsAre(R"(["1","1","c","phx_close",{}])", ok(R"("5","5","c")")))
      << "joining anew takes no place";
}

class FewSubscriptionsTest : public PhoenixDialogTest {
 protected:
  FewSubscriptionsTest() : PhoenixDialogTest({.loops = 1, .hub = {.subscriptions_per_session_max = 1}}) {}
};

TEST_F(FewSubscriptionsTest, TheHubsOwnLimitIsRefusedAlike) {
  const auto alice = member("a");
  EXPECT_THAT(alice->say(R"(["2","2","b","phx_join",{}])"), ElementsAre(HasSubstr(R"("reason":"too many channels joined")")));
  EXPECT_THAT(alice->say(R"(["2","3","b","x",{}])"), ElementsAre(error(R"(null,"3","b")", R"({"reason":"unmatched topic"})")));
}

TEST_F(PhoenixDialogTest, AJoinAnewClosesTheOldOneFirst) {
  const auto alice = member("room:1");
  EXPECT_THAT(alice->say(R"(["2","2","room:1","phx_join",{}])"),
              ElementsAre(R"(["1","1","room:1","phx_close",{}])", ok(R"("2","2","room:1")")));
  EXPECT_EQ(world.hub->stats().subscriptions, 1u);
  EXPECT_THAT(alice->say(R"(["1","3","room:1","phx_leave",{}])"), IsEmpty());
  EXPECT_EQ(world.hub->stats().subscriptions, 1u);
}

TEST_F(PhoenixDialogTest, ALeaveIsAnsweredAndThenClosed) {
  const auto alice = member("room:1");
  EXPECT_THAT(alice->say(R"(["1","2","room:1","phx_leave",{}])"),
              ElementsAre(ok(R"("1","2","room:1")"), R"(["1","1","room:1","phx_close",{}])"));
  EXPECT_EQ(world.hub->stats().subscriptions, 0u);
  EXPECT_THAT(alice->say(R"(["1","3","room:1","phx_leave",{}])"), ElementsAre(ok(R"("1","3","room:1")")));
}

TEST_F(PhoenixDialogTest, WhatNamesNoJoinedTopicIsUnmatched) {
  const auto alice = client();
  EXPECT_THAT(alice->say(R"(["1","2","room:1","new_msg",{}])"),
              ElementsAre(error(R"(null,"2","room:1")", R"({"reason":"unmatched topic"})")));
}

TEST_F(PhoenixDialogTest, AStaleJoinRefIsIgnoredAndNoneIsTaken) {
  const auto alice = member("room:1");
  EXPECT_THAT(alice->say(R"(["0","2","room:1","new_msg",{}])"), IsEmpty());
  EXPECT_THAT(alice->say(R"([1,"2","room:1","new_msg",{}])"), IsEmpty()) << "a number is no string";
  EXPECT_THAT(alice->say(R"([null,"3","room:1","new_msg",{}])"),
              ElementsAre(R"([null,null,"room:1","new_msg",{}])", ok(R"("1","3","room:1")")));
}

TEST_F(PhoenixDialogTest, V1SpeaksInObjects) {
  const auto old = client("");
  EXPECT_THAT(old->say(R"({"topic":"room:1","event":"phx_join","payload":{},"ref":"1"})"),
              ElementsAre(R"({"topic":"room:1","event":"phx_reply","ref":"1","payload":{"status":"ok","response":{}}})"));
  EXPECT_THAT(old->say(R"({"topic":"room:1","event":"said","payload":{"a":1},"ref":"2"})"),
              ElementsAre(R"({"topic":"room:1","event":"said","ref":null,"payload":{"a":1}})",
                          R"({"topic":"room:1","event":"phx_reply","ref":"2","payload":{"status":"ok","response":{}}})"));
  EXPECT_THAT(old->say(R"({"topic":"room:1","event":"phx_leave","payload":{},"ref":"3"})"),
              ElementsAre(HasSubstr(R"("ref":"3")"), HasSubstr("phx_close")));
}

TEST_F(PhoenixDialogTest, TheServerClosesATopicOrLetsItCrash) {
  const auto alice = member("room:1");
  const auto close = [&](bool crash) {
    world.in(0, [&] {
      world.hub->close_channel(*world.loops[0], {.channel = "room:1", .reason = "worn out", .crash = crash},
                               [](std::size_t) {});
    });
  };
  close(false);
  EXPECT_THAT(alice->hear(), ElementsAre(R"(["1","1","room:1","phx_close",{}])"));
  EXPECT_THAT(alice->say(R"(["2","2","room:1","phx_join",{}])"), ElementsAre(ok(R"("2","2","room:1")")));
  close(true);
  EXPECT_THAT(alice->hear(), ElementsAre(R"(["2","2","room:1","phx_error",{"reason":"worn out"}])"));
  EXPECT_THAT(alice->say(R"(["2","3","room:1","x",{}])"), ElementsAre(HasSubstr("unmatched topic")));
}

class LatePhoenixTest : public PhoenixDialogTest {
 protected:
  LatePhoenixTest() : PhoenixDialogTest({.loops = 1, .late = true}) {}
};

TEST_F(LatePhoenixTest, AJoinThatWasLeftMeanwhileIsNotAnswered) {
  const auto alice = client();
  alice->dialog->on_message(R"(["1","1","room:1","phx_join",{}])", MessageKind::kText);
  alice->dialog->on_message(R"(["1","2","room:1","phx_leave",{}])", MessageKind::kText);
  alice->dialog->on_message(R"(["3","3","room:1","phx_join",{}])", MessageKind::kText);
  alice->dialog->on_message(R"(["4","4","room:1","phx_join",{}])", MessageKind::kText);
  EXPECT_THAT(alice->hear(), ElementsAre(ok(R"("1","2","room:1")"), R"(["1","1","room:1","phx_close",{}])",
                                         R"(["3","3","room:1","phx_close",{}])", ok(R"("4","4","room:1")")));
  EXPECT_EQ(world.hub->stats().subscriptions, 1u);
}

TEST_F(LatePhoenixTest, AJoinThatFailsHasCrashed) {
  const auto alice = client();
  alice->dialog->on_message(R"(["1","1","room:1","phx_join",{}])", MessageKind::kText);
  world.hub->close_channel(*world.loops[0], {.channel = "room:1", .reason = "", .crash = false}, [](std::size_t) {});
  EXPECT_THAT(alice->hear(), ElementsAre(HasSubstr(R"({"status":"error","response":{"reason":"join crashed")")));
  EXPECT_THAT(alice->say(R"(["1","2","room:1","x",{}])"), ElementsAre(HasSubstr("unmatched topic")));
}

// --- Pushes

TEST_F(PhoenixDialogTest, APushReachesAllAndIsAnsweredBehindItsCopy) {
  const auto alice = member("room:1"), bob = member("room:1");
  EXPECT_THAT(alice->say(R"(["1","2","room:1","new_msg",{ "body" : "x" }])"),
              ElementsAre(R"([null,null,"room:1","new_msg",{ "body" : "x" }])", ok(R"("1","2","room:1")")));
  EXPECT_THAT(bob->hear(), ElementsAre(R"([null,null,"room:1","new_msg",{ "body" : "x" }])"));
}

TEST_F(PhoenixDialogTest, OrOnlyTheOthers) {
  const auto alice = member("quiet:1"), bob = member("quiet:1");
  EXPECT_THAT(alice->say(R"(["1","2","quiet:1","new_msg",{}])"), ElementsAre(ok(R"("1","2","quiet:1")")));
  EXPECT_THAT(bob->hear(), ElementsAre(R"([null,null,"quiet:1","new_msg",{}])"));
}

TEST_F(PhoenixDialogTest, BytesComeAsBytesWhereTheFormHasThem) {
  using namespace std::string_view_literals;
  const auto alice = member("room:1");
  const auto old = client("");
  old->say(R"({"topic":"room:1","event":"phx_join","payload":{},"ref":"1"})");
  EXPECT_THAT(alice->say("\x00\x01\x01\x06\x01"
                         "1"
                         "2"
                         "room:1"
                         "e"
                         "\x00\xFF"sv,
                         MessageKind::kBinary),
              ElementsAre("\x02\x06\x01"
                          "room:1"
                          "e"
                          "\x00\xFF"sv,
                          ok(R"("1","2","room:1")")));
  EXPECT_THAT(old->hear(), ElementsAre(HasSubstr(R"({"data":"AP8=","encoding":"base64"})")));
}

TEST_F(PhoenixDialogTest, WhatOnlyTheServerSaysIsNoPush) {
  const auto alice = member("room:1");
  for (const std::string event :
       {"phx_reply", "phx_close", "presence_diff", "presence_state", "presence_update", "chan_reply_1", "gap"}) {
    EXPECT_THAT(alice->say(R"(["1","2","room:1",")" + event + R"(",{}])"),
                ElementsAre(error(R"("1","2","room:1")", R"({"reason":"reserved event"})")))
        << event;
  }
}

TEST_F(PhoenixDialogTest, APushThatIsRefusedSaysWhy) {
  const auto alice = member("room:1");
  EXPECT_THAT(alice->say(R"(["1","2","room:1","",{}])"),
              ElementsAre(HasSubstr(R"({"status":"error","response":{"reason":"invalid","message":)")));
}

// --- Frames that cannot be read

TEST_F(PhoenixDialogTest, AFrameThatNamesItsTopicIsRefusedThere) {
  const auto alice = member("room:1");
  EXPECT_THAT(
      alice->say(R"(["1","2","room:1","new_msg",5])"),
      ElementsAre(error(R"(null,"2","room:1")", R"({"reason":"invalid message","message":"Invalid message: the payload )"
                                                R"(must be an object"})")));
  const std::string longer(256, 't');
  EXPECT_THAT(alice->say(R"(["3","3",")" + longer + R"(","phx_join",{}])"),
              ElementsAre(StartsWith(R"([null,"3",")" + longer + R"(","phx_reply",{"status":"error")")));
  EXPECT_FALSE(alice->link.closed);
}

TEST_F(PhoenixDialogTest, AnyOtherEndsTheTalkButNotBeforeItHasLastedAWhile) {
  const auto alice = member("room:1");
  pass(Millis{1'000});
  EXPECT_THAT(alice->say("hello"), IsEmpty());
  EXPECT_EQ(world.hub->stats().subscriptions, 0u);
  EXPECT_THAT(alice->say(R"([null,"7","phoenix","heartbeat",{}])"), IsEmpty()) << "it is deaf";
  pass(Millis{3'900});
  EXPECT_FALSE(alice->link.closed);
  pass(Millis{200});
  ASSERT_TRUE(alice->link.closed);
  EXPECT_EQ(alice->link.closed->first, 1007);
  EXPECT_THAT(alice->link.closed->second, HasSubstr("expected value at line 1"));
}

TEST_F(PhoenixDialogTest, AnOldConnectionIsClosedAtOnce) {
  const auto alice = client();
  const auto old = client("vsn=1.0.0");
  pass(Millis{5'000});
  alice->say("\x01", MessageKind::kBinary);
  ASSERT_TRUE(alice->link.closed);
  EXPECT_EQ(alice->link.closed->first, 1007);
  old->say("\x00", MessageKind::kBinary);
  ASSERT_TRUE(old->link.closed);
  EXPECT_EQ(old->link.closed->first, 1003);
}

TEST_F(PhoenixDialogTest, WhoGoesWhileItsCloseWaitsIsForgotten) {
  auto alice = client();
  alice->say("hello");
  alice.reset();
  pass(Millis{6'000});
}

// --- The end

TEST_F(PhoenixDialogTest, AClientThatIsSentAwayMayComeBack) {
  const auto alice = client();
  EXPECT_EQ(alice->dialog->on_drain(), 1012);
  SessionId id = 0;
  world.hub->list_sessions(*world.loops[0], 0, 10, [&](std::vector<SessionInfo> sessions) { id = sessions.at(0).id; });
  world.settle();
  world.hub->disconnect(*world.loops[0], id, "enough", [](bool) {});
  world.settle();
  ASSERT_TRUE(alice->link.closed);
  EXPECT_EQ(alice->link.closed->first, 1008);
  EXPECT_EQ(alice->link.closed->second, "enough");
}

class ClosingPhoenixTest : public PhoenixDialogTest {
 protected:
  ClosingPhoenixTest()
      : PhoenixDialogTest({.loops = 1, .hub = {.outbox_bytes_max = 200, .slow_consumer = SlowConsumer::kClose}}) {}
};

TEST_F(ClosingPhoenixTest, WhoReadsTooSlowlyIsToldToTryLater) {
  const auto alice = member("room:1");
  alice->link.blocked = true;
  for (int i = 0; i < 20; ++i) {
    world.publish("room:1", R"({"text":"not read"})");
    world.settle();
  }
  ASSERT_TRUE(alice->link.closed);
  EXPECT_EQ(alice->link.closed->first, 1013);
}

TEST_F(PhoenixDialogTest, AnAnnouncementComesOnTheSocketsTopic) {
  const auto alice = client();
  world.hub->announce(Bytes::copy_of(R"({"type":"note"})"));
  world.hub->announce(Bytes::copy_of("a \"note\""));
  EXPECT_THAT(alice->hear(), ElementsAre(R"([null,null,"phoenix","announcement",{"type":"note"}])",
                                         R"([null,null,"phoenix","announcement",{"text":"a \"note\""}])"));
}

// --- Recovery

TEST_F(PhoenixDialogTest, WhatWasMissedFollowsTheJoin) {
  const auto alice = member("room:1", R"({"since":null})");
  world.publish("room:1", "1");
  alice->hear();
  const std::string position = top_of("room:1");
  world.publish("room:1", R"({"n":2})");
  const auto bob = client();
  EXPECT_THAT(bob->say(R"(["1","1","room:1","phx_join",{"since":{)" + position + "}}]"),
              ElementsAre(ok(R"("1","1","room:1")", R"({"recovered":true,)" + top_of("room:1") + "}"),
                          R"([null,null,"room:1","e",{"n":2}])"));
  const auto carol = client();
  EXPECT_THAT(carol->say(R"(["1","1","room:1","phx_join",{"since":{"offset":1,"epoch":"1"}}])")[0],
              ok(R"("1","1","room:1")", R"({"recovered":false,)" + top_of("room:1") + "}"));
}

TEST_F(PhoenixDialogTest, WhoAsksIsToldWhereItsPushesStand) {
  const auto alice = client();
  EXPECT_THAT(alice->say(R"(["1","1","room:1","phx_join",{"since":null}])"),
              ElementsAre(ok(R"("1","1","room:1")", R"({"recovered":false,)" + top_of("room:1") + "}")));
  const auto heard = alice->say(R"(["1","2","room:1","said",{}])");
  ASSERT_EQ(heard.size(), 2u);
  EXPECT_THAT(heard[1], HasSubstr(R"("response":{)" + top_of("room:1") + R"(,"id":")"));
  EXPECT_THAT(alice->say(R"(["1","2","bare","phx_join",{"since":null}])"),
              ElementsAre(ok(R"("1","2","bare")", R"({"recovered":false})")));
}

TEST_F(PhoenixDialogTest, BroadcastsCarryTheirPositionForWhoWantsIt) {
  const auto alice = client("vsn=2.0.0&positions=true");
  alice->say(R"(["1","1","room:1","phx_join",{}])");
  world.publish("room:1", "{}");
  const auto heard = alice->hear();
  ASSERT_EQ(heard.size(), 1u);
  const std::string ref = heard[0].substr(heard[0].find(',') + 1, heard[0].find(",\"room:1\"") - heard[0].find(',') - 1);
  world.publish("room:1", R"({"n":2})");
  const auto bob = client();
  EXPECT_THAT(bob->say(R"(["1","1","room:1","phx_join",{"since":)" + ref + "}]"),
              ElementsAre(HasSubstr(R"("recovered":true)"), R"([null,null,"room:1","e",{"n":2}])"));
}

class SmallOutboxTest : public PhoenixDialogTest {
 protected:
  SmallOutboxTest() : PhoenixDialogTest({.loops = 1, .hub = {.outbox_bytes_max = 200}}) {}
};

TEST_F(SmallOutboxTest, AGapIsToldToWhoAskedForPositions) {
  const auto alice = member("room:1", R"({"since":null})"), bob = member("room:1");
  alice->link.blocked = bob->link.blocked = true;
  for (int i = 0; i < 20; ++i) {
    world.publish("room:1", R"({"text":"not read"})");
    world.settle();
  }
  alice->link.unblock();
  bob->link.unblock();
  EXPECT_THAT(alice->hear(), testing::Contains(StartsWith(R"(["1",null,"room:1","gap",{"messages":)")));
  EXPECT_THAT(bob->hear(), testing::Each(Not(HasSubstr("gap"))));
}

// --- Presence

TEST_F(PhoenixDialogTest, WhoJoinsHearsWhoIsThereAndThenWhatChanges) {
  identity = std::make_shared<const Identity>(Identity{.user = "alice"});
  const auto alice = client();
  const auto heard = alice->say(R"(["1","1","lobby","phx_join",{"presence":{"meta":{"a":1}}}])");
  ASSERT_EQ(heard.size(), 2u);
  EXPECT_EQ(heard[0], ok(R"("1","1","lobby")"));
  EXPECT_THAT(heard[1],
              AllOf(StartsWith(R"(["1",null,"lobby","presence_state",{"alice":{"metas":[{"phx_ref":)"), HasSubstr(R"("a":1)")));
  identity = std::make_shared<const Identity>(Identity{.user = "bob"});
  auto bob = client();
  EXPECT_THAT(bob->say(R"(["7","7","lobby","phx_join",{}])")[1],
              AllOf(StartsWith(R"(["7",null,"lobby","presence_state",{)"), HasSubstr("\"alice\":"), HasSubstr("\"bob\":")));
  EXPECT_THAT(alice->hear(), ElementsAre(AllOf(StartsWith(R"([null,null,"lobby","presence_diff",{"joins":{"bob":)"),
                                               HasSubstr(R"("leaves":{})"))));
  bob.reset();
  EXPECT_THAT(alice->hear(), ElementsAre(StartsWith(R"([null,null,"lobby","presence_diff",{"joins":{},"leaves":{"bob":)")));
}

TEST_F(PhoenixDialogTest, AnUpdateIsOneDiff) {
  identity = std::make_shared<const Identity>(Identity{.user = "alice"});
  const auto alice = member("lobby");
  const auto heard = alice->say(R"(["1","2","lobby","presence_update",{"status":"away"}])");
  ASSERT_EQ(heard.size(), 2u);
  EXPECT_EQ(heard[0], ok(R"("1","2","lobby")"));
  EXPECT_THAT(heard[1], AllOf(HasSubstr(R"("joins":{"alice":)"), HasSubstr("phx_ref_prev"), HasSubstr(R"("status":"away")"),
                              HasSubstr(R"("leaves":{"alice":)")));
  EXPECT_THAT(alice->say(R"(["1","3","lobby","presence_update",{"x":")" + std::string(1100, 'x') + R"("}])"),
              ElementsAre(HasSubstr(R"({"status":"error","response":{"reason":"limit")")));
}

TEST_F(PhoenixDialogTest, OnlyTheTrustedChooseTheirKey) {
  const std::string join = R"(["1","1","lobby","phx_join",{"presence":{"key":"bob"}}])";
  EXPECT_THAT(client()->say(join)[1], HasSubstr(R"({"anonymous:)"));
  identity = std::make_shared<const Identity>(Identity{.trusted = true});
  EXPECT_THAT(client()->say(join)[1], HasSubstr(R"({"bob":)"));
  EXPECT_THAT(client("vsn=2.0.0&presence_key=carol")->say(R"(["1","1","lobby","phx_join",{}])")[1], HasSubstr(R"({"carol":)"));
}

TEST_F(PhoenixDialogTest, APresenceThatIsTooLongRefusesTheJoin) {
  const auto alice = client();
  EXPECT_THAT(alice->say(R"(["1","1","lobby","phx_join",{"presence":{"meta":{"x":")" + std::string(1100, 'x') + R"("}}}])"),
              ElementsAre(HasSubstr(R"({"reason":"invalid join","message":"the presence key or meta is too long"})")));
  EXPECT_EQ(world.hub->stats().subscriptions, 0u);
}

class CrowdedPhoenixTest : public PhoenixDialogTest {
 protected:
  CrowdedPhoenixTest() : PhoenixDialogTest({.loops = 1, .hub = {.presence_list_max = 1}}) {}
};

TEST_F(CrowdedPhoenixTest, ACrowdIsToldByItsNumbers) {
  const auto alice = member("lobby");
  const auto bob = client();
  EXPECT_THAT(bob->say(R"(["7","7","lobby","phx_join",{}])"),
              ElementsAre(ok(R"("7","7","lobby")"), R"(["7",null,"lobby","presence_stats",{"users":2,"members":2}])"));
  pass(Millis{1'100});
  EXPECT_THAT(alice->hear(), ElementsAre(R"([null,null,"lobby","presence_stats",{"users":2,"members":2}])"));
}

// --- The door

TEST_F(PhoenixDialogTest, TheVersionIsChosenOrRefused) {
  EXPECT_TRUE(routes.ask("GET", "/socket/websocket?vsn=2.0.0")->websocket);
  EXPECT_TRUE(routes.ask("GET", "/socket/websocket")->websocket);
  const auto refused = routes.ask("GET", "/socket/websocket?vsn=3.0.0");
  ASSERT_TRUE(refused->response);
  EXPECT_EQ(refused->response->status, 403);
  EXPECT_EQ(refused->response->body, "");
  EXPECT_EQ(routes.ask("POST", "/socket/websocket")->response->status, 400);
}

TEST_F(PhoenixDialogTest, TheSubprotocolIsTakenWhereItIsOffered) {
  EXPECT_EQ(routes.ask("GET", "/socket/websocket")->acceptance.subprotocol, "");
  const auto answer =
      routes.ask("GET", "/socket/websocket", {}, {{"Sec-WebSocket-Protocol", "phoenix, base64url.bearer.phx.dG9r"}});
  EXPECT_EQ(answer->acceptance.subprotocol, "phoenix");
}

TEST(PhoenixDoor, RefusesWhoIsNotWhoTheySay) {
  World world({.loops = 1});
  std::string shown;
  const Identify identify = [&](const Exchange&, std::string_view token) -> Result<IdentityPtr> {
    shown = token;
    return Error{ErrorKind::kUnauthorized, "the token expired 12 s ago"};
  };
  PhoenixSiblings siblings;
  PhoenixRoom room({.shard = *world.shards[0],
                    .random = world.random,
                    .identify = identify,
                    .rule_for = [](std::string_view) { return PhoenixTopicRule(); },
                    .may_use_origin = [](const HttpRequest&) { return true; },
                    .text_options = {},
                    .siblings = siblings},
                   {});
  RoutesDouble routes;
  room.add_routes(routes);
  const auto answer =
      routes.ask("GET", "/socket/websocket", {}, {{"Sec-WebSocket-Protocol", "phoenix,base64url.bearer.phx.dG9r"}});
  ASSERT_TRUE(answer->response);
  EXPECT_EQ(answer->response->status, 403);
  EXPECT_EQ(answer->response->body, "");
  EXPECT_EQ(shown, "tok");
}

Result<std::string> token_of(std::string field, std::string value) {
  HttpRequest request;
  request.headers.add(field, value);
  return phoenix_auth_token(request);
}

TEST(PhoenixDoor, FindsTheTokenInAnyAlphabetAndPadding) {
  // The same seven bytes.
  for (const char* const text : {"PDw/Pz8+Pg", "PDw/Pz8+Pg==", "PDw_Pz8-Pg", "PDw_Pz8-Pg=="}) {
    EXPECT_EQ(*token_of("sec-websocket-protocol", std::string("phoenix , base64url.bearer.phx.") + text), "\x3C<\x3F\x3F\x3F>>")
        << text;
  }
  EXPECT_EQ(*token_of("X-Phoenix-AuthToken", "raw.token"), "raw.token");
  EXPECT_EQ(*token_of("Sec-WebSocket-Protocol", "phoenix"), "");
  EXPECT_EQ(*token_of("Sec-WebSocket-Protocol", "phoenix, base64url.bearer.phx."), "");
  for (const char* const text : {"!", "a", "PDw/Pz8+Ph"}) {
    EXPECT_FALSE(token_of("Sec-WebSocket-Protocol", std::string("base64url.bearer.phx.") + text)) << text;
  }
}

}  // namespace
}  // namespace carillon
