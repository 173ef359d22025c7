#include "transport/http_caller.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "transport/dialer_double.h"

namespace carillon {
namespace {

using ::testing::ElementsAre;

const std::string kRequest = "GET /a HTTP/1.1\r\nHost: h\r\n\r\n";
const std::string kAnswer = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi";

class HttpCallerTest : public ::testing::Test {
 protected:
  struct Outcome {
    std::string text = "none";
    std::unique_ptr<HttpCaller::Call> call;
  };

  std::shared_ptr<Outcome> call(const std::string& host = "a", const std::string& request = kRequest) {
    auto outcome = std::make_shared<Outcome>();
    outcome->call =
        caller.call({.host = host, .port = 80}, request, [kept = std::weak_ptr(outcome)](Result<HttpResponse> answer) {
          const auto told = kept.lock();
          told->text = answer ? std::to_string(answer->status) + ' ' + answer->body : error_kind_name(answer.error().kind);
          told->call.reset();
        });
    EXPECT_EQ(outcome->text, "none") << "never inside the call";
    loop.advance(Millis{10});
    return outcome;
  }
  std::string outcome_of_answer(const std::string& answer) {
    const auto made = call();
    dialer.peer().send(answer);
    return made->text;
  }

  ManualLoop loop{Millis{1'000}};
  DialerDouble dialer{loop};
  HttpCaller caller{loop, dialer, {.connections_max = 2, .idle_max = 1, .response_bytes_max = 100}};
};

TEST_F(HttpCallerTest, AsksAndHearsTheAnswer) {
  const auto made = call();
  EXPECT_THAT(dialer.asked, ElementsAre("a:80"));
  EXPECT_EQ(dialer.peer().received(), kRequest);
  dialer.peer().send("HTTP/1.1 404 Not Found\r\nContent-Length: 2\r\n\r\nno");
  EXPECT_EQ(made->text, "404 no");
}

TEST_F(HttpCallerTest, AnAnswerMayComeByteByByte) {
  const auto made = call();
  for (const char byte : kAnswer) {
    EXPECT_EQ(made->text, "none");
    dialer.peer().send({&byte, 1});
  }
  EXPECT_EQ(made->text, "200 hi");
}

TEST_F(HttpCallerTest, ARequestLeavesAsThePeerTakesIt) {
  const std::string large = "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 5000\r\n\r\n" + std::string(5000, 'x');
  dialer.takes = 1000;
  const auto made = call("a", large);
  std::string seen = dialer.peer().received();
  EXPECT_EQ(seen.size(), 1000u);
  while (seen.size() < large.size()) {
    dialer.peer().room(1000);
    seen += dialer.peer().received();
  }
  EXPECT_EQ(seen, large);
}

TEST_F(HttpCallerTest, AConnectionIsUsedAgain) {
  EXPECT_EQ(outcome_of_answer(kAnswer), "200 hi");
  const auto again = call();
  EXPECT_EQ(dialer.peers.size(), 1u);
  EXPECT_EQ(dialer.peer().received(), kRequest + kRequest);
  dialer.peer().send(kAnswer);
  EXPECT_EQ(again->text, "200 hi");
  call("b");
  EXPECT_EQ(dialer.peers.size(), 2u) << "not for another";
}

TEST_F(HttpCallerTest, ButNotWhenThePeerSaysOtherwise) {
  for (const char* answer :
       {"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 0\r\n\r\n", "HTTP/1.0 200 OK\r\nContent-Length: 0\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\nHTTP/1.1"}) {
    EXPECT_EQ(outcome_of_answer(answer), "200 ");
    EXPECT_TRUE(dialer.peer().closed) << answer;
    EXPECT_EQ(caller.connections(), 0u);
  }
}

TEST_F(HttpCallerTest, ABodyMayLastUntilTheEnd) {
  const auto made = call();
  dialer.peer().send("HTTP/1.1 200 OK\r\n\r\nhi");
  EXPECT_EQ(made->text, "none");
  dialer.peer().end();
  EXPECT_EQ(made->text, "200 hi");
  EXPECT_EQ(caller.connections(), 0u);
}

TEST_F(HttpCallerTest, AKeptConnectionThatHasEndedIsNotUsed) {
  for (const bool lost : {false, true}) {
    outcome_of_answer(kAnswer);
    lost ? dialer.peer().lose() : dialer.peer().end();
    EXPECT_EQ(caller.connections(), 0u);
  }
  EXPECT_EQ(dialer.peers.size(), 2u);
}

TEST_F(HttpCallerTest, OneThatEndsJustThenIsReplaced) {
  for (const bool lost : {false, true}) {
    outcome_of_answer(kAnswer);
    const auto made = call();
    const std::size_t before = dialer.peers.size();
    lost ? dialer.peer().lose() : dialer.peer().end();
    loop.advance(Millis{10});
    ASSERT_EQ(dialer.peers.size(), before + 1);
    EXPECT_EQ(made->text, "none");
    EXPECT_EQ(dialer.peer().received(), kRequest);
    dialer.peer().send(kAnswer);
    EXPECT_EQ(made->text, "200 hi");
    dialer.peer().lose();
  }
}

TEST_F(HttpCallerTest, AnAnswerThatBreaksOffIsAFailure) {
  for (std::size_t cut = 0; cut < kAnswer.size(); ++cut) {
    const auto made = call();
    dialer.peer().send(kAnswer.substr(0, cut));
    cut % 2 == 0 ? dialer.peer().lose() : dialer.peer().end();
    EXPECT_EQ(made->text, "unavailable") << cut;
    loop.advance(Millis{10});
    EXPECT_EQ(dialer.peers.size(), cut + 1) << "it is not asked again";
  }
}

TEST_F(HttpCallerTest, OneThatBrokeOffOnAKeptConnectionToo) {
  outcome_of_answer(kAnswer);
  const auto made = call();
  dialer.peer().send("H");
  dialer.peer().lose();
  EXPECT_EQ(made->text, "unavailable");
}

TEST_F(HttpCallerTest, WhatIsNoAnswerOrTooLargeIsAFailure) {
  EXPECT_EQ(outcome_of_answer("nonsense\r\n\r\n"), "corrupt");
  EXPECT_EQ(outcome_of_answer("HTTP/1.1 200 OK\r\nContent-Length: 101\r\n\r\n" + std::string(101, 'x')), "too_large");
  EXPECT_EQ(outcome_of_answer("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n" + std::string(100, 'x')),
            "200 " + std::string(100, 'x'));
}

TEST_F(HttpCallerTest, WhoCannotBeReachedIsAFailure) {
  dialer.mood = DialerDouble::Mood::kRefuses;
  EXPECT_EQ(call()->text, "unavailable");
  dialer.mood = DialerDouble::Mood::kIsSilent;
  const auto made = call();
  loop.advance(Millis{2'000});
  EXPECT_EQ(made->text, "unavailable");
  EXPECT_EQ(caller.connections(), 0u);
}

TEST_F(HttpCallerTest, AnAnswerThatDoesNotComeIsAFailure) {
  const auto made = call();
  loop.advance(Millis{89'000});
  EXPECT_EQ(made->text, "none");
  loop.advance(Millis{1'100});
  EXPECT_EQ(made->text, "unavailable");
  EXPECT_TRUE(dialer.peer().closed);
}

TEST_F(HttpCallerTest, ACallThatIsGivenUpClosesItsConnection) {
  const auto made = call();
  made->call.reset();
  EXPECT_TRUE(dialer.peer().closed);
  EXPECT_EQ(caller.connections(), 0u);
  dialer.mood = DialerDouble::Mood::kIsSilent;
  call()->call.reset();
  EXPECT_EQ(dialer.given_up, 1);
  loop.advance(Millis{100'000});
  EXPECT_EQ(made->text, "none");
}

TEST_F(HttpCallerTest, KeptConnectionsAreClosedAfterAWhile) {
  outcome_of_answer(kAnswer);
  loop.advance(Millis{19'900});
  EXPECT_FALSE(dialer.peer().closed);
  loop.advance(Millis{200});
  EXPECT_TRUE(dialer.peer().closed);
  EXPECT_EQ(caller.connections(), 0u);
}

TEST_F(HttpCallerTest, ConnectionsAreLimited) {
  const auto first = call(), second = call(), third = call();
  EXPECT_EQ(dialer.peers.size(), 2u);
  EXPECT_EQ(third->text, "limit");
  EXPECT_EQ(call("b")->text, "none") << "another has its own";
  dialer.peers[0]->send(kAnswer);
  dialer.peers[1]->send(kAnswer);
  EXPECT_FALSE(dialer.peers[0]->closed);
  EXPECT_TRUE(dialer.peers[1]->closed) << "one is kept";
}

}  // namespace
}  // namespace carillon
