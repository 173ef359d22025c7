#include "protocol/native/native_dialog.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "engine/memory/hub_double.h"
#include "hub/epoch_text.h"
#include "protocol/exchange_double.h"
#include "protocol/native/native_double.h"

namespace carillon {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::StartsWith;

// One client of a hub with one loop.
class NativeClient : public NativeDouble {
 public:
  NativeClient(World& world, NativeRoom& room, IdentityPtr identity = nullptr)
      : NativeDouble(
            world.shards[0]->frame_memory(), [&world] { world.settle(); }, room, std::move(identity)) {}
};

std::string position(const Position& position) {
  return R"("epoch":")" + epoch_text(position.epoch) + R"(","offset":)" + std::to_string(position.offset);
}

class NativeDialogTest : public ::testing::Test {
 protected:
  explicit NativeDialogTest(World::Options options = {.loops = 1}) : world(options) {}

  Position top_of(const std::string& channel) {
    Position top;
    world.hub->history({.channel = channel}, [&](Result<HistoryPage> page) { top = page->top.value_or(Position{}); });
    return top;
  }

  World world;
  NativeRoom room{*world.shards[0], world.durable, [](const Exchange&, std::string_view) { return IdentityPtr(); }, {}, {},
                  "carillon/test"};
  NativeClient client{world, room};
};

TEST_F(NativeDialogTest, TheTalkOfGuts) {
  EXPECT_THAT(client.say(R"({"type":"ping"})"), ElementsAre(R"({"type":"pong"})"));
  EXPECT_THAT(client.say(R"({"type":"subscribe","channel":"bare"})"), ElementsAre(R"({"type":"subscribed","channel":"bare"})"));
  world.hub->publish(Draft{.channel = "bare", .event = "pr_opened", .payload = Bytes::copy_of("{ \"a\" : 1 }")}, [](auto) {});
  const auto events = client.hear();
  ASSERT_EQ(events.size(), 1u);
  EXPECT_THAT(events[0],
              StartsWith(R"({"type":"event","channel":"bare","event":"pr_opened","data":{ "a" : 1 },"timestamp":1700000000)"));
  EXPECT_THAT(events[0], Not(HasSubstr("offset")));
  EXPECT_THAT(client.say(R"({"type":"unsubscribe","channel":"bare"})"),
              ElementsAre(R"({"type":"unsubscribed","channel":"bare"})"));
  EXPECT_THAT(client.say(R"({"type":"unsubscribe","channel":"never"})"),
              ElementsAre(R"({"type":"unsubscribed","channel":"never"})"));
  world.publish("bare", "1");
  EXPECT_THAT(client.hear(), IsEmpty());
}

TEST_F(NativeDialogTest, ErrorsLeaveTheTalkOpenAndKeepTheId) {
  EXPECT_THAT(client.say("nonsense"), ElementsAre(StartsWith(R"({"type":"error","message":"Invalid message format: )")));
  EXPECT_THAT(
      client.say(R"({"type":"subscribe","channel":"repo:onlyname","id":"q"})"),
      ElementsAre(R"({"type":"error","message":"invalid channel: repository channel requires owner/name format: onlyname",)"
                  R"("code":"invalid","id":"q"})"));
  EXPECT_THAT(client.say(R"({"type":"subscribe","channel":"secret","id":1})"),
              ElementsAre(R"({"type":"error","message":"secret","code":"forbidden","id":1})"));
  EXPECT_THAT(client.say(R"({"type":"publish","channel":"secret","event":"e","data":1,"id":2})"),
              ElementsAre(HasSubstr(R"("id":2)")));
  EXPECT_THAT(client.say(R"({"type":"history","channel":"secret","id":3})"), ElementsAre(HasSubstr(R"("id":3)")));
  EXPECT_THAT(client.say(R"({"type":"publish","channel":"c","event":"","data":1,"id":4})"),
              ElementsAre(HasSubstr(R"("type":"error")")));
  EXPECT_THAT(client.say(R"({"type":"ping"})"), ElementsAre(R"({"type":"pong"})"));
  client.dialog->on_message("binary", MessageKind::kBinary);
  EXPECT_THAT(client.hear(), IsEmpty());
}

TEST_F(NativeDialogTest, ARepeatedSubscribeIsConfirmedAndNotCounted) {
  for (int i = 0; i < 100; ++i) client.say(R"({"type":"subscribe","channel":"c)" + std::to_string(i) + "\"}");
  EXPECT_THAT(client.say(R"({"type":"subscribe","channel":"c5"})"), ElementsAre(R"({"type":"subscribed","channel":"c5"})"));
  EXPECT_THAT(client.say(R"({"type":"subscribe","channel":"c100"})"),
              ElementsAre(R"({"type":"error","message":"subscription limit exceeded: max 100 subscriptions","code":"limit"})"));
}

TEST_F(NativeDialogTest, AnEventComesOnceHoweverManySubscriptionsMatch) {
  client.say(R"(["subscribe","repo:a/b"])");
  client.say(R"(["subscribe","repo:a/b/prs"])");
  client.say(R"(["subscribe","all"])");
  world.publish("repo:a/b/prs", "1");
  EXPECT_EQ(client.hear().size(), 1u);
  EXPECT_THAT(client.say(R"({"type":"subscriptions","id":1})"),
              ElementsAre(R"({"type":"subscriptions","id":1,"channels":["repo:a/b","repo:a/b/prs","all"]})"));
}

// A client that subscribes before the first publication can recover from there.
TEST_F(NativeDialogTest, ASubscriptionSaysWhereItsChannelStandsAlsoBeforeTheFirstPublication) {
  for (const std::string channel : {"repo:a/b", "repo:a/b/prs", "room:1"}) {
    const Position top = top_of(channel);
    EXPECT_NE(top.epoch, 0u);
    EXPECT_THAT(client.say(R"({"type":"subscribe","channel":")" + channel + R"(","id":1})"),
                ElementsAre(R"({"type":"subscribed","channel":")" + channel + R"(","id":1,)" + position({top.epoch, 0}) + "}"));
  }
  world.publish("repo:a/b/prs", "1");
  NativeClient second(world, room);
  const Position base = top_of("repo:a/b"), prs = top_of("repo:a/b/prs");
  EXPECT_EQ(prs.offset, 1u);
  EXPECT_THAT(second.say(R"({"type":"subscribe","channel":"repo:a/b"})"),
              ElementsAre(R"({"type":"subscribed","channel":"repo:a/b",)" + position(base) +
                          R"(,"positions":{"repo:a/b/prs":{)" + position(prs) + "}}}"));
}

TEST_F(NativeDialogTest, PublishingIsConfirmedAfterOnesOwnCopy) {
  client.say(R"(["subscribe","room:1"])");
  const auto got = client.say(R"({"type":"publish","channel":"room:1","event":"e","data":{"x":1},"id":"p"})");
  ASSERT_EQ(got.size(), 2u);
  EXPECT_THAT(got[0], StartsWith(R"({"type":"event","channel":"room:1","event":"e","data":{"x":1})"));
  EXPECT_THAT(got[1], StartsWith(R"({"type":"published","channel":"room:1","id":"p","event_id":")"));
  EXPECT_THAT(got[1], HasSubstr(position(top_of("room:1"))));
}

TEST_F(NativeDialogTest, ARepeatedKeyIsPublishedOnce) {
  client.say(R"(["subscribe","room:1"])");
  const std::string publish = R"({"type":"publish","channel":"room:1","event":"e","data":1,"idempotency_key":"k"})";
  EXPECT_EQ(client.say(publish).size(), 2u);
  EXPECT_THAT(client.say(publish), ElementsAre(HasSubstr(R"("repeated":true)")));
}

TEST_F(NativeDialogTest, HistoryComesInPages) {
  for (int i = 1; i <= 5; ++i) world.publish("room:1", std::to_string(i));
  const Position top = top_of("room:1");
  const auto page = client.say(R"({"type":"history","channel":"room:1","limit":2,"id":1,"since":{"epoch":")" +
                               epoch_text(top.epoch) + R"(","offset":1}})");
  ASSERT_EQ(page.size(), 1u);
  EXPECT_THAT(page[0], StartsWith(R"({"type":"history","channel":"room:1","id":1,)" + position(top) +
                                  R"(,"complete":true,"more":true,"events":[{)"));
  EXPECT_THAT(page[0], HasSubstr(R"("data":2,)"));
  EXPECT_THAT(page[0], HasSubstr(R"("data":3,)"));
  EXPECT_THAT(page[0], Not(HasSubstr(R"("data":4,)")));
  EXPECT_THAT(client.say(R"({"type":"history","channel":"room:1","limit":99999,"reverse":true})")[0],
              HasSubstr(R"("data":1,)"));
  EXPECT_THAT(client.say(R"({"type":"history","channel":"room:1","limit":0})")[0], HasSubstr(R"("events":[])"));
}

