#include "transport/http_connection.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "transport/edge_double.h"

namespace carillon {
namespace {

using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;

std::string get(std::string_view target, std::string_view more_fields = {}) {
  return "GET " + std::string(target) + " HTTP/1.1\r\nHost: h\r\n" + std::string(more_fields) + "\r\n";
}

std::string post(std::string_view target, std::string_view body, std::string_view more_fields = {}) {
  return "POST " + std::string(target) + " HTTP/1.1\r\nHost: h\r\n" + std::string(more_fields) +
         "Content-Length: " + std::to_string(body.size()) + "\r\n\r\n" + std::string(body);
}

HttpResponse text_response(std::string body) {
  HttpResponse response;
  response.body = std::move(body);
  return response;
}

std::size_t count_of(std::string_view text, std::string_view part) {
  std::size_t count = 0;
  for (std::size_t at = 0; (at = text.find(part, at)) != std::string_view::npos; at += part.size()) ++count;
  return count;
}

// The answers' bodies, by their Content-Length.
std::vector<std::string> bodies_of(std::string_view bytes) {
  std::vector<std::string> bodies;
  while (!bytes.empty()) {
    const std::size_t head_end = bytes.find("\r\n\r\n");
    if (head_end == std::string_view::npos) return bodies.push_back("torn"), bodies;
    const std::string_view head = bytes.substr(0, head_end);
    const std::size_t field = head.find("Content-Length: ");
    const std::size_t length = field == std::string_view::npos ? 0 : std::stoul(std::string(head.substr(field + 16)));
    bodies.emplace_back(bytes.substr(head_end + 4, length));
    bytes.remove_prefix(std::min(head_end + 4 + length, bytes.size()));
  }
  return bodies;
}

TEST(HttpConnection, AnswersAndKeepsTheConnection) {
  EdgeWorld world;
  const auto peer = world.connect();
  peer->send(get("/now?1", "X-Request-Id: abc\r\n"));
  EXPECT_EQ(peer->received(),
            "HTTP/1.1 200 OK\r\nDate: Sun, 06 Nov 1994 08:49:37 GMT\r\nx-request-id: abc\r\nContent-Length: 5\r\n\r\nnow 1");
  peer->send(get("/now?2"));
  EXPECT_THAT(peer->received(), EndsWith("\r\n\r\nnow 2"));
  EXPECT_FALSE(peer->closed || peer->write_shut);
  EXPECT_EQ(world.edge->counters().requests_total[2].get(), 2u);
}

TEST(HttpConnection, ARequestMayComeByteByByte) {
  EdgeWorld world;
  const auto peer = world.connect();
  const std::string request = "\r\n" + post("/echo", "hello") + "\r\n" + get("/now?x");
  for (const char c : request) peer->send({&c, 1});
  EXPECT_EQ(bodies_of(peer->received()), (std::vector<std::string>{"hello", "now x"}));
}

TEST(HttpConnection, PipelinedRequestsAreAnsweredInTheirOrder) {
  EdgeWorld world;
  const auto peer = world.connect();
  peer->send(get("/now?1") + get("/later?2") + post("/echo", "3") + get("/later?4") + get("/now?5"));
  EXPECT_EQ(bodies_of(peer->received()), (std::vector<std::string>{"now 1"}));
  ASSERT_EQ(world.parked.size(), 1u);
  world.parked[0]->reply(text_response("second"));
  EXPECT_EQ(bodies_of(peer->received()), (std::vector<std::string>{"second", "3"}));
  ASSERT_EQ(world.parked.size(), 2u);
  peer->send(get("/now?6"));
  world.parked[1]->reply(text_response("fourth"));
  EXPECT_EQ(bodies_of(peer->received()), (std::vector<std::string>{"fourth", "now 5", "now 6"}));
}

TEST(HttpConnection, ManyPipelinedAnswersWaitForASlowReaderAndNoneIsLost) {
  EdgeWorld world;
  const std::string body(20'000, 'b');
  const auto peer = world.connect();
  peer->takes = 1000;
  std::string requests;
  for (int i = 0; i < 40; ++i) requests += post("/echo", body + std::to_string(i));
  peer->send(requests);
  world.loop.settle();
  EXPECT_TRUE(peer->paused);
  std::string all;
  for (int i = 0; i < 10'000 && count_of(all, "HTTP/1.1 200") < 40; ++i) {
    all += peer->received();
    peer->room(777);
  }
  peer->room(PeerDouble::kAll);
  all += peer->received();
  const std::vector<std::string> bodies = bodies_of(all);
  ASSERT_EQ(bodies.size(), 40u);
  for (int i = 0; i < 40; ++i) EXPECT_EQ(bodies[static_cast<std::size_t>(i)], body + std::to_string(i));
  EXPECT_FALSE(peer->paused);
}

// More answers than may wait, but the link takes them at once: nobody calls on_writable then.
TEST(HttpConnection, ManyPipelinedAnswersLeaveAtOnceWhereThereIsRoom) {
  EdgeWorld world;
  const std::string body(100'000, 'b');
  std::string requests;
  for (int i = 0; i < 10; ++i) requests += post("/echo", body);
  EXPECT_EQ(bodies_of(world.ask(requests + get("/now?last"))).size(), 11u);
}

// However the bytes are cut, and however slowly the answers are taken, the answers are the same.
TEST(HttpConnection, ALargeAnswerReachesASlowReaderWhole) {
  std::string body;
  for (int i = 0; body.size() < 30'000; ++i) body += std::to_string(i) + ' ';
  for (const std::size_t takes : {0u, 1u, 60u, 400u, 9000u}) {
    EdgeWorld world;
    const auto peer = world.connect();
    peer->takes = takes;
    peer->send(post("/echo", body));
    std::string received = peer->received();
    EXPECT_EQ(received.size(), takes);
    for (std::string more = "…"; !more.empty(); received += more) {
      peer->room(7000);
      more = peer->received();
    }
    EXPECT_EQ(bodies_of(received), std::vector<std::string>{body}) << takes;
    peer->room(PeerDouble::kAll);
    peer->send(get("/now?next"));
    EXPECT_EQ(bodies_of(peer->received()), std::vector<std::string>{"now next"});
  }
}

TEST(HttpConnection, CutsAndSlownessChangeNothing) {
  std::uint32_t dice = 12345;
  const auto roll = [&](std::uint32_t sides) { return (dice = dice * 1664525u + 1013904223u) / 65536u % sides; };
  for (int round = 0; round < 40; ++round) {
    EdgeWorld world;
    const auto peer = world.connect();
    std::string requests;
    std::vector<std::string> expected;
    for (int i = 0; i < 30; ++i) {
      const std::string number = std::to_string(i);
      const std::string body(roll(40'000), static_cast<char>('a' + i % 26));
      switch (roll(4)) {
        case 0: requests += get("/now?" + number), expected.push_back("now " + number); break;
        case 1: requests += get("/later?" + number), expected.push_back("later " + number); break;
        case 2: requests += "\r\n" + post("/echo", body), expected.push_back(body); break;
        default:
          requests += "POST /echo HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n2;e=f\r\nyz\r\n0\r\n\r\n";
          expected.push_back("xyz");
      }
    }
    std::string all;
    std::size_t sent = 0;
    for (int step = 0; step < 200'000 && (sent < requests.size() || !peer->closed); ++step) {
      switch (roll(4)) {
        case 0: {
          const std::string piece = requests.substr(sent, roll(3) == 0 ? 1 + roll(5) : roll(60'000));
          sent += piece.size();
          peer->send(piece);
          if (sent == requests.size()) peer->end();
          break;
        }
        case 1:
          if (!world.parked.empty() && world.parked.back() != nullptr) {
            const ExchangePtr exchange = std::move(world.parked.back());
            exchange->reply(text_response("later " + exchange->request().query));
          }
          break;
        case 2: peer->room(roll(50'000)); break;
        default: world.loop.settle();
      }
      all += peer->received();
    }
    ASSERT_TRUE(peer->closed);
    ASSERT_EQ(bodies_of(all), expected);
  }
}

TEST(HttpConnection, HeadHasTheFieldsAndNoBody) {
  EdgeWorld world;
  const std::string answer = world.ask("HEAD /now?1 HTTP/1.1\r\nHost: h\r\n\r\n" + get("/now?2"));
  EXPECT_THAT(answer, HasSubstr("Content-Length: 5\r\n\r\nHTTP/1.1 200"));
  EXPECT_THAT(answer, EndsWith("now 2"));
}

TEST(HttpConnection, WhatIsNotThereAndWhatIsNotTaken) {
  EdgeWorld world;
  EXPECT_THAT(world.ask(get("/nothing")), StartsWith("HTTP/1.1 404 "));
  const std::string refused = world.ask(post("/now", "x"));
  EXPECT_THAT(refused, StartsWith("HTTP/1.1 405 "));
  EXPECT_THAT(refused, HasSubstr("Allow: GET, HEAD\r\n"));
  EXPECT_THAT(world.ask(get("/never")), StartsWith("HTTP/1.1 500 "));
}

TEST(HttpConnection, OptionsAreTold) {
  EdgeWorld world({}, {"https://app.example"});
  const std::string options = world.ask("OPTIONS /later HTTP/1.1\r\nHost: h\r\n\r\n");
  EXPECT_THAT(options, StartsWith("HTTP/1.1 204 "));
  EXPECT_THAT(options, HasSubstr("Allow: GET, HEAD, POST\r\n"));
  EXPECT_THAT(options, Not(HasSubstr("Access-Control")));
  const std::string preflight = world.ask(
      "OPTIONS /echo HTTP/1.1\r\nHost: h\r\nOrigin: https://app.example\r\nAccess-Control-Request-Headers: "
      "content-type\r\n\r\n");
  EXPECT_THAT(preflight, HasSubstr("Access-Control-Allow-Origin: https://app.example\r\n"));
  EXPECT_THAT(preflight, HasSubstr("Access-Control-Allow-Headers: content-type\r\n"));
  EXPECT_THAT(preflight, HasSubstr("Access-Control-Allow-Methods: POST\r\n"));
  const std::string elsewhere = world.ask("OPTIONS /echo HTTP/1.1\r\nHost: h\r\nOrigin: https://evil.example\r\n\r\n");
  EXPECT_THAT(elsewhere, Not(HasSubstr("Access-Control-Allow-Origin")));
  EXPECT_THAT(elsewhere, HasSubstr("Vary: Origin\r\n"));
  EXPECT_THAT(world.ask("OPTIONS * HTTP/1.1\r\nHost: h\r\n\r\n"), StartsWith("HTTP/1.1 204 "));
}

TEST(HttpConnection, ARoomMayHaveSaidWhoMayReadItsAnswer) {
  EdgeWorld world({}, {"https://app.example"});
  const std::string own = world.ask(get("/now", "Origin: https://app.example\r\n"));
  EXPECT_THAT(own, HasSubstr("Access-Control-Allow-Origin: https://app.example\r\n"));
  EXPECT_THAT(own, HasSubstr("Access-Control-Allow-Credentials: true\r\n"));
  const std::string rooms = world.ask(get("/for_all", "Origin: https://app.example\r\n"));
  EXPECT_THAT(rooms, HasSubstr("Access-Control-Allow-Origin: *\r\n"));
  EXPECT_THAT(rooms, HasSubstr("Vary: Origin\r\n"));
  EXPECT_THAT(rooms, Not(HasSubstr("https://app.example")));
  EXPECT_THAT(rooms, Not(HasSubstr("Access-Control-Allow-Credentials")));
}

TEST(HttpConnection, ContinuesOnlyWhoWaitsForIt) {
  EdgeWorld world;
  const auto peer = world.connect();
  peer->send("POST /echo HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\n");
  EXPECT_EQ(peer->received(), "HTTP/1.1 100 Continue\r\n\r\n");
  peer->send("ab");
  EXPECT_EQ(peer->received(), "");
  peer->send("c");
  EXPECT_THAT(peer->received(), EndsWith("\r\n\r\nabc"));
  peer->send(post("/echo", "abc", "Expect: 100-continue\r\n"));
  EXPECT_THAT(peer->received(), StartsWith("HTTP/1.1 200 "));
  // The next request has an expectation of its own.
  peer->send("POST /echo HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\n");
  EXPECT_EQ(peer->received(), "HTTP/1.1 100 Continue\r\n\r\n");
  EXPECT_THAT(world.ask("POST /echo HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\nContent-Length: 99999999\r\n\r\n"),
              StartsWith("HTTP/1.1 413 "));
}

TEST(HttpConnection, ClosesAfterTheAnswerWhenAskedTo) {
  EdgeWorld world;
  const auto peer = world.connect();
  peer->send(get("/now?1", "Connection: close\r\n") + get("/now?2"));
  const std::string answer = peer->received();
  EXPECT_THAT(answer, HasSubstr("Connection: close\r\n"));
  EXPECT_THAT(answer, EndsWith("now 1"));
  EXPECT_TRUE(peer->write_shut);
  EXPECT_FALSE(peer->closed);
  EXPECT_EQ(world.asked, 1);
  peer->end();
  EXPECT_TRUE(peer->closed);
}

TEST(HttpConnection, OlderClientsAreClosedUnlessTheyAskToStay) {
  EdgeWorld world;
  const auto peer = world.connect();
  peer->send("GET /now HTTP/1.0\r\n\r\n");
  EXPECT_THAT(peer->received(), HasSubstr("Connection: close\r\n"));
  EXPECT_TRUE(peer->write_shut);
  const auto staying = world.connect();
  staying->send("GET /now HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
  EXPECT_THAT(staying->received(), HasSubstr("Connection: keep-alive\r\n"));
  EXPECT_FALSE(staying->write_shut);
}

TEST(HttpConnection, AHalfClosedClientHearsAllItsAnswers) {
  EdgeWorld world;
  const auto peer = world.connect();
  peer->send(get("/later?1") + get("/later?2") + get("/now?3"));
  peer->end();
  world.loop.settle();
  ASSERT_EQ(world.parked.size(), 1u);
  world.parked[0]->reply(text_response("first"));
  ASSERT_EQ(world.parked.size(), 2u);
  EXPECT_FALSE(peer->closed);
  world.parked[1]->reply(text_response("second"));
  EXPECT_EQ(bodies_of(peer->received()), (std::vector<std::string>{"first", "second", "now 3"}));
  EXPECT_TRUE(peer->closed);  // At once: nobody is left to linger for.
  world.loop.settle();
  EXPECT_TRUE(peer->freed);
}

TEST(HttpConnection, AHalfClosedSlowReaderHearsAllItsAnswers) {
  EdgeWorld world;
  const auto peer = world.connect();
  peer->takes = 10;
  peer->send(post("/echo", std::string(300'000, 'x')) + get("/now?2"));
  peer->end();
  world.loop.settle();
  EXPECT_FALSE(peer->closed);
  std::string all;
  for (int i = 0; i < 100 && !peer->closed; ++i) {
    peer->room(10'000);
    all += peer->received();
    peer->send("");  // What was paused comes now.
  }
  EXPECT_EQ(bodies_of(all).size(), 2u);
  EXPECT_TRUE(peer->closed);
}

TEST(HttpConnection, AnUnfinishedRequestThatEndsIsOver) {
  EdgeWorld world;
  const auto peer = world.connect();
  peer->send("GET /now HTTP/1.1\r\nHo");
  peer->end();
  EXPECT_TRUE(peer->closed);
  EXPECT_EQ(peer->received(), "");
  EXPECT_EQ(world.asked, 0);
}

TEST(HttpConnection, AFaultIsAnsweredAndTheRestIsDropped) {
  EdgeWorld world;
  const auto peer = world.connect();
  peer->send(get("/now?1") + "NO HTTP\r\n\r\n" + get("/now?2"));
  const std::string answer = peer->received();
  EXPECT_EQ(count_of(answer, "HTTP/1.1 "), 2u);
  EXPECT_THAT(answer, HasSubstr("HTTP/1.1 400 "));
  EXPECT_THAT(answer, HasSubstr("Connection: close\r\n"));
  EXPECT_TRUE(peer->write_shut);
  peer->send(get("/now?3"));
  EXPECT_EQ(peer->received(), "");
  EXPECT_EQ(world.asked, 1);
  EXPECT_EQ(world.edge->counters().faults_total.get(), 1u);
  // Who does not close is not waited for.
  world.loop.advance(world.edge->options().linger_time * 2);
  EXPECT_TRUE(peer->freed);
}

TEST(HttpConnection, LimitsHaveTheirStatus) {
  EdgeOptions options;
  options.http.body_bytes = 10;
  EdgeWorld world(options);
  EXPECT_THAT(world.ask(post("/echo", "0123456789")), StartsWith("HTTP/1.1 200 "));
  const std::string too_large = world.ask(post("/echo", "0123456789A"));
  EXPECT_THAT(too_large, StartsWith("HTTP/1.1 413 "));
  EXPECT_THAT(too_large, HasSubstr("\"too_large\""));
  EXPECT_THAT(world.ask("POST /echo HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\nb\r\n0123456789A\r\n0\r\n\r\n"),
              StartsWith("HTTP/1.1 413 "));
  EXPECT_THAT(world.ask(get("/now", "A: " + std::string(20'000, 'a') + "\r\n")), StartsWith("HTTP/1.1 431 "));
  EXPECT_THAT(world.ask(get("/" + std::string(9'000, 'a'))), StartsWith("HTTP/1.1 414 "));
}

// Each would be two requests to a server that reads it otherwise; here the connection ends with the refusal.
TEST(HttpConnection, AmbiguousRequestsEndTheConnection) {
  const std::string hidden = get("/now?hidden");
  for (const std::string& request : {
           post("/echo", "x", "Transfer-Encoding: chunked\r\n") + hidden,
           post("/echo", "x", "Content-Length: 0\r\n") + hidden,
           post("/echo", "x", "Content-Length: 1\r\n") + hidden,
           "POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: +1\r\n\r\nx" + hidden,
           "POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length : 1\r\n\r\nx" + hidden,
           "POST /echo HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: xchunked\r\n\r\n0\r\n\r\n" + hidden,
           "POST /echo HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n" + hidden,
           "POST /echo HTTP/1.1\r\nHost: h\r\nTransfer-Encoding:\vchunked\r\n\r\n0\r\n\r\n" + hidden,
           "POST /echo HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" + hidden,
           "POST /echo HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n0x1\r\nx\r\n0\r\n\r\n" + hidden,
           "POST /echo HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n1\nx\r\n0\r\n\r\n" + hidden,
           "GET /now HTTP/1.1\nHost: h\n\n" + hidden,
           "GET /now HTTP/1.1\r\nHost: h\r\n folded: x\r\n\r\n" + hidden,
           "GET /now HTTP/1.1\r\nHost: h\r\nHost: i\r\n\r\n" + hidden,
       }) {
    EdgeWorld world;
    const auto peer = world.connect();
    peer->send(request);
    const std::string answer = peer->received();
    EXPECT_THAT(answer, Not(HasSubstr("hidden"))) << request;
    EXPECT_EQ(count_of(answer, "HTTP/1.1 "), 1u) << request;
    EXPECT_TRUE(peer->write_shut) << request;
  }
}

TEST(HttpConnection, ABodyIsNoRequest) {
  EdgeWorld world;
  const std::string hidden = get("/now?hidden");
  EXPECT_EQ(bodies_of(world.ask(post("/echo", hidden) + get("/now?1"))), (std::vector<std::string>{hidden, "now 1"}));
  EXPECT_EQ(world.asked, 1);
}

TEST(HttpConnection, ASlowRequestIsToldSo) {
  EdgeWorld world;
  const auto peer = world.connect();
  peer->send("GET /now HTTP/1.1\r\n");
  for (int i = 0; i < 20; ++i) {
    world.loop.advance(Millis{1'400});
    peer->send("A: b\r\n");  // Dripping does not help.
  }
  EXPECT_EQ(peer->received(), "");
  world.loop.advance(Millis{5'000});
  EXPECT_THAT(peer->received(), StartsWith("HTTP/1.1 408 "));
  EXPECT_EQ(world.edge->counters().timeouts_total.get(), 1u);
  world.loop.advance(Millis{5'000});
  EXPECT_TRUE(peer->freed);
}

TEST(HttpConnection, IdleConnectionsAreClosedWithoutAWord) {
  EdgeWorld world;
  const auto silent = world.connect(), kept = world.connect();
  kept->send(get("/now"));
  kept->received();
  world.loop.advance(Millis{35'000});
  EXPECT_TRUE(silent->freed);
  EXPECT_FALSE(kept->closed);
  world.loop.advance(Millis{45'000});
  EXPECT_TRUE(kept->freed);
  EXPECT_EQ(silent->received() + kept->received(), "");
}

TEST(HttpConnection, ASlowReaderHasTimeAsLongAsItReads) {
  EdgeWorld world;
  const auto peer = world.connect();
  peer->takes = 10;
  peer->send(post("/echo", std::string(200'000, 'x'), "Connection: close\r\n"));
  for (int i = 0; i < 5; ++i) {
    world.loop.advance(Millis{50'000});
    ASSERT_FALSE(peer->closed);
    peer->room(10'000);
  }
  world.loop.advance(Millis{65'000});
  EXPECT_TRUE(peer->freed);
  const auto keeping = world.connect();
  keeping->takes = 10;
  keeping->send(post("/echo", std::string(200'000, 'x')));
  for (int i = 0; i < 5; ++i) {
    world.loop.advance(Millis{60'000});
    ASSERT_FALSE(keeping->closed);
    keeping->room(10'000);
  }
  world.loop.advance(Millis{80'000});
  EXPECT_TRUE(keeping->freed);
}

TEST(HttpConnection, ARoomMayTakeItsTime) {
  EdgeWorld world;
  const auto peer = world.connect();
  peer->send(get("/later"));
  world.loop.advance(Millis{600'000});
  ASSERT_FALSE(peer->closed);
  world.parked[0]->reply(text_response("at last"));
  EXPECT_THAT(peer->received(), EndsWith("at last"));
}

TEST(HttpConnection, PausesAClientThatSendsFarAhead) {
  EdgeWorld world;
  const auto peer = world.connect();
  peer->send(get("/later"));
  peer->send(post("/echo", std::string(100'000, 'x')));
  EXPECT_TRUE(peer->paused);
  world.parked[0]->reply(text_response("first"));
  EXPECT_FALSE(peer->paused);
  EXPECT_EQ(bodies_of(peer->received()).size(), 2u);
}

TEST(HttpConnection, AnAnswerToNobodyIsDropped) {
  EdgeWorld world;
  const auto peer = world.connect();
  peer->send(get("/later?1") + get("/now?2"));
  peer->lose();
  world.parked[0]->reply(text_response("in the same turn"));
  EXPECT_EQ(world.asked, 0);
  world.loop.settle();
  EXPECT_TRUE(peer->freed);
  const auto other = world.connect();
  other->send(get("/later"));
  other->lose();
  world.loop.settle();
  EXPECT_EQ(world.parked[1]->peer().text, "");
  world.parked[1]->reply(text_response("later"));
  EXPECT_EQ(world.edge->counters().connections.get(), 0u);
}

TEST(HttpConnection, WhoIsGoneBecomesNothingElse) {
  for (const bool settled : {false, true}) {
    for (const bool websocket : {false, true}) {
      EdgeWorld world;
      const auto peer = world.connect();
      std::string request = websocket ? EdgeWorld::handshake() : get("/later");
      if (websocket) request.replace(5, 2, "later");
      peer->send(request);
      peer->lose();
      if (settled) world.loop.settle();
      if (websocket) {
        world.accept(std::move(world.parked.at(0)));
      } else {
        world.open_stream(std::move(world.parked.at(0)));
      }
      world.loop.settle();
      EXPECT_EQ(world.dialog, nullptr);
      EXPECT_EQ(world.edge->counters().connections.get(), 0u);
    }
  }
}

TEST(HttpConnection, AnExchangeMayOutliveEverything) {
  ExchangePtr exchange;
  {
    EdgeWorld world;
    world.connect()->send(get("/later"));
    exchange = std::move(world.parked[0]);
  }
  exchange->reply(text_response("too late"));
  EXPECT_EQ(exchange->request().path, "/later");
}

TEST(HttpConnection, TheAnswerMayBeGivenByDroppingTheExchange) {
  EdgeWorld world;
  const auto peer = world.connect();
  peer->send(get("/later") + get("/now?2"));
  world.parked.clear();
  const std::string answer = peer->received();
  EXPECT_THAT(answer, StartsWith("HTTP/1.1 500 "));
  EXPECT_THAT(answer, EndsWith("now 2"));
}

TEST(HttpConnection, ARefusedConnectionIsToldWhy) {
  EdgeOptions options;
  options.connections_max = 2;
  EdgeWorld world(options);
  const auto first = world.connect(), second = world.connect(), third = world.connect();
  const std::string refusal = third->received();
  EXPECT_THAT(refusal, StartsWith("HTTP/1.1 503 "));
  EXPECT_THAT(refusal, HasSubstr("Retry-After: 5\r\n"));
  EXPECT_TRUE(third->write_shut);
  third->send(get("/now"));
  EXPECT_EQ(world.asked, 0);
  EXPECT_EQ(world.edge->counters().refused_total.get(), 1u);
  first->end();
  third->end();
  world.loop.settle();
  const auto fourth = world.connect();
  fourth->send(get("/now"));
  EXPECT_THAT(fourth->received(), StartsWith("HTTP/1.1 200 "));
}

TEST(HttpConnection, TooManyToRefuseAreDropped) {
  EdgeOptions options;
  options.connections_max = 1;
  EdgeWorld world(options);
  std::vector<std::shared_ptr<PeerDouble>> peers;
  for (int i = 0; i < 260; ++i) peers.push_back(world.connect());
  EXPECT_THAT(peers[256]->received(), StartsWith("HTTP/1.1 503 "));
  EXPECT_EQ(peers[257]->received(), "");
  EXPECT_TRUE(peers[257]->freed);
}

TEST(HttpConnection, AStreamMayBeHandedOverLater) {
  EdgeWorld world;
  const auto peer = world.connect();
  std::string request = EdgeWorld::handshake();
  request.replace(5, 2, "later");
  peer->send(request);
  peer->send(masked(WebSocketOpcode::kText, "early"));
  peer->send(masked(WebSocketOpcode::kText, std::string(100'000, 'x')));
  EXPECT_TRUE(peer->paused);
  world.accept(std::move(world.parked[0]));
  world.loop.settle();
  EXPECT_FALSE(peer->paused);
  ASSERT_EQ(world.dialog->messages.size(), 2u);
  EXPECT_EQ(world.dialog->messages[0], "text early");
  peer->send(masked(WebSocketOpcode::kText, "late"));
  EXPECT_EQ(world.dialog->messages.back(), "text late");
}

TEST(HttpConnection, AHalfClosedClientGetsNoStream) {
  EdgeWorld world;
  const auto peer = world.connect();
  peer->send(get("/later"));
  peer->end();
  world.open_stream(std::move(world.parked[0]));
  EXPECT_TRUE(peer->closed);
  EXPECT_TRUE(world.dialog->closed);
}

TEST(HttpConnection, HandshakesAreRefusedWithTheirReason) {
  EdgeWorld world;
  EXPECT_THAT(world.ask(get("/ws")), StartsWith("HTTP/1.1 4"));
  std::string old = EdgeWorld::handshake();
  old.replace(old.find("13"), 2, "12");
  const std::string upgrade = world.ask(old);
  EXPECT_THAT(upgrade, StartsWith("HTTP/1.1 426 "));
  EXPECT_THAT(upgrade, HasSubstr("Sec-WebSocket-Version: 13\r\n"));
  EXPECT_THAT(world.ask(EdgeWorld::handshake("Origin: https://evil.example\r\n")), StartsWith("HTTP/1.1 403 "));
  EXPECT_THAT(world.ask(EdgeWorld::handshake("Origin: null\r\n")), StartsWith("HTTP/1.1 403 "));
  EXPECT_THAT(world.ask(EdgeWorld::handshake("Origin: http://h\r\n")), StartsWith("HTTP/1.1 101 "));
  EXPECT_EQ(world.edge->counters().handshakes_total.get(), 1u);
}

TEST(HttpConnection, DrainingSaysClose) {
  EdgeWorld world;
  const auto idle = world.connect(), busy = world.connect(), reading = world.connect();
  busy->send(get("/later"));
  reading->send("GET /now HTTP/1.1\r\n");
  bool drained = false;
  world.edge->drain(Millis{0}, [&] { drained = true; });
  world.loop.advance(Millis{20});
  world.loop.settle();
  EXPECT_TRUE(idle->freed);
  world.parked[0]->reply(text_response("done"));
  EXPECT_THAT(busy->received(), HasSubstr("Connection: close\r\n"));
  reading->send("Host: h\r\n\r\n");
  EXPECT_THAT(reading->received(), HasSubstr("Connection: close\r\n"));
  busy->end();
  reading->end();
  EXPECT_FALSE(drained);
  world.loop.advance(Millis{100});
  EXPECT_TRUE(drained);
}

}  // namespace
}  // namespace carillon
