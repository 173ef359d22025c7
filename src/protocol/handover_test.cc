#include "protocol/handover.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/manual_loop.h"
#include "protocol/exchange_double.h"
#include "protocol/siblings.h"

namespace carillon {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

HttpResponse text_response(std::string body) {
  HttpResponse response;
  response.body = std::move(body);
  return response;
}

// Two loops that one thread turns. The first has the client, the second answers.
class Handover : public testing::Test {
 protected:
  Handover() {
    routes_.add("POST", "/polls/{name}", [this](ExchangePtr exchange) {
      desk_.hand_over(std::move(exchange), there_, [this](ExchangePtr remote) {
        EXPECT_TRUE(there_.in_loop_thread());
        remote_ = std::move(remote);
        if (then_on_taken_) then_on_taken_();
      });
    });
  }
  ~Handover() override {
    remote_.reset();
    settle();
  }

  std::shared_ptr<AnswerDouble> ask() { return routes_.ask("POST", "/polls/a%2Fb?x=1", "the body", {{"X-Token", "t"}}); }
  // As ask(), and the other loop has the request.
  std::shared_ptr<AnswerDouble> ask_there() {
    auto answer = ask();
    there_.settle();
    return answer;
  }
  void settle() {
    while (!here_.idle() || !there_.idle()) {
      here_.settle();
      there_.settle();
    }
  }
  void watch() {
    remote_->on_gone([this] { hear("gone"); });
    remote_->on_drain([this] { hear("drain"); });
  }
  void hear(std::string what) {
    EXPECT_TRUE(there_.in_loop_thread());
    heard_.push_back(std::move(what));
  }
  ReplySent note() {
    return [this](bool sent) { hear(sent ? "sent" : "unsent"); };
  }
  std::vector<std::string> heard() { return std::exchange(heard_, {}); }