TEST_F(NativeDialogTest, RecoveryBringsWhatWasMissed) {
  world.publish("repo:a/b", "1");
  const Position seen = top_of("repo:a/b");
  world.publish("repo:a/b", "2");
  world.publish("repo:a/b/prs", "3");
  const auto got = client.say(R"({"type":"subscribe","channel":"repo:a/b","recover":{)" + position(seen) + "}}");
  ASSERT_EQ(got.size(), 3u);
  EXPECT_THAT(got[0], HasSubstr(R"("recovered":true})"));
  EXPECT_THAT(got[1] + got[2], HasSubstr(R"("data":2,)"));
  EXPECT_THAT(got[1] + got[2], HasSubstr(R"("data":3,)"));
  NativeClient stranger(world, room);
  const auto lost = stranger.say(R"({"type":"subscribe","channel":"repo:a/b","recover":{"epoch":"1","offset":7}})");
  EXPECT_THAT(lost.at(0), HasSubstr(R"("recovered":false})"));
}

TEST_F(NativeDialogTest, AnnouncementsAreSentAsTheyAre) {
  world.hub->announce(Bytes::copy_of("anything"));
  EXPECT_THAT(client.hear(), ElementsAre("anything"));
}

TEST_F(NativeDialogTest, AnOperatorsDisconnectHasItsReason) {
  world.hub->disconnect(*world.loops[0], client.dialog->session().id(), "enough", [](bool) {});
  world.settle();
  EXPECT_EQ(client.link.closed, (std::pair<std::uint16_t, std::string>{1008, "enough"}));
  client.send(R"(["ping"])");
  EXPECT_THAT(client.hear(), IsEmpty());
}

