// What the options and the program's hooks change.
#include "protocol/bayeux/bayeux_sessions_test.h"

namespace carillon {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::Not;

class BayeuxLazyTest : public BayeuxSessionsTest {
 protected:
  BayeuxLazyTest() : BayeuxSessionsTest({.options = {.lazy_channels = {"/lazy/**"}}}) {}
};

TEST_F(BayeuxLazyTest, LazyMessagesWaitForOthersOrTheirTime) {
  const std::string client = member("/lazy/a");
  subscribe(client, R"("/eager")");
  const Answer held = connect(client);
  publish_elsewhere("lazy:a", "1");
  EXPECT_TRUE(held->parked());
  publish_elsewhere("eager", "2");
  EXPECT_LT(body(held).find(R"("data":1)"), body(held).find(R"("data":2)"));
  left(held, true);
  const Answer next = connect(client);
  publish_elsewhere("lazy:a", "3");
  pass(Millis{4'900});
  EXPECT_TRUE(next->parked());
  pass(Millis{200});
  EXPECT_THAT(body(next), HasSubstr(R"("data":3)"));
}

TEST_F(BayeuxLazyTest, OfTheProgramToo) {
  const std::string client = member();
  const Answer held = connect(client);
  const unsigned loop = static_cast<unsigned>(*bayeux_place(client));
  world.in(loop, [&] { EXPECT_TRUE(rooms[loop]->sessions().send_to(client, "/for/you", "1", true)); });
  world.settle();
  EXPECT_TRUE(held->parked());
  pass(Millis{5'100});
  EXPECT_THAT(body(held), HasSubstr(R"({"channel":"/for/you","data":1})"));
}

class BayeuxByConnectTest : public BayeuxSessionsTest {
 protected:
  BayeuxByConnectTest() : BayeuxSessionsTest({.options = {.deliver_by_connect = true, .own_messages = true}}) {}
};

TEST_F(BayeuxByConnectTest, OwnMessagesComeByConnectToo) {
  const std::string client = member();
  const Answer held = connect(client);
  EXPECT_EQ(publish(client, "/foo/a"), R"([{"id":"p","channel":"/foo/a","successful":true}])");
  EXPECT_EQ(body(held), R"([{"channel":"/foo/a","data":1},)" + std::string(kTold) + "]");
}

class BayeuxFewTest : public BayeuxSessionsTest {
 protected:
  BayeuxFewTest() : BayeuxSessionsTest({.options = {.sessions_max = 6}}) {}
};

TEST_F(BayeuxFewTest, WhoNeverConnectsMakesRoomWhoDidStays) {
  std::vector<std::string> connected;
  for (int i = 0; i < 2; ++i) connected.push_back(member());
  std::string last;
  for (int i = 0; i < 50; ++i) last = handshake();
  EXPECT_EQ(common.session_count(), 3u);
  for (const std::string& client : connected) EXPECT_TRUE(connect(client)->parked());
  EXPECT_THAT(body(connect(last)), HasSubstr(R"("successful":true)"));
  EXPECT_THAT(said(R"([{"channel":"/meta/handshake","version":"1.0","supportedConnectionTypes":["websocket"]}])"),
              AllOf(HasSubstr("503::too_many_sessions"), HasSubstr(R"("reconnect":"retry")")));
}

class BayeuxServiceTest : public BayeuxSessionsTest {
 protected:
  static BayeuxHooks hooks() {
    BayeuxHooks with;
    with.services.push_back({"/service/echo/{name}", [](const BayeuxCall& call) {
                               call.reply(R"({"you":")" + std::string(call.parameter("name")) + R"(","said":)" + call.data() +
                                          "}");
                             }});
    with.may_handshake = [](const BayeuxHandshake& handshake) {
      BayeuxVerdict verdict{.allowed = handshake.ext.find("guest") == std::string_view::npos};
      verdict.ext = R"({"server":"s"})";
      if (!verdict.allowed) verdict.advice = R"({"reconnect":"handshake"})";
      return verdict;
    };
    return with;
  }
  BayeuxServiceTest() : BayeuxSessionsTest({.hooks = hooks()}) {}
};

TEST_F(BayeuxServiceTest, AServiceAnswersItsCallerAlone) {
  const std::string client = member("/service/echo/bob"), other = member("/service/echo/bob");
  const Answer held = connect(client), others = connect(other);
  EXPECT_THAT(publish(client, "/service/echo/bob"), HasSubstr(R"({"id":"p","channel":"/service/echo/bob","successful":true})"));
  EXPECT_THAT(body(held),
              HasSubstr(R"({"id":"p","channel":"/service/echo/bob","data":{"you":"bob","said":1},"successful":true})"));
  EXPECT_TRUE(others->parked());
}

TEST_F(BayeuxServiceTest, ThePolicysAdviceAndExtAreInTheReply) {
  EXPECT_THAT(
      said(R"([{"channel":"/meta/handshake","version":"1.0","supportedConnectionTypes":["websocket"],"ext":{"guest":1}}])"),
      AllOf(HasSubstr("403::handshake_denied"), HasSubstr(R"("reconnect":"handshake")"), HasSubstr(R"("ext":{"server":"s"})")));
  EXPECT_THAT(said(R"([{"channel":"/meta/handshake","version":"1.0","supportedConnectionTypes":["websocket"]}])"),
              HasSubstr(R"("ext":{"server":"s"})"));
}

class BayeuxGreetingTest : public BayeuxSessionsTest {
 protected:
  static BayeuxHooks hooks() {
    BayeuxHooks with;
    with.may_handshake = [](const BayeuxHandshake&) {
      BayeuxVerdict verdict;
      verdict.messages = {{"/news", "1"}, {"/news", "2"}};
      return verdict;
    };
    return with;
  }
  BayeuxGreetingTest()
      : BayeuxSessionsTest({.options = {.handshake_reconnect = true, .deliver_in_handshake = true}, .hooks = hooks()}) {}
};

TEST_F(BayeuxGreetingTest, WhatWaitsFromTheBeginningComesWithTheHandshake) {
  const std::string asked = R"([{"channel":"/meta/handshake","version":"1.0","supportedConnectionTypes":["websocket"])";
  EXPECT_THAT(said(asked + "}]"), AllOf(HasSubstr(R"("maxInterval":30000)"), HasSubstr(R"("x-messages":2)"),
                                        EndsWith(R"(,{"channel":"/news","data":1},{"channel":"/news","data":2}])")));
  EXPECT_THAT(said(asked + R"(,"ext":{"ack":true}}])"), HasSubstr(R"("ext":{"ack":{"enabled":true,"batch":1}})"));
}

class BayeuxProcessingTest : public BayeuxSessionsTest {
 protected:
  BayeuxProcessingTest() : BayeuxSessionsTest({.options = {.max_processing = Millis(40'000)}}) {}
  // A connect that may be held for longer than that.
  Answer long_connect(const std::string& client) { return connect(client, R"(,"advice":{"timeout":60000})"); }
};

TEST_F(BayeuxProcessingTest, ASessionWhoseClientIsSilentForTooLongBesideItsConnectEnds) {
  const auto stream = common.events.listen(100);
  const std::string client = member();
  const Answer held = long_connect(client);
  pass(Millis{39'900});
  EXPECT_TRUE(held->parked());
  pass(Millis{200});
  EXPECT_THAT(body(held), AllOf(HasSubstr("402::session_unknown"), HasSubstr(R"("reconnect":"handshake")")));
  EXPECT_EQ(common.session_count(), 0u);
  std::optional<BayeuxEvent> last;
  while (auto event = stream->next(std::chrono::milliseconds(0))) last = std::move(event);
  EXPECT_EQ(std::get<bayeux_event::SessionRemoved>(*last).reason, bayeux_event::RemovalReason::kExpired);
}

TEST_F(BayeuxProcessingTest, OneThatSpeaksOrConnectsAgainGoesOn) {
  const std::string client = member();
  const Answer held = long_connect(client);
  pass(Millis{30'000});
  publish(client, "/other");
  pass(Millis{25'000});
  EXPECT_TRUE(held->parked());
  pass(Millis{6'000});
  EXPECT_THAT(body(held), HasSubstr(R"("successful":true)")) << "its own time is over first";
  for (int i = 0; i < 3; ++i) {
    const Answer next = connect(client);
    pass(Millis{30'100});
    EXPECT_THAT(body(next), HasSubstr(R"("successful":true)"));
  }
  EXPECT_EQ(common.session_count(), 1u);
}

// What it has let pass or not, and a session.
class BayeuxPassTest : public BayeuxSessionsTest {
 protected:
  BayeuxPassTest()
      : BayeuxSessionsTest({.hooks = {.may_pass = [this](const BayeuxIncoming& message) {
                              seen.push_back(std::string(message.channel) + ' ' + std::string(message.data));
                              return message.data.find("evil") == std::string_view::npos && message.channel != refused;
                            }}}) {}
  std::vector<std::string> seen;
  std::string refused;
};

TEST_F(BayeuxPassTest, WhatTheProgramDoesNotLetPassIsDeletedAndItsClientTold) {
  const std::string client = member();
  EXPECT_EQ(publish(client, "/foo/a", "\"evil\""),
            R"([{"id":"p","channel":"/foo/a","successful":false,"error":"404::message_deleted"}])");
  EXPECT_THAT(publish(client, "/foo/a", "\"good\""), AllOf(HasSubstr(R"("successful":true)"), Not(HasSubstr("evil"))));
  EXPECT_THAT(seen, ElementsAre("/meta/connect ", "/meta/subscribe ", R"(/foo/a "evil")", R"(/foo/a "good")"))
      << "no handshake, and each once";
  said(R"([{"channel":"no channel","clientId":")" + client + R"("},{"channel":"/a","clientId":"else"}])");
  EXPECT_EQ(seen.size(), 4u) << "nor what is refused anyway";
}

TEST_F(BayeuxPassTest, ADeletedConnectIsToldWhenToComeAgainAndKeepsItsSession) {
  const std::string client = member();
  refused = "/meta/connect";
  seen.clear();
  for (int i = 0; i < 5; ++i) {
    EXPECT_THAT(body(connect(client)), AllOf(HasSubstr("404::message_deleted"), HasSubstr(R"("reconnect":"retry")")));
    pass(Millis{20'000});
  }
  EXPECT_EQ(seen.size(), 5u) << "each once";
  refused.clear();
  EXPECT_TRUE(connect(client)->parked());
  Socket& socket = open_socket();
  refused = "/meta/connect";
  EXPECT_THAT(say(socket, connect_text(client)), ElementsAre(HasSubstr("404::message_deleted")));
}

}  // namespace
}  // namespace carillon
