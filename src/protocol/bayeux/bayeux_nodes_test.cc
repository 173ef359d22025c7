// Bayeux sessions whose clients come by other nodes than theirs.
#include "protocol/bayeux/bayeux_sessions_test.h"

namespace carillon {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;

using BayeuxNodesTest = BayeuxSessionsTest;

TEST_F(BayeuxNodesTest, ASessionOfAnotherNodeIsAskedThere) {
  nodes.own_number = 7;
  const std::string away = handshake();
  EXPECT_EQ(bayeux_node(away), 7);
  nodes.own_number = 2;
  const Answer connected = connect(away);
  const Answer form = ask_by_form(away), script = ask_by_script(away);
  ASSERT_EQ(nodes.forwarded.size(), 3u);
  EXPECT_EQ(nodes.forwarded[0].node, 7);
  EXPECT_TRUE(connected->parked() && form->parked() && script->parked());
  for (BayeuxSessions* each : {&rooms[0]->sessions(), &rooms[1]->sessions()}) each->remove_all({});
  for (auto& one : nodes.forwarded) one.give_back(NodeForward::Unanswered::kNotThere);
  world.settle();
  for (const Answer& answer : {connected, form, script}) {
    EXPECT_THAT(body(answer), AllOf(HasSubstr("402::session_unknown"), HasSubstr(R"("reconnect":"handshake")")));
  }
  EXPECT_THAT(body(script), HasSubstr("call("));
}

TEST_F(BayeuxNodesTest, WhatOtherNodesForwardIsAnsweredOrSentBack) {
  nodes.own_number = 2;
  const std::string client = handshake({}, 1);
  const std::vector<HttpHeaders::Field> mark{{std::string(kForwardedMark), "192.0.2.1:5"}};
  EXPECT_THAT(body(post(connect_text(client), 0, mark)), HasSubstr(R"("successful":true)"));
  EXPECT_TRUE(post(connect_text(client), 0, mark)->parked());
  std::string other = client;
  other.back() = other.back() == 'a' ? 'b' : 'a';
  EXPECT_EQ(post(connect_text(other), 0, mark)->response->status, kNotHereStatus);
  const std::string shakes = R"([{"id":"1","channel":"/meta/handshake","version":"1.0","supportedConnectionTypes":)"
                             R"(["long-polling"],"clientId":")" +
                             client + R"("}])";
  EXPECT_EQ(post(shakes, 0, mark)->response->status, kNotHereStatus) << "nobody is let in who was forwarded";
  EXPECT_TRUE(nodes.forwarded.empty());
  EXPECT_EQ(common.session_count(), 1u);
}

TEST_F(BayeuxNodesTest, ASessionWhoseRequestsAreForwardedHearsByConnectsOnly) {
  const std::vector<HttpHeaders::Field> mark{{std::string(kForwardedMark), "192.0.2.1:5"}};
  const std::string client = member();
  const std::string publish_text = R"([{"id":"p","channel":"/foo/a","clientId":")" + client + R"(","data":7}])";
  const Answer first = post(publish_text);
  EXPECT_THAT(body(first), HasSubstr(R"("data":7)")) << "it takes what waits";
  left(first, true);
  EXPECT_THAT(body(post(publish_text, 0, mark)), Not(HasSubstr(R"("data":7)"))) << "it could overtake a connect's";
  EXPECT_THAT(said(publish_text), Not(HasSubstr(R"("data":7)"))) << "from then on";
  EXPECT_THAT(body(connect(client)), HasSubstr(R"("data":7},{"channel":"/foo/a","data":7)"));
}

TEST_F(BayeuxNodesTest, ASessionIsFoundUnderANumberThatIsNoMoreItsNodes) {
  nodes.own_number = 2;
  const std::string client = handshake({}, 1);
  nodes.own_number = 3;
  const Answer connected = connect(client);
  nodes.forwarded.at(0).give_back(NodeForward::Unanswered::kNotThere);
  world.settle();
  EXPECT_THAT(body(connected), HasSubstr(R"("successful":true)"));
}

TEST_F(BayeuxNodesTest, AServerThatStopsSendsPollsElsewhereBack) {
  nodes.own_number = 7;
  const std::string away = handshake();
  nodes.own_number = 2;
  const Answer connected = connect(away);
  nodes.forwarded.at(0).give_back(NodeForward::Unanswered::kDraining);
  EXPECT_EQ(connected->response->status, 503);
}

// --- By a WebSocket here

