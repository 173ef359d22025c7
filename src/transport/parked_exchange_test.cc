// What the owner of an exchange hears while it holds it, and of its answer's way.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "transport/edge_double.h"

namespace carillon {
namespace {

using ::testing::ElementsAre;
using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::StartsWith;

std::string get(std::string_view target) {
  return "GET " + std::string(target) + " HTTP/1.1\r\nHost: h\r\n\r\n";
}

HttpResponse text_response(std::string body) {
  HttpResponse response;
  response.body = std::move(body);
  return response;
}

class ParkedExchange : public testing::Test {
 protected:
  // A client whose request waits, with both hooks set.
  std::shared_ptr<PeerDouble> park(std::string_view target = "/later") {
    auto peer = world_.connect();
    peer->send(get(target));
    watch(world_.parked.size() - 1);
    return peer;
  }
  void watch(std::size_t index) {
    world_.parked.at(index)->on_gone([this, index] { heard_.push_back("gone " + std::to_string(index)); });
    world_.parked.at(index)->on_drain([this, index] { heard_.push_back("drain " + std::to_string(index)); });
  }
  ReplySent note(std::string name) {
    return [this, name = std::move(name)](bool sent) { heard_.push_back(name + (sent ? " sent" : " unsent")); };
  }
  // Since the last call.
  std::vector<std::string> heard() { return std::exchange(heard_, {}); }