  ManualLoop here_, there_;
  HandoverDesk desk_{here_};
  RoutesDouble routes_;
  ExchangePtr remote_;
  Task then_on_taken_;
  std::vector<std::string> heard_;
};

TEST_F(Handover, WhatWasAskedIsKnownThere) {
  const auto answer = ask();
  EXPECT_EQ(remote_, nullptr);
  there_.settle();
  ASSERT_NE(remote_, nullptr);
  EXPECT_EQ(remote_->request().method, "POST");
  EXPECT_EQ(remote_->request().body, "the body");
  EXPECT_EQ(remote_->request().headers.get("x-token"), "t");
  EXPECT_EQ(remote_->request().query_value("x"), "1");
  EXPECT_EQ(remote_->path_value("name"), "a/b");
  EXPECT_EQ(remote_->peer().text, "127.0.0.1:40000");
  EXPECT_TRUE(remote_->peer().loopback);
}

TEST_F(Handover, TheAnswerIsGivenWhereTheRequestArrived) {
  const auto answer = ask_there();
  remote_->reply(text_response("hello"));
  EXPECT_TRUE(answer->parked());
  EXPECT_EQ(desk_.waiting(), 1u);
  here_.settle();
  ASSERT_TRUE(answer->response);
  EXPECT_EQ(answer->response->body, "hello");
  EXPECT_EQ(desk_.waiting(), 0u);
}

TEST_F(Handover, OneIsNotTakenForAnother) {
  const auto first = ask_there();
  const ExchangePtr first_remote = std::move(remote_);
  const auto second = ask_there();
  remote_->reply(text_response("second"));
  settle();
  EXPECT_TRUE(first->parked());
  EXPECT_EQ(second->response->body, "second");
  first_remote->reply(text_response("first"));
  settle();
  EXPECT_EQ(first->response->body, "first");
}

TEST_F(Handover, DroppedThereIsAFaultHere) {
  const auto answer = ask_there();
  remote_.reset();
  settle();
  EXPECT_EQ(answer->response->status, 500);
  EXPECT_EQ(desk_.waiting(), 0u);
}

TEST_F(Handover, ItBecomesNothingElse) {
  const auto stream = ask_there();
  remote_->open_stream({}, {}, [](Link&) { return nullptr; });
  const auto websocket = ask_there();
  remote_->accept_websocket({}, [](Link&) { return nullptr; });
  settle();
  EXPECT_EQ(stream->response->status, 500);
  EXPECT_EQ(websocket->response->status, 500);
  EXPECT_FALSE(websocket->websocket);
}

TEST_F(Handover, WhatHappensToTheClientIsHeardThere) {
  const auto answer = ask_there();
  watch();
  here_.post([&] { answer->drain(); });
  here_.post([&] { answer->leave(); });
  here_.settle();
  EXPECT_THAT(heard(), IsEmpty());
  there_.settle();
  EXPECT_THAT(heard(), ElementsAre("drain", "gone"));
  // It sends nothing more, but may hear an answer yet.
  remote_->reply(text_response("x"));
  settle();
  EXPECT_EQ(answer->response->body, "x");
  EXPECT_THAT(heard(), IsEmpty());
}

TEST_F(Handover, WhatHappenedBeforeItWasTakenIsHeardThereToo) {
  then_on_taken_ = [this] { watch(); };
  const auto answer = ask();
  answer->leave();
  answer->drain();
  settle();
  EXPECT_THAT(heard(), ElementsAre("gone", "drain"));
}

TEST_F(Handover, WhatHappenedBeforeAHookWasSetIsHeardAtOnce) {
  const auto answer = ask_there();
  answer->leave();
  settle();
  there_.post([this] {
    watch();
    EXPECT_THAT(heard(), ElementsAre("gone"));
  });
  settle();
}

TEST_F(Handover, NothingIsHeardBehindTheAnswer) {
  const auto answer = ask_there();
  watch();
  answer->leave();  // On its way while the answer is given.
  remote_->reply(text_response("x"));
  watch();
  settle();
  EXPECT_THAT(heard(), IsEmpty());
  EXPECT_EQ(answer->response->body, "x");
}

TEST_F(Handover, AHookMayAnswerOrDestroyIt) {
  const auto answered = ask_there();
  remote_->on_gone([this] { remote_->reply(text_response("bye")); });
  answered->leave();
  settle();
  EXPECT_EQ(answered->response->body, "bye");
  for (const bool before : {false, true}) {
    const auto dropped = ask_there();
    if (before) dropped->leave(), settle();
    there_.post([this] { remote_->on_gone([this] { remote_.reset(); }); });
    settle();
    if (!before) dropped->leave(), settle();
    EXPECT_EQ(dropped->response->status, 500);
  }
}

TEST_F(Handover, WhetherTheAnswerHasLeftIsHeardThere) {
  for (const bool sent : {true, false}) {
    const auto answer = ask_there();
    remote_->reply(text_response("x"), note());
    settle();
    here_.post([&] { answer->sent(sent); });
    here_.settle();
    EXPECT_THAT(heard(), IsEmpty());
    settle();
    EXPECT_THAT(heard(), ElementsAre(sent ? "sent" : "unsent"));
  }
  const auto answer = ask_there();
  remote_->reply(text_response("x"));
  settle();
  EXPECT_FALSE(answer->sent);
}

TEST_F(Handover, ALoopThatEndsBeforeItTakesRefusesForTheServer) {
  auto ending = std::make_unique<ManualLoop>();
  auto answer = std::make_shared<AnswerDouble>();
  desk_.hand_over(std::make_unique<ExchangeDouble>(HttpRequest{}, PeerAddress{}, PathValues{}, answer), *ending,
                  [](ExchangePtr) { FAIL() << "taken by a loop that has ended"; });
  ending.reset();
  here_.settle();
  EXPECT_EQ(answer->response->status, 503);
}

// --- Siblings

struct RoomDouble {
  std::vector<std::string> heard;
  ExchangePtr held;
};

TEST(Siblings, ReachEachOtherByTheirPlaces) {
  ManualLoop loops[2];
  RoomDouble rooms[2];
  Siblings<RoomDouble> siblings;
  EXPECT_EQ(siblings.add(loops[0], rooms[0]), 0u);
  EXPECT_EQ(siblings.add(loops[1], rooms[1]), 1u);
  EXPECT_EQ(siblings.count(), 2u);
  siblings.post(1, [&](RoomDouble& room) { room.heard.push_back(loops[1].in_loop_thread() ? "on its loop" : "elsewhere"); });
  EXPECT_TRUE(rooms[1].heard.empty());
  loops[1].settle();
  EXPECT_THAT(rooms[1].heard, ElementsAre("on its loop"));

  auto answer = std::make_shared<AnswerDouble>();
  siblings.hand_over(1, 0, std::make_unique<ExchangeDouble>(HttpRequest{}, PeerAddress{}, PathValues{}, answer),
                     [](RoomDouble& room, ExchangePtr exchange) { room.held = std::move(exchange); });
  EXPECT_EQ(siblings.waiting(1), 1u);
  loops[0].settle();
  ASSERT_NE(rooms[0].held, nullptr);
  rooms[0].held->reply(text_response("from the first"));
  loops[1].settle();
  EXPECT_EQ(answer->response->body, "from the first");
  EXPECT_EQ(siblings.waiting(1), 0u);
}

TEST(Siblings, AtItsOwnPlaceTheExchangeItselfIsTakenAtOnce) {
  ManualLoop loop;
  RoomDouble room;
  Siblings<RoomDouble> siblings;
  siblings.add(loop, room);
  auto answer = std::make_shared<AnswerDouble>();
  auto exchange = std::make_unique<ExchangeDouble>(HttpRequest{}, PeerAddress{}, PathValues{}, answer);
  const Exchange* const itself = exchange.get();
  siblings.hand_over(0, 0, std::move(exchange), [](RoomDouble& own, ExchangePtr taken) { own.held = std::move(taken); });
  EXPECT_EQ(room.held.get(), itself);
  room.held->reply(text_response("x"));
  EXPECT_EQ(answer->response->body, "x");
}

}  // namespace
}  // namespace carillon
