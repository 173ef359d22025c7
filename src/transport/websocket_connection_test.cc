#include "transport/websocket_connection.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "transport/edge_double.h"
#include "wire/deflate/inflater.h"

namespace carillon {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::StartsWith;
using Strings = std::vector<std::string>;

std::string text(std::string_view message) {
  return masked(WebSocketOpcode::kText, message);
}

class WebSocketConnectionTest : public ::testing::Test {
 protected:
  Strings frames() { return frames_of(peer->received()); }
  // The peer answers our close and ends; nothing is left of it.
  void finish() {
    peer->end();
    world.loop.settle();
    EXPECT_TRUE(peer->freed);
    EXPECT_EQ(world.edge->counters().websockets.get(), 0u);
  }

  EdgeWorld world;
  std::shared_ptr<PeerDouble> peer = world.connect_websocket();
};

TEST_F(WebSocketConnectionTest, TheHandshakeComesFirstAndWhatFollowsTheRequestIsAMessage) {
  EdgeWorld other;
  const auto early = other.connect();
  early->send(EdgeWorld::handshake() + text("a") + text("b").substr(0, 3));
  EXPECT_THAT(early->received(), HasSubstr("Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n"));
  other.loop.settle();
  early->send(text("b").substr(3));
  EXPECT_THAT(other.dialog->messages, ElementsAre("text a", "text b"));
}

// Other loops refuse connections by this count.
TEST_F(WebSocketConnectionTest, AConnectionIsCountedOnceAlsoWhileItBecomesAWebSocket) {
  EdgeWorld other;
  std::size_t counted = 0;
  other.edge->router().add("GET", "/hello", [&](ExchangePtr exchange) {
    exchange->accept_websocket({}, [&](Link& link) {
      counted = other.shared.connections.load();
      return other.make_dialog(link);
    });
  });
  std::string request = EdgeWorld::handshake();
  request.replace(5, 2, "hello");
  const auto early = other.connect();
  early->send(request);
  EXPECT_EQ(counted, 1u);
  other.loop.settle();
  EXPECT_EQ(other.shared.connections.load(), 1u);
  early->end();
  other.loop.settle();
  EXPECT_EQ(other.shared.connections.load(), 0u);
}

TEST_F(WebSocketConnectionTest, WhatTheDialogSaysAtOnceComesBehindTheHandshake) {
  EdgeWorld other;
  other.edge->router().add("GET", "/hello", [&](ExchangePtr exchange) {
    exchange->accept_websocket({.subprotocol = "p"}, [&](Link& link) {
      auto made = other.make_dialog(link);
      made->outbox().push(link.frame("hello", MessageKind::kText));
      return made;
    });
  });
  std::string request = EdgeWorld::handshake("Sec-WebSocket-Protocol: p\r\nx-request-id: r\r\n");
  request.replace(5, 2, "hello");
  const auto early = other.connect();
  early->takes = 20;
  early->send(request);
  early->room(PeerDouble::kAll);
  const std::string all = early->received();
  EXPECT_THAT(all, StartsWith("HTTP/1.1 101 "));
  EXPECT_THAT(all, HasSubstr("Sec-WebSocket-Protocol: p\r\n"));
  EXPECT_THAT(all, HasSubstr("x-request-id: r\r\n\r\n"));
  EXPECT_THAT(frames_of(all.substr(all.find("\r\n\r\n") + 4)), ElementsAre("text hello"));
}

TEST_F(WebSocketConnectionTest, MessagesGoBothWays) {
  peer->send(text("hi") + masked(WebSocketOpcode::kBinary, "bytes"));
  EXPECT_THAT(world.dialog->messages, ElementsAre("text hi", "binary bytes"));
  world.dialog->say("one");
  world.dialog->say("two", MessageKind::kBinary);
  EXPECT_THAT(frames(), ElementsAre("text one", "binary two"));
}

TEST_F(WebSocketConnectionTest, APongOvertakesWhatWaits) {
  peer->takes = 3;
  world.dialog->say("first");
  world.dialog->say("second");
  // Blocked in the middle of a frame: the pong comes right behind it.
  peer->send(masked(WebSocketOpcode::kPing, "p"));
  peer->room(PeerDouble::kAll);
  EXPECT_THAT(frames(), ElementsAre("text first", "pong p", "text second"));
}

TEST_F(WebSocketConnectionTest, OfAFloodOfPingsABlockedPeerHearsTheLastPong) {
  peer->takes = 3;
  world.dialog->say("first");
  const std::size_t before = world.frame_memory.bytes;
  for (int i = 0; i < 10'000; ++i) peer->send(masked(WebSocketOpcode::kPing, std::to_string(i)));
  EXPECT_EQ(world.frame_memory.bytes, before);
  peer->room(PeerDouble::kAll);
  EXPECT_THAT(frames(), ElementsAre("text first", "pong 9999"));
  peer->send(masked(WebSocketOpcode::kPing, "a") + masked(WebSocketOpcode::kPing, ""));
  EXPECT_THAT(frames(), ElementsAre("pong a", "pong"));
}

TEST_F(WebSocketConnectionTest, ThePeerClosesAndHearsItsCode) {
  for (const int code : {1000, 1001, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 1014, 3000, 4999}) {
    EdgeWorld other;
    const auto closing = other.connect_websocket();
    closing->send(masked_close(static_cast<std::uint16_t>(code), "bye") + text("ignored"));
    EXPECT_THAT(frames_of(closing->received()), ElementsAre("close " + std::to_string(code)));
    EXPECT_TRUE(closing->write_shut);
    EXPECT_TRUE(other.dialog->closed);
    EXPECT_THAT(other.dialog->messages, IsEmpty());
    closing->end();
    other.loop.settle();
    EXPECT_TRUE(closing->freed);
    EXPECT_EQ(other.edge->counters().protocol_errors_total.get(), 0u);
  }
}

TEST_F(WebSocketConnectionTest, ACloseWithoutACodeIsAnsweredWithoutOne) {
  peer->send(masked(WebSocketOpcode::kClose, ""));
  EXPECT_THAT(frames(), ElementsAre("close"));
  finish();
}

TEST_F(WebSocketConnectionTest, CodesThatMayNotBeSentAreFaults) {
  for (const int code : {0, 999, 1004, 1005, 1006, 1015, 1016, 2999, 5000}) {
    EdgeWorld other;
    const auto closing = other.connect_websocket();
    const std::string payload{static_cast<char>(code >> 8), static_cast<char>(code & 255)};
    closing->send(masked(WebSocketOpcode::kClose, payload));
    const Strings got = frames_of(closing->received());
    ASSERT_EQ(got.size(), 1u) << code;
    EXPECT_THAT(got[0], StartsWith("close 1002 ")) << code;
    EXPECT_EQ(other.edge->counters().protocol_errors_total.get(), 1u);
  }
}

TEST_F(WebSocketConnectionTest, ProtocolFaultsFailTheConnection) {
  const auto faulty = [](std::string bytes, std::string_view close) {
    EdgeWorld other;
    const auto breaking = other.connect_websocket();
    breaking->send(text("before") + bytes + text("after"));
    EXPECT_THAT(other.dialog->messages, ElementsAre("text before"));
    const Strings got = frames_of(breaking->received());
    ASSERT_EQ(got.size(), 1u);
    EXPECT_THAT(got[0], StartsWith(std::string(close)));
    EXPECT_TRUE(breaking->write_shut);
    EXPECT_TRUE(other.dialog->closed);
  };
  std::string unmasked;
  append_frame(unmasked, WebSocketOpcode::kText, "x");
  faulty(unmasked, "close 1002 ");
  faulty(masked(static_cast<WebSocketOpcode>(3), "x"), "close 1002 ");
  faulty(masked(WebSocketOpcode::kContinuation, "x"), "close 1002 ");
  faulty(masked(WebSocketOpcode::kText, "x", {.fin = true, .compressed = true}), "close 1002 ");
  faulty(masked(WebSocketOpcode::kPing, "x", {.fin = false}), "close 1002 ");
  faulty(text("\xC3\x28"), "close 1007 ");
  faulty(masked_close(1000, "\xFF"), "close 1007 ");
  faulty(masked(WebSocketOpcode::kText, std::string((1 << 20) + 1, 'x')), "close 1009 ");
}

TEST_F(WebSocketConnectionTest, AMessageOverManyFramesCountsAsOne) {
  EdgeOptions options;
  options.message_bytes_max = 10;
  EdgeWorld other(options);
  const auto sending = other.connect_websocket();
  sending->send(masked(WebSocketOpcode::kText, "01234", {.fin = false}) + masked(WebSocketOpcode::kPing, "in between") +
                masked(WebSocketOpcode::kContinuation, "56789"));
  EXPECT_THAT(other.dialog->messages, ElementsAre("text 0123456789"));
  EXPECT_THAT(frames_of(sending->received()), ElementsAre("pong in between"));
  sending->send(masked(WebSocketOpcode::kText, "01234", {.fin = false}) + masked(WebSocketOpcode::kContinuation, "56789A"));
  EXPECT_THAT(frames_of(sending->received()).at(0), StartsWith("close 1009 "));
}

TEST_F(WebSocketConnectionTest, WeCloseAndThePeerAnswers) {
  world.dialog->say("last");
  world.dialog->link.close(1008, "enough");
  EXPECT_TRUE(world.dialog->closed);
  EXPECT_THAT(frames(), ElementsAre("text last", "close 1008 enough"));
  EXPECT_FALSE(peer->write_shut);
  peer->send(text("on its way") + masked(WebSocketOpcode::kPing, "p"));
  EXPECT_THAT(world.dialog->messages, IsEmpty());
  peer->send(masked_close(1008));
  EXPECT_THAT(frames(), IsEmpty());
  EXPECT_TRUE(peer->write_shut);
  finish();
}

TEST_F(WebSocketConnectionTest, ALongReasonIsCutWhereACharacterEnds) {
  std::string reason;
  for (int i = 0; i < 70; ++i) reason += "ü";
  world.dialog->link.close(1011, reason);
  EXPECT_THAT(frames(), ElementsAre("close 1011 " + reason.substr(0, 122)));
}

TEST_F(WebSocketConnectionTest, WhoNeverAnswersOurCloseIsDropped) {
  world.dialog->link.close(1000, {});
  for (int i = 0; i < 40 && !peer->freed; ++i) {
    world.loop.advance(Millis{250});
    if (!peer->closed) peer->send(text("still talking"));
  }
  EXPECT_TRUE(peer->freed);
}

TEST_F(WebSocketConnectionTest, WhoNeverEndsAfterTheGoodbyeIsDropped) {
  peer->send(masked_close(1000));
  EXPECT_TRUE(peer->write_shut);
  for (int i = 0; i < 20 && !peer->freed; ++i) {
    world.loop.advance(Millis{250});
    if (!peer->closed) peer->send("more");
  }
  EXPECT_TRUE(peer->freed);
}

TEST_F(WebSocketConnectionTest, NothingFollowsOurCloseFrame) {
  peer->takes = 2;
  world.dialog->say("waiting");
  world.dialog->link.close(1001, {});
  world.dialog->link.close(1008, "again");
  peer->send(masked(WebSocketOpcode::kPing, "p"));
  world.loop.advance(Millis{3'000});
  peer->room(PeerDouble::kAll);
  peer->send(masked(WebSocketOpcode::kPing, "q"));
  EXPECT_THAT(frames(), ElementsAre("text waiting", "close 1001"));
  peer->send(masked_close(1001));
  EXPECT_TRUE(peer->write_shut);
  finish();
}

TEST_F(WebSocketConnectionTest, AMessageMayCloseTheLink) {
  world.dialog->then_on_message = [&](const std::string&) { world.dialog->link.close(1013, "no"); };
  peer->send(text("a") + text("b") + masked(WebSocketOpcode::kPing, "p"));
  EXPECT_THAT(world.dialog->messages, ElementsAre("text a"));
  EXPECT_THAT(frames(), ElementsAre("close 1013 no"));
}

TEST_F(WebSocketConnectionTest, ThePeersCloseWaitsBehindWhatIsQueued) {
  peer->takes = 2;
  world.dialog->say("waiting");
  peer->send(masked_close(4000));
  EXPECT_FALSE(peer->write_shut);
  peer->room(PeerDouble::kAll);
  EXPECT_THAT(frames(), ElementsAre("text waiting", "close 4000"));
  EXPECT_TRUE(peer->write_shut);
  finish();
}

TEST_F(WebSocketConnectionTest, ALostPeerIsGoneAtOnce) {
  peer->takes = 2;
  world.dialog->say("waiting");
  peer->lose();
  EXPECT_TRUE(world.dialog->closed);
  world.loop.settle();
  EXPECT_TRUE(peer->freed);
  EXPECT_EQ(world.edge->counters().connections.get(), 0u);
  EXPECT_EQ(world.frame_memory.bytes, 0u);
}

TEST_F(WebSocketConnectionTest, APeerThatEndsWithoutAGoodbyeIsGone) {
  finish();
}

TEST_F(WebSocketConnectionTest, ABlockedLinkGoesOnWhereItStopped) {
  peer->takes = 5;
  const std::string long_message(1000, 'x');
  for (int i = 0; i < 600; ++i) world.dialog->say(long_message);
  std::string all = peer->received();
  for (int i = 0; i < 100'000 && !world.dialog->outbox().empty(); ++i) {
    peer->room(997);
    all += peer->received();
  }
  EXPECT_EQ(frames_of(all), Strings(600, "text " + long_message));
}

TEST_F(WebSocketConnectionTest, ASilentPeerIsAskedAndThenDropped) {
  world.loop.advance(Millis{27'500});
  EXPECT_THAT(frames(), ElementsAre("ping"));
  peer->send(masked(WebSocketOpcode::kPong, ""));
  world.loop.advance(Millis{27'500});
  EXPECT_THAT(frames(), ElementsAre("ping"));
  world.loop.advance(Millis{27'500});
  EXPECT_THAT(frames(), IsEmpty());  // Once is enough.
  EXPECT_FALSE(peer->closed);
  world.loop.advance(Millis{15'000});
  EXPECT_TRUE(peer->freed);
  EXPECT_EQ(world.edge->counters().timeouts_total.get(), 1u);
}

// A room's own times, shorter than the edge's; also one that came as a connection parked for its answer.
TEST_F(WebSocketConnectionTest, ARoomMayAskSoonerAndSaysGoodbyeToTheSilent) {
  EdgeWorld other({.room_time = Millis{5'000}});
  other.edge->router().add("GET", "/hello", [&](ExchangePtr exchange) { other.parked.push_back(std::move(exchange)); });
  std::string request = EdgeWorld::handshake();
  request.replace(5, 2, "hello");
  const auto silent = other.connect();
  silent->send(request + text("early"));
  other.loop.settle();
  other.parked.front()->accept_websocket({.ping_interval = Millis{5'000}, .idle_time = Millis{10'000}},
                                         [&](Link& link) { return other.make_dialog(link); });
  other.loop.settle();
  EXPECT_THAT(other.dialog->messages, ElementsAre("text early"));
  silent->received();
  for (int i = 0; i < 5; ++i) {
    other.loop.advance(Millis{6'500});
    EXPECT_THAT(frames_of(silent->received()), ElementsAre("ping"));
    silent->send(masked(WebSocketOpcode::kPong, ""));
  }
  other.loop.advance(Millis{9'900});
  EXPECT_THAT(frames_of(silent->received()), ElementsAre("ping"));
  other.loop.advance(Millis{2'000});
  EXPECT_THAT(frames_of(silent->received()), ElementsAre("close 1001 nothing was heard for too long"));
  EXPECT_EQ(other.edge->counters().timeouts_total.get(), 1u);
  other.loop.advance(Millis{7'000});
  EXPECT_TRUE(silent->freed);
}

TEST_F(WebSocketConnectionTest, ARoomsHeartbeatBeginsAtOnceAndGoesByPongsAndByTextsAlone) {
  EdgeWorld other({.room_time = Millis{5'000}});
  other.edge->router().add("GET", "/beat", [&](ExchangePtr exchange) {
    exchange->accept_websocket(
        {.heartbeat =
             WebSocketHeartbeat{
                 .interval = Millis{15'000}, .payload = "\x01", .pong_time = Millis{5'000}, .message_time = Millis{60'000}}},
        [&](Link& link) { return other.make_dialog(link); });
  });
  const auto connect = [&] {
    std::string request = EdgeWorld::handshake();
    request.replace(5, 2, "beat");
    auto made = other.connect();
    made->send(request);
    other.loop.settle();
    return made;
  };
  const auto quiet = connect();
  EXPECT_TRUE(quiet->received().ends_with(std::string("\r\n\r\n\x89\x01\x01")));
  for (int second = 0; second < 58; ++second) {
    quiet->send(masked(WebSocketOpcode::kPong, "\x01"));  // Also unasked for: what counts is that it is there.
    other.loop.advance(Millis{1'000});
  }
  const std::string heard = quiet->received();
  EXPECT_EQ(std::ranges::count(heard, '\x89'), 3) << "a ping every 15 s, and what the sweep adds";
  for (int second = 0; second < 6; ++second) {
    quiet->send(masked(WebSocketOpcode::kPong, "\x01"));
    other.loop.advance(Millis{1'000});
  }
  EXPECT_THAT(frames_of(quiet->received()), testing::Contains("close 1001 no message came for too long"));

  const auto dead = connect();
  dead->received();
  dead->send(text("alive"));
  other.loop.advance(Millis{4'500});
  EXPECT_THAT(frames_of(dead->received()), IsEmpty());
  dead->send(text("but no pong"));
  other.loop.advance(Millis{2'500});
  EXPECT_THAT(frames_of(dead->received()), ElementsAre("close 1001 a ping was not answered"));
}

TEST_F(WebSocketConnectionTest, AnyByteIsASignOfLife) {
  const std::string slow = text("a slow message");
  for (const char c : slow) {
    world.loop.advance(Millis{20'000});
    peer->send({&c, 1});
  }
  EXPECT_THAT(world.dialog->messages, ElementsAre("text a slow message"));
  EXPECT_THAT(frames(), IsEmpty());
}

TEST_F(WebSocketConnectionTest, WhoTakesNothingIsDroppedWhoTakesLittleIsNot) {
  peer->takes = 1;
  world.dialog->say(std::string(1000, 'x'));
  for (int i = 0; i < 10; ++i) {
    world.loop.advance(Millis{50'000});
    ASSERT_FALSE(peer->closed);
    peer->send(masked(WebSocketOpcode::kPong, ""));
    peer->room(1);
  }
  for (int i = 0; i < 4; ++i) {
    peer->send(masked(WebSocketOpcode::kPong, ""));
    world.loop.advance(Millis{20'000});
    if (peer->closed) break;
  }
  EXPECT_TRUE(peer->freed);
}

TEST_F(WebSocketConnectionTest, DrainingSaysGoingAway) {
  bool drained = false;
  world.edge->drain(Millis{0}, [&] { drained = true; });
  world.loop.advance(Millis{20});
  world.loop.settle();
  EXPECT_THAT(frames(), ElementsAre("close 1001 the server is stopping"));
  peer->send(masked_close(1001));
  finish();
  world.loop.advance(Millis{50});
  EXPECT_TRUE(drained);
}

TEST_F(WebSocketConnectionTest, CompressionIsSharedByEquals) {
  constexpr std::string_view kOffer = "Sec-WebSocket-Extensions: permessage-deflate\r\n";
  const auto first = world.connect_websocket(kOffer);
  DialogDouble& first_dialog = *world.dialog;
  const auto second = world.connect_websocket(kOffer);
  DialogDouble& second_dialog = *world.dialog;
  const auto narrow = world.connect_websocket("Sec-WebSocket-Extensions: permessage-deflate; server_max_window_bits=9\r\n");
  class Plain final : public Encoding {
    void encode(const Publication& publication, std::string& out) const override { out += publication.event; }
  } plain;
  const Encoding& shared = first_dialog.link.framed(plain, MessageKind::kText);
  EXPECT_EQ(&shared, &second_dialog.link.framed(plain, MessageKind::kText));
  EXPECT_NE(&shared, &world.dialog->link.framed(plain, MessageKind::kText));
  EXPECT_NE(&shared, &first_dialog.link.framed(plain, MessageKind::kBinary));

  Publication publication;
  publication.event = std::string(500, 'e');
  std::string bytes;
  shared.encode(publication, bytes);
  EXPECT_LT(bytes.size(), 60u);
  const FramePtr frame = Frame::make(world.frame_memory, bytes, {});
  for (DialogDouble* const dialog : {&first_dialog, &second_dialog}) {
    dialog->outbox().push(frame);
    dialog->link.flush();
  }
  EXPECT_EQ(first->received(), bytes);
  EXPECT_EQ(second->received(), bytes);
  EXPECT_EQ(static_cast<unsigned char>(bytes[0]), 0xC1);
  PerMessageInflater inflater;
  EXPECT_EQ(*inflater.inflate(std::string_view(bytes).substr(2), 10'000), publication.event);

  first_dialog.say("short");
  EXPECT_THAT(frames_of(first->received()), ElementsAre("text short"));
}

TEST_F(WebSocketConnectionTest, CompressedMessagesHaveTheSameLimit) {
  const auto deflating = world.connect_websocket("Sec-WebSocket-Extensions: permessage-deflate\r\n");
  Deflater deflater;
  const auto compressed = [&](std::string_view message) {
    std::string payload;
    deflater.append_deflated(payload, message, 15);
    return masked(WebSocketOpcode::kText, payload, {.fin = true, .compressed = true});
  };
  deflating->send(compressed("hello"));
  EXPECT_THAT(world.dialog->messages, ElementsAre("text hello"));
  deflating->send(compressed(std::string((1 << 20) + 1, 'x')));
  EXPECT_THAT(frames_of(deflating->received()).at(0), StartsWith("close 1009 "));
}

TEST_F(WebSocketConnectionTest, AnEdgeMayEndWithConnectionsInEveryState) {
  auto open = world.connect_websocket(), closing = world.connect_websocket(), ending = world.connect_websocket();
  closing->takes = 1;
  world.dialog->say("x");
  ending->takes = 0;
  ending->send(masked_close(1000));
  closing->send(text("y"));
  world.edge.reset();
  EXPECT_TRUE(open->freed && closing->freed && ending->freed && peer->freed);
}

}  // namespace
}  // namespace carillon
