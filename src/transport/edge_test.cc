#include "transport/edge.h"

#include <gtest/gtest.h>

#include "transport/edge_double.h"

namespace carillon {
namespace {

TEST(Edge, DrainingIsSpreadOverItsTime) {
  EdgeWorld world;
  std::vector<std::shared_ptr<PeerDouble>> peers;
  for (int i = 0; i < 100; ++i) peers.push_back(world.connect_websocket());
  bool drained = false;
  world.edge->drain(Millis{2'000}, [&] { drained = true; });
  std::size_t told_before = 0;
  for (int step = 0; step < 10; ++step) {
    world.loop.advance(Millis{200});
    std::size_t told = 0;
    for (const auto& peer : peers) {
      if (!frames_of(peer->received()).empty()) ++told;
    }
    EXPECT_LE(told, 40u) << step;  // Never all at once.
    told_before += told;
  }
  world.loop.advance(Millis{200});
  for (const auto& peer : peers) told_before += frames_of(peer->received()).size();
  EXPECT_EQ(told_before, 100u);
  EXPECT_FALSE(drained);
  for (const auto& peer : peers) {
    if (!peer->closed) peer->send(masked_close(1001));
    if (!peer->closed) peer->end();
  }
  world.loop.advance(Millis{100});
  EXPECT_TRUE(drained);
  EXPECT_EQ(world.edge->counters().connections.get(), 0u);
  EXPECT_EQ(world.shared.connections.load(), 0u);
}

TEST(Edge, WhoDoesNotLeaveIsDroppedInTheEnd) {
  EdgeOptions options;
  options.close_time = Millis{60'000};
  EdgeWorld world(options);
  const auto websocket = world.connect_websocket();
  const auto waiting = world.connect();
  waiting->send("GET /later HTTP/1.1\r\nHost: h\r\n\r\n");
  bool drained = false;
  world.edge->drain(Millis{1'000}, [&] { drained = true; });
  world.loop.advance(Millis{59'000});
  EXPECT_FALSE(drained);
  EXPECT_FALSE(waiting->closed);
  world.loop.advance(Millis{2'100});
  EXPECT_TRUE(drained);
  EXPECT_TRUE(waiting->freed);
  EXPECT_TRUE(websocket->freed);
  world.parked[0]->reply({});
}

TEST(Edge, DrainingNobodyIsDoneAtOnce) {
  EdgeWorld world;
  bool drained = false;
  world.edge->drain(Millis{10'000}, [&] { drained = true; });
  world.loop.advance(Millis{20});
  EXPECT_TRUE(drained);
}

// What was published in the turn of the stop is delivered at its end, ahead of any goodbye.
TEST(Edge, NobodyIsToldInTheTurnInWhichDrainingBegins) {
  EdgeWorld world;
  const auto peer = world.connect_websocket();
  world.edge->drain(Millis{0}, [] {});
  EXPECT_TRUE(frames_of(peer->received()).empty());
  world.loop.advance(Millis{20});
  EXPECT_FALSE(frames_of(peer->received()).empty());
}

TEST(Edge, WhoComesWhileItDrainsIsAnsweredAndClosed) {
  EdgeWorld world;
  const auto holding = world.connect();
  holding->send("GET /later HTTP/1.1\r\nHost: h\r\n\r\n");
  world.edge->drain(Millis{10'000}, [] {});
  const std::string answer = world.ask("GET /now HTTP/1.1\r\nHost: h\r\n\r\n");
  EXPECT_NE(answer.find("Connection: close\r\n"), std::string::npos);
}

TEST(Edge, EveryConnectionIsSweptWhileOthersEndInTheSweep) {
  EdgeWorld world;
  std::vector<std::shared_ptr<PeerDouble>> peers;
  for (int i = 0; i < 50; ++i) {
    peers.push_back(world.connect());
    if (i % 2 == 0) peers.back()->send("GET /later HTTP/1.1\r\nHost: h\r\n\r\n");
  }
  world.loop.advance(Millis{40'000});
  for (std::size_t i = 0; i < peers.size(); ++i) EXPECT_EQ(peers[i]->freed, i % 2 == 1) << i;
}

TEST(Edge, RequestIdsDiffer) {
  EdgeWorld world;
  const std::string first(world.edge->next_request_id()), second(world.edge->next_request_id());
  EXPECT_EQ(first.size(), 32u);
  EXPECT_EQ(second.size(), 32u);
  EXPECT_NE(first, second);
}

}  // namespace
}  // namespace carillon