TEST_F(NativeDialogTest, AnswersToWhoHasGoneAreDropped) {
  {
    NativeClient leaving(world, room);
    leaving.send(R"(["subscribe","room:1"])");
    leaving.send(R"({"type":"publish","channel":"room:1","event":"e","data":1})");
    leaving.send(R"({"type":"history","channel":"room:1"})");
  }
  EXPECT_THAT(client.hear(), IsEmpty());
  EXPECT_EQ(world.hub->stats().sessions, 1u);
}

class SlowNativeTest : public NativeDialogTest {
 protected:
  explicit SlowNativeTest(SlowConsumer policy = SlowConsumer::kDropOldest)
      : NativeDialogTest({.loops = 1, .hub = {.outbox_bytes_max = 2'000, .slow_consumer = policy}}) {}
};

TEST_F(SlowNativeTest, AGapIsToldOnceThereIsRoom) {
  client.say(R"(["subscribe","room:1"])");
  client.link.blocked = true;
  for (int i = 0; i < 100; ++i) {
    world.publish("room:1", std::to_string(i));
    world.settle();
  }
  client.link.unblock();
  const auto got = client.hear();
  std::size_t events = 0;
  for (const std::string& message : got) events += message.starts_with(R"({"type":"event")") ? 1 : 0;
  EXPECT_LT(events, 20u);
  EXPECT_EQ(got.size(), events + 1);
  EXPECT_EQ(got.back(), R"({"type":"gap","channel":"room:1","missed":)" + std::to_string(100 - events) + "}");
}

class ClosingNativeTest : public SlowNativeTest {
 protected:
  ClosingNativeTest() : SlowNativeTest(SlowConsumer::kClose) {}
};

TEST_F(ClosingNativeTest, OrTheTalkIsOver) {
  client.say(R"(["subscribe","room:1"])");
  client.link.blocked = true;
  for (int i = 0; i < 100; ++i) {
    world.publish("room:1", std::to_string(i));
    world.settle();
  }
  ASSERT_TRUE(client.link.closed);
  EXPECT_EQ(client.link.closed->first, 1013);
  EXPECT_TRUE(client.dialog->outbox().empty());  // What was not read does not hold up the reason.
  EXPECT_EQ(world.hub->stats().subscriptions, 0u);
}

TEST(NativeRoom, WhoIsNotWhoTheySayIsRefused) {
  World world({.loops = 1});
  const Identify refuse = [](const Exchange&, std::string_view) {
    return Error{ErrorKind::kUnauthorized, "the token expired 12 s ago"};
  };
  NativeRoom room(*world.shards[0], world.durable, refuse, {}, {}, "carillon/test");
  RoutesDouble routes;
  room.add_routes(routes);
  const auto answer = routes.ask("GET", "/ws?token=x");
  ASSERT_TRUE(answer->response);
  EXPECT_FALSE(answer->websocket);
  EXPECT_EQ(answer->response->status, 401);
  EXPECT_EQ(answer->response->headers.get("WWW-Authenticate"), R"(Bearer error="invalid_token")");
}

TEST(NativeRoom, AcceptsOnItsPathAndGreetsWhoAsksForIt) {
  World world({.loops = 1});
  NativeRoom room(
      *world.shards[0], world.durable, [](const Exchange&, std::string_view) { return IdentityPtr(); }, {.path = "/talk"}, {},
      "carillon/test");
  RoutesDouble routes;
  room.add_routes(routes);
  for (const std::string target : {"/talk", "/talk?v=2&events=dotted"}) {
    LinkDouble link(world.shards[0]->frame_memory());
    // The handler's own variables are gone when a test opens the link, so it is opened inside.
    struct Opening final : Exchange {
      Opening(LinkDouble& opened, std::string_view target, std::unique_ptr<Dialog>& made) : link(opened), dialog(made) {
        asked.method = "GET";
        asked.target = asked.path = target.substr(0, target.find('?'));
        if (const std::size_t query = target.find('?'); query != std::string_view::npos) asked.query = target.substr(query + 1);
      }
      const HttpRequest& request() const override { return asked; }
      PeerAddress peer() const override { return {}; }
      const PathValues& path_values() const override { return none; }
      void on_gone(Task) override { ADD_FAILURE(); }
      void on_drain(Task) override { ADD_FAILURE(); }
      void reply(HttpResponse, ReplySent) override { ADD_FAILURE(); }
      void open_stream(HttpResponse, StreamOptions, OpenDialog) override { ADD_FAILURE(); }
      void accept_websocket(WebSocketAcceptance, OpenDialog open) override {
        dialog = open(link);
        link.dialog = dialog.get();
      }
      LinkDouble& link;
      std::unique_ptr<Dialog>& dialog;
      HttpRequest asked;
      const PathValues none;
    };
    std::unique_ptr<Dialog> dialog;
    routes.routes.at(0).handler(std::make_unique<Opening>(link, target, dialog));
    ASSERT_NE(dialog, nullptr);
    dialog->on_message(R"(["subscribe","bare"])", MessageKind::kText);
    world.hub->publish(Draft{.channel = "bare", .event = "pr_opened", .payload = Bytes::copy_of("1")}, [](auto) {});
    world.settle();
    const auto got = link.received();
    const bool greeted = target != "/talk";
    ASSERT_EQ(got.size(), greeted ? 3u : 2u);
    if (greeted) {
      EXPECT_THAT(got[0], StartsWith(R"({"type":"hello","session":")"));
      EXPECT_THAT(got[0], HasSubstr(R"("server":"carillon/test","protocol":2,"limits":{"message_bytes":1048576,)"));
    }
    EXPECT_THAT(got.back(), HasSubstr(greeted ? R"("event":"pr.opened")" : R"("event":"pr_opened")"));
    dialog->on_link_closed();
  }
}

}  // namespace
}  // namespace carillon
