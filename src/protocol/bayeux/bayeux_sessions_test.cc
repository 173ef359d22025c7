#include "protocol/bayeux/bayeux_sessions_test.h"

namespace carillon {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;

// --- Handshakes

TEST_F(BayeuxSessionsTest, AHandshakeMakesASession) {
  const Answer answer = post(
      R"([{"id":"1","version":"1.0","minimumVersion":"1.0","channel":"/meta/handshake","supportedConnectionTypes":["long-polling"]}])");
  EXPECT_EQ(answer->response->status, 200);
  EXPECT_EQ(answer->response->headers.get("Content-Type"), "application/json;charset=UTF-8");
  const std::string_view set = answer->response->headers.get("Set-Cookie");
  EXPECT_THAT(set, StartsWith("BAYEUX_BROWSER="));
  EXPECT_THAT(set, EndsWith("; Path=/; HttpOnly; SameSite=Lax"));
  EXPECT_THAT(body(answer), StartsWith(R"([{"id":"1","channel":"/meta/handshake","successful":true,"clientId":")"));
  EXPECT_THAT(
      body(answer),
      EndsWith(
          R"("version":"1.0","supportedConnectionTypes":["websocket","long-polling","callback-polling","eventsource","cross-origin-long-polling"],"advice":{"reconnect":"retry","timeout":30000,"interval":0}}])"));
  EXPECT_EQ(common.session_count(), 1u);
}

TEST_F(BayeuxSessionsTest, AHandshakeThatCannotBeIsRefusedWithAReason) {
  const auto refusal = [this](const std::string& fields) {
    const std::string answer = said(R"([{"channel":"/meta/handshake",)" + fields + "}]");
    EXPECT_THAT(answer, HasSubstr(R"("successful":false)"));
    EXPECT_THAT(answer, HasSubstr(R"("advice":{"reconnect":"none")"));
    EXPECT_THAT(answer, Not(HasSubstr("clientId")));
    return answer;
  };
  EXPECT_THAT(refusal(R"("version":"1.0","supportedConnectionTypes":["iframe","flash"])"),
              HasSubstr(R"("error":"301:iframe,flash:Connection types not supported")"));
  EXPECT_THAT(refusal(R"("version":"1.0")"), HasSubstr("402:supportedConnectionTypes:Missing"));
  EXPECT_THAT(refusal(R"("version":"2.0","minimumVersion":"1.1","supportedConnectionTypes":["websocket"])"),
              HasSubstr("300:1.1:Version mismatch"));
  EXPECT_THAT(refusal(R"("supportedConnectionTypes":["websocket"])"), HasSubstr("402:version:Missing"));
  EXPECT_THAT(refusal(R"("version":"1.0","supportedConnectionTypes":["websocket"],"ext":{"authentication":{"token":"bad"}})"),
              HasSubstr("403::handshake_denied"));
  EXPECT_EQ(common.session_count(), 0u);
}

TEST_F(BayeuxSessionsTest, AHandshakeStandsAlone) {
  const std::string answer =
      said(R"([{"id":"1","channel":"/meta/handshake","version":"1.0","supportedConnectionTypes":["websocket"]},)"
           R"({"id":"2","channel":"/meta/subscribe","subscription":"/a"}])");
  EXPECT_THAT(answer, Not(HasSubstr("/meta/subscribe")));
}

// --- Connects

TEST_F(BayeuxSessionsTest, TheFirstConnectIsAnsweredAtOnceTheSecondIsHeld) {
  const std::string client = handshake();
  EXPECT_EQ(
      body(connect(client)),
      R"([{"id":"c","channel":"/meta/connect","successful":true,"advice":{"reconnect":"retry","timeout":30000,"interval":0}}])");
  const Answer held = connect(client);
  EXPECT_TRUE(held->parked());
  pass(Millis{29'900});
  EXPECT_TRUE(held->parked());
  pass(Millis{200});
  EXPECT_EQ(
      body(held),
      R"([{"id":"c","channel":"/meta/connect","successful":true,"advice":{"reconnect":"retry","timeout":30000,"interval":0}}])");
}

TEST_F(BayeuxSessionsTest, AClientsTimeoutCountsAndIsCapped) {
  const std::string client = member();
  const Answer soon = connect(client, R"(,"advice":{"timeout":500})");
  EXPECT_TRUE(soon->parked());
  pass(Millis{600});
  EXPECT_FALSE(soon->parked());
  EXPECT_FALSE(connect(client, R"(,"advice":{"timeout":0})")->parked());
  const Answer forever = connect(client, R"(,"advice":{"timeout":9007199254740993})");
  pass(Millis{59'900});
  EXPECT_TRUE(forever->parked());
  pass(Millis{200});
  EXPECT_FALSE(forever->parked());
}

TEST_F(BayeuxSessionsTest, WhatIsPublishedAnswersTheHeldConnect) {
  const std::string client = member("/repo/alice/app/prs");
  const Answer held = connect(client, {}, 1);
  EXPECT_TRUE(held->parked());
  publish_elsewhere("repo:alice/app/prs", R"({"n":1})");
  EXPECT_THAT(body(held), StartsWith(R"([{"channel":"/repo/alice/app/prs","data":{"n":1},"ext":{"event":"e","event_id":")"));
  EXPECT_THAT(body(held), EndsWith(std::string(kTold) + "]"));
}

TEST_F(BayeuxSessionsTest, WhatCameBetweenConnectsComesAtOnceAndInOrder) {
  const std::string talker = member("/elsewhere");
  const std::string client = member("/foo/*");
  publish(talker, "/foo/a", "1");
  publish(talker, "/foo/b", "2");
  publish(talker, "/foo/a/deeper", "3");
  EXPECT_EQ(body(connect(client)),
            R"([{"channel":"/foo/a","data":1},{"channel":"/foo/b","data":2},)" + std::string(kTold) + "]");
}

TEST_F(BayeuxSessionsTest, ANewerConnectTakesThePlaceOfAnOlder) {
  const std::string client = member();
  const Answer older = connect(client), newer = connect(client, {}, 1);
  EXPECT_EQ(older->response->status, 409);
  publish_elsewhere("foo:a", "1");
  EXPECT_THAT(body(newer), HasSubstr(R"("data":1)"));
}

TEST_F(BayeuxSessionsTest, NothingIsLostWhenTheClientLeavesItsConnect) {
  const std::string client = member();
  const Answer held = connect(client);
  world.in(0, [&] { held->leave(); });
  EXPECT_TRUE(held->dropped);
  publish_elsewhere("foo:a", "1");
  EXPECT_THAT(body(connect(client)), HasSubstr(R"("data":1)"));
}

TEST_F(BayeuxSessionsTest, WhatCouldNotLeaveGoesFirst) {
  const std::string client = member();
  const Answer lost = connect(client);
  publish_elsewhere("foo:a", "1");
  EXPECT_THAT(body(lost), HasSubstr(R"("data":1)"));
  publish_elsewhere("foo:a", "2");
  const Answer next = connect(client);
  EXPECT_TRUE(next->parked()) << "nothing overtakes";
  left(lost, false);
  EXPECT_THAT(body(next), HasSubstr(R"("data":1)"));
  EXPECT_LT(body(next).find(R"("data":1)"), body(next).find(R"("data":2)"));
}

TEST_F(BayeuxSessionsTest, DeliveriesRideOnTheAnswerThatIsMadeAndTheConnectStays) {
  const std::string client = member();
  const Answer held = connect(client);
  EXPECT_EQ(publish(client, "/foo/a", R"({"x":1})"),
            R"([{"channel":"/foo/a","data":{"x":1}},{"id":"p","channel":"/foo/a","successful":true}])");
  EXPECT_TRUE(held->parked());
}

TEST_F(BayeuxSessionsTest, DisconnectAnswersTheHeldConnectFirst) {
  const std::string client = member();
  const Answer held = connect(client);
  EXPECT_EQ(said(R"([{"id":"d","channel":"/meta/disconnect","clientId":")" + client + R"("}])", 1),
            R"([{"id":"d","channel":"/meta/disconnect","successful":true}])");
  EXPECT_THAT(body(held), HasSubstr(R"("advice":{"reconnect":"none","interval":0})"));
  EXPECT_EQ(common.session_count(), 0u);
  EXPECT_THAT(body(connect(client)), HasSubstr(R"("error":"402::session_unknown","advice":{"reconnect":"handshake")"));
}

TEST_F(BayeuxSessionsTest, WithoutAConnectItEnds) {
  const std::string client = member();
  pass(Millis{29'900});
  EXPECT_EQ(common.session_count(), 1u);
  const Answer held = connect(client);
  pass(Millis{29'900});
  EXPECT_TRUE(held->parked()) << "it does not end while a connect waits";
  pass(Millis{200});
  EXPECT_FALSE(held->parked());
  pass(Millis{29'900});
  EXPECT_EQ(common.session_count(), 1u);
  pass(Millis{200});
  EXPECT_EQ(common.session_count(), 0u);
  EXPECT_EQ(world.hub->stats().subscriptions, 0u);
}

TEST_F(BayeuxSessionsTest, AStopAnswersHeldConnects) {
  const std::string client = member();
  const Answer held = connect(client, {}, 1);
  world.in(1, [&] { held->drain(); });
  world.settle();
  EXPECT_THAT(body(held), HasSubstr(R"("successful":true,"advice":{"reconnect":"retry")"));
}

// --- Subscriptions

TEST_F(BayeuxSessionsTest, SubscriptionsAreEchoedAsTheyWereSent) {
  const std::string client = member();
  EXPECT_EQ(subscribe(client, R"("/a/**")"),
            R"([{"id":"s","channel":"/meta/subscribe","subscription":"/a/**","successful":true}])");
  EXPECT_EQ(subscribe(client, R"(["/a/b","/c"])"),
            R"([{"id":"s","channel":"/meta/subscribe","subscription":["/a/b","/c"],"successful":true}])");
  EXPECT_EQ(subscribe(client, R"(["/a/b","/c"])"),
            R"([{"id":"s","channel":"/meta/subscribe","subscription":["/a/b","/c"],"successful":true}])")
      << "again";
}

TEST_F(BayeuxSessionsTest, OfSeveralAllOrNoneAreSubscribedTo) {
  const std::string client = handshake();
  const auto refused = [&](const std::string& channels, const std::string& error) {
    EXPECT_THAT(subscribe(client, channels), HasSubstr(R"("successful":false,"error":")" + error));
    EXPECT_EQ(world.hub->stats().subscriptions, 0u) << channels;
  };
  refused(R"(["/a","/meta/x"])", "403:denied_by_security_policy:subscribe_denied");
  refused(R"(["/a","/b*"])", "403::subscription_invalid");
  refused(R"(["/a","/secret"])", "403:denied_by_security_policy:subscribe_denied");
  refused("[]", "403::subscription_missing");
  refused("7", "403::subscription_invalid");
}

TEST_F(BayeuxSessionsTest, OneCopyHoweverManySubscriptionsMatch) {
  const std::string client = member("/foo/a");
  subscribe(client, R"(["/foo/*","/foo/**","/**"])");
  const std::string talker = member("/elsewhere");
  publish(talker, "/foo/a");
  EXPECT_EQ(body(connect(client)), R"([{"channel":"/foo/a","data":1},)" + std::string(kTold) + "]");
}

TEST_F(BayeuxSessionsTest, Unsubscribing) {
  const std::string client = member("/foo/a"), other = member("/bar");
  const auto unsubscribe = [&](const std::string& channels) {
    return said(R"([{"channel":"/meta/unsubscribe","clientId":")" + client + R"(","subscription":)" + channels + "}]");
  };
  EXPECT_THAT(unsubscribe(R"("/foo/a")"), HasSubstr(R"("subscription":"/foo/a","successful":true)"));
  publish(other, "/foo/a");
  EXPECT_TRUE(connect(client)->parked());
  EXPECT_THAT(unsubscribe(R"("/bar")"), HasSubstr(R"("successful":true)")) << "somebody hears it";
  EXPECT_THAT(unsubscribe(R"("/nowhere")"), HasSubstr("400::channel_missing"));
  EXPECT_THAT(unsubscribe(R"("/meta/x")"), HasSubstr("403::unsubscribe_failed"));
  EXPECT_THAT(unsubscribe(R"("/service/x")"), HasSubstr(R"("successful":true)"));
}

// --- Publishing

TEST_F(BayeuxSessionsTest, APublishThatCannotBeIsAnswered) {
  const std::string client = member();
  EXPECT_THAT(publish(client, "/a/*"), HasSubstr("405::channel_invalid"));
  EXPECT_THAT(publish(client, "/topic*"), HasSubstr("405::channel_invalid"));
  EXPECT_THAT(publish(client, "/meta/nothing"), HasSubstr("403:denied_by_security_policy:publish_denied"));
  EXPECT_THAT(publish(client, "/secret"), HasSubstr("403:denied_by_security_policy:publish_denied"));
  EXPECT_THAT(said(R"([{"id":"1","channel":"/a","data":1}])"),
              HasSubstr(R"("error":"402::session_unknown","advice":{"reconnect":"handshake")"));
  EXPECT_THAT(said(R"([{"id":"1","data":1,"clientId":")" + client + R"("}])"), HasSubstr("400::channel_missing"));
  EXPECT_EQ(post("[]")->response->status, 400);
  EXPECT_EQ(post("[{]")->response->status, 400);
  EXPECT_EQ(post(std::string(10'001, ' '))->response->status, 413);
}

TEST_F(BayeuxSessionsTest, ClientIdsGoToNobodyElse) {
  const std::string client = member(), other = member();
  const Answer held = connect(other);
  publish(client, "/foo/a");
  EXPECT_THAT(body(held), HasSubstr(R"("data":1)"));
  EXPECT_THAT(body(held), Not(HasSubstr(client)));
}

TEST_F(BayeuxSessionsTest, RepliesOfABatchComeInItsOrder) {
  const std::string client = handshake();
  EXPECT_EQ(
      said(R"([{"id":"1","channel":"/meta/connect","connectionType":"long-polling","clientId":")" + client +
           R"("},{"id":"2","channel":"/meta/subscribe","subscription":"/a","clientId":")" + client +
           R"("},{"id":"3","channel":"/a","data":1,"clientId":")" + client +
           R"("},{"id":"4","channel":"/b","data":1,"clientId":"another"}])"),
      R"([{"channel":"/a","data":1},{"id":"1","channel":"/meta/connect","successful":true,"advice":{"reconnect":"retry","timeout":30000,"interval":0}},)"
      R"({"id":"2","channel":"/meta/subscribe","subscription":"/a","successful":true},{"id":"3","channel":"/a","successful":true},)"
      R"({"id":"4","channel":"/b","successful":false,"error":"402::session_unknown","advice":{"reconnect":"handshake","interval":0}}])");
}

// --- Cookies

TEST_F(BayeuxSessionsTest, ASessionIsBoundToTheCookieOnceItIsShown) {
  const std::string client = handshake();
  EXPECT_THAT(body(connect(client)), HasSubstr(R"("successful":true)")) << "a client that holds no cookies";
  cookie = std::string(40, '1');
  EXPECT_THAT(body(connect(client)), HasSubstr("402::session_unknown"));
  const std::string bound = handshake();
  EXPECT_THAT(body(connect(bound)), HasSubstr(R"("successful":true)"));
  cookie = std::string(40, '2');
  EXPECT_THAT(body(connect(bound)), HasSubstr("402::session_unknown"));
  cookie.clear();
  EXPECT_THAT(body(connect(bound)), HasSubstr("402::session_unknown"));
}

TEST_F(BayeuxSessionsTest, PollsOfOneBrowserAreLimited) {
  cookie = std::string(40, 'a');
  std::vector<std::string> clients;
  for (int i = 0; i < 5; ++i) clients.push_back(member());
  for (int i = 0; i < 4; ++i) EXPECT_TRUE(connect(clients[static_cast<std::size_t>(i)])->parked());
  EXPECT_THAT(body(connect(clients[4])),
              HasSubstr(R"("advice":{"multiple-clients":true,"reconnect":"retry","interval":2000})"));
}

TEST(BayeuxBrowsers, ABrowserIsKnownAsLongAsItHasSessions) {
  BayeuxBrowsers browsers;
  const std::string id(40, 'a');
  BayeuxBrowser& browser = browsers.join(id);
  EXPECT_EQ(browser.id(), id);
  EXPECT_EQ(&browsers.join(id), &browser);
  BayeuxBrowser& other = browsers.join(std::string(40, 'b'));
  EXPECT_NE(&other, &browser);
  browser.polls = 3;
  browsers.leave(browser);
  EXPECT_EQ(browsers.size(), 2u);
  browsers.leave(browser);
  EXPECT_EQ(browsers.size(), 1u);
  EXPECT_EQ(browsers.join(id).polls, 0u);
}

TEST_F(BayeuxSessionsTest, APageOfAnotherOriginIsRefused) {
  EXPECT_EQ(post("[]", 0, {{"Origin", "https://evil"}})->response->status, 403);
  Answer script;
  world.in(0, [&] {
    script = routes[0].ask("GET", "/cometd?jsonp=f&message=[]", {},
                           {{"Sec-Fetch-Site", "cross-site"}, {"Referer", "https://evil/page"}});
  });
  EXPECT_EQ(script->response->status, 403);
}

// --- JSONP

TEST_F(BayeuxSessionsTest, JsonpAnswersWithTheCallback) {
  Answer answer;
  world.in(0, [&] {
    answer = routes[0].ask(
        "GET", "/cometd?jsonp=cb.1&message=%5B%7B%22channel%22%3A%22%2Fmeta%2Fconnect%22%2C%22clientId%22%3A%22x%22%7D%5D");
  });
  EXPECT_EQ(answer->response->headers.get("Content-Type"), "text/javascript; charset=utf-8");
  EXPECT_EQ(answer->response->headers.get("X-Content-Type-Options"), "nosniff");
  EXPECT_THAT(body(answer), StartsWith(R"(/**/cb.1([{"channel":"/meta/connect","successful":false)"));
  world.in(0, [&] { answer = routes[0].ask("GET", "/cometd?jsonp=alert(1)&message=%5B%5D"); });
  EXPECT_EQ(answer->response->status, 400);
}

// --- WebSockets

TEST_F(BayeuxSessionsTest, AWebSocketClientHearsAtOnceAndItsConnectIsHeld) {
  Socket& socket = open_socket();
  const auto welcome =
      say(socket, R"([{"id":"1","channel":"/meta/handshake","version":"1.0","supportedConnectionTypes":["websocket"]}])");
  ASSERT_EQ(welcome.size(), 1u);
  const std::string client = welcome[0].substr(welcome[0].find(R"("clientId":")") + 12, 40);
  EXPECT_EQ(say(socket, connect_text(client)).size(), 1u);
  say(socket, R"([{"id":"s","channel":"/meta/subscribe","clientId":")" + client + R"(","subscription":"/foo/a"}])");
  EXPECT_THAT(say(socket, connect_text(client)), ElementsAre());
  EXPECT_THAT(say(socket, R"([{"id":"p","channel":"/foo/a","data":1,"clientId":")" + client + R"("}])"),
              ElementsAre(R"([{"channel":"/foo/a","data":1}])", R"([{"id":"p","channel":"/foo/a","successful":true}])"));
  pass(Millis{30'100});
  EXPECT_THAT(socket.link->received(), ElementsAre(HasSubstr("/meta/connect")));
}

TEST_F(BayeuxSessionsTest, ASessionGoesOnOnAWebSocketOfAnotherLoopAndBack) {
  const std::string client = member();
  const Answer held = connect(client);
  Socket& socket = open_socket(1);
  EXPECT_THAT(say(socket, connect_text(client)), ElementsAre());
  EXPECT_EQ(held->response->status, 409);
  publish_elsewhere("foo:a", "1");
  EXPECT_THAT(socket.link->received(), ElementsAre(StartsWith(R"([{"channel":"/foo/a","data":1)")));
  lose(socket);
  publish_elsewhere("foo:a", "2");
  EXPECT_THAT(body(connect(client)), HasSubstr(R"("data":2)"));
  EXPECT_EQ(common.session_count(), 1u);
}

TEST_F(BayeuxSessionsTest, AFarWebSocketThatReadsNothingHoldsOnlyALittle) {
  const std::string client = member();
  Socket& socket = open_socket(1);
  say(socket, connect_text(client));
  socket.link->blocked = true;
  const std::string big = '"' + std::string(5'000, 'x') + '"';
  for (int i = 0; i < 300; ++i) publish_elsewhere("foo:a", big);
  EXPECT_LT(socket.dialog->outbox().bytes(), 400'000u);
  world.in(1, [&] { socket.link->unblock(); });
  world.settle();
  std::size_t heard = socket.link->received().size();
  for (int i = 0; i < 20; ++i) {
    world.settle();
    heard += socket.link->received().size();
  }
  EXPECT_GE(heard, 200u);
}

TEST_F(BayeuxSessionsTest, WhatIsMoreThanAWebSocketHoldsLeavesAtOnceWhileItsLinkTakesIt) {
  for (const unsigned loop : {0u, 1u}) {
    const std::string client = member();
    Socket& socket = open_socket(loop);
    say(socket, connect_text(client));
    for (int i = 0; i < 200; ++i) world.publish("foo:a", '"' + std::string(4'000, 'x') + '"');
    world.settle();
    std::size_t bytes = 0;
    for (const std::string& message : socket.link->received()) bytes += message.size();
    EXPECT_GT(bytes, 200u * 4'000) << "loop " << loop;
  }
}

TEST_F(BayeuxSessionsTest, BadMessagesEndAWebSocket) {
  Socket& socket = open_socket();
  say(socket, "[{");
  EXPECT_EQ(socket.link->closed->first, kCloseInternalError);
  Socket& unknown = open_socket();
  EXPECT_THAT(say(unknown, connect_text(std::string(40, '0'))), ElementsAre(HasSubstr("402::session_unknown")));
}

// --- Acknowledged delivery

class BayeuxAckTest : public BayeuxSessionsTest {
 protected:
  const std::string client = member("/foo/a", R"(,"ext":{"ack":true})");
  Answer acked(std::uint64_t batch, unsigned loop = 0) {
    return connect(client, R"(,"ext":{"ack":)" + std::to_string(batch) + "}", loop);
  }
};

TEST_F(BayeuxAckTest, WhatWasNotAcknowledgedComesAgainAheadOfWhatIsNew) {
  const Answer first = acked(1);
  EXPECT_TRUE(first->parked());
  publish_elsewhere("foo:a", "1");
  EXPECT_THAT(body(first), HasSubstr(R"("data":1)"));
  EXPECT_THAT(body(first), HasSubstr(R"("ext":{"ack":2})"));
  publish_elsewhere("foo:a", "2");
  const std::string again = body(acked(1, 1));
  EXPECT_THAT(again, HasSubstr(R"("data":1)"));
  EXPECT_LT(again.find(R"("data":1)"), again.find(R"("data":2)"));
  EXPECT_THAT(again, HasSubstr(R"("ext":{"ack":3})"));
  EXPECT_TRUE(acked(3)->parked()) << "all has come";
}

TEST_F(BayeuxAckTest, AnAnswerThatGoesOutAtOnceHasWhatWasPublishedBefore) {
  const Answer first = acked(1);
  publish_elsewhere("foo:a", "1");
  EXPECT_THAT(body(first), HasSubstr(R"("data":1)"));
  world.publish("foo:a", "2");  // The session's loop has not looked yet when the connect comes.
  const std::string again = body(acked(1));
  EXPECT_THAT(again, HasSubstr(R"("data":1)"));
  EXPECT_THAT(again, HasSubstr(R"("data":2)"));
}

TEST_F(BayeuxAckTest, ItComesByConnectsOnly) {
  const Answer held = acked(1);
  EXPECT_EQ(publish(client, "/foo/a"), R"([{"id":"p","channel":"/foo/a","successful":true}])");
  EXPECT_THAT(body(held), HasSubstr(R"({"channel":"/foo/a","data":1})"));
}

TEST_F(BayeuxAckTest, ItHoldsAcrossTransports) {
  const Answer lost = acked(1);
  publish_elsewhere("foo:a", "1");
  EXPECT_THAT(body(lost), HasSubstr(R"("data":1)"));
  Socket& socket = open_socket(1);
  EXPECT_THAT(say(socket, connect_text(client, R"(,"ext":{"ack":1})")), ElementsAre(HasSubstr(R"("data":1)")));
  EXPECT_THAT(say(socket, connect_text(client, R"(,"ext":{"ack":3})")), ElementsAre());
  publish_elsewhere("foo:a", "2");
  EXPECT_THAT(socket.link->received(), ElementsAre(AllOf(HasSubstr(R"("data":2)"), HasSubstr(R"("ext":{"ack":4})"))));
}

class BayeuxSmallTest : public BayeuxSessionsTest {
 protected:
  BayeuxSmallTest() : BayeuxSessionsTest({.in = {.loops = 2, .hub = {.outbox_bytes_max = 1000}}}) {}
  void publish_much() {
    for (int i = 0; i < 20; ++i) publish_elsewhere("foo:a", '"' + std::string(200, 'x') + '"');
  }
};

TEST_F(BayeuxSmallTest, TheProgramHearsOfWhatIsLost) {
  const auto stream = common.events.listen(100);
  const std::string client = member();
  publish_much();
  left(connect(client), true);
  connect(client, R"(,"advice":{"timeout":0})");
  const auto next = [&] { return *stream->next(std::chrono::milliseconds(0)); };
  next();  // SessionAdded,
  next();  // and Subscribe.
  const auto lost = std::get<bayeux_event::QueueLimit>(next());
  EXPECT_EQ(lost.client->client_id, client);
  EXPECT_EQ(lost.channel, "/foo/a");
  EXPECT_GT(lost.lost, 10u);
  EXPECT_LT(lost.lost, 20u);
}

TEST_F(BayeuxSmallTest, WhatIsMoreThanMayWaitIsLostAndToldOf) {
  const std::string client = member();
  publish_much();
  const Answer first = connect(client);
  EXPECT_THAT(body(first), Not(HasSubstr(R"("lost")")));
  left(first, true);
  EXPECT_THAT(body(connect(client, R"(,"advice":{"timeout":0})")), HasSubstr(R"("ext":{"lost":)"));
}

TEST_F(BayeuxSmallTest, AWebSocketThatAsksAndNeverReadsIsClosedInTheMiddleOfAConnect) {
  Socket& socket = open_socket();
  const auto welcome =
      say(socket, R"([{"channel":"/meta/handshake","version":"1.0","supportedConnectionTypes":["websocket"]}])");
  const std::string client = welcome.at(0).substr(welcome.at(0).find(R"("clientId":")") + 12, 40);
  say(socket, connect_text(client));
  say(socket, R"([{"channel":"/meta/subscribe","clientId":")" + client + R"(","subscription":"/foo/a"}])");
  socket.link->blocked = true;
  // Just no room for more, and just not too much: so the next waits in the session.
  publish_elsewhere("foo:a", '"' + std::string(65'600, 'x') + '"');
  publish_elsewhere("foo:a", "1");
  for (int i = 0; i < 100 && !socket.link->closed; ++i) say(socket, connect_text(client));
  ASSERT_TRUE(socket.link->closed);
  EXPECT_EQ(socket.link->closed->first, kCloseTryAgainLater);
  EXPECT_THAT(body(connect(client)), HasSubstr(R"("successful":true)")) << "the session goes on";
}

TEST_F(BayeuxSmallTest, WhatIsMoreThanMayWaitEndsASessionThatAcknowledges) {
  const std::string client = member("/foo/a", R"(,"ext":{"ack":true})");
  publish_much();
  const std::string told = body(connect(client, R"(,"ext":{"ack":1})"));
  EXPECT_THAT(told, HasSubstr(R"("reconnect":"handshake")"));
  EXPECT_EQ(common.session_count(), 0u);
}

TEST_F(BayeuxSessionsTest, TheProgramHearsWhatHappens) {
  const auto stream = common.events.listen(100);
  const std::string client = member("/foo/a");
  connect(client);
  said(R"([{"channel":"/meta/disconnect","clientId":")" + client + R"("}])");
  const auto next = [&] { return *stream->next(std::chrono::milliseconds(0)); };
  EXPECT_EQ(std::get<bayeux_event::SessionAdded>(next()).client->client_id, client);
  EXPECT_THAT(std::get<bayeux_event::Subscribe>(next()).channels, ElementsAre("/foo/a"));
  EXPECT_EQ(std::get<bayeux_event::SessionRemoved>(next()).reason, bayeux_event::RemovalReason::kDisconnected);
}

}  // namespace
}  // namespace carillon
