#include "protocol/infotainer/infotainer_dialog.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <functional>

#include "base/uuid_text.h"
#include "engine/memory/hub_double.h"
#include "protocol/exchange_double.h"
#include "protocol/infotainer/infotainer.h"
#include "protocol/link_double.h"
#include "protocol/topic_json.h"
#include "wire/cbor/cbor_notation.h"

namespace carillon {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;
using ::testing::StartsWith;

const Uuid kA = *parse_uuid("00112233445566778899aabbccddeeff");
const Uuid kB = *parse_uuid("ffeeddccbbaa99887766554433221100");
const Uuid kAlice = *parse_uuid("6ba7b8109dad41d180b400c04fd430c8");
const Uuid kBob = *parse_uuid("6ba7b8109dad41d180b400c04fd430c9");

std::string bytes_of(const Uuid& id) {
  return {reinterpret_cast<const char*>(id.bytes.data()), id.bytes.size()};
}

// An item in diagnostic notation, without the bytes of ids that tests know; anything else as it is.
std::string shown(std::string_view message) {
  if (message.empty() || !check_cbor(message)) return std::string(message);
  CborReader reader(message);
  std::string text = diagnose(reader);
  for (const auto& [id, name] : {std::pair{kA, "A"}, {kB, "B"}, {kAlice, "alice"}, {kBob, "bob"}}) {
    const std::string hex = "h'" + to_hex(bytes_of(id)) + "'";
    for (std::size_t at; (at = text.find(hex)) != std::string::npos;) text.replace(at, hex.size(), name);
  }
  return text;
}

// Messages of a client, made by hand.
std::string command(std::string_view variant, std::string_view field, const Uuid& id, int request_id = 0) {
  std::string out;
  CborWriter cbor(out);
  cbor.map(1).text(variant).map(request_id == 0 ? 1 : 2).text(field).bytes(bytes_of(id));
  if (request_id != 0) cbor.text("request_id").number(request_id);
  return out;
}
std::string subscribe(const Uuid& log, int request_id = 0) {
  return command("Subscribe", "subscription_id", log, request_id);
}
std::string unsubscribe(const Uuid& log, int request_id = 0) {
  return command("Unsubscribe", "subscription_id", log, request_id);
}
std::string publish(const Uuid& log, std::string_view data, int request_id = 0) {
  std::string out;
  CborWriter cbor(out);
  cbor.map(1).text("SubmitPublication").map(request_id == 0 ? 2 : 3).text("subscription_id").bytes(bytes_of(log));
  cbor.text("submission").bytes(data);
  if (request_id != 0) cbor.text("request_id").number(request_id);
  return out;
}

constexpr InfotainerVersion kOne = InfotainerVersion::kOne;
constexpr InfotainerVersion kTwo = InfotainerVersion::kTwo;

// A server without sockets: `loops` desks on one engine. Restarting it keeps the engine.
class InfotainerDialogTest : public ::testing::Test {
 protected:
  static constexpr std::size_t kOutboxBytes = 4096;

  static constexpr Millis kExpiry = std::chrono::minutes(10);

  explicit InfotainerDialogTest(World::Options options = {.loops = 2, .hub = {.outbox_bytes_max = kOutboxBytes}})
      : world(options), durable(world.engine.state(), world.clock), topics(*world.hub, durable, topic_change_json) {
    common = std::make_unique<InfotainerCommon>(
        InfotainerOptions{.expiry = kExpiry},
        InfotainerCommon::Parts{
            .state = world.engine.state(), .clock = world.clock, .durable = durable, .topics = topics, .random = world.random});
    for (Shard* const shard : world.shards) {
      desks.push_back(std::make_unique<InfotainerDesk>(
          *shard, *common, InfotainerDesk::About{.server = "carillon/test", .history_page_max = 10}));
    }
  }

  class Client {
   public:
    Client(InfotainerDialogTest& test, unsigned loop, const InfotainerStart& start)
        : link(test.world.shards[loop]->frame_memory()),
          test_(test),
          loop_(loop),
          dialog(std::make_unique<InfotainerDialog>(*test.desks[loop], link, start)) {
      link.dialog = dialog.get();
      test.world.in(loop, [this] { dialog->start(); });
    }
    ~Client() { leave(); }

    void send(const std::string& message) {
      test_.world.in(loop_, [&] { dialog->on_message(message, MessageKind::kBinary); });
    }
    std::vector<std::string> say(const std::string& message) {
      send(message);
      return hear();
    }
    std::vector<std::string> hear() {
      test_.world.settle();
      std::vector<std::string> all;
      for (const std::string& message : link.received()) all.push_back(shown(message));
      return all;
    }
    // The connection breaks, or the client closes it.
    void leave() {
      if (!link.closed && link.open) test_.world.in(loop_, [this] { dialog->on_link_closed(); });
      link.open = false;
      test_.world.settle();
    }

