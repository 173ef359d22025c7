// What Bayeux clients recover by position (bayeux_replay.h), over every transport.
#include "protocol/bayeux/bayeux_sessions_test.h"

namespace carillon {
namespace {

using ::testing::AllOf;
using ::testing::ContainsRegex;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;

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

}  // namespace
}  // namespace carillon
