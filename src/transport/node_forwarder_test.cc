#include "transport/node_forwarder.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "protocol/exchange_double.h"
#include "transport/dialer_double.h"

namespace carillon {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::StartsWith;

class DirectoryDouble final : public NodeDirectory {
 public:
  void set_events(NodeEvents&) override {}
  NodeRecord self() const override { return {.name = "me", .number = number}; }
  void describe(std::string, std::string) override {}
  void list(UniqueFunction<void(Result<std::vector<NodeRecord>>)> done) override {
    ++asked;
    if (fails) return done(Error{ErrorKind::kUnavailable, "away"});
    done(records);
  }
  void send(std::string, std::string, UniqueFunction<void(Result<std::size_t>)> done) override { done(std::size_t{0}); }

  std::uint16_t number = 1;
  bool fails = false;
  int asked = 0;
  std::vector<NodeRecord> records{{.name = "me", .number = 1, .address = "http://10.0.0.1:80"},
                                  {.name = "other", .number = 2, .address = "http://10.0.0.2:80"},
                                  {.name = "hidden", .number = 3, .address = ""}};
};

class NodeForwarderTest : public ::testing::Test {
 protected:
  using Answer = std::shared_ptr<AnswerDouble>;

  static HttpRequest request(bool marked = false) {
    HttpRequest made;
    made.method = "POST";
    made.target = "/cometd";
    made.headers.add("Host", "app");
    if (marked) made.headers.add(kForwardedMark, "somebody");
    made.body = "[1]";
    return made;
  }
  Answer forward(std::uint16_t node = 2) {
    auto answer = std::make_shared<AnswerDouble>();
    forwarder.forward(
        node, std::make_unique<ExchangeDouble>(request(), PeerAddress{.text = "192.0.2.7:5000"}, PathValues(), answer),
        [](ExchangePtr exchange, NodeForward::Unanswered why) {
          exchange->reply(HttpResponse::text(200, why == NodeForward::Unanswered::kDraining ? "draining" : "not there"));
        });
    loop.advance(Millis{10});
    return answer;
  }
  static std::string said(const Answer& answer) {
    return answer->response ? answer->response->body : answer->dropped ? "dropped" : "parked";
  }