class BayeuxRelayTest : public BayeuxSessionsTest {
 protected:
  explicit BayeuxRelayTest(BayeuxTestSetup setup = {}) : BayeuxSessionsTest(std::move(setup)) {
    nodes.own_number = 7;
    away = handshake();
    nodes.own_number = 2;
  }
  // A message for the session elsewhere.
  std::string text(const std::string& channel, const std::string& more = {}) const {
    return R"({"id":"1","channel":")" + channel + R"(","clientId":")" + away + '"' + more + "}";
  }
  std::string asked(std::size_t index) const { return nodes.forwarded.at(index).exchange->request().body; }
  void answer(std::size_t index, const std::string& array, int status = 200) {
    world.in(0, [&] { nodes.forwarded.at(index).exchange->reply(HttpResponse::json(status, array)); });
    world.settle();
  }
  void give_back(std::size_t index) {
    world.in(0, [&] { nodes.forwarded.at(index).give_back(NodeForward::Unanswered::kNotThere); });
    world.settle();
  }

  std::string away;
};

TEST_F(BayeuxRelayTest, AConnectGoesAsAPollAndItsAnswerComesBack) {
  cookie = std::string(40, 'c');
  Socket& socket = open_socket(0, {{"Cookie", "a=b; BAYEUX_BROWSER=" + cookie}});
  EXPECT_THAT(say(socket, connect_text(away)), ElementsAre());
  ASSERT_EQ(nodes.forwarded.size(), 1u);
  EXPECT_EQ(nodes.forwarded[0].node, 7);
  const HttpRequest& request = nodes.forwarded[0].exchange->request();
  EXPECT_EQ(request.method + ' ' + request.target, "POST /cometd");
  EXPECT_EQ(request.headers.get("Cookie"), "BAYEUX_BROWSER=" + cookie);
  EXPECT_EQ(request.body, connect_text(away));
  answer(0, R"([{"channel":"/foo/a","data":1}])");
  EXPECT_THAT(socket.link->received(), ElementsAre(R"([{"channel":"/foo/a","data":1}])"));
}

TEST_F(BayeuxRelayTest, AllButConnectsGoesByOneRequestAtATimeInItsOrder) {
  Socket& socket = open_socket();
  for (int i = 0; i < 4; ++i) say(socket, text("/foo/" + std::to_string(i)));
  say(socket, connect_text(away));
  ASSERT_EQ(nodes.forwarded.size(), 2u) << "a connect waits for none of them";
  EXPECT_EQ(asked(0), text("/foo/0"));
  EXPECT_EQ(asked(1), connect_text(away));
  answer(0, "[0]");
  ASSERT_EQ(nodes.forwarded.size(), 3u);
  EXPECT_EQ(asked(2), '[' + text("/foo/1") + ',' + text("/foo/2") + ',' + text("/foo/3") + ']');
  answer(2, "[1,2,3]");
  EXPECT_THAT(socket.link->received(), ElementsAre("[0]", "[1,2,3]"));
  say(socket, '[' + text("/foo/4") + ',' + text("/meta/connect") + ']');
  ASSERT_EQ(nodes.forwarded.size(), 4u);
  say(socket, text("/foo/5"));
  EXPECT_EQ(nodes.forwarded.size(), 4u) << "a connect among others goes with them";
}

TEST_F(BayeuxRelayTest, OneRequestHoldsNoMoreThanOneMay) {
  Socket& socket = open_socket();
  const std::string large = text("/foo/a", R"(,"data":")" + std::string(4'000, 'x') + '"');
  for (int i = 0; i < 6; ++i) say(socket, large);
  for (std::size_t i = 0; i < 4; ++i) answer(i, "[]");
  ASSERT_EQ(nodes.forwarded.size(), 4u) << "one, two, two and one";
  EXPECT_EQ(asked(1), '[' + large + ',' + large + ']');
  EXPECT_EQ(asked(3), large);
}

TEST_F(BayeuxRelayTest, WhatAnotherNodeCannotAnswerIsAnsweredHere) {
  Socket& socket = open_socket();
  say(socket, connect_text(away));
  say(socket, text("/foo/a"));
  for (BayeuxSessions* each : {&rooms[0]->sessions(), &rooms[1]->sessions()}) each->remove_all({});
  give_back(0);
  give_back(1);
  EXPECT_THAT(socket.link->received(), ElementsAre(AllOf(HasSubstr("402::session_unknown"), HasSubstr(R"("id":"c")")),
                                                   AllOf(HasSubstr("402::session_unknown"), HasSubstr("/foo/a"))));
  say(socket, text("/foo/b"));
  EXPECT_EQ(nodes.forwarded.size(), 3u) << "it may be back";
}

TEST_F(BayeuxRelayTest, ASupersededConnectIsPassedOverAnythingElseClosesTheSocket) {
  Socket& socket = open_socket();
  say(socket, connect_text(away));
  say(socket, connect_text(away));
  answer(0, "a newer connect", 409);
  EXPECT_FALSE(socket.link->closed);
  answer(1, "the messages are too large", 413);
  ASSERT_TRUE(socket.link->closed);
  EXPECT_EQ(*socket.link->closed, std::pair(kCloseInternalError, std::string("the messages are too large")));
}

