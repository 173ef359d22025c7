#include "transport/event_stream.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "transport/edge_double.h"

namespace carillon {
namespace {

using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;

class EventStreamTest : public ::testing::Test {
 protected:
  std::shared_ptr<PeerDouble> open(std::string_view request = "GET /stream HTTP/1.1\r\nHost: h\r\n\r\n") {
    auto peer = world.connect();
    peer->send(request);
    return peer;
  }

  EdgeWorld world;
};

TEST_F(EventStreamTest, TheBodyGoesOnInChunks) {
  const auto peer = open();
  const std::string head = peer->received();
  EXPECT_THAT(head, StartsWith("HTTP/1.1 200 OK\r\n"));
  EXPECT_THAT(head, HasSubstr("Transfer-Encoding: chunked\r\n"));
  EXPECT_THAT(head, HasSubstr("Connection: close\r\n"));
  EXPECT_THAT(head, EndsWith("\r\n\r\n"));
  world.dialog->say("data: 1\n\n");
  EXPECT_EQ(peer->received(), "9\r\ndata: 1\n\n\r\n");
  peer->send("a client has nothing to say here");
  world.dialog->say("x");
  EXPECT_EQ(peer->received(), "1\r\nx\r\n");
  EXPECT_EQ(world.edge->counters().event_streams.get(), 1u);
}

TEST_F(EventStreamTest, TheHeadWaitsForWhatTheDialogDoesFirst) {
  const auto peer = open("GET /quiet_stream HTTP/1.1\r\nHost: h\r\n\r\n");
  EXPECT_EQ(peer->received(), "");
  world.dialog->say("data: 1\n\n");
  EXPECT_THAT(peer->received(), EndsWith("\r\n\r\n9\r\ndata: 1\n\n\r\n"));
}

TEST_F(EventStreamTest, OlderClientsReadUntilTheEnd) {
  const auto peer = open("GET /stream HTTP/1.0\r\n\r\n");
  const std::string head = peer->received();
  EXPECT_THAT(head, Not(HasSubstr("Transfer-Encoding")));
  EXPECT_THAT(head, HasSubstr("Connection: close\r\n"));
  world.dialog->say("data: 1\n\n");
  world.dialog->link.close(0, {});
  EXPECT_EQ(peer->received(), "data: 1\n\n");
  EXPECT_TRUE(peer->write_shut);
}

TEST_F(EventStreamTest, HeadHasNoStreamAndTheConnectionStays) {
  const auto peer = open("HEAD /stream HTTP/1.1\r\nHost: h\r\n\r\n");
  EXPECT_THAT(peer->received(), EndsWith("\r\n\r\n"));
  EXPECT_EQ(world.dialog, nullptr);
  peer->send("GET /now?1 HTTP/1.1\r\nHost: h\r\n\r\n");
  EXPECT_THAT(peer->received(), EndsWith("now 1"));
  const auto old = open("HEAD /stream HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
  EXPECT_THAT(old->received(), HasSubstr("Connection: close\r\n"));
  EXPECT_TRUE(old->write_shut);
}

TEST_F(EventStreamTest, EarlierAnswersComeFirst) {
  const auto peer = world.connect();
  peer->takes = 30;
  peer->send("GET /now?1 HTTP/1.1\r\nHost: h\r\n\r\nGET /stream HTTP/1.1\r\nHost: h\r\n\r\n");
  world.dialog->say("x");
  peer->room(PeerDouble::kAll);
  const std::string all = peer->received();
  EXPECT_THAT(all, StartsWith("HTTP/1.1 200 OK\r\n"));
  EXPECT_THAT(all, HasSubstr("now 1HTTP/1.1 200 OK\r\n"));
  EXPECT_THAT(all, EndsWith("\r\n\r\n1\r\nx\r\n"));
}

TEST_F(EventStreamTest, AQuietStreamGetsAHeartbeat) {
  const auto peer = open();
  world.loop.advance(Millis{10'000});
  world.dialog->say("x");
  world.loop.advance(Millis{14'900});
  EXPECT_EQ(world.dialog->quiet, 0);
  world.loop.advance(Millis{2'200});
  EXPECT_EQ(world.dialog->quiet, 1);
  world.loop.advance(Millis{32'000});
  EXPECT_EQ(world.dialog->quiet, 3);
  EXPECT_FALSE(peer->closed);
}

TEST_F(EventStreamTest, TheEndIsALastChunkAndNothingFollows) {
  const auto peer = open();
  peer->received();
  peer->takes = 4;
  world.dialog->say("last words");
  world.dialog->link.close(0, {});
  EXPECT_TRUE(world.dialog->closed);
  world.dialog->link.close(0, {});
  peer->room(PeerDouble::kAll);
  EXPECT_EQ(peer->received(), "a\r\nlast words\r\n0\r\n\r\n");
  EXPECT_TRUE(peer->write_shut);
  world.loop.advance(Millis{20'000});
  EXPECT_TRUE(peer->freed);
  EXPECT_EQ(world.edge->counters().event_streams.get(), 0u);
}

TEST_F(EventStreamTest, AClientThatEndsOrIsLostIsGone) {
  for (const bool lost : {false, true}) {
    const auto peer = open();
    lost ? peer->lose() : peer->end();
    EXPECT_TRUE(world.dialog->closed);
    world.loop.settle();
    EXPECT_TRUE(peer->freed);
  }
}

TEST_F(EventStreamTest, WhoTakesNothingIsDropped) {
  const auto peer = open();
  peer->takes = 1;
  world.dialog->say("waiting");
  world.loop.advance(Millis{50'000});
  EXPECT_FALSE(peer->closed);
  EXPECT_EQ(world.dialog->quiet, 0);
  peer->room(1);
  world.loop.advance(Millis{50'000});
  EXPECT_FALSE(peer->closed);
  world.loop.advance(Millis{15'000});
  EXPECT_TRUE(peer->freed);
  EXPECT_EQ(world.edge->counters().timeouts_total.get(), 1u);
}

TEST_F(EventStreamTest, DrainingEndsTheBody) {
  const auto peer = open();
  peer->received();
  world.edge->drain(Millis{0}, [] {});
  world.loop.advance(Millis{20});
  EXPECT_EQ(peer->received(), "0\r\n\r\n");
  EXPECT_TRUE(peer->write_shut);
}

}  // namespace
}  // namespace carillon
