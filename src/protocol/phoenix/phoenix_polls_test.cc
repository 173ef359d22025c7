#include "protocol/phoenix/phoenix_polls.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "engine/memory/hub_double.h"
#include "protocol/exchange_double.h"
#include "protocol/node_forward_double.h"
#include "protocol/phoenix/phoenix.h"
#include "protocol/phoenix/phoenix_poll_token.h"

namespace carillon {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;

using Answer = std::shared_ptr<AnswerDouble>;

constexpr const char* kLines = "application/x-ndjson";

// A server of two loops, each with its room and its routes.
class PhoenixPollsTest : public ::testing::Test {
 protected:
  explicit PhoenixPollsTest(PhoenixOptions options = {}, World::Options in = {.loops = 2}) : world(in), room_options(options) {
    for (unsigned loop = 0; loop < 2; ++loop) {
      rooms.push_back(std::make_unique<PhoenixRoom>(
          PhoenixParts{
              .shard = *world.shards[loop],
              .random = world.random,
              .identify =
                  [this](const Exchange& exchange, std::string_view token) {
                    asked_query = exchange.request().query;
                    asked_token = token;
                    return IdentityPtr();
                  },
              .rule_for = [](std::string_view) { return PhoenixTopicRule(); },
              .may_use_origin = [](const HttpRequest& request) { return request.headers.get("Origin") != "https://evil"; },
              .text_options = {},
              .message_bytes_max = 1000,
              .siblings = siblings,
              .nodes = &nodes},
          room_options));
      rooms.back()->add_routes(routes[loop]);
    }
  }