  ManualLoop loop{Millis{1'000}};
  DialerDouble dialer{loop};
  DirectoryDouble directory;
  NodeForwarder forwarder{loop, dialer, directory, {}};
};

TEST_F(NodeForwarderTest, WhatNamesAnotherNodeIsForIt) {
  EXPECT_TRUE(forwarder.is_elsewhere(2, request()));
  EXPECT_FALSE(forwarder.is_elsewhere(1, request()));
  EXPECT_FALSE(forwarder.is_elsewhere(0, request()));
  EXPECT_FALSE(forwarder.is_elsewhere(2, request(true))) << "it goes no further";
}

TEST_F(NodeForwarderTest, ItsNumberMayComeLaterAndChange) {
  directory.number = 0;
  EXPECT_EQ(forwarder.number(), 0);
  directory.number = 4;
  EXPECT_EQ(forwarder.number(), 4);
  directory.number = 5;
  loop.advance(Millis{1'000});
  EXPECT_EQ(forwarder.number(), 5);
}

TEST_F(NodeForwarderTest, ThatNodeAnswers) {
  const Answer answer = forward();
  EXPECT_EQ(dialer.asked.at(0), "10.0.0.2:80");
  EXPECT_THAT(dialer.peer().received(), AllOf(StartsWith("POST /cometd HTTP/1.1\r\n"),
                                              HasSubstr("X-Carillon-Forwarded: 192.0.2.7:5000\r\n"), HasSubstr("\r\n\r\n[1]")));
  EXPECT_EQ(said(answer), "parked");
  dialer.peer().send("HTTP/1.1 409 Conflict\r\nSet-Cookie: a=1\r\nContent-Length: 2\r\n\r\nhi");
  EXPECT_EQ(said(answer), "hi");
  EXPECT_EQ(answer->response->status, 409);
  EXPECT_EQ(answer->response->headers.get("Set-Cookie"), "a=1");
  EXPECT_EQ(forwarder.counters().waiting.get(), 0u);
}

TEST_F(NodeForwarderTest, WhatItDoesNotKnowComesBack) {
  const Answer answer = forward();
  dialer.peer().send("HTTP/1.1 421 Misdirected Request\r\nContent-Length: 0\r\n\r\n");
  EXPECT_EQ(said(answer), "not there");
}

TEST_F(NodeForwarderTest, SoDoesWhatIsForNobody) {
  EXPECT_EQ(said(forward(9)), "not there");
  EXPECT_EQ(said(forward(3)), "not there") << "it has no address";
  EXPECT_TRUE(dialer.asked.empty());
  dialer.mood = DialerDouble::Mood::kRefuses;
  EXPECT_EQ(said(forward()), "not there");
  directory.fails = true;
  EXPECT_EQ(said(forward(9)), "not there");
}

TEST_F(NodeForwarderTest, ANodeThatBreaksOffIsNotThere) {
  const Answer answer = forward();
  dialer.peer().lose();
  EXPECT_EQ(said(answer), "not there");
}

TEST_F(NodeForwarderTest, TheNodeSeesItsClientGo) {
  const Answer answer = forward();
  answer->leave();
  EXPECT_TRUE(dialer.peer().closed);
  EXPECT_EQ(said(answer), "dropped");
  EXPECT_EQ(forwarder.counters().waiting.get(), 0u);
}

TEST_F(NodeForwarderTest, AClientThatGoesWhileTheDirectoryIsAskedIsForgotten) {
  auto answer = std::make_shared<AnswerDouble>();
  answer->leave();
  forwarder.forward(2, std::make_unique<ExchangeDouble>(request(), PeerAddress(), PathValues(), answer),
                    [](ExchangePtr, NodeForward::Unanswered) { FAIL(); });
  loop.advance(Millis{10});
  EXPECT_TRUE(dialer.asked.empty());
}

TEST_F(NodeForwarderTest, AServerThatStopsGivesBackWhatIsHeldElsewhere) {
  const Answer answer = forward();
  answer->drain();
  EXPECT_EQ(said(answer), "parked") << "what is no poll has its answer soon";
  loop.advance(Millis{600});
  EXPECT_EQ(said(answer), "draining");
  EXPECT_TRUE(dialer.peer().closed);
}

TEST_F(NodeForwarderTest, TheDirectoryIsAskedNowAndThen) {
  for (int i = 0; i < 5; ++i) forward();
  EXPECT_EQ(directory.asked, 1);
  EXPECT_EQ(said(forward(9)), "not there");
  EXPECT_EQ(directory.asked, 1) << "it has just been asked";
  loop.advance(Millis{300});
  EXPECT_EQ(said(forward(9)), "not there");
  EXPECT_EQ(directory.asked, 2);
}

TEST_F(NodeForwarderTest, ANewNodeIsFound) {
  forward();
  directory.records.push_back({.name = "new", .number = 4, .address = "http://10.0.0.4:80"});
  loop.advance(Millis{300});
  forward(4);
  EXPECT_EQ(dialer.asked.back(), "10.0.0.4:80");
}

TEST_F(NodeForwarderTest, WhoWaitsForANodeThatHasGoneIsTold) {
  const Answer answer = forward();
  directory.records.erase(directory.records.begin() + 1);
  loop.advance(Millis{3'900});
  EXPECT_EQ(said(answer), "parked");
  loop.advance(Millis{4'000});
  EXPECT_EQ(said(answer), "not there");
  EXPECT_TRUE(dialer.peer().closed);
}

TEST_F(NodeForwarderTest, WhileTheDirectoryIsAwayWhatWasKnownHolds) {
  const Answer held = forward();
  directory.fails = true;
  loop.advance(Millis{60'000});
  EXPECT_EQ(said(held), "parked");
  EXPECT_EQ(said(forward()), "parked");
}

}  // namespace
}  // namespace carillon