    LinkDouble link;

   private:
    InfotainerDialogTest& test_;
    const unsigned loop_;

   public:
    std::unique_ptr<InfotainerDialog> dialog;
  };

  std::unique_ptr<Client> come(const Uuid& session, InfotainerVersion version, unsigned loop = 0,
                               IdentityPtr identity = nullptr, InfotainerBodies bodies = InfotainerBodies::kInIssues) {
    return std::make_unique<Client>(
        *this, loop,
        InfotainerStart{.session = session, .version = version, .bodies = bodies, .identity = std::move(identity)});
  }
  void publish_json(const Uuid& log, std::string_view payload) {
    world.publish(topic_channel(log), payload);
    world.settle();
  }
  // The `data` of the issues among what was heard.
  static std::vector<std::string> data(const std::vector<std::string>& heard) {
    std::vector<std::string> all;
    for (const std::string& message : heard) {
      constexpr std::string_view kData = "\"data\": ";
      const std::size_t at = message.find(kData);
      if (at == std::string::npos) continue;
      all.push_back(message.substr(at + kData.size(), message.size() - at - kData.size() - 2));
    }
    return all;
  }
  void pass(Millis time) {
    for (auto& loop : world.loops) loop->advance(time);
    world.clock.now_ms += time.count();
    world.settle();
  }