  // What is asked, and all that comes of it without time passing.
  Answer ask(std::string_view method, const std::string& query, std::string body = {},
             std::vector<HttpHeaders::Field> headers = {}, unsigned loop = 0) {
    Answer answer;
    world.in(loop,
             [&] { answer = routes[loop].ask(method, "/socket/longpoll?" + query, std::move(body), std::move(headers)); });
    world.settle();
    return answer;
  }
  static std::string token_in(const Answer& answer) {
    const std::string& body = answer->response->body;
    const std::size_t from = body.find(R"("token":")") + 9;
    return body.substr(from, body.find('"', from) - from);
  }
  std::string open(unsigned loop = 0) {
    const Answer answer = ask("GET", "vsn=2.0.0", {}, {}, loop);
    EXPECT_THAT(answer->response->body, StartsWith(R"({"status":410,"token":")"));
    return token_in(answer);
  }
  Answer poll(const std::string& token, unsigned loop = 0) { return ask("GET", "vsn=2.0.0&token=" + token, {}, {}, loop); }
  std::string send(const std::string& token, const std::string& body, unsigned loop = 0) {
    return ask("POST", "vsn=2.0.0&token=" + token, body, {{"Content-Type", kLines}}, loop)->response->body;
  }
  std::string join(const std::string& topic = "room:1") { return R"(["1","1",")" + topic + R"(","phx_join",{}])"; }
  // A session that has joined room:1 and heard so.
  std::string member(unsigned loop = 0) {
    const std::string token = open(loop);
    send(token, join());
    const Answer answer = poll(token);
    EXPECT_EQ(body(answer), messages(token, kJoined));
    left(answer, true);
    return token;
  }
  static std::string body(const Answer& answer) { return answer->response ? answer->response->body : "parked"; }
  void left(const Answer& answer, bool sent) {
    world.in(0, [&] { answer->sent(sent); });
    world.settle();
  }
  void pass(Millis time) {
    for (auto& loop : world.loops) loop->advance(time);
    world.settle();
  }
  std::string messages(const std::string& token, const std::string& list) {
    return R"({"status":200,"token":")" + token + R"(","messages":[)" + list + "]}";
  }
  std::string nothing(const std::string& token) { return R"({"status":204,"token":")" + token + R"(","messages":[]})"; }

  const std::string kJoined = R"("[\"1\",\"1\",\"room:1\",\"phx_reply\",{\"status\":\"ok\",\"response\":{}}]")";
  const std::string kEvent = R"("[null,null,\"room:1\",\"e\",{}]")";

  World world;
  const PhoenixOptions room_options;
  std::string asked_query, asked_token;
  PhoenixSiblings siblings;
  NodeForwardDouble nodes;
  RoutesDouble routes[2];
  std::vector<std::unique_ptr<PhoenixRoom>> rooms;
};

TEST_F(PhoenixPollsTest, APollIsHeldUntilSomethingWaits) {
  const std::string token = open();
  const Answer held = poll(token);
  EXPECT_TRUE(held->parked());
  EXPECT_EQ(send(token, join()), R"({"status":200})");
  EXPECT_EQ(body(held), messages(token, kJoined));
  EXPECT_EQ(held->response->status, 200);
  EXPECT_EQ(held->response->headers.get("Content-Type"), "application/json; charset=utf-8");
  EXPECT_EQ(held->response->headers.get("Cache-Control"), "no-store");
  EXPECT_EQ(held->response->headers.get("Access-Control-Allow-Origin"), "*");
}

TEST_F(PhoenixPollsTest, WhatCameBetweenPollsComesAtOnceAndInOrder) {
  const std::string token = open();
  send(token, join());
  world.publish("room:1", "{}");
  world.settle();
  const Answer answer = poll(token);
  EXPECT_EQ(body(answer), messages(token, kJoined + "," + kEvent));
  left(answer, true);
  EXPECT_TRUE(poll(token)->parked());
}

TEST_F(PhoenixPollsTest, AWindowWithoutMessagesIsAnsweredAndTheSessionGoesOn) {
  const std::string token = open();
  for (int i = 0; i < 3; ++i) {
    const Answer held = poll(token);
    pass(Millis{9'900});
    EXPECT_TRUE(held->parked());
    pass(Millis{200});
    EXPECT_EQ(body(held), nothing(token));
  }
}

TEST_F(PhoenixPollsTest, WithoutPollsItEnds) {
  const std::string token = member();
  pass(Millis{14'900});
  EXPECT_EQ(world.hub->stats().sessions, 1u);
  pass(Millis{200});
  EXPECT_EQ(world.hub->stats().sessions, 0u);
  EXPECT_EQ(send(token, join()), R"({"status":410})");
  const Answer anew = poll(token);
  EXPECT_THAT(body(anew), StartsWith(R"({"status":410,"token":")"));
  EXPECT_NE(token_in(anew), token);
}

TEST_F(PhoenixPollsTest, ANewerPollTakesThePlaceOfAnOlder) {
  const std::string token = open();
  const Answer older = poll(token), newer = poll(token);
  EXPECT_EQ(body(older), nothing(token));
  send(token, join());
  EXPECT_EQ(body(newer), messages(token, kJoined));
}

TEST_F(PhoenixPollsTest, NothingIsLostWhenTheClientLeavesItsPoll) {
  const std::string token = member();
  const Answer held = poll(token);
  world.in(0, [&] { held->leave(); });
  EXPECT_TRUE(held->dropped);
  world.publish("room:1", "{}");
  EXPECT_EQ(body(poll(token)), messages(token, kEvent));
}

TEST_F(PhoenixPollsTest, WhatCouldNotLeaveGoesFirst) {
  const std::string token = open();
  send(token, join());
  const Answer lost = poll(token);
  world.publish("room:1", "{}");
  const Answer next = poll(token);
  EXPECT_TRUE(next->parked()) << "nothing overtakes";
  left(lost, false);
  EXPECT_EQ(body(next), messages(token, kJoined + "," + kEvent));
}

TEST_F(PhoenixPollsTest, WhatHasLeftIsNotRepeated) {
  const std::string token = open();
  send(token, join());
  const Answer first = poll(token);
  world.publish("room:1", "{}");
  const Answer next = poll(token);
  left(first, true);
  EXPECT_EQ(body(next), messages(token, kEvent));
}

TEST_F(PhoenixPollsTest, AnyLoopServesAnySession) {
  const std::string token = open(1);
  EXPECT_EQ(phoenix_poll_home(token), (PhoenixPollHome{0, 1}));
  const Answer held = poll(token, 0);
  EXPECT_TRUE(held->parked());
  EXPECT_EQ(send(token, join(), 0), R"({"status":200})");
  EXPECT_EQ(body(held), messages(token, kJoined));
  left(held, true);
  const Answer here = poll(token, 1);
  world.publish("room:1", "{}");
  world.settle();
  EXPECT_EQ(body(here), messages(token, kEvent));
  const Answer leaving = poll(token, 0);
  EXPECT_EQ(siblings.waiting(0), 1u);
  world.in(0, [&] { leaving->leave(); });
  world.settle();
  EXPECT_EQ(siblings.waiting(0), 0u) << "the loop of the session has let go of it";
}

// --- Several nodes

TEST_F(PhoenixPollsTest, ASessionOfAnotherNodeIsAskedThere) {
  nodes.own_number = 2;
  const std::string away = "7.0." + std::string(32, 'a');
  const Answer polled = poll(away), sent = ask("POST", "token=" + away, join());
  ASSERT_EQ(nodes.forwarded.size(), 2u);
  EXPECT_EQ(nodes.forwarded[0].node, 7);
  EXPECT_EQ(nodes.forwarded[1].exchange->request().body, join());
  EXPECT_TRUE(polled->parked() && sent->parked());
  for (auto& one : nodes.forwarded) one.give_back(NodeForward::Unanswered::kNotThere);
  EXPECT_EQ(body(sent), R"({"status":410})");
  EXPECT_THAT(body(polled), StartsWith(R"({"status":410,"token":"2.0.)")) << "a new session, here";
}

TEST_F(PhoenixPollsTest, WhatOtherNodesForwardIsAnsweredOrSentBack) {
  nodes.own_number = 2;
  const std::string token = open(1);
  const HttpHeaders::Field mark{std::string(kForwardedMark), "192.0.2.1:5"};
  const Answer held = ask("GET", "token=" + token, {}, {mark});
  EXPECT_TRUE(held->parked());
  EXPECT_EQ(ask("POST", "token=" + token, join(), {mark})->response->body, R"({"status":200})");
  EXPECT_THAT(body(held), StartsWith(R"({"status":200,)"));
  for (const std::string& unknown : {"2.0." + std::string(32, 'a'), "7.0." + std::string(32, 'a'), std::string("none")}) {
    EXPECT_EQ(ask("GET", "token=" + unknown, {}, {mark})->response->status, kNotHereStatus);
    EXPECT_EQ(ask("POST", "token=" + unknown, join(), {mark})->response->status, kNotHereStatus);
  }
  EXPECT_TRUE(nodes.forwarded.empty());
  EXPECT_EQ(world.hub->stats().sessions, 1u) << "nobody is let in who was forwarded";
}

TEST_F(PhoenixPollsTest, ASessionIsFoundUnderANumberThatIsNoMoreItsNodes) {
  nodes.own_number = 2;
  const std::string token = open(1);
  nodes.own_number = 3;
  const Answer held = poll(token);
  ASSERT_EQ(nodes.forwarded.size(), 1u);
  nodes.forwarded[0].give_back(NodeForward::Unanswered::kNotThere);
  world.settle();
  EXPECT_TRUE(held->parked());
  const Answer sent = ask("POST", "token=" + token, join());
  nodes.forwarded[1].give_back(NodeForward::Unanswered::kNotThere);
  world.settle();
  EXPECT_EQ(body(sent), R"({"status":200})");
  EXPECT_EQ(body(held), messages(token, kJoined));
}

TEST_F(PhoenixPollsTest, AServerThatStopsAnswersWhatIsHeldElsewhere) {
  nodes.own_number = 2;
  const std::string away = "7.0." + std::string(32, 'a');
  const Answer polled = poll(away), sent = ask("POST", "token=" + away, join());
  for (auto& one : nodes.forwarded) one.give_back(NodeForward::Unanswered::kDraining);
  EXPECT_EQ(body(polled), nothing(away)) << "it polls again, elsewhere";
  EXPECT_EQ(sent->response->status, 503);
}

TEST_F(PhoenixPollsTest, TheTokenComesAsHeaderOrLastInTheQuery) {
  const std::string token = open();
  EXPECT_TRUE(ask("GET", "vsn=2.0.0", {}, {{"X-Phoenix-Longpoll-Token", token}})->parked());
  EXPECT_TRUE(ask("GET", "token=the.users.own&vsn=2.0.0&token=" + token)->parked());
  EXPECT_EQ(ask("POST", "vsn=2.0.0", join(), {{"X-Phoenix-Longpoll-Token", token}})->response->body, R"({"status":200})");
}

TEST_F(PhoenixPollsTest, WhoOpensIsIdentifiedByWhatIsNotTheTransports) {
  const std::string gone = "0.0." + std::string(32, 'a');
  EXPECT_THAT(body(ask("GET", "token=the.users.own&vsn=2.0.0&token=" + gone)), HasSubstr(R"("status":410)"));
  EXPECT_EQ(asked_query, "token=the.users.own&vsn=2.0.0");
  ask("GET", "vsn=2.0.0", {}, {{"X-Phoenix-AuthToken", "raw"}});
  EXPECT_EQ(asked_token, "raw");
  EXPECT_THAT(body(ask("GET", "vsn=2.0.0&token=0.77." + std::string(32, 'a'))), HasSubstr(R"("status":410)")) << "no such loop";
}

TEST_F(PhoenixPollsTest, WhoIsRefusedIsToldInTheBody) {
  const Answer version = ask("GET", "vsn=3.0.0");
  EXPECT_EQ(version->response->status, 200);
  EXPECT_EQ(version->response->body, R"({"status":403})");
  EXPECT_EQ(version->response->headers.get("Access-Control-Allow-Origin"), "*");
  EXPECT_EQ(ask("PUT", "")->response->status, 400);
  EXPECT_EQ(ask("POST", "vsn=2.0.0", join())->response->body, R"({"status":410})");
}

TEST_F(PhoenixPollsTest, APageOfAnotherOriginIsRefusedAndMayNotReadIt) {
  const std::string token = open();
  const HttpHeaders::Field evil{"Origin", "https://evil"};
  for (const Answer& answer :
       {ask("GET", "", {}, {evil}), ask("POST", "token=" + token, join(), {evil}), ask("GET", "token=" + token, {}, {evil}),
        ask("OPTIONS", "", {}, {evil, {"Access-Control-Request-Headers", "content-type"}})}) {
    EXPECT_EQ(answer->response->status, 200);
    EXPECT_EQ(answer->response->body, R"({"status":403})");
    for (const auto& [name, value] : answer->response->headers.fields()) EXPECT_THAT(name, Not(StartsWith("Access-Control")));
  }
  EXPECT_EQ(world.hub->stats().subscriptions, 0u);
}

TEST_F(PhoenixPollsTest, APageMayAskBefore) {
  const Answer answer = ask("OPTIONS", "", {},
                            {{"Origin", "https://app"},
                             {"Access-Control-Request-Headers", "x-phoenix-longpoll-token"},
                             {"Access-Control-Request-Headers", "content-type"}});
  EXPECT_EQ(answer->response->status, 200);
  EXPECT_EQ(answer->response->body, R"({"status":200})");
  const HttpHeaders& headers = answer->response->headers;
  EXPECT_EQ(headers.get("Content-Type"), "application/json; charset=utf-8");
  EXPECT_EQ(headers.get("Cache-Control"), "no-store");
  EXPECT_EQ(headers.get("Access-Control-Allow-Origin"), "*");
  EXPECT_EQ(headers.get("Access-Control-Allow-Headers"), "x-phoenix-longpoll-token, content-type");
  EXPECT_EQ(headers.get("Access-Control-Allow-Methods"), "get, post, options");
  EXPECT_EQ(headers.get("Access-Control-Max-Age"), "3600");
}

// --- Bodies

TEST_F(PhoenixPollsTest, ABodyIsManyFramesOrOne) {
  const std::string token = open();
  // A push of the byte FF to room:1 as event `b`.
  const std::string binary = "AAEBBgExMnJvb206MWL/";
  EXPECT_EQ(send(token, join() + "\n" + binary + "\n"), R"({"status":200})");
  EXPECT_THAT(body(poll(token)), HasSubstr(R"({\"data\":\"/w==\",\"encoding\":\"base64\"})"));
  const std::string old = token_in(ask("GET", ""));
  EXPECT_EQ(ask("POST", "token=" + old, R"({"topic":"room:2","event":"phx_join","payload":{},"ref":"1"})")->response->body,
            R"({"status":200})");
  EXPECT_THAT(body(poll(old)), HasSubstr(R"({\"topic\":\"room:2\",\"event\":\"phx_reply\")"));
}

TEST_F(PhoenixPollsTest, WrongBodiesAreRefusedWhole) {
  const std::string token = open();
  for (const std::string& wrong : {join() + "\n!no base64!", join() + "\n\"text\"", join() + "\n[\"\xFF\"]"}) {
    const Answer answer = ask("POST", "token=" + token, wrong, {{"Content-Type", kLines}});
    EXPECT_EQ(answer->response->status, 200) << wrong;
    EXPECT_EQ(answer->response->body, R"({"status":400})") << wrong;
  }
  std::string many;
  for (int i = 0; i < 101; ++i) many += join() + "\n";
  for (const std::string& large : {many, join(std::string(1000, 'x'))}) {
    const Answer answer = ask("POST", "token=" + token, large, {{"Content-Type", kLines}});
    EXPECT_EQ(answer->response->status, 200);
    EXPECT_EQ(answer->response->body, R"({"status":413})");
  }
  EXPECT_EQ(world.hub->stats().subscriptions, 0u);
  EXPECT_TRUE(poll(token)->parked()) << "the session goes on";
}

TEST_F(PhoenixPollsTest, AFrameThatIsNoneEndsTheSessionLater) {
  const std::string token = member();
  EXPECT_EQ(send(token, "[]\n" + join("room:2")), R"({"status":200})");
  EXPECT_EQ(world.hub->stats().subscriptions, 0u) << "it is deaf";
  pass(Millis{5'100});
  EXPECT_EQ(send(token, join()), R"({"status":410})");
  const std::string old = member();
  pass(Millis{6'000});
  EXPECT_EQ(send(old, "[]\n" + join("room:2")), R"({"status":410})");
}

// --- Limits and ends

class FewPollsTest : public PhoenixPollsTest {
 protected:
  FewPollsTest() : PhoenixPollsTest({.poll_sessions_max = 4}) {}
};

TEST_F(FewPollsTest, EachLoopTakesItsPart) {
  open(0);
  open(0);
  open(1);
  EXPECT_EQ(body(ask("GET", "vsn=2.0.0")), R"({"status":403})");
  open(1);
  pass(Millis{15'100});
  open(0);
}

TEST_F(PhoenixPollsTest, AServerThatStopsAnswersWhatItHolds) {
  const std::string token = open();
  const Answer held = poll(token);
  world.in(0, [&] { held->drain(); });
  EXPECT_EQ(body(held), nothing(token));
}

TEST_F(PhoenixPollsTest, WhoIsSentAwayIsToldWhatWasSaidBefore) {
  const std::string token = member();
  SessionId id = 0;
  world.hub->list_sessions(*world.loops[0], 0, 10, [&](std::vector<SessionInfo> sessions) { id = sessions.at(0).id; });
  world.settle();
  const Answer held = poll(token);
  world.hub->disconnect(*world.loops[0], id, "enough", [](bool) {});
  world.settle();
  EXPECT_EQ(body(held), nothing(token));
  EXPECT_EQ(send(token, join()), R"({"status":410})");
}

TEST_F(PhoenixPollsTest, ThoseWhoPollShareTheirFrames) {
  std::vector<std::string> tokens;
  for (int i = 0; i < 20; ++i) {
    tokens.push_back(open());
    send(tokens.back(), join());
    left(poll(tokens.back()), true);
  }
  world.publish("room:1", R"({"text":")" + std::string(10'000, 'x') + R"("})");
  world.settle();
  EXPECT_LT(world.shards[0]->frame_memory().bytes, 15'000u);
  for (const std::string& token : tokens) EXPECT_GT(body(poll(token)).size(), 10'000u);
}

class SmallPollsTest : public PhoenixPollsTest {
 protected:
  SmallPollsTest() : PhoenixPollsTest({}, {.loops = 2, .hub = {.outbox_bytes_max = 1'000}}) {}
};

TEST_F(SmallPollsTest, WhatWaitsBetweenPollsIsBounded) {
  const std::string token = open();
  send(token, join());
  left(poll(token), true);
  for (int round = 0; round < 10; ++round) {
    for (int i = 0; i < 100; ++i) {
      world.publish("room:1", R"({"text":"0123456789"})");
      world.settle();
    }
    const Answer lost = poll(token);
    EXPECT_LT(body(lost).size(), 3'000u);
    left(lost, false);
  }
}

}  // namespace
}  // namespace carillon