  std::vector<std::string> heard_;
  EdgeWorld world_;
};

TEST_F(ParkedExchange, HearsThatTheConnectionBroke) {
  const auto peer = park();
  EXPECT_THAT(heard(), IsEmpty());
  peer->lose();
  EXPECT_THAT(heard(), ElementsAre("gone 0"));
  world_.parked[0]->reply(text_response("too late"));
  world_.loop.settle();
  EXPECT_TRUE(peer->freed);
  EXPECT_THAT(heard(), IsEmpty());
}

TEST_F(ParkedExchange, HearsThatTheClientSendsNothingMoreAndMayAnswerYet) {
  const auto peer = park();
  peer->end();
  EXPECT_THAT(heard(), ElementsAre("gone 0"));
  EXPECT_FALSE(peer->closed);
  world_.parked[0]->reply(text_response("to a half-closed client"), note("answer"));
  EXPECT_THAT(peer->received(), EndsWith("to a half-closed client"));
  EXPECT_TRUE(peer->closed);
  EXPECT_THAT(heard(), ElementsAre("answer sent"));
}

TEST_F(ParkedExchange, HearsItOnceOnly) {
  const auto peer = park();
  peer->end();
  peer->lose();
  EXPECT_THAT(heard(), ElementsAre("gone 0"));
}

TEST_F(ParkedExchange, HearsItAtOnceWhenItHasHappened) {
  const auto broken = world_.connect(), ended = world_.connect();
  for (const auto& peer : {broken, ended}) peer->send(get("/later"));
  broken->lose();
  world_.loop.settle();
  ended->end();
  watch(0);
  EXPECT_THAT(heard(), ElementsAre("gone 0"));
  watch(1);
  EXPECT_THAT(heard(), ElementsAre("gone 1"));
}

TEST_F(ParkedExchange, HearsNothingOnceItIsAnswered) {
  const auto peer = park();
  world_.parked[0]->reply(text_response("x"));
  watch(0);
  peer->end();
  world_.edge->drain(Millis{0}, [] {});
  world_.loop.advance(Millis{100});
  EXPECT_THAT(heard(), IsEmpty());
}

// The connection would use its memory for the next request.
TEST_F(ParkedExchange, MayBeKeptOnceItIsAnswered) {
  const auto peer = park("/later?1");
  world_.parked[0]->reply(text_response("first"));
  peer->send(get("/later?2"));
  world_.parked[1]->reply(text_response("second"));
  EXPECT_EQ(world_.parked[0]->request().query, "1");
  EXPECT_EQ(world_.parked[1]->request().query, "2");
  world_.parked.erase(world_.parked.begin());
  peer->send(get("/later?3"));
  EXPECT_EQ(world_.parked[0]->request().query, "2");
  EXPECT_EQ(world_.parked[1]->request().query, "3");
  world_.parked[1]->reply(text_response("third"));
  EXPECT_THAT(peer->received(), EndsWith("third"));
  peer->lose();
  world_.loop.settle();
  EXPECT_TRUE(peer->freed);
  EXPECT_EQ(world_.parked[0]->request().query, "2");
}

TEST_F(ParkedExchange, HasNothingOfTheRequestBefore) {
  const auto peer = world_.connect();
  const std::string long_value(100, 'v');
  peer->send("POST /later?" + long_value + " HTTP/1.1\r\nHost: h\r\nX-Long: " + long_value +
             "\r\nContent-Length: 4\r\n\r\nbody");
  EXPECT_EQ(world_.parked.at(0)->request().headers.get("x-long"), long_value);
  watch(0);
  world_.parked[0]->reply(text_response("first"));
  world_.parked.clear();
  peer->send(get("/later"));
  const HttpRequest& request = world_.parked.at(0)->request();
  EXPECT_EQ(request.method, "GET");
  EXPECT_EQ(request.target, "/later");
  EXPECT_EQ(request.query, "");
  EXPECT_EQ(request.body, "");
  EXPECT_EQ(request.headers.fields().size(), 1u);
  peer->end();
  EXPECT_THAT(heard(), IsEmpty());
}

TEST_F(ParkedExchange, IsToldOfAPipelinedRequestsClientToo) {
  const auto peer = world_.connect();
  peer->send(get("/later?1") + get("/later?2"));
  watch(0);
  peer->end();
  EXPECT_THAT(heard(), ElementsAre("gone 0"));
  world_.parked[0]->reply(text_response("first"));
  ASSERT_EQ(world_.parked.size(), 2u);
  watch(1);
  EXPECT_THAT(heard(), ElementsAre("gone 1"));
}

TEST_F(ParkedExchange, ItsHookMayAnswer) {
  const auto ended = world_.connect(), lost = world_.connect();
  for (const auto& peer : {ended, lost}) peer->send(get("/later") + get("/now?next"));
  for (ExchangePtr& exchange : world_.parked) exchange->on_gone([&] { exchange->reply(text_response("bye"), note("bye")); });
  ended->end();
  const std::string received = ended->received();
  EXPECT_THAT(received, HasSubstr("\r\n\r\nbyeHTTP/1.1 200"));
  EXPECT_THAT(received, EndsWith("now next"));
  lost->lose();
  EXPECT_EQ(lost->received(), "");
  EXPECT_THAT(heard(), ElementsAre("bye sent", "bye unsent"));
  world_.loop.settle();
  EXPECT_TRUE(ended->freed && lost->freed);
}

TEST_F(ParkedExchange, ItsHookMayDestroyIt) {
  const auto ended = world_.connect(), lost = world_.connect(), late = world_.connect();
  for (const auto& peer : {ended, lost, late}) peer->send(get("/later"));
  late->end();
  for (ExchangePtr& exchange : world_.parked) exchange->on_gone([&] { exchange.reset(); });
  EXPECT_THAT(late->received(), StartsWith("HTTP/1.1 500 "));
  ended->end();
  EXPECT_THAT(ended->received(), StartsWith("HTTP/1.1 500 "));
  lost->lose();
  world_.loop.settle();
  EXPECT_TRUE(ended->freed && lost->freed && late->freed);
}

TEST_F(ParkedExchange, IsWaitedForWithoutEnd) {
  const auto peer = park();
  world_.loop.advance(Millis{3'600'000});
  EXPECT_THAT(heard(), IsEmpty());
  EXPECT_FALSE(peer->closed || peer->paused);
  peer->end();
  EXPECT_THAT(heard(), ElementsAre("gone 0"));
}

TEST_F(ParkedExchange, TheServersEndIsTheClientsEnd) {
  park();
  world_.edge.reset();
  EXPECT_THAT(heard(), ElementsAre("gone 0"));
  world_.parked[0]->reply(text_response("x"), note("answer"));
  EXPECT_THAT(heard(), ElementsAre("answer unsent"));
}

// --- Whether an answer has left

TEST_F(ParkedExchange, AnAnswerHasLeftWhenAllOfItHas) {
  const auto peer = park();
  peer->takes = 10;
  world_.parked[0]->reply(text_response(std::string(1'000, 'x')), note("answer"));
  EXPECT_THAT(heard(), IsEmpty());
  peer->room(1'000);  // The body, but not the head before it.
  EXPECT_THAT(heard(), IsEmpty());
  peer->room(PeerDouble::kAll);
  EXPECT_THAT(heard(), ElementsAre("answer sent"));
}

TEST_F(ParkedExchange, AnAnswerThatIsCutHasNotLeft) {
  const auto peer = park();
  peer->takes = 200;
  world_.parked[0]->reply(text_response(std::string(1'000, 'x')), note("answer"));
  EXPECT_EQ(peer->received().size(), 200u);
  peer->lose();
  EXPECT_THAT(heard(), ElementsAre("answer unsent"));
}

TEST_F(ParkedExchange, AnAnswerToNobodyHasNotLeft) {
  const auto peer = park();
  peer->lose();
  world_.loop.settle();
  world_.parked[0]->reply(text_response("x"), note("answer"));
  EXPECT_THAT(heard(), ElementsAre("gone 0", "answer unsent"));
}

// However slowly they are taken, each is told of in its turn, exactly when its last byte has left.
TEST_F(ParkedExchange, PipelinedAnswersAreToldOfInTheirTurn) {
  const auto peer = world_.connect();
  peer->takes = 1;
  constexpr int kCount = 30;
  for (int i = 0; i < kCount; ++i) {
    peer->send(get("/later"));
    ASSERT_EQ(world_.parked.size(), static_cast<std::size_t>(i) + 1);
    const std::string name = std::to_string(i);
    world_.parked.back()->reply(text_response(std::string(static_cast<std::size_t>(i * 37 % 300), 'x') + "<" + name + ">"),
                                i % 3 == 0 ? ReplySent() : note(name));
  }
  std::string all = peer->received();
  std::vector<std::string> told;
  for (int step = 0; step < 10'000 && told.size() < 20; ++step) {
    peer->room(static_cast<std::size_t>(1 + step * 13 % 97));
    all += peer->received();
    for (const std::string& one : heard()) told.push_back(one);
    std::vector<std::string> left;
    for (int i = 0; i < kCount; ++i) {
      const std::string name = std::to_string(i);
      if (i % 3 != 0 && all.find("<" + name + ">") != std::string::npos) left.push_back(name + " sent");
    }
    ASSERT_EQ(told, left) << "after " << all.size() << " bytes";
  }
  EXPECT_EQ(told.size(), 20u);
}

TEST_F(ParkedExchange, WhoIsToldMayAnswerTheNext) {
  const auto peer = world_.connect();
  peer->takes = 10;
  peer->send(get("/later?1") + get("/later?2") + get("/now?3"));
  world_.parked[0]->reply(text_response("first"),
                          [&](bool sent) { world_.parked.at(1)->reply(text_response(sent ? "second" : "lost")); });
  ASSERT_EQ(world_.parked.size(), 2u);
  peer->room(PeerDouble::kAll);
  std::string received = peer->received();
  EXPECT_THAT(received, HasSubstr("\r\n\r\nsecondHTTP/1.1 200"));
  EXPECT_THAT(received, EndsWith("now 3"));

  const auto lost = world_.connect();
  lost->takes = 10;
  lost->send(get("/later?1") + get("/later?2"));
  ExchangePtr next = std::move(world_.parked.at(3 - 1));
  next->reply(text_response("first"),
              [&](bool sent) { world_.parked.at(3)->reply(text_response("x"), note(sent ? "?" : "next")); });
  ASSERT_EQ(world_.parked.size(), 4u);
  lost->lose();
  EXPECT_THAT(heard(), ElementsAre("next unsent"));
}

// --- When the server stops

TEST_F(ParkedExchange, IsToldWhenTheServerStopsAtTheEvenPace) {
  std::vector<std::shared_ptr<PeerDouble>> peers;
  for (int i = 0; i < 100; ++i) peers.push_back(park());
  bool drained = false;
  world_.edge->drain(Millis{2'000}, [&] { drained = true; });
  EXPECT_THAT(heard(), IsEmpty());
  std::size_t told = 0;
  for (int step = 0; step < 11; ++step) {
    world_.loop.advance(Millis{200});
    const std::vector<std::string> now = heard();
    EXPECT_LE(now.size(), 40u);
    told += now.size();
  }
  EXPECT_EQ(told, 100u);
  for (std::size_t i = 0; i < peers.size(); ++i) {
    world_.parked[i]->reply(text_response("[]"));
    const std::string answer = peers[i]->received();
    EXPECT_THAT(answer, HasSubstr("Connection: close\r\n"));
    EXPECT_THAT(answer, EndsWith("[]"));
    peers[i]->end();
  }
  world_.loop.advance(Millis{100});
  EXPECT_TRUE(drained);
  EXPECT_THAT(heard(), IsEmpty());
}

TEST_F(ParkedExchange, ItsHookMayAnswerWhenTheServerStops) {
  const auto peer = world_.connect();
  peer->send(get("/later") + get("/now"));
  world_.parked[0]->on_drain([&] { world_.parked[0]->reply(text_response("[]"), note("answer")); });
  world_.edge->drain(Millis{0}, [] {});
  world_.loop.advance(Millis{20});
  EXPECT_THAT(peer->received(), EndsWith("\r\n\r\n[]"));
  EXPECT_TRUE(peer->write_shut);
  EXPECT_EQ(world_.asked, 0);
  EXPECT_THAT(heard(), ElementsAre("answer sent"));
}

TEST_F(ParkedExchange, WhoArrivesWhileTheServerStopsIsToldAtOnce) {
  park();
  world_.edge->drain(Millis{10'000}, [] {});
  world_.loop.advance(Millis{100});
  heard();
  park();
  EXPECT_THAT(heard(), ElementsAre("drain 1"));
}

TEST_F(ParkedExchange, WhoIsNotAnsweredIsCutOffInTheEnd) {
  const auto peer = park();
  bool drained = false;
  world_.edge->drain(Millis{0}, [&] { drained = true; });
  world_.loop.advance(world_.edge->options().close_time - Millis{100});
  EXPECT_THAT(heard(), ElementsAre("drain 0"));
  EXPECT_FALSE(drained);
  world_.loop.advance(Millis{200});
  EXPECT_THAT(heard(), ElementsAre("gone 0"));
  EXPECT_TRUE(drained && peer->freed);
}

// --- What a dialog says when the server stops

TEST(DialogAtTheServersStop, ChoosesItsCodeAndHasALastWord) {
  EdgeWorld world;
  const auto peer = world.connect_websocket();
  world.dialog->drain_code = kCloseServiceRestart;
  world.dialog->last_word = "come back";
  world.edge->drain(Millis{0}, [] {});
  world.loop.advance(Millis{100});  // It is told once, though its turn comes again.
  EXPECT_THAT(frames_of(peer->received()), ElementsAre("text come back", "close 1012 the server is stopping"));
}

TEST(DialogAtTheServersStop, IsNotAskedOnceItHasSaidGoodbye) {
  EdgeWorld world;
  const auto peer = world.connect_websocket();
  world.dialog->last_word = "come back";
  world.dialog->link.close(kCloseNormal, "");
  world.edge->drain(Millis{0}, [] {});
  world.loop.advance(Millis{100});
  EXPECT_THAT(frames_of(peer->received()), ElementsAre("close 1000"));
}

TEST(DialogAtTheServersStop, HasALastWordOnAStreamToo) {
  EdgeWorld world;
  const auto peer = world.connect();
  peer->send(get("/stream"));
  world.loop.settle();
  EXPECT_THAT(peer->received(), Not(HasSubstr("come back")));
  world.dialog->last_word = "come back";
  world.edge->drain(Millis{0}, [] {});
  world.loop.advance(Millis{100});
  EXPECT_EQ(peer->received(), "9\r\ncome back\r\n0\r\n\r\n");
}

}  // namespace
}  // namespace carillon