TEST_F(BayeuxRelayTest, OfManyConnectsTwoAreUnderWayAndTheNewestWaits) {
  Socket& socket = open_socket();
  const auto numbered = [&](int i) { return connect_text(away, R"(,"number":)" + std::to_string(i)); };
  for (int i = 0; i < 100; ++i) say(socket, numbered(i));
  ASSERT_EQ(nodes.forwarded.size(), 2u);
  answer(0, "a newer connect", 409);
  ASSERT_EQ(nodes.forwarded.size(), 3u);
  EXPECT_EQ(asked(2), numbered(99));
  answer(1, "a newer connect", 409);
  answer(2, "[2]");
  EXPECT_EQ(nodes.forwarded.size(), 3u);
  EXPECT_THAT(socket.link->received(), ElementsAre("[2]"));
  say(socket, numbered(100));
  EXPECT_EQ(nodes.forwarded.size(), 4u);
}

TEST_F(BayeuxRelayTest, WhatCannotBeReadGoesNowhere) {
  Socket& socket = open_socket();
  say(socket, connect_text(away));
  say(socket, "[{]");
  ASSERT_TRUE(socket.link->closed);
  EXPECT_EQ(socket.link->closed->first, kCloseInternalError);
  EXPECT_EQ(nodes.forwarded.size(), 1u);
}

TEST_F(BayeuxRelayTest, TheOtherNodeSeesAClientGo) {
  Socket& socket = open_socket();
  say(socket, connect_text(away));
  say(socket, text("/foo/a"));
  int gone = 0;
  for (auto& one : nodes.forwarded) one.exchange->on_gone([&] { ++gone; });
  lose(socket);
  EXPECT_EQ(gone, 2);
  give_back(0);
  answer(1, "[]");
  EXPECT_THAT(socket.link->received(), ElementsAre());
}

TEST_F(BayeuxRelayTest, ASocketMayChangeToASessionOfThisNodeAndBack) {
  Socket& socket = open_socket();
  say(socket, connect_text(away));
  int gone = 0;
  nodes.forwarded[0].exchange->on_gone([&] { ++gone; });
  for (const unsigned loop : {0u, 1u}) {
    const std::string here = member("/foo/a", {}, loop);
    EXPECT_THAT(say(socket, connect_text(here)), ElementsAre());
    EXPECT_EQ(gone, 1);
    publish_elsewhere("foo:a", "1");
    EXPECT_THAT(socket.link->received(), ElementsAre(HasSubstr(R"("data":1)")));
    say(socket, text("/foo/a"));
    publish_elsewhere("foo:a", "2");
    EXPECT_THAT(socket.link->received(), ElementsAre()) << "the session has lost its socket";
    EXPECT_THAT(body(connect(here, {}, loop)), HasSubstr(R"("data":2)"));
  }
}

class BayeuxRelaySmallTest : public BayeuxRelayTest {
 protected:
  BayeuxRelaySmallTest() : BayeuxRelayTest({.in = {.loops = 2, .hub = {.outbox_bytes_max = 1000}}}) {}
};

TEST_F(BayeuxRelaySmallTest, WhoSendsMoreThanMayWaitIsClosed) {
  Socket& socket = open_socket();
  const std::string message = text("/foo/a", R"(,"data":")" + std::string(300, 'x') + '"');
  int said_so_far = 0;
  for (; !socket.link->closed && said_so_far < 10; ++said_so_far) say(socket, message);
  ASSERT_TRUE(socket.link->closed);
  EXPECT_EQ(socket.link->closed->first, kCloseTryAgainLater);
  EXPECT_EQ(said_so_far, 4) << "one under way, two that wait, and one more";
}

// Nothing goes elsewhere.
class BayeuxNoRelayTest : public BayeuxSessionsTest {
 protected:
  using BayeuxSessionsTest::BayeuxSessionsTest;
  void expect_told_to_shake_hands() {
    nodes.own_number = 2;
    const std::string away = "00060a24e0000701" + std::string(24, 'a');
    const auto told = say(open_socket(), connect_text(away));
    EXPECT_THAT(told, ElementsAre(AllOf(HasSubstr("402::session_unknown"), HasSubstr(R"("reconnect":"handshake")"))));
    EXPECT_TRUE(nodes.forwarded.empty());
  }
};

class BayeuxNoPollsTest : public BayeuxNoRelayTest {
 protected:
  BayeuxNoPollsTest() : BayeuxNoRelayTest({.options = {.transports = {"websocket"}}}) {}
};
TEST_F(BayeuxNoPollsTest, WhereNoPollsAreOfferedASessionStaysAtItsNode) {
  expect_told_to_shake_hands();
}

class BayeuxBoundTest : public BayeuxNoRelayTest {
 protected:
  BayeuxBoundTest() : BayeuxNoRelayTest({.options = {.handshake_per_websocket = true}}) {}
};
TEST_F(BayeuxBoundTest, ASessionThatIsBoundToItsSocketStaysAtItsNode) {
  expect_told_to_shake_hands();
}

}  // namespace
}  // namespace carillon
