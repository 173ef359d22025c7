#include "protocol/bayeux/bayeux_sessions.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "engine/memory/hub_double.h"
#include "protocol/bayeux/bayeux.h"
#include "protocol/exchange_double.h"
#include "protocol/link_double.h"
#include "protocol/node_forward_double.h"

namespace carillon {
namespace {

using ::testing::AllOf;
using ::testing::ContainsRegex;
using ::testing::ElementsAre;
using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;

using Answer = std::shared_ptr<AnswerDouble>;

struct BayeuxTestSetup {
  BayeuxOptions options = {};
  BayeuxHooks hooks = {};
  World::Options in = {.loops = 2};
};

// A server of two loops, each with its room and its routes.
class BayeuxSessionsTest : public ::testing::Test {
 protected:
  explicit BayeuxSessionsTest(BayeuxTestSetup setup = {}) : world(setup.in), common(setup.options, std::move(setup.hooks), 2) {
    for (unsigned loop = 0; loop < 2; ++loop) {
      rooms.push_back(std::make_unique<BayeuxRoom>(BayeuxParts{
          .shard = *world.shards[loop],
          .random = world.random,
          .identify = [](const Exchange&, std::string_view token) -> Result<IdentityPtr> {
            if (token == "bad") return Error{ErrorKind::kUnauthorized, "no good"};
            return std::make_shared<const Identity>(Identity{.user = std::string(token), .verified = !token.empty()});
          },
          .may_use_origin = [](std::string_view origin, std::string_view) { return origin != "https://evil"; },
          .text_options = {},
          .message_bytes_max = 10'000,
          .common = common,
          .nodes = &nodes}));
      rooms.back()->add_routes(routes[loop]);
    }
  }
  ~BayeuxSessionsTest() override {
    for (Socket& socket : sockets) {
      if (socket.dialog != nullptr) socket.dialog->on_link_closed();
    }
  }

  // --- By HTTP: what is asked, and all that comes of it without time passing.

  Answer post(std::string body, unsigned loop = 0, std::vector<HttpHeaders::Field> headers = {}) {
    headers.emplace_back("Content-Type", "application/json");
    if (!cookie.empty()) headers.emplace_back("Cookie", "BAYEUX_BROWSER=" + cookie);
    Answer answer;
    world.in(loop, [&] { answer = routes[loop].ask("POST", "/cometd/x", std::move(body), std::move(headers)); });
    world.settle();
    return answer;
  }
  static std::string body(const Answer& answer) {
    return answer->response ? answer->response->body : answer->dropped ? "dropped" : "parked";
  }
  std::string said(std::string body_text, unsigned loop = 0) { return body(post(std::move(body_text), loop)); }
  std::string handshake(const std::string& more = {}, unsigned loop = 0) {
    const std::string answer = said(R"([{"id":"1","channel":"/meta/handshake","version":"1.0","supportedConnectionTypes":)"
                                    R"(["long-polling","websocket"])" +
                                        more + "}]",
                                    loop);
    const std::size_t from = answer.find(R"("clientId":")");
    EXPECT_NE(from, std::string::npos) << answer;
    return answer.substr(from + 12, 40);
  }
  static std::string connect_text(const std::string& client, const std::string& more = {}) {
    return R"([{"id":"c","channel":"/meta/connect","connectionType":"long-polling","clientId":")" + client + '"' + more + "}]";
  }
  Answer ask_by_form(const std::string& client) {
    Answer answer;
    world.in(0, [&] {
      answer = routes[0].ask("POST", "/cometd", "message=" + connect_text(client),
                             {{"Content-Type", "application/x-www-form-urlencoded"}});
    });
    world.settle();
    return answer;
  }
  Answer ask_by_script(const std::string& client) {
    Answer answer;
    world.in(0, [&] { answer = routes[0].ask("GET", "/cometd?jsonp=call&message=" + connect_text(client)); });
    world.settle();
    return answer;
  }
  Answer connect(const std::string& client, const std::string& more = {}, unsigned loop = 0) {
    return post(connect_text(client, more), loop);
  }
  std::string subscribe(const std::string& client, const std::string& channels, unsigned loop = 0) {
    return said(R"([{"id":"s","channel":"/meta/subscribe","clientId":")" + client + R"(","subscription":)" + channels + "}]",
                loop);
  }
  std::string publish(const std::string& client, const std::string& channel, const std::string& data = "1") {
    return said(R"([{"id":"p","channel":")" + channel + R"(","clientId":")" + client + R"(","data":)" + data + "}]");
  }
  // A client that has connected once and hears the channel.
  std::string member(const std::string& channel = "/foo/a", const std::string& more = {}, unsigned loop = 0) {
    const std::string client = handshake(more, loop);
    EXPECT_THAT(body(connect(client, {}, loop)), HasSubstr(R"("successful":true)"));
    EXPECT_THAT(subscribe(client, '"' + channel + '"', loop), HasSubstr(R"("successful":true)"));
    return client;
  }
  void left(const Answer& answer, bool sent) {
    world.in(0, [&] { answer->sent(sent); });
    world.settle();
  }
  void pass(Millis time) {
    for (auto& loop : world.loops) loop->advance(time);
    world.settle();
  }
  // As by another protocol, with the event "e".
  void publish_elsewhere(const std::string& channel, const std::string& data) {
    world.publish(channel, data);
    world.settle();
  }