  World world;
  DurableSubscriptions durable;
  TopicDirectory topics;
  std::unique_ptr<InfotainerCommon> common;
  std::vector<std::unique_ptr<InfotainerDesk>> desks;
};

TEST_F(InfotainerDialogTest, TheTalkOfTheOriginal) {
  const auto client = come(kAlice, kOne);
  EXPECT_THAT(client->say(subscribe(kA)), IsEmpty());
  const auto issues = client->say(publish(kA, "Hi"));
  ASSERT_THAT(issues, SizeIs(1));
  EXPECT_THAT(issues[0], StartsWith("{\"Issue\": [A, h'"));
  const std::string id = issues[0].substr(14, 35);
  EXPECT_THAT(client->say(command("GetLogIndex", "log_id", kA)), ElementsAre("{\"LogIndex\": [A, [" + id + "]]}"));
  EXPECT_THAT(client->say(unsubscribe(kA)), IsEmpty());
  EXPECT_THAT(client->say(publish(kA, "again")), IsEmpty());
  EXPECT_EQ(common->unknown.load(), 1u);
  EXPECT_THAT(client->say("\xff"), ElementsAre("unexpected code at offset 1"));
  client->dialog->on_message("text", MessageKind::kText);
  EXPECT_THAT(client->hear(), ElementsAre("Text messages not implemented"));
}

TEST_F(InfotainerDialogTest, EveryCommandOfVersionTwoIsAnsweredInItsOrder) {
  const auto client = come(kAlice, kTwo);
  EXPECT_THAT(client->hear(), ElementsAre(HasSubstr("\"Hello\": {\"session_id\": alice")));
  client->send(publish(kA, "1", 1));
  client->send(subscribe(kA, 2));
  client->send(publish(kA, "2", 3));
  client->send(publish(kA, "3", 4));
  client->send(unsubscribe(kA, 5));
  client->send(publish(kA, "4", 6));
  const auto heard = client->hear();
  const auto place = [&](std::string_view text) {
    const auto found = std::find_if(heard.begin(), heard.end(),
                                    [&](const std::string& message) { return message.find(text) != std::string::npos; });
    return found - heard.begin();
  };
  EXPECT_THAT(heard, SizeIs(8));
  EXPECT_THAT(heard[0], HasSubstr("\"Error\": {\"request_id\": 1, \"code\": \"not_found\""));
  EXPECT_THAT(heard[1], HasSubstr("\"Subscribed\": {\"request_id\": 2"));
  EXPECT_LT(place("h'32'"), place("h'33'"));
  EXPECT_LT(place("h'32'"), place("\"Published\": {\"request_id\": 3"));
  EXPECT_LT(place("h'33'"), place("\"Published\": {\"request_id\": 4"));
  EXPECT_LT(place("\"request_id\": 3"), place("\"request_id\": 4"));
  EXPECT_THAT(heard[6], HasSubstr("\"Unsubscribed\": {\"request_id\": 5"));
  EXPECT_THAT(heard[7], HasSubstr("\"Error\": {\"request_id\": 6, \"code\": \"not_found\""));
}

TEST_F(InfotainerDialogTest, TheNewestConnectionHasTheSessionOnAnyLoop) {
  for (const unsigned loop : {0u, 1u}) {
    const auto first = come(kAlice, kTwo, 0);
    first->say(subscribe(kA, 1));
    const auto second = come(kAlice, kTwo, loop);
    const auto heard = second->hear();
    EXPECT_THAT(heard, ElementsAre(HasSubstr("\"subscriptions\": 1"), HasSubstr("\"Resumed\"")));
    ASSERT_TRUE(first->link.closed);
    EXPECT_EQ(first->link.closed->first, InfotainerDialog::kCloseTakenOver);
    first->leave();
    EXPECT_EQ(common->session_count(), 1u);
    publish_json(kA, "7");
    EXPECT_THAT(data(second->hear()), ElementsAre("7"));
    second->say(unsubscribe(kA, 2));
  }
  EXPECT_EQ(common->takeovers.load(), 2u);
  EXPECT_EQ(common->session_count(), 0u);
}

TEST_F(InfotainerDialogTest, ACommandThatCameBeforeTheTakeoverWasOverIsDoneAfterIt) {
  const auto first = come(kAlice, kOne, 0);
  first->say(subscribe(kA));
  const auto second = come(kAlice, kOne, 1);
  second->send(publish(kA, "x"));
  EXPECT_THAT(second->hear(), ElementsAre(StartsWith("{\"Issue\": [A, ")));
}

TEST_F(InfotainerDialogTest, VersionTwoCatchesUpAndVersionOneDoesNot) {
  come(kAlice, kTwo)->say(subscribe(kA, 1));
  come(kBob, kOne)->say(subscribe(kA));
  for (const char* const payload : {"1", "2", "3"}) publish_json(kA, payload);
  const auto alice = come(kAlice, kTwo, 1);
  const auto heard = alice->hear();
  ASSERT_THAT(heard, SizeIs(5));
  EXPECT_THAT(heard[1], HasSubstr("{\"Resumed\": {\"subscription_id\": A, \"lost\": false"));
  EXPECT_THAT(data(heard), ElementsAre("1", "2", "3"));
  const auto bob = come(kBob, kOne, 1);
  EXPECT_THAT(bob->hear(), IsEmpty());
  publish_json(kA, "4");
  EXPECT_THAT(data(alice->hear()), ElementsAre("4"));
  EXPECT_THAT(bob->hear(), SizeIs(1));
}

TEST_F(InfotainerDialogTest, WhatWaitedForAClientThatIsGoneComesAgain) {
  auto alice = come(kAlice, kTwo);
  alice->say(subscribe(kA, 1));
  publish_json(kA, "1");
  EXPECT_THAT(data(alice->hear()), ElementsAre("1"));
  alice->link.blocked = true;
  publish_json(kA, "2");
  publish_json(kA, "3");
  alice->leave();
  publish_json(kA, "4");
  alice = come(kAlice, kTwo);
  EXPECT_THAT(data(alice->hear()), ElementsAre("2", "3", "4"));
}

TEST_F(InfotainerDialogTest, WhoAcknowledgesHearsAgainWhatItDidNot) {
  auto alice = come(kAlice, kTwo);
  alice->say(subscribe(kA, 1));
  for (const char* const payload : {"1", "2", "3"}) publish_json(kA, payload);
  Position top;
  world.hub->history({.channel = topic_channel(kA)}, [&](const Result<HistoryPage>& page) { top = *page->top; });
  std::string ack;
  CborWriter cbor(ack);
  cbor.map(1).text("Ack").map(2).text("subscription_id").bytes(bytes_of(kA)).text("position").map(2);
  cbor.text("offset").number(1).text("epoch").text(hex_text(top.epoch));
  alice->hear();
  EXPECT_THAT(alice->say(ack), ElementsAre("{\"Acked\": {\"subscription_id\": A}}"));
  alice->leave();
  alice = come(kAlice, kTwo);
  EXPECT_THAT(data(alice->hear()), ElementsAre("2", "3"));
}

TEST_F(InfotainerDialogTest, HowFarItHasHeardIsKeptWhileItIsConnected) {
  const auto alice = come(kAlice, kTwo);
  alice->say(subscribe(kA, 1));
  publish_json(kA, "1");
  pass(Millis{6'000});
  std::optional<Position> heard;
  durable.load("infotainer/" + kAlice.text(),
               [&](const Result<std::vector<DurableSubscription>>& known) { heard = known->front().heard; });
  ASSERT_TRUE(heard);
  EXPECT_EQ(heard->offset, 1u);
}

TEST_F(InfotainerDialogTest, ALongConnectionDoesNotLetItsSubscriptionsExpire) {
  const auto alice = come(kAlice, kTwo);
  alice->say(subscribe(kA, 1));
  for (int i = 0; i < 20; ++i) pass(kExpiry / 4);
  EXPECT_THAT(come(kAlice, kTwo, 1)->hear(), ElementsAre(HasSubstr("\"subscriptions\": 1"), HasSubstr("Resumed")));
  EXPECT_THAT(alice->link.closed->second, "the session goes on in another connection");
}

TEST_F(InfotainerDialogTest, ExpiryIsHonest) {
  come(kAlice, kTwo)->say(subscribe(kA, 1));
  pass(kExpiry);
  EXPECT_THAT(come(kAlice, kTwo)->hear(), ElementsAre(HasSubstr("\"subscriptions\": 0")));
}

TEST_F(InfotainerDialogTest, AHistoryThatIsGoneIsLostAndSaid) {
  come(kAlice, kTwo)->say(subscribe(kA, 1));
  publish_json(kA, "1");
  world.hub->remove_history(topic_channel(kA), [](const Result<void>&) {});
  publish_json(kA, "2");
  const auto heard = come(kAlice, kTwo)->hear();
  EXPECT_THAT(heard[1], HasSubstr("\"lost\": true"));
  EXPECT_THAT(data(heard), ElementsAre("2"));
  EXPECT_THAT(come(kAlice, kTwo)->hear()[1], HasSubstr("\"lost\": false"));
}

// Also when what follows on the answer has not left yet.
TEST_F(InfotainerDialogTest, AfterALossWhatIsKeptIsHeardEvenIfItComesTwice) {
  auto alice = come(kAlice, kTwo);
  std::string ask;
  CborWriter cbor(ask);
  cbor.map(1).text("Subscribe").map(2).text("subscription_id").bytes(bytes_of(kA)).text("position").map(2);
  cbor.text("epoch").text("1").text("offset").number(1);
  for (const char* const payload : {"1", "2"}) publish_json(kA, payload);
  alice->hear();
  alice->link.blocked = true;
  alice->send(ask);
  world.settle();
  alice->leave();
  alice = come(kAlice, kTwo);
  const auto heard = alice->hear();
  EXPECT_THAT(data(heard), ElementsAre("1", "2"));
}

TEST_F(InfotainerDialogTest, ASlowClientIsToldWhatItLost) {
  const auto alice = come(kAlice, kTwo);
  alice->say(subscribe(kA, 1));
  alice->link.blocked = true;
  const std::string large = '"' + std::string(1000, 'x') + '"';
  for (int i = 0; i < 10; ++i) publish_json(kA, large);
  alice->link.unblock();
  const auto heard = alice->hear();
  EXPECT_THAT(heard, ::testing::Contains(HasSubstr("{\"Gap\": {\"subscription_id\": A, \"messages\": ")));
  EXPECT_LT(data(heard).size(), 10u);
}

TEST_F(InfotainerDialogTest, EntriesLargerThanAnOutboxWaitUntilItIsEmpty) {
  const auto client = come(kAlice, kOne);
  client->say(subscribe(kA));
  std::vector<Uuid> ids;
  for (int i = 0; i < 4; ++i) {
    world.hub->publish({.channel = topic_channel(kA),
                        .event = "e",
                        .payload = Bytes::copy_of(std::string(3000, 'x')),
                        .format = PayloadFormat::kBytes},
                       [&](const Result<Receipt>& receipt) { ids.push_back(receipt->id); });
  }
  client->hear();
  std::string ask;
  CborWriter cbor(ask);
  cbor.map(1).text("GetLogEntries").map(2).text("log_id").bytes(bytes_of(kA)).text("entries").array(5);
  for (const Uuid& id : ids) cbor.bytes(bytes_of(id));
  cbor.bytes(bytes_of(kB));
  client->link.blocked = true;
  publish_json(kA, "1");  // Waits ahead of it.
  client->send(ask);
  client->send(command("GetLogIndex", "log_id", kA));
  world.settle();
  client->link.unblock();
  const auto heard = client->hear();
  ASSERT_THAT(heard, SizeIs(3));
  EXPECT_THAT(heard[0], StartsWith("{\"Issue\": "));
  EXPECT_THAT(heard[1], StartsWith("{\"LogEntry\": "));
  EXPECT_GT(heard[1].size(), 4 * 3000u);
  EXPECT_THAT(heard[2], StartsWith("{\"LogIndex\": "));
  EXPECT_FALSE(client->link.closed);
}

TEST_F(InfotainerDialogTest, TheIndexOfVersionOneIsWholeHoweverManyPagesItTakes) {
  std::vector<std::string> ids;
  for (int i = 0; i < 25; ++i) {
    world.hub->publish({.channel = topic_channel(kA), .event = "e", .payload = Bytes::copy_of("1")},
                       [&](const Result<Receipt>& receipt) { ids.push_back("h'" + to_hex(bytes_of(receipt->id)) + "'"); });
  }
  const auto index = come(kAlice, kOne)->say(command("GetLogIndex", "log_id", kA));
  ASSERT_THAT(index, SizeIs(1));
  std::string expected = "{\"LogIndex\": [A, [";
  for (const std::string& id : ids) expected += id + (id == ids.back() ? "]]}" : ", ");
  EXPECT_EQ(index[0], expected);
}

TEST_F(InfotainerDialogTest, TooManyCommandsAreRefusedAndTheRestIsDone) {
  const auto client = come(kAlice, kOne);
  client->say(subscribe(kA));
  std::size_t refused = 0;
  world.in(0, [&] {
    for (std::size_t i = 0; i < InfotainerDialog::kQueueMax + 10; ++i) {
      client->dialog->on_message(publish(kA, "x"), MessageKind::kBinary);
    }
  });
  for (const std::string& message : client->hear()) refused += message == "send failed because receiver is full";
  EXPECT_EQ(refused, 10u);
}

TEST_F(InfotainerDialogTest, ASubscriptionBeyondTheLimitIsRefused) {
  const auto client = come(kAlice, kTwo);
  client->hear();
  for (int i = 0; i < 100; ++i) {
    Uuid log = kB;
    log.bytes[0] = static_cast<std::uint8_t>(i);
    EXPECT_THAT(client->say(subscribe(log, 1)), ElementsAre(HasSubstr("Subscribed")));
  }
  EXPECT_THAT(client->say(subscribe(kA, 2)), ElementsAre(HasSubstr("\"code\": \"limit\"")));
}

TEST_F(InfotainerDialogTest, ASessionOfAUserIsNotTakenByAnother) {
  const auto user = [](const char* name) { return std::make_shared<const Identity>(Identity{.user = name, .verified = true}); };
  const auto alice = come(kAlice, kTwo, 0, user("alice"));
  const auto mallory = come(kAlice, kTwo, 1, user("mallory"));
  EXPECT_THAT(mallory->hear(), ElementsAre(HasSubstr("this session belongs to another user")));
  EXPECT_EQ(mallory->link.closed->first, 1008);
  EXPECT_FALSE(alice->link.closed);
  EXPECT_THAT(alice->say(subscribe(kA, 1)), SizeIs(2));
  // Who only calls itself so is nobody.
  const auto claimed = come(kAlice, kTwo, 1, std::make_shared<const Identity>(Identity{.user = "alice"}));
  EXPECT_THAT(claimed->hear(), ElementsAre(HasSubstr("another user")));
  std::string owner;
  common->read_owner(kAlice, [&](const Result<std::string>& read) { owner = *read; });
  EXPECT_EQ(owner, "alice");
}

TEST_F(InfotainerDialogTest, TheRoomRefusesStrangersBeforeTheHandshake) {
  IdentityPtr visitor;
  InfotainerRoom room(*world.shards[0], [&](const Exchange&, std::string_view) { return visitor; }, *common, {});
  RoutesDouble routes;
  room.add_routes(routes);
  const std::string target = "/ws/" + kAlice.text();
  common->keep_owner(kAlice, "alice");
  EXPECT_EQ(routes.ask("GET", target)->response->status, 403);
  visitor = std::make_shared<const Identity>(Identity{.user = "alice", .verified = true});
  EXPECT_TRUE(routes.ask("GET", target)->websocket);
  visitor = std::make_shared<const Identity>(Identity{.trusted = true});
  const auto answer = routes.ask("GET", target);
  EXPECT_TRUE(answer->websocket);
  EXPECT_EQ(answer->acceptance.ping_interval, Millis{5'000});
  EXPECT_EQ(answer->acceptance.idle_time, Millis{10'000});
  EXPECT_EQ(routes.ask("GET", "/ws/nonsense")->response->status, 404);
  EXPECT_EQ(routes.ask("GET", target + "?v=3")->response->status, 400);
  EXPECT_EQ(routes.ask("GET", target + "?v=2&bodies=some")->response->status, 400);
}

TEST_F(InfotainerDialogTest, AnnouncementsAndClosedChannelsAreTold) {
  const auto alice = come(kAlice, kTwo);
  const auto bob = come(kBob, kOne);
  alice->say(subscribe(kA, 1));
  world.hub->announce(Bytes::copy_of("noon"));
  EXPECT_THAT(alice->hear(), ElementsAre("{\"Announcement\": {\"text\": \"noon\"}}"));
  EXPECT_THAT(bob->hear(), IsEmpty());
  world.hub->close_channel(*world.loops[0], {.channel = topic_channel(kA), .reason = "over"}, [](std::size_t) {});
  EXPECT_THAT(alice->hear(), ElementsAre("{\"Ended\": {\"subscription_id\": A, \"reason\": \"over\"}}"));
}

// An engine that answers late and in any order.
class InfotainerLateTest : public InfotainerDialogTest {
 protected:
  InfotainerLateTest() : InfotainerDialogTest({.loops = 2, .late = true, .seed = 7}) {}
};

TEST_F(InfotainerLateTest, CommandsStayInTheirOrder) {
  const auto client = come(kAlice, kTwo);
  client->hear();
  client->send(subscribe(kA, 1));
  for (int i = 0; i < 20; ++i) client->send(publish(kA, std::string(1, static_cast<char>('a' + i)), 2 + i));
  client->send(command("GetLogIndex", "log_id", kA, 50));
  client->send(unsubscribe(kA, 51));
  client->send(publish(kA, "late", 52));
  const auto heard = client->hear();
  ASSERT_THAT(heard, SizeIs(44));
  EXPECT_THAT(heard.front(), HasSubstr("Subscribed"));
  EXPECT_THAT(heard[41], HasSubstr("{\"LogIndex\": {\"request_id\": 50"));
  EXPECT_THAT(heard[42], HasSubstr("Unsubscribed"));
  EXPECT_THAT(heard[43], HasSubstr("not_found"));
}

// What others on its loop hear meanwhile, it has not heard.
TEST_F(InfotainerLateTest, WhoLeavesWhileItIsStillCatchingUpMissesNothing) {
  come(kAlice, kTwo)->say(subscribe(kA, 1));
  const auto bob = come(kBob, kTwo);
  bob->say(subscribe(kA, 1));
  publish_json(kA, "1");
  publish_json(kA, "2");
  EXPECT_THAT(data(bob->hear()), ElementsAre("1", "2"));
  auto alice = come(kAlice, kTwo);  // The engine has not answered yet.
  world.publish(topic_channel(kA), "3");
  for (auto& loop : world.loops) loop->turn();
  ASSERT_FALSE(world.late.idle());
  alice->leave();
  EXPECT_THAT(data(bob->hear()), ElementsAre("3"));
  alice = come(kAlice, kTwo);
  EXPECT_THAT(data(alice->hear()), ElementsAre("1", "2", "3"));
}

TEST_F(InfotainerLateTest, AConnectionThatEndsWhileItWaitsTakesNothingDown) {
  for (int steps = 0; steps < 12; ++steps) {
    auto client = come(kAlice, steps % 2 == 0 ? kTwo : kOne, static_cast<unsigned>(steps) % 2);
    client->send(subscribe(kA, 1));
    client->send(publish(kA, "x", 2));
    client->send(command("GetLogIndex", "log_id", kA, 3));
    for (int i = 0; i < steps; ++i) world.in(0, [this] { world.late.answer_one(); });
    client->leave();
    client.reset();
    world.settle();
  }
  EXPECT_EQ(common->session_count(), 0u);
}

// --- Queue groups

// A command about the group `workers` of the log A; `write` writes `count` fields more.
std::string group_command(std::string_view variant, int request_id, std::size_t count = 0,
                          const std::function<void(CborWriter&)>& write = {}) {
  std::string out;
  CborWriter cbor(out);
  cbor.map(1).text(variant).map(3 + count).text("request_id").number(request_id);
  cbor.text("subscription_id").bytes(bytes_of(kA)).text("group").text("workers");
  if (write) write(cbor);
  return out;
}
std::string join(int request_id, std::uint64_t in_flight = 1) {
  return group_command("JoinGroup", request_id, 1, [&](CborWriter& cbor) { cbor.text("in_flight").number(in_flight); });
}
std::string settle(std::string_view verb, int request_id, std::string_view token) {
  return group_command(verb, request_id, 1, [&](CborWriter& cbor) { cbor.text("delivery").text(token); });
}
std::string token_of(std::string_view delivery) {
  constexpr std::string_view kToken = "\"delivery\": \"";
  const std::size_t at = delivery.find(kToken);
  if (at == std::string_view::npos) return {};
  const std::string_view rest = delivery.substr(at + kToken.size());
  return std::string(rest.substr(0, rest.find('"')));
}

TEST_F(InfotainerDialogTest, AGroupsWorkIsSharedAndAcknowledgedByToken) {
  const auto alice = come(kAlice, kTwo, 0), bob = come(kBob, kTwo, 1);
  alice->hear(), bob->hear();
  EXPECT_THAT(alice->say(join(1)),
              ElementsAre(AllOf(StartsWith("{\"GroupJoined\": {\"request_id\": 1, \"subscription_id\": A, \"group\": "
                                           "\"workers\", \"created\": true, \"already\": false, \"position\": {"),
                                HasSubstr("\"lag\": 0"))));
  EXPECT_THAT(alice->say(join(2)), ElementsAre(HasSubstr("\"created\": false, \"already\": true}}")));
  EXPECT_THAT(bob->say(join(1)), ElementsAre(HasSubstr("\"created\": false, \"already\": false")));
  for (const char* const payload : {"1", "2", "3"}) publish_json(kA, payload);
  const auto first = alice->hear(), second = bob->hear();
  ASSERT_THAT(first, SizeIs(1));
  ASSERT_THAT(second, SizeIs(1)) << "one in flight each";
  EXPECT_THAT(first[0], StartsWith("{\"Delivery\": {\"subscription_id\": A, \"group\": \"workers\", \"delivery\": \""));
  EXPECT_THAT(first[0], HasSubstr("\"attempt\": 1, \"publication_id\": "));
  std::vector<std::string> all = data({first[0], second[0]});
  const auto acked = alice->say(settle("AckDelivery", 3, token_of(first[0])));
  ASSERT_THAT(acked, SizeIs(2));
  EXPECT_EQ(acked[0],
            "{\"DeliveryAcked\": {\"request_id\": 3, \"subscription_id\": A, \"group\": \"workers\", \"settled\": 1, "
            "\"refused\": []}}");
  EXPECT_EQ(data(acked), std::vector<std::string>{"3"});
  all.push_back("3");
  EXPECT_THAT(all, ::testing::UnorderedElementsAre("1", "2", "3"));
  EXPECT_THAT(alice->say(settle("AckDelivery", 4, token_of(first[0]))),
              ElementsAre(HasSubstr("{\"Error\": {\"request_id\": 4, \"code\": \"conflict\"")));
}

TEST_F(InfotainerDialogTest, WhatAMemberHadComesToAnotherWhenItLeavesOrIsGone) {
  auto alice = come(kAlice, kTwo, 0);
  const auto bob = come(kBob, kTwo, 1);
  alice->say(join(1, 5)), publish_json(kA, "1"), publish_json(kA, "2");
  const auto had = alice->hear();
  ASSERT_THAT(data(had), ElementsAre("1", "2"));
  bob->say(join(1, 5));
  EXPECT_THAT(alice->say(group_command("LeaveGroup", 2)),
              ElementsAre("{\"GroupLeft\": {\"request_id\": 2, \"subscription_id\": A, \"group\": \"workers\", "
                          "\"was_member\": true}}"));
  const auto again = bob->hear();
  EXPECT_THAT(data(again), ElementsAre("1", "2"));
  EXPECT_THAT(again, ::testing::Each(HasSubstr("\"attempt\": 2")));
  EXPECT_THAT(alice->say(group_command("LeaveGroup", 3)), ElementsAre(HasSubstr("\"was_member\": false")));
  EXPECT_THAT(alice->say(settle("AckDelivery", 4, token_of(had[0]))), ElementsAre(HasSubstr("\"code\": \"conflict\"")));
  alice->say(join(5, 5));
  bob->leave();
  EXPECT_THAT(data(alice->hear()), ElementsAre("1", "2"));
  // A membership is the connection's.
  alice->leave();
  alice = come(kAlice, kTwo, 0);
  EXPECT_THAT(alice->hear(), ElementsAre(HasSubstr("\"subscriptions\": 0")));
  EXPECT_THAT(data(alice->say(join(1, 5))), ElementsAre("1", "2"));
}

TEST_F(InfotainerDialogTest, NackExtendAndADeadLetterToALog) {
  const auto alice = come(kAlice, kTwo), bob = come(kBob, kTwo);
  bob->say(subscribe(kB, 1));
  const auto joined = alice->say(group_command("JoinGroup", 1, 2, [](CborWriter& cbor) {
    cbor.text("deliveries_max").number(2).text("dead_letter").bytes(bytes_of(kB));
  }));
  ASSERT_THAT(joined, SizeIs(2)) << "Hello, and";
  EXPECT_THAT(joined[1], StartsWith("{\"GroupJoined\""));
  publish_json(kA, "1");
  const auto first = alice->hear();
  ASSERT_THAT(first, SizeIs(1));
  EXPECT_THAT(alice->say(settle("ExtendDelivery", 2, token_of(first[0]))),
              ElementsAre(StartsWith("{\"DeliveryExtended\": {\"request_id\": 2, ")));
  const auto second = alice->say(settle("NackDelivery", 3, token_of(first[0])));
  ASSERT_THAT(second, SizeIs(2));
  EXPECT_THAT(second[0], StartsWith("{\"DeliveryNacked\": {\"request_id\": 3, "));
  EXPECT_THAT(second[1], HasSubstr("\"attempt\": 2"));
  EXPECT_THAT(bob->hear(), IsEmpty());
  alice->say(settle("NackDelivery", 4, token_of(second[1])));
  EXPECT_THAT(data(bob->hear()), ElementsAre("1"));
}

TEST_F(InfotainerDialogTest, ADeletedGroupIsTold) {
  const auto alice = come(kAlice, kTwo);
  alice->say(join(1));
  world.hub->groups().remove({topic_channel(kA), "workers"}, [](auto) {});
  EXPECT_THAT(alice->hear(), ElementsAre("{\"GroupEnded\": {\"subscription_id\": A, \"group\": \"workers\", \"reason\": "
                                         "\"the group was deleted\"}}"));
}

TEST_F(InfotainerDialogTest, WhatOnlyAGroupWaitsForIsPublished) {
  auto alice = come(kAlice, kTwo);
  const auto bob = come(kBob, kOne, 1);
  bob->say(publish(kA, "dropped"));
  EXPECT_EQ(common->unknown.load(), 1u);
  alice->say(join(1, 5));
  bob->say(publish(kA, "1"));
  EXPECT_THAT(data(alice->hear()), ElementsAre("h'31'"));
  alice->leave();  // The group stays.
  bob->say(publish(kA, "2"));
  alice = come(kAlice, kTwo);
  EXPECT_THAT(data(alice->say(join(1, 5))), ElementsAre("h'31'", "h'32'"));
  EXPECT_EQ(common->unknown.load(), 1u);
}

TEST_F(InfotainerDialogTest, FaultsOfGroupsAreTyped) {
  const auto alice = come(kAlice, kTwo), bob = come(kBob, kOne);
  alice->hear();
  EXPECT_THAT(alice->say(settle("AckDelivery", 1, "x")), ElementsAre(HasSubstr("{\"request_id\": 1, \"code\": \"conflict\"")));
  const auto code = [&](std::string_view field, const std::function<void(CborWriter&)>& write) {
    const auto heard = alice->say(group_command("JoinGroup", 2, 1, [&](CborWriter& cbor) {
      cbor.text(field);
      write(cbor);
    }));
    return heard.size() == 1 ? heard[0] : std::to_string(heard.size()) + " answers";
  };
  const std::string invalid = "{\"Error\": {\"request_id\": 2, \"code\": \"invalid\"";
  EXPECT_THAT(code("visibility_ms", [](CborWriter& cbor) { cbor.number(5); }), StartsWith(invalid));
  EXPECT_THAT(code("dead_letter", [](CborWriter& cbor) { cbor.bytes(bytes_of(kA)); }), StartsWith(invalid));
  EXPECT_THAT(code("dead_letter", [](CborWriter& cbor) { cbor.text(""); }), StartsWith(invalid));
  EXPECT_THAT(code("dead_letter", [](CborWriter& cbor) { cbor.text("repo:nobody"); }), StartsWith(invalid));
  EXPECT_THAT(alice->say(join(3)), ElementsAre(HasSubstr("\"created\": true")));
  alice->say(group_command("LeaveGroup", 4));
  EXPECT_THAT(code("deliveries_max", [](CborWriter& cbor) { cbor.number(9); }),
              StartsWith("{\"Error\": {\"request_id\": 2, \"code\": \"conflict\""))
      << "the group has other settings";
  EXPECT_THAT(bob->say(join(1)), ElementsAre(StartsWith("unknown variant `JoinGroup`")));
}

// What it may have in flight waits as references, not in its outbox.
TEST_F(InfotainerDialogTest, AMemberThatDoesNotReadIsNotDisconnected) {
  const auto alice = come(kAlice, kTwo);
  alice->say(join(1, 50));
  alice->link.blocked = true;
  for (int i = 0; i < 50; ++i) publish_json(kA, '"' + std::string(900, 'x') + '"');
  EXPECT_FALSE(alice->link.closed);
  EXPECT_LE(alice->dialog->outbox().bytes(), kOutboxBytes);
  alice->link.unblock();
  EXPECT_THAT(data(alice->hear()), SizeIs(50));
  EXPECT_FALSE(alice->link.closed);
}

}  // namespace
}  // namespace carillon