  // --- By WebSocket

  struct Socket {
    unsigned loop;
    std::unique_ptr<LinkDouble> link;
    std::unique_ptr<Dialog> dialog;
  };
  Socket& open_socket(unsigned loop = 0) {
    Answer answer;
    world.in(loop, [&] { answer = routes[loop].ask("GET", "/cometd", {}, {{"Upgrade", "websocket"}}); });
    EXPECT_TRUE(answer->websocket);
    auto link = std::make_unique<LinkDouble>(world.shards[loop]->frame_memory());
    std::unique_ptr<Dialog> dialog = answer->websocket(*link);
    link->dialog = dialog.get();
    return sockets.emplace_back(Socket{loop, std::move(link), std::move(dialog)});
  }
  std::vector<std::string> say(Socket& socket, const std::string& text) {
    world.in(socket.loop, [&] { socket.dialog->on_message(text, MessageKind::kText); });
    world.settle();
    return socket.link->received();
  }
  void lose(Socket& socket) {
    world.in(socket.loop, [&] { socket.dialog->on_link_closed(); });
    socket.link->open = false;
    world.settle();
  }

  static constexpr const char* kTold = R"({"id":"c","channel":"/meta/connect","successful":true})";

  World world;
  NodeForwardDouble nodes;
  BayeuxCommon common;
  RoutesDouble routes[2];
  std::vector<std::unique_ptr<BayeuxRoom>> rooms;
  std::deque<Socket> sockets;
  std::string cookie;
};

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

// --- Recovery by position

// Clients of the replay extension, and a channel of a thousand and more that some of them missed.
class BayeuxReplayTest : public BayeuxSessionsTest {
 protected:
  explicit BayeuxReplayTest(World::Options in = {.loops = 2, .history = 10'000}) : BayeuxSessionsTest({.in = std::move(in)}) {}

  static constexpr const char* kReplays = R"(,"ext":{"replay":true})";
  static constexpr int kMany = 5'000;

  static std::string subscribe_text(const std::string& client, const std::string& channels, const std::string& known) {
    return R"([{"id":"s","channel":"/meta/subscribe","clientId":")" + client + R"(","subscription":)" + channels +
           R"(,"ext":{"replay":)" + known + "}}]";
  }
  std::string recover(const std::string& client, const std::string& channels, const std::string& known, unsigned loop = 0) {
    const Answer answer = post(subscribe_text(client, channels, known), loop);
    has_left(answer);
    return body(answer);
  }
  // Of an answer that carried nothing nobody asks.
  void has_left(const Answer& answer, bool sent = true) {
    if (answer->sent) left(answer, sent);
  }
  std::string ready(const std::string& more = kReplays, unsigned loop = 0) {
    const std::string client = handshake(more, loop);
    EXPECT_THAT(body(connect(client, {}, loop)), HasSubstr(R"("successful":true)"));
    return client;
  }
  // From where the first is missed.
  std::string beginning(const std::string& channel = "/foo/a") {
    const std::string client = ready();
    publish_elsewhere("foo:a", "\"first\"");
    const std::string told = recover(client, '"' + channel + '"', "null");
    const std::string_view name = R"("positions":{"/foo/a":)";
    const std::size_t at = told.find(name);
    EXPECT_NE(at, std::string::npos) << told;
    return told.substr(at + name.size(), told.find('"', at + name.size() + 1) + 1 - at - name.size());
  }
  // 1 KB each.
  void publish_many(int count = kMany) {
    for (int i = 0; i < count; ++i) {
      publish_elsewhere("foo:a", R"({"n":)" + std::to_string(i) + R"(,"x":")" + std::string(1000, 'x') + R"("})");
    }
  }
  // The numbers of the deliveries in a text.
  static std::vector<int> numbers_in(std::string_view text) {
    std::vector<int> numbers;
    constexpr std::string_view kName = R"({"n":)";
    for (std::size_t at = text.find(kName); at != std::string_view::npos; at = text.find(kName, at + 1)) {
      numbers.push_back(std::atoi(text.data() + at + kName.size()));
    }
    return numbers;
  }
  static std::vector<int> all() {
    std::vector<int> numbers(kMany);
    for (int i = 0; i < kMany; ++i) numbers[static_cast<std::size_t>(i)] = i;
    return numbers;
  }
  static void add(std::vector<int>& heard, std::string_view text) {
    for (const int number : numbers_in(text)) heard.push_back(number);
  }
};

TEST_F(BayeuxReplayTest, DeliveriesCarryTheirPositionOnlyWhereItWasAskedFor) {
  const std::string plain = member();
  const std::string welcome =
      said(R"([{"channel":"/meta/handshake","version":"1.0","supportedConnectionTypes":["websocket"],"ext":{"replay":true}}])");
  EXPECT_THAT(welcome, HasSubstr(R"("ext":{"replay":true})"));
  const std::string client = member("/foo/a", kReplays);
  const Answer held = connect(client), other = connect(plain);
  publish_elsewhere("foo:a", "1");
  EXPECT_THAT(body(held), HasSubstr(R"(,"replay":")"));
  EXPECT_THAT(body(held), HasSubstr(R"(:1"}},)"));
  EXPECT_THAT(body(other), Not(HasSubstr("replay")));
  left(held, true);
  const Answer next = connect(client);
  publish(plain, "/foo/a", "2");
  EXPECT_THAT(body(next), StartsWith(R"([{"channel":"/foo/a","data":2,"ext":{"replay":")"));
  EXPECT_THAT(subscribe(plain, R"("/b")"), Not(HasSubstr("replay")));
}

TEST_F(BayeuxReplayTest, WhatWasMissedComesBehindTheReplyThenWhatIsNew) {
  const std::string known = beginning();
  publish_elsewhere("foo:a", "1");
  publish_elsewhere("foo:a", "2");
  const std::string client = ready();
  const std::string told = recover(client, R"("/foo/a")", R"({"/foo/a":)" + known + "}");
  EXPECT_THAT(told, StartsWith(R"([{"id":"s","channel":"/meta/subscribe","subscription":"/foo/a","successful":true,)"
                               R"("ext":{"replay":{"/foo/a":{"recovered":true,"positions":{"/foo/a":")"));
  publish_elsewhere("foo:a", "3");
  const std::string heard = told + body(connect(client));
  EXPECT_THAT(heard, Not(HasSubstr("first")));
  std::size_t at = 0;
  for (const char* const data : {R"("successful":true)", R"("data":1)", R"("data":2)", R"("data":3)"}) {
    const std::size_t found = heard.find(data);
    EXPECT_NE(found, std::string::npos) << data << " in " << heard;
    EXPECT_GE(found, at) << data;
    at = found;
  }
}

TEST_F(BayeuxReplayTest, WhatIsGoneIsSaid) {
  publish_elsewhere("foo:a", "1");
  const std::string client = ready();
  const std::string told = recover(client, R"(["/foo/a","/foo/b"])", R"({"/foo/a":"1:1"})");
  EXPECT_THAT(told, HasSubstr(R"("/foo/a":{"recovered":false,"positions":{"/foo/a":")"));
  EXPECT_THAT(told, HasSubstr(R"("/foo/b":{"recovered":false,"positions":)"));
  EXPECT_THAT(told + body(connect(client, R"(,"advice":{"timeout":0})")), HasSubstr(R"("data":1)")) << "what is kept follows";
}

TEST_F(BayeuxReplayTest, AWildcardRecoversItsChannelsAlsoThoseThatAreNew) {
  const std::string known = beginning("/foo/**");
  publish_elsewhere("foo:a", "1");
  publish_elsewhere("foo:new", "2");
  publish_elsewhere("elsewhere", "3");
  const std::string client = ready();
  const std::string told = recover(client, R"("/foo/**")", R"({"/foo/**":{"/foo/a":)" + known + "}}");
  EXPECT_THAT(told, HasSubstr(R"("/foo/**":{"recovered":true,"positions":{"/foo/)"));
  const std::string heard = told + body(connect(client, R"(,"advice":{"timeout":0})"));
  EXPECT_THAT(
      heard, AllOf(HasSubstr(R"("data":1)"), HasSubstr(R"("data":2)"), Not(HasSubstr(R"("data":3)")), Not(HasSubstr("first"))));
}

TEST_F(BayeuxReplayTest, WhatCannotBeMeantRefusesTheMessage) {
  const std::string client = ready();
  EXPECT_THAT(recover(client, R"("/foo/a")", R"({"/foo/a":"7"})"), HasSubstr(R"("error":"400::replay_invalid")"));
  EXPECT_EQ(world.hub->stats().subscriptions, 0u);
  const std::string plain = ready({});
  EXPECT_THAT(recover(plain, R"("/foo/a")", R"({"/foo/a":"7"})"), HasSubstr(R"("successful":true)")) << "it did not ask for it";
}

TEST_F(BayeuxReplayTest, ALongRecoveryComesWholeByPollsThatComeAndGo) {
  const std::string known = beginning();
  publish_many();
  const std::string client = ready();
  std::vector<int> heard;
  add(heard, recover(client, R"("/foo/a")", R"({"/foo/a":)" + known + "}", 1));
  for (unsigned polls = 0; heard.size() < kMany; ++polls) {
    ASSERT_LT(polls, 100u) << heard.size();
    const Answer poll = connect(client, R"(,"advice":{"timeout":100})", polls % 2);
    if (poll->parked()) {
      pass(Millis{200});
      world.settle();
    }
    add(heard, body(poll));
    EXPECT_LE(body(poll).size(), (1u << 20) + (64u << 10)) << "no more than may wait";
    // What could not leave goes first into the next one, and is heard there.
    has_left(poll, polls % 3 != 0);
    if (polls % 3 == 0) heard.resize(heard.size() - numbers_in(body(poll)).size());
    if (polls == 2) publish_elsewhere("foo:a", R"({"n":5000})");
  }
  const Answer last = connect(client, R"(,"advice":{"timeout":0})");
  add(heard, body(last));
  ASSERT_EQ(heard.size(), kMany + 1u);
  heard.pop_back();
  EXPECT_EQ(heard, all());
}

TEST_F(BayeuxReplayTest, ALongRecoveryComesWholeWithAcknowledgements) {
  const std::string known = beginning();
  publish_many();
  const std::string client = ready(R"(,"ext":{"replay":true,"ack":true})");
  std::vector<int> heard;
  add(heard, recover(client, R"("/foo/a")", R"({"/foo/a":)" + known + "}"));
  EXPECT_TRUE(heard.empty()) << "it comes by connects";
  for (std::uint64_t batch = 1; heard.size() < kMany; ++batch) {
    ASSERT_LT(batch, 100u) << heard.size();
    add(heard, body(connect(client, R"(,"ext":{"ack":)" + std::to_string(batch) + R"(},"advice":{"timeout":0})", batch % 2)));
  }
  EXPECT_EQ(heard, all());
}

TEST_F(BayeuxReplayTest, ALongRecoveryComesWholeOverAWebSocketAlsoOfAnotherLoop) {
  const std::string known = beginning();
  publish_many();
  for (const unsigned loop : {0u, 1u}) {
    const std::string client = ready();
    Socket& socket = open_socket(loop);
    say(socket, connect_text(client));
    socket.link->blocked = true;
    say(socket, subscribe_text(client, R"("/foo/a")", R"({"/foo/a":)" + known + "}"));
    std::vector<std::string> received;
    std::size_t rounds = 0;
    std::vector<int> heard;
    while (heard.size() < kMany) {
      ASSERT_LT(++rounds, 1000u) << heard.size();
      EXPECT_LT(socket.dialog->outbox().bytes(), 1'500'000u);
      world.in(loop, [&] { socket.link->unblock(); });
      world.settle();
      for (std::string& message : socket.link->received()) {
        add(heard, message);
        received.push_back(std::move(message));
      }
      socket.link->blocked = rounds % 2 == 0;
    }
    EXPECT_EQ(heard, all()) << "loop " << loop;
    EXPECT_THAT(received.at(0), HasSubstr(R"("recovered":true)")) << "the reply comes first";
  }
}

TEST_F(BayeuxReplayTest, SeveralSubscriptionsOfOneRequestAreAnsweredAheadOfWhatTheyRecover) {
  const std::string known = beginning();
  publish_elsewhere("foo:a", "1");
  publish_elsewhere("foo:b", "2");
  const std::string two = R"({"/foo/a":)" + known + R"(,"/foo/b":{}})";
  const std::string client = ready();
  const std::string text = subscribe_text(client, R"(["/foo/a","/foo/b"])", two);
  EXPECT_THAT(said(text), AllOf(StartsWith(R"([{"id":"s")"), HasSubstr(R"("data":1)"), HasSubstr(R"("data":2)")));

  const std::string other = ready();
  Socket& socket = open_socket();
  say(socket, connect_text(other));
  const std::vector<std::string> received = say(socket, subscribe_text(other, R"(["/foo/a","/foo/b"])", two));
  ASSERT_EQ(received.size(), 3u);
  EXPECT_THAT(received[0], StartsWith(R"([{"id":"s")"));
  EXPECT_THAT(received[1] + received[2], AllOf(HasSubstr(R"("data":1)"), HasSubstr(R"("data":2)")));
}

class BayeuxReplayLateTest : public BayeuxReplayTest {
 protected:
  BayeuxReplayLateTest() : BayeuxReplayTest({.loops = 2, .history = 10'000, .late = true, .seed = 7}) {}
};

TEST_F(BayeuxReplayLateTest, NothingIsMissedOrRepeatedWhileOthersPublish) {
  const std::string known = beginning();
  publish_many(300);
  for (unsigned round = 0; round < 5; ++round) {
    const std::string client = ready();
    const Answer asked = post(subscribe_text(client, R"("/foo/a")", R"({"/foo/a":)" + known + "}"), round % 2);
    std::vector<int> heard;
    add(heard, body(asked));
    has_left(asked);
    const int total = 300 + 10 * (static_cast<int>(round) + 1);
    for (int i = total - 10; i < total; ++i) publish_elsewhere("foo:a", R"({"n":)" + std::to_string(i) + "}");
    while (heard.size() < static_cast<std::size_t>(total)) {
      const Answer poll = connect(client, R"(,"advice":{"timeout":0})");
      ASSERT_NE(numbers_in(body(poll)).size(), 0u) << heard.size();
      add(heard, body(poll));
      has_left(poll);
    }
    std::vector<int> expected = all();
    expected.resize(static_cast<std::size_t>(total));
    EXPECT_EQ(heard, expected);
  }
}

class BayeuxReplaySmallTest : public BayeuxReplayTest {
 protected:
  BayeuxReplaySmallTest() : BayeuxReplayTest({.loops = 2, .hub = {.outbox_bytes_max = 1000}, .history = 10'000}) {}
};

TEST_F(BayeuxReplaySmallTest, AGapNamesItsChannel) {
  const std::string client = member("/foo/a", kReplays);
  for (int i = 0; i < 20; ++i) publish_elsewhere("foo:a", '"' + std::string(200, 'x') + '"');
  EXPECT_THAT(body(connect(client)), ContainsRegex(R"re("ext":\{"lost":([0-9]+),"replay":\{"lost":\{"/foo/a":[0-9]+\}\}\})re"));
}

TEST_F(BayeuxReplayTest, AGapIsToldAtOnceOverAWebSocket) {
  const std::string client = member("/foo/a", kReplays);
  Socket& socket = open_socket();
  say(socket, connect_text(client));
  socket.link->blocked = true;
  const std::string big = '"' + std::string(5'000, 'x') + '"';
  for (int i = 0; i < 300; ++i) publish_elsewhere("foo:a", big);
  world.in(0, [&] { socket.link->unblock(); });
  pass(Millis{200});
  std::string heard;
  for (const std::string& message : socket.link->received()) heard += message;
  EXPECT_THAT(heard, HasSubstr(R"("replay":{"lost":{"/foo/a":)"));
}

TEST_F(BayeuxReplaySmallTest, AWildcardsGapIsToldToOneWhoAcknowledgesTooSoThatItGoesOn) {
  for (int i = 0; i < 20; ++i) publish_elsewhere("foo:a" + std::to_string(i), '"' + std::string(200, 'x') + '"');
  const std::string client = ready(R"(,"ext":{"replay":true,"ack":true})");
  EXPECT_THAT(recover(client, R"("/foo/**")", R"({"/foo/**":{}})"), HasSubstr(R"("successful":true)"));
  std::string heard;
  for (int batch = 1; batch < 4; ++batch) {
    heard += body(connect(client, R"(,"ext":{"ack":)" + std::to_string(batch) + R"(},"advice":{"timeout":0})"));
  }
  EXPECT_THAT(heard, AllOf(HasSubstr("xxx"), HasSubstr(R"("replay":{"lost":{"/foo/a0":1,)")));
  EXPECT_EQ(common.session_count(), 1u);
}

TEST_F(BayeuxReplayTest, WhoLosesASubscriptionByACrashIsMadeToComeAgainIfItCanRecover) {
  const auto close = [this](bool crash) {
    world.in(0, [&] {
      world.hub->close_channel(*world.loops[0], {.channel = "foo:a", .reason = "why", .crash = crash}, [](std::size_t) {});
    });
    world.settle();
  };
  const std::string client = member("/foo/a", kReplays), plain = member();
  close(false);
  EXPECT_EQ(common.session_count(), 2u) << "that was meant: nobody comes back for it";
  EXPECT_THAT(subscribe(client, R"("/foo/a")"), HasSubstr(R"("replay")"));
  EXPECT_EQ(world.hub->stats().subscriptions, 1u) << "it is subscribed anew";
  const Answer held = connect(client);
  close(true);
  EXPECT_THAT(body(held), HasSubstr(R"("error":"402::session_unknown","advice":{"reconnect":"handshake")"));
  EXPECT_EQ(common.session_count(), 1u);
}

// --- What the options change

// --- Several nodes

TEST_F(BayeuxSessionsTest, ASessionOfAnotherNodeIsAskedThere) {
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

TEST_F(BayeuxSessionsTest, WhatOtherNodesForwardIsAnsweredOrSentBack) {
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

TEST_F(BayeuxSessionsTest, ASessionWhoseRequestsAreForwardedHearsByConnectsOnly) {
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

TEST_F(BayeuxSessionsTest, ASessionIsFoundUnderANumberThatIsNoMoreItsNodes) {
  nodes.own_number = 2;
  const std::string client = handshake({}, 1);
  nodes.own_number = 3;
  const Answer connected = connect(client);
  nodes.forwarded.at(0).give_back(NodeForward::Unanswered::kNotThere);
  world.settle();
  EXPECT_THAT(body(connected), HasSubstr(R"("successful":true)"));
}

TEST_F(BayeuxSessionsTest, AServerThatStopsSendsPollsElsewhereBack) {
  nodes.own_number = 7;
  const std::string away = handshake();
  nodes.own_number = 2;
  const Answer connected = connect(away);
  nodes.forwarded.at(0).give_back(NodeForward::Unanswered::kDraining);
  EXPECT_EQ(connected->response->status, 503);
}

TEST_F(BayeuxSessionsTest, AWebSocketOfASessionOfAnotherNodeIsToldToShakeHands) {
  nodes.own_number = 2;
  Socket& socket = open_socket();
  const std::string away =
      "00060a24e0"
      "0007"
      "01" +
      std::string(24, 'a');
  const std::vector<std::string> told = say(socket, connect_text(away));
  ASSERT_EQ(told.size(), 1u);
  EXPECT_THAT(told[0], AllOf(HasSubstr("402::session_unknown"), HasSubstr(R"("reconnect":"handshake")")));
}

class BayeuxLazyTest : public BayeuxSessionsTest {
 protected:
  BayeuxLazyTest() : BayeuxSessionsTest({.options = {.lazy_channels = {"/lazy/**"}}}) {}
};

TEST_F(BayeuxLazyTest, LazyMessagesWaitForOthersOrTheirTime) {
  const std::string client = member("/lazy/a");
  subscribe(client, R"("/eager")");
  const Answer held = connect(client);
  publish_elsewhere("lazy:a", "1");
  EXPECT_TRUE(held->parked());
  publish_elsewhere("eager", "2");
  EXPECT_LT(body(held).find(R"("data":1)"), body(held).find(R"("data":2)"));
  left(held, true);
  const Answer next = connect(client);
  publish_elsewhere("lazy:a", "3");
  pass(Millis{4'900});
  EXPECT_TRUE(next->parked());
  pass(Millis{200});
  EXPECT_THAT(body(next), HasSubstr(R"("data":3)"));
}

TEST_F(BayeuxLazyTest, OfTheProgramToo) {
  const std::string client = member();
  const Answer held = connect(client);
  const unsigned loop = static_cast<unsigned>(*bayeux_place(client));
  world.in(loop, [&] { EXPECT_TRUE(rooms[loop]->sessions().send_to(client, "/for/you", "1", true)); });
  world.settle();
  EXPECT_TRUE(held->parked());
  pass(Millis{5'100});
  EXPECT_THAT(body(held), HasSubstr(R"({"channel":"/for/you","data":1})"));
}

class BayeuxByConnectTest : public BayeuxSessionsTest {
 protected:
  BayeuxByConnectTest() : BayeuxSessionsTest({.options = {.deliver_by_connect = true, .own_messages = true}}) {}
};

TEST_F(BayeuxByConnectTest, OwnMessagesComeByConnectToo) {
  const std::string client = member();
  const Answer held = connect(client);
  EXPECT_EQ(publish(client, "/foo/a"), R"([{"id":"p","channel":"/foo/a","successful":true}])");
  EXPECT_EQ(body(held), R"([{"channel":"/foo/a","data":1},)" + std::string(kTold) + "]");
}

class BayeuxFewTest : public BayeuxSessionsTest {
 protected:
  BayeuxFewTest() : BayeuxSessionsTest({.options = {.sessions_max = 6}}) {}
};

TEST_F(BayeuxFewTest, WhoNeverConnectsMakesRoomWhoDidStays) {
  std::vector<std::string> connected;
  for (int i = 0; i < 2; ++i) connected.push_back(member());
  std::string last;
  for (int i = 0; i < 50; ++i) last = handshake();
  EXPECT_EQ(common.session_count(), 3u);
  for (const std::string& client : connected) EXPECT_TRUE(connect(client)->parked());
  EXPECT_THAT(body(connect(last)), HasSubstr(R"("successful":true)"));
  EXPECT_THAT(said(R"([{"channel":"/meta/handshake","version":"1.0","supportedConnectionTypes":["websocket"]}])"),
              AllOf(HasSubstr("503::too_many_sessions"), HasSubstr(R"("reconnect":"retry")")));
}

class BayeuxServiceTest : public BayeuxSessionsTest {
 protected:
  static BayeuxHooks hooks() {
    BayeuxHooks with;
    with.services.push_back({"/service/echo/{name}", [](const BayeuxCall& call) {
                               call.reply(R"({"you":")" + std::string(call.parameter("name")) + R"(","said":)" + call.data() +
                                          "}");
                             }});
    with.may_handshake = [](const BayeuxHandshake& handshake) {
      BayeuxVerdict verdict{.allowed = handshake.ext.find("guest") == std::string_view::npos};
      verdict.ext = R"({"server":"s"})";
      if (!verdict.allowed) verdict.advice = R"({"reconnect":"handshake"})";
      return verdict;
    };
    return with;
  }
  BayeuxServiceTest() : BayeuxSessionsTest({.hooks = hooks()}) {}
};

TEST_F(BayeuxServiceTest, AServiceAnswersItsCallerAlone) {
  const std::string client = member("/service/echo/bob"), other = member("/service/echo/bob");
  const Answer held = connect(client), others = connect(other);
  EXPECT_THAT(publish(client, "/service/echo/bob"), HasSubstr(R"({"id":"p","channel":"/service/echo/bob","successful":true})"));
  EXPECT_THAT(body(held),
              HasSubstr(R"({"id":"p","channel":"/service/echo/bob","data":{"you":"bob","said":1},"successful":true})"));
  EXPECT_TRUE(others->parked());
}

TEST_F(BayeuxServiceTest, ThePolicysAdviceAndExtAreInTheReply) {
  EXPECT_THAT(
      said(R"([{"channel":"/meta/handshake","version":"1.0","supportedConnectionTypes":["websocket"],"ext":{"guest":1}}])"),
      AllOf(HasSubstr("403::handshake_denied"), HasSubstr(R"("reconnect":"handshake")"), HasSubstr(R"("ext":{"server":"s"})")));
  EXPECT_THAT(said(R"([{"channel":"/meta/handshake","version":"1.0","supportedConnectionTypes":["websocket"]}])"),
              HasSubstr(R"("ext":{"server":"s"})"));
}

class BayeuxGreetingTest : public BayeuxSessionsTest {
 protected:
  static BayeuxHooks hooks() {
    BayeuxHooks with;
    with.may_handshake = [](const BayeuxHandshake&) {
      BayeuxVerdict verdict;
      verdict.messages = {{"/news", "1"}, {"/news", "2"}};
      return verdict;
    };
    return with;
  }
  BayeuxGreetingTest()
      : BayeuxSessionsTest({.options = {.handshake_reconnect = true, .deliver_in_handshake = true}, .hooks = hooks()}) {}
};

TEST_F(BayeuxGreetingTest, WhatWaitsFromTheBeginningComesWithTheHandshake) {
  const std::string asked = R"([{"channel":"/meta/handshake","version":"1.0","supportedConnectionTypes":["websocket"])";
  EXPECT_THAT(said(asked + "}]"), AllOf(HasSubstr(R"("maxInterval":30000)"), HasSubstr(R"("x-messages":2)"),
                                        EndsWith(R"(,{"channel":"/news","data":1},{"channel":"/news","data":2}])")));
  EXPECT_THAT(said(asked + R"(,"ext":{"ack":true}}])"), HasSubstr(R"("ext":{"ack":{"enabled":true,"batch":1}})"));
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
