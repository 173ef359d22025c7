#include "protocol/routes/routes_dialog.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "engine/memory/hub_double.h"
#include "protocol/exchange_double.h"
#include "protocol/link_double.h"
#include "protocol/routes/routes.h"

namespace carillon {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::UnorderedElementsAre;

using Texts = std::vector<std::string>;

RouteUser person(std::string id, bool verified = true) {
  return {.id = id, .name = "Name of " + id, .verified = verified};
}

// A client of one of the loops.
class RoutesClient {
 public:
  RoutesClient(World& world, RoutesDesk& desk, RouteUser user) : world_(world), link(desk.shard().frame_memory()) {
    IdentityPtr identity;
    if (!user.id.empty()) {
      identity = std::make_shared<const Identity>(Identity{.user = user.id, .verified = user.verified});
    }
    dialog = std::make_unique<RoutesDialog>(desk, link,
                                            RoutesStart{.identity = identity, .user = std::move(user), .user_agent = "test"});
    link.dialog = dialog.get();
    dialog->start();
    world_.settle();
  }
  ~RoutesClient() { go(); }

  void go() {
    if (!link.closed && link.open) dialog->on_link_closed();
    link.open = false;
    world_.settle();
  }
  void send(std::string_view message, MessageKind kind = MessageKind::kText) { dialog->on_message(message, kind); }
  Texts say(std::string_view message) {
    send(message);
    return hear();
  }
  // A request whose answer is told without what every answer has.
  Texts ask(std::string_view route, std::string_view payload) {
    return say(R"({"route":")" + std::string(route) + R"(","payload":)" + std::string(payload) + R"(,"id":1})");
  }
  Texts hear() {
    world_.settle();
    return link.received();
  }

 private:
  World& world_;

 public:
  LinkDouble link;
  std::unique_ptr<RoutesDialog> dialog;
};

class RoutesDialogTest : public ::testing::Test {
 protected:
  explicit RoutesDialogTest(RoutesOptions options = {}, std::size_t presence_list_max = 1000)
      : world({.loops = 2}), common(options, hooks(), parts(presence_list_max)) {
    for (Shard* const shard : world.shards) desks.push_back(std::make_unique<RoutesDesk>(*shard, common));
  }

  static RouteHooks hooks() {
    RouteHooks hooks;
    hooks.routes.push_back({.route = "/threads/get", .error_event = "getThread", .handle = [](const RouteCall&) {}});
    hooks.routes.push_back({.route = "/threads/unsubscribe", .leaves = "thread", .event = "unsubscribed"});
    return hooks;
  }
  RoutesCommon::Parts parts(std::size_t presence_list_max) {
    return {.state = world.engine.state(),
            .clock = world.clock,
            .message_bytes_max = 1 << 20,
            .presence_list_max = presence_list_max,
            .launch = [this](RoutesJobPtr job) {
              if (full) return false;
              jobs.push_back(std::move(job));
              return true;
            }};
  }

  std::unique_ptr<RoutesClient> client(std::string user = "", unsigned loop = 0, bool verified = true) {
    return std::make_unique<RoutesClient>(world, *desks[loop], user.empty() ? RouteUser{} : person(std::move(user), verified));
  }
  // The job of a request to /threads/get.
  RoutesJobPtr request(RoutesClient& asking, std::string_view id = "1") {
    asking.send(R"({"route":"/threads/get","payload":{"id":"t"},"id":)" + std::string(id) + "}");
    return jobs.back();
  }
  void answer(const RoutesJobPtr& job, RoutesOutgoing outgoing) {
    outgoing.route = job->entry->route;
    if (outgoing.event.empty()) outgoing.event = "getThread";
    if (outgoing.payload.empty()) outgoing.payload = Bytes::copy_of("1");
    if (!outgoing.system) outgoing.sent_by = sent_by_json(job->connection->user);
    desks[job->place]->send(job, std::move(outgoing));
    world.settle();
  }
  std::optional<Result<bool>> follow(const RoutesJobPtr& job, RouteFollow wish) {
    std::optional<Result<bool>> outcome;
    desks[job->place]->follow(job, std::move(wish), [&outcome](Result<bool> told) { outcome = std::move(told); });
    world.settle();
    return outcome;
  }
  static RouteFollow thread(std::string channel = "thread:t") {
    return {.channel = std::move(channel),
            .joined = RouteNews{.event = "joinedThread", .payload = "[1]"},
            .left = RouteNews{.event = "leftThread", .payload = "[2]"}};
  }
  std::optional<std::string> state(const std::string& key) {
    std::optional<std::string> value;
    world.engine.state().read(key, [&](Result<std::optional<std::string>> read) { value = *read; });
    return value;
  }

  World world;
  bool full = false;
  std::vector<RoutesJobPtr> jobs;
  RoutesCommon common;
  std::vector<std::unique_ptr<RoutesDesk>> desks;
};

std::string envelope(std::string_view event, std::string_view user, std::string_view method, std::string_view rest = "") {
  const std::string sent_by =
      user.empty() ? "null" : R"({"id":")" + std::string(user) + R"(","name":"Name of )" + std::string(user) + "\"}";
  return R"({"route":"/threads/get","event":")" + std::string(event) + R"(","payload":1,"sent_by":)" + sent_by +
         R"(,"error":null,"send_method":")" + std::string(method) + "\"" + std::string(rest) + "}";
}

// --- What is no request

TEST_F(RoutesDialogTest, WhatIsNoRequestIsAnswered) {
  auto ann = client("ann");
  const auto error = [](std::string_view route, std::string_view code, std::string_view rest) {
    return AllOf(HasSubstr(R"({"route":")" + std::string(route) + R"(","event":"error","payload":null,)"),
                 HasSubstr(R"("error":{"code":")" + std::string(code) + R"(","message":")"), HasSubstr(rest));
  };
  EXPECT_THAT(ann->say("nonsense"), ElementsAre(error("/error", "BAD_REQUEST", "no JSON")));
  EXPECT_THAT(ann->say(R"({"route":"/x"})"), ElementsAre(error("/x", "BAD_REQUEST", "`payload` is missing")));
  EXPECT_THAT(ann->say(R"({"route":"/x","payload":1,"id":"q"})"), ElementsAre(error("/x", "NOT_FOUND", R"("id":"q"})")));
  EXPECT_THAT(ann->say(R"({"route":"/channels/other","payload":1})"), ElementsAre(error("/channels/other", "NOT_FOUND", "")));
  ann->send("\x01\x02", MessageKind::kBinary);
  EXPECT_THAT(ann->hear(), ElementsAre(error("/error", "BAD_REQUEST", "binary")));
  EXPECT_THAT(ann->ask("/channels/subscribe", "7"),
              ElementsAre(AllOf(HasSubstr(R"("event":"subscribed")"), HasSubstr("must be an object"))));
  EXPECT_THAT(ann->ask("/channels/list", "{}"), ElementsAre(HasSubstr(R"("payload":[{"id":"user:ann"}])")));
}

// --- The server's own routes

TEST_F(RoutesDialogTest, ChannelsAreSubscribedListedAndLeft) {
  auto ann = client("ann");
  EXPECT_THAT(ann->ask("/channels/subscribe", R"({"channel":"bare:1"})"),
              ElementsAre(R"({"route":"/channels/subscribe","event":"subscribed","payload":{"channel":"bare:1"},)"
                          R"("sent_by":{"id":"ann","name":"Name of ann"},"error":null,"send_method":"SenderOnly","id":1})"));
  EXPECT_THAT(ann->ask("/channels/subscribe", R"({"channel":"room:2"})"), ElementsAre(HasSubstr(R"("offset":0)")));
  world.publish("bare:1", "7");
  EXPECT_THAT(ann->hear(), ElementsAre(R"({"route":"/bare/1","event":"e","payload":7,"sent_by":null,"error":null,)"
                                       R"("send_method":"All"})"));
  EXPECT_THAT(ann->ask("/channels/list", "null"),
              ElementsAre(HasSubstr(R"([{"id":"bare:1"},{"id":"room:2"},{"id":"user:ann"}])")));
  EXPECT_THAT(ann->ask("/channels/unsubscribe", R"({"id":"bare:1"})"),
              ElementsAre(HasSubstr(R"("event":"unsubscribed","payload":[{"id":"bare:1"}])")));
  world.publish("bare:1", "8");
  EXPECT_THAT(ann->hear(), IsEmpty());
  // Without an id it leaves all; the personal stream is none of them.
  ann->ask("/channels/subscribe", R"({"channel":"bare:3"})");
  EXPECT_THAT(ann->ask("/channels/unsubscribe", R"({"id":null})"),
              ElementsAre(HasSubstr(R"([{"id":"bare:3"},{"id":"room:2"}])")));
  EXPECT_THAT(ann->ask("/channels/list", "{}"), ElementsAre(HasSubstr(R"([{"id":"user:ann"}])")));
}

TEST_F(RoutesDialogTest, ThePolicyIsAskedBeforeAnythingIsHeard) {
  auto ann = client("ann");
  for (const char* const verb : {"subscribe", "publish", "history", "members"}) {
    EXPECT_THAT(ann->ask("/channels/" + std::string(verb), R"({"channel":"secret","event":"e","data":1})"),
                ElementsAre(HasSubstr(R"("error":{"code":"UNAUTHORIZED","message":"secret"})")))
        << verb;
  }
  world.publish("secret", "1");
  EXPECT_THAT(ann->hear(), IsEmpty());
  EXPECT_THAT(ann->ask("/channels/list", "{}"), ElementsAre(HasSubstr(R"("payload":[{"id":"user:ann"}])")));
}

TEST_F(RoutesDialogTest, PublishesByEverySendMethod) {
  auto ann = client("ann"), other_tab = client("ann", 1), bob = client("bob", 1);
  for (RoutesClient* const each : {ann.get(), other_tab.get(), bob.get()})
    each->ask("/channels/subscribe", R"({"channel":"bare:1"})");
  const auto publish = [&](std::string_view method) {
    return ann->ask("/channels/publish",
                    R"({"channel":"bare:1","event":"said","data":{"a":1},"send_method":")" + std::string(method) + "\"}");
  };
  const auto said = [](std::string_view method) {
    return R"({"route":"/bare/1","event":"said","payload":{"a":1},"sent_by":{"id":"ann","name":"Name of ann"},"error":null,)"
           R"("send_method":")" +
           std::string(method) + "\"}";
  };
  EXPECT_THAT(publish("All"), ElementsAre(said("All"), HasSubstr(R"("event":"published")")));
  EXPECT_THAT(other_tab->hear(), ElementsAre(said("All")));
  EXPECT_THAT(bob->hear(), ElementsAre(said("All")));
  EXPECT_THAT(publish("AllButSender"), ElementsAre(HasSubstr(R"("event":"published")")));
  EXPECT_THAT(other_tab->hear(), IsEmpty());
  EXPECT_THAT(bob->hear(), ElementsAre(said("AllButSender")));
  EXPECT_THAT(publish("SenderOnly"), ElementsAre(said("SenderOnly"), HasSubstr(R"("event":"published")")));
  EXPECT_THAT(other_tab->hear(), ElementsAre(said("SenderOnly")));
  EXPECT_THAT(bob->hear(), IsEmpty());
  EXPECT_THAT(publish("all"), ElementsAre(HasSubstr("send_method")));
}

TEST_F(RoutesDialogTest, HistoryAndRecoveryBringWhatWasMissed) {
  auto ann = client("ann");
  const Texts before = ann->ask("/channels/subscribe", R"({"channel":"room:1"})");
  ASSERT_EQ(before.size(), 1u);
  const std::size_t at = before[0].find(R"("epoch":")") + 9;
  const std::string epoch = before[0].substr(at, before[0].find('"', at) - at);
  ann->ask("/channels/unsubscribe", R"({"id":"room:1"})");
  world.publish("room:1", "1");
  world.publish("room:1", "2");
  EXPECT_THAT(ann->ask("/channels/history", R"({"channel":"room:1"})"),
              ElementsAre(AllOf(HasSubstr(R"("data":1,)"), HasSubstr(R"("data":2,)"), HasSubstr(R"("more":false})"))));
  EXPECT_THAT(ann->ask("/channels/history", R"({"channel":"room:1","limit":1})"),
              ElementsAre(AllOf(Not(HasSubstr(R"("data":1,)")), HasSubstr(R"("data":2,)"), HasSubstr(R"("more":true})"))));
  const Texts again =
      ann->ask("/channels/subscribe", R"({"channel":"room:1","recover":{"epoch":")" + epoch + R"(","offset":1}})");
  ASSERT_EQ(again.size(), 2u);
  EXPECT_THAT(again[0], HasSubstr(R"("recovered":true)"));
  EXPECT_THAT(again[1], HasSubstr(R"("payload":2,)"));
  EXPECT_THAT(ann->ask("/channels/subscribe", R"({"channel":"room:9","recover":{"epoch":"x","offset":1}})"),
              ElementsAre(HasSubstr("BAD_REQUEST")));
}

TEST_F(RoutesDialogTest, WhoAsksForPresenceIsToldWhoComesAndGoes) {
  auto ann = client("ann");
  EXPECT_THAT(ann->ask("/channels/subscribe", R"({"channel":"bare:1","presence":true})"),
              ElementsAre(HasSubstr(R"("event":"subscribed")"),
                          AllOf(HasSubstr(R"("route":"/bare/1","event":"presenceState")"), HasSubstr(R"("ann":)"))));
  auto bob = client("bob", 1);
  bob->ask("/channels/subscribe", R"({"channel":"bare:1","presence":true})");
  EXPECT_THAT(ann->hear(),
              ElementsAre(AllOf(HasSubstr(R"("event":"presence","payload":{"joins":{"bob":)"), HasSubstr("Name of bob"))));
  EXPECT_THAT(ann->ask("/channels/members", R"({"channel":"bare:1"})"),
              ElementsAre(AllOf(HasSubstr(R"({"user":"ann","connections":1,"card":{"id":"ann","name":"Name of ann"}})"),
                                HasSubstr(R"({"user":"bob")"))));
  bob->go();
  EXPECT_THAT(ann->hear(), ElementsAre(HasSubstr(R"("leaves":{"bob":)")));
}

// --- What handlers say

TEST_F(RoutesDialogTest, AnAnswerReachesAllTabsOfTheUserAndHasTheIdWhereItWasAsked) {
  auto ann = client("ann"), other_tab = client("ann", 1), bob = client("bob");
  const RoutesJobPtr job = request(*ann, "\"q\"");
  EXPECT_EQ(job->payload, R"({"id":"t"})");
  EXPECT_EQ(job->connection->user.id, "ann");
  answer(job, {});
  EXPECT_THAT(ann->hear(), ElementsAre(envelope("getThread", "ann", "SenderOnly", R"(,"id":"q")")));
  EXPECT_THAT(other_tab->hear(), ElementsAre(envelope("getThread", "ann", "SenderOnly")));
  EXPECT_THAT(bob->hear(), IsEmpty());
  answer(job, {.sender = SenderIs::kConnection});
  EXPECT_THAT(ann->hear(), ElementsAre(envelope("getThread", "ann", "SenderOnly", R"(,"id":"q")")));
  EXPECT_THAT(other_tab->hear(), IsEmpty());
}

TEST_F(RoutesDialogTest, MessagesOfAnObjectReachWhoTheyAreFor) {
  auto ann = client("ann"), other_tab = client("ann", 1), bob = client("bob", 1);
  const RoutesJobPtr job = request(*ann);
  for (RoutesClient* const each : {ann.get(), other_tab.get(), bob.get()}) {
    EXPECT_TRUE(**follow(request(*each), {.channel = "thread:t"}));
  }
  const std::string id = R"(,"id":1)";
  answer(job, {.channel = "thread:t", .method = SendMethod::kAll});
  EXPECT_THAT(ann->hear(), ElementsAre(envelope("getThread", "ann", "All", id)));
  EXPECT_THAT(other_tab->hear(), ElementsAre(envelope("getThread", "ann", "All")));
  EXPECT_THAT(bob->hear(), ElementsAre(envelope("getThread", "ann", "All")));
  answer(job, {.channel = "thread:t", .method = SendMethod::kAllButSender});
  EXPECT_THAT(ann->hear(), IsEmpty());
  EXPECT_THAT(other_tab->hear(), IsEmpty());
  EXPECT_THAT(bob->hear(), ElementsAre(envelope("getThread", "ann", "AllButSender")));
  answer(job, {.channel = "thread:t", .method = SendMethod::kAllButSender, .sender = SenderIs::kConnection});
  EXPECT_THAT(ann->hear(), IsEmpty());
  EXPECT_THAT(other_tab->hear(), ElementsAre(envelope("getThread", "ann", "AllButSender")));
  EXPECT_THAT(bob->hear(), ElementsAre(envelope("getThread", "ann", "AllButSender")));
  answer(job, {.channel = "thread:t", .method = SendMethod::kSenderOnly});
  EXPECT_THAT(ann->hear(), ElementsAre(envelope("getThread", "ann", "SenderOnly", id)));
  EXPECT_THAT(other_tab->hear(), ElementsAre(envelope("getThread", "ann", "SenderOnly")));
  EXPECT_THAT(bob->hear(), IsEmpty());
  answer(job, {.channel = "thread:t", .method = SendMethod::kSenderOnly, .system = true});
  EXPECT_THAT(bob->hear(), ElementsAre(envelope("getThread", "", "SenderOnly"))) << "what nobody sent is for all";
}

TEST_F(RoutesDialogTest, NativeClientsHearWhatHandlersSayAsEventAndData) {
  auto ann = client("ann");
  auto native = world.client(1);
  native->hear("thread:t");
  world.settle();
  const RoutesJobPtr job = request(*ann);
  follow(job, {.channel = "thread:t"});
  answer(job, {.channel = "thread:t", .payload = Bytes::copy_of(R"({"title":"x"})"), .method = SendMethod::kAll});
  answer(job, {.channel = "thread:t", .payload = Bytes::copy_of("2"), .method = SendMethod::kSenderOnly});
  EXPECT_EQ(native->payloads(), Texts{R"({"title":"x"})"});
}

TEST_F(RoutesDialogTest, WhoDoesNotFollowTheObjectIsAnsweredAllTheSame) {
  auto ann = client("ann");
  answer(request(*ann), {.channel = "thread:t"});
  EXPECT_THAT(ann->hear(), ElementsAre(envelope("getThread", "ann", "SenderOnly", R"(,"id":1)")));
}

TEST_F(RoutesDialogTest, TheAnonymousAreAnsweredToo) {
  auto one = client(), two = client();
  const RoutesJobPtr job = request(*one);
  answer(job, {});
  EXPECT_THAT(one->hear(), ElementsAre(envelope("getThread", "", "SenderOnly", R"(,"id":1)")));
  answer(job, {.method = SendMethod::kAllButSender});
  EXPECT_THAT(one->hear(), IsEmpty());
  EXPECT_THAT(two->hear(), IsEmpty());
}

TEST_F(RoutesDialogTest, AClaimedNameDoesNotHearWhatIsForTheUser) {
  auto ann = client("ann"), claims = client("ann", 0, false);
  answer(request(*ann), {});
  EXPECT_THAT(ann->hear(), ElementsAre(HasSubstr("getThread")));
  EXPECT_THAT(claims->hear(), IsEmpty());
}

// --- Calls

TEST_F(RoutesDialogTest, AfterTheEndAnswersAreDroppedAndWhatOthersAreToldIsTold) {
  auto ann = client("ann"), other_tab = client("ann", 1), bob = client("bob", 1);
  follow(request(*bob), {.channel = "thread:t"});
  const RoutesJobPtr job = request(*ann);
  EXPECT_FALSE(job->cancelled->load());
  ann->go();
  EXPECT_TRUE(job->cancelled->load());
  answer(job, {});
  EXPECT_THAT(other_tab->hear(), IsEmpty());
  answer(job, {.channel = "thread:t", .method = SendMethod::kAllButSender});
  EXPECT_THAT(bob->hear(), ElementsAre(envelope("getThread", "ann", "AllButSender")));
  EXPECT_FALSE(*follow(job, {.channel = "thread:t"}));
}

class FewCalls : public RoutesDialogTest {
 protected:
  FewCalls() : RoutesDialogTest({.requests_per_second = 10, .calls_per_connection = 2}) {}
};

TEST_F(FewCalls, OneMoreThanAConnectionMayHaveIsRefused) {
  auto ann = client("ann");
  const RoutesJobPtr first = request(*ann);
  request(*ann);
  EXPECT_THAT(ann->ask("/threads/get", "1"),
              ElementsAre(AllOf(HasSubstr(R"("event":"getThread")"), HasSubstr("BAD_REQUEST"), HasSubstr("2 are allowed"))));
  EXPECT_EQ(common.calls, 2u);
  desks[0]->finish(*first);
  EXPECT_THAT(ann->ask("/threads/get", "1"), IsEmpty());
  EXPECT_EQ(jobs.size(), 3u);
  full = true;
  desks[0]->finish(*jobs.back());
  EXPECT_THAT(ann->ask("/threads/get", "1"), ElementsAre(HasSubstr("too many requests waiting")));
  EXPECT_EQ(common.calls, 1u);
  EXPECT_EQ(common.refused_total, 2u);
}

TEST_F(FewCalls, MoreThanTheRateAllowsIsRefusedUntilTimePasses) {
  auto ann = client("ann");
  for (int i = 0; i < 10; ++i) EXPECT_THAT(ann->ask("/channels/list", "{}"), ElementsAre(HasSubstr("listChannels")));
  EXPECT_THAT(ann->ask("/channels/list", "{}"),
              ElementsAre(AllOf(HasSubstr("BAD_REQUEST"), HasSubstr("10 a second"), HasSubstr(R"("id":1})"))));
  world.loops[0]->advance(Millis{100});
  EXPECT_THAT(ann->ask("/channels/list", "{}"), ElementsAre(HasSubstr("listChannels")));
  EXPECT_THAT(ann->ask("/channels/list", "{}"), ElementsAre(HasSubstr("BAD_REQUEST")));
}

// --- Who is there

TEST_F(RoutesDialogTest, OthersHearOfAUsersFirstConnectionAndOfTheEndOfTheLast) {
  auto bob = client("bob", 1);
  follow(request(*bob), thread());
  auto ann = client("ann");
  EXPECT_TRUE(**follow(request(*ann), thread()));
  EXPECT_FALSE(**follow(request(*ann), thread())) << "it follows already";
  const auto joined =
      AllOf(HasSubstr(R"("event":"joinedThread","payload":[1],"sent_by":{"id":"ann")"), HasSubstr("AllButSender"));
  const auto left = AllOf(HasSubstr(R"("event":"leftThread","payload":[2],"sent_by":{"id":"ann")"), HasSubstr(R"("All")"));
  EXPECT_THAT(bob->hear(), ElementsAre(joined));
  EXPECT_THAT(ann->hear(), IsEmpty());
  auto other_tab = client("ann", 1);
  follow(request(*other_tab), thread());
  EXPECT_THAT(bob->hear(), IsEmpty()) << "a second connection is no second user";
  ann->go();
  EXPECT_THAT(bob->hear(), IsEmpty());
  other_tab->go();
  EXPECT_THAT(bob->hear(), ElementsAre(left));
}

// Found with two tabs that were closed in one moment.
TEST_F(RoutesDialogTest, WhoseConnectionsComeAndGoAtOnceIsToldOfOnce) {
  auto bob = client("bob", 1);
  follow(request(*bob), thread());
  for (const unsigned loop : {0u, 1u}) {
    auto ann = client("ann"), other_tab = client("ann", loop);
    const RoutesJobPtr asked[] = {request(*ann), request(*other_tab)};
    for (const RoutesJobPtr& job : asked) desks[job->place]->follow(job, thread(), [](const Result<bool>&) {});
    world.settle();
    EXPECT_THAT(bob->hear(), ElementsAre(HasSubstr("joinedThread")));
    for (RoutesClient* const tab : {ann.get(), other_tab.get()}) {
      tab->dialog->on_link_closed();  // As what a socket tells: ahead of what was posted in the turn.
      tab->link.open = false;
    }
    EXPECT_THAT(bob->hear(), ElementsAre(HasSubstr("leftThread")));
  }
}

TEST_F(RoutesDialogTest, TheUnsubscribeRouteLeavesOneOrAllObjectsAndTellsTheOneWhoAsked) {
  auto bob = client("bob", 1);
  follow(request(*bob), thread());
  auto ann = client("ann"), other_tab = client("ann");
  for (const char* const channel : {"thread:t", "thread:u", "thread:v", "board:t"}) follow(request(*ann), thread(channel));
  bob->hear();
  EXPECT_THAT(ann->ask("/threads/unsubscribe", R"({"id":"t"})"),
              ElementsAre(AllOf(HasSubstr(R"("event":"unsubscribed","payload":[{"id":"t"}])"), HasSubstr(R"("id":1})"))));
  EXPECT_THAT(bob->hear(), ElementsAre(HasSubstr("leftThread")));
  EXPECT_THAT(other_tab->hear(), IsEmpty());
  EXPECT_THAT(ann->ask("/threads/unsubscribe", R"({"id":null})"), ElementsAre(HasSubstr(R"([{"id":"u"},{"id":"v"}])")));
  EXPECT_THAT(ann->ask("/channels/list", "{}"), ElementsAre(HasSubstr(R"([{"id":"board:t"},{"id":"user:ann"}])")));
  EXPECT_THAT(ann->ask("/threads/unsubscribe", R"({"id":5})"), ElementsAre(HasSubstr("BAD_REQUEST")));
}

TEST_F(RoutesDialogTest, ADraftGoesWithTheLastWhoLooksOn) {
  world.engine.state().change({{.key = "routes/draft:thread:t", .value = "d", .expires_at_ms = 0}}, false, [](Result<void>) {});
  auto ann = client("ann"), bob = client("bob", 1);
  follow(request(*ann), {.channel = "thread:t"});
  follow(request(*bob), {.channel = "thread:t"});
  ann->go();
  EXPECT_EQ(state("routes/draft:thread:t"), "d");
  bob->go();
  EXPECT_EQ(state("routes/draft:thread:t"), std::nullopt);
}

TEST_F(RoutesDialogTest, WhoMayNoMoreIsTakenOffTheChannel) {
  auto ann = client("ann"), other_tab = client("ann"), bob = client("bob");
  for (RoutesClient* const each : {ann.get(), other_tab.get(), bob.get()}) follow(request(*each), {.channel = "thread:t"});
  EXPECT_EQ(desks[0]->revoke("thread:t", "ann", "no longer yours"), 2u);
  EXPECT_THAT(ann->hear(),
              ElementsAre(HasSubstr(R"("event":"unsubscribed","payload":[{"id":"thread:t","reason":"no longer yours"}])")));
  other_tab->hear();
  world.publish("thread:t", "1");
  EXPECT_THAT(ann->hear(), IsEmpty());
  EXPECT_THAT(other_tab->hear(), IsEmpty());
  EXPECT_THAT(bob->hear(), ElementsAre(HasSubstr(R"("payload":1,)")));
}

class Crowded : public RoutesDialogTest {
 protected:
  Crowded() : RoutesDialogTest({}, 1) {}
};

TEST_F(Crowded, WhereThereAreManyNobodyIsToldWhoComesAndGoes) {
  auto ann = client("ann"), bob = client("bob"), cid = client("cid");
  follow(request(*ann), thread());
  follow(request(*bob), thread());
  EXPECT_THAT(ann->hear(), ElementsAre(HasSubstr("joinedThread")));
  follow(request(*cid), thread());
  EXPECT_THAT(ann->hear(), IsEmpty());
  cid->go();
  EXPECT_THAT(ann->hear(), IsEmpty());
}

// --- The connection

TEST_F(RoutesDialogTest, OperatorsAreHeard) {
  auto ann = client("ann");
  world.hub->announce(Bytes::copy_of("restart \"soon\""));
  EXPECT_THAT(ann->hear(), ElementsAre(HasSubstr(R"("event":"announcement","payload":"restart \"soon\"",)")));
  ann->ask("/channels/subscribe", R"({"channel":"bare:1"})");
  world.hub->close_channel(*world.loops[0], {.channel = "bare:1", .reason = "moved"}, [](std::size_t) {});
  EXPECT_THAT(ann->hear(), ElementsAre(HasSubstr(R"("payload":[{"id":"bare:1","reason":"moved"}])")));
  EXPECT_THAT(ann->ask("/channels/list", "{}"), ElementsAre(HasSubstr(R"([{"id":"user:ann"}])")));
}

TEST_F(RoutesDialogTest, CountsItsConnections) {
  auto ann = client("ann");
  {
    auto bob = client("bob", 1);
    EXPECT_EQ(common.connections, 2u);
  }
  EXPECT_EQ(common.connections, 1u);
}

// --- The room

class RoutesRoomTest : public ::testing::Test {
 protected:
  void make(RouteHooks hooks = {}, RoutesOptions options = {}) {
    common_ = std::make_unique<RoutesCommon>(
        options, std::move(hooks), RoutesCommon::Parts{.state = world_.engine.state(), .clock = world_.clock, .launch = {}});
    room_ = std::make_unique<RoutesRoom>(
        *world_.shards[0],
        [this](const Exchange& exchange, std::string_view token) -> Result<IdentityPtr> {
          const ShownToken shown = shown_token(exchange.request(), token);
          seen_ = shown;
          if (shown.text == "bad") return Error{ErrorKind::kUnauthorized, "bad token"};
          if (shown.text.empty()) return IdentityPtr();
          return std::make_shared<const Identity>(Identity{
              .user = shown.text, .verified = true, .claims = std::make_shared<const std::string>(R"({"email":"a@b.c"})")});
        },
        *common_);
    room_->add_routes(routes_);
  }
  std::shared_ptr<AnswerDouble> open(std::string_view target, std::vector<HttpHeaders::Field> headers = {}) {
    headers.emplace_back("Upgrade", "websocket");
    return routes_.ask("GET", target, {}, std::move(headers));
  }

  World world_{{.loops = 1}};
  ShownToken seen_;
  RoutesDouble routes_;
  std::unique_ptr<RoutesCommon> common_;
  std::unique_ptr<RoutesRoom> room_;
};

TEST_F(RoutesRoomTest, TakesTheTokenInEveryForm) {
  make();
  const std::pair<const char*, std::vector<HttpHeaders::Field>> forms[] = {
      {"/api/v1/ws", {{"Authorization", "Bearer ann"}}},
      {"/api/v1/ws/", {{"Authorization", "bearer ann"}}},
      {"/api/v1/ws", {{"Authorization", "ann"}}},
      {"/api/v1/ws/?authentication=ann", {}},
      {"/api/v1/ws?authentication=other", {{"Authorization", "ann"}}}};
  for (const auto& [target, headers] : forms) {
    const auto answer = open(target, headers);
    EXPECT_TRUE(answer->websocket) << target;
    EXPECT_EQ(seen_.text, "ann");
  }
  open("/api/v1/ws?authentication=ann");
  EXPECT_TRUE(seen_.in_query) << "the API key is not taken there";
}

TEST_F(RoutesRoomTest, RefusesWithTheHeadersThatItsClientsRead) {
  make({}, {.require_token = true});
  auto answer = open("/api/v1/ws");
  ASSERT_TRUE(answer->response);
  EXPECT_EQ(answer->response->status, 401);
  EXPECT_EQ(answer->response->body, "");
  EXPECT_EQ(answer->response->headers.get("Sec-WebSocket-Protocol"), "close");
  EXPECT_EQ(answer->response->headers.get("Sec-WebSocket-Close-Code"), "4001");
  EXPECT_EQ(answer->response->headers.get("Sec-WebSocket-Close-Reason"), "No token found");
  answer = open("/api/v1/ws?authentication=bad");
  EXPECT_EQ(answer->response->headers.get("Sec-WebSocket-Close-Reason"), "invalid jwt");
  answer = routes_.ask("GET", "/api/v1/ws?authentication=bad");
  EXPECT_EQ(answer->response->status, 401);
  EXPECT_FALSE(answer->response->headers.has("Sec-WebSocket-Close-Code"));
}

TEST_F(RoutesRoomTest, TheProgramKnowsTokensOfItsOwnAndWhoMustPay) {
  RouteHooks hooks;
  hooks.find_user = [](std::string_view token) -> std::optional<RouteUser> {
    if (token == "key of nobody") return RouteUser{};
    if (token != "key of ann") return std::nullopt;
    return RouteUser{.id = "ann", .email = "ann@b.c"};
  };
  std::vector<std::string> names;
  hooks.may_connect = [&](const RouteVisitor& visitor) -> RouteWelcome {
    names.push_back(visitor.user.id + " " + visitor.user.name);
    if (visitor.user.id == "poor") return {.refused_status = 402, .reason = "pay first"};
    if (visitor.user.id == "gone") return {.refused_status = 401};
    if (visitor.user.id == "banned") return {.refused_status = 403, .reason = "no"};
    return {};
  };
  make(std::move(hooks));
  EXPECT_TRUE(open("/api/v1/ws", {{"Authorization", "key of ann"}})->websocket);
  EXPECT_TRUE(open("/api/v1/ws", {{"Authorization", "bob"}})->websocket);
  EXPECT_EQ(open("/api/v1/ws?authentication=poor")->response->status, 402);
  EXPECT_EQ(open("/api/v1/ws?authentication=gone")->response->headers.get("Sec-WebSocket-Close-Code"), "4001");
  EXPECT_EQ(open("/api/v1/ws?authentication=banned")->response->status, 403);
  EXPECT_EQ(open("/api/v1/ws", {{"Authorization", "key of nobody"}})->response->status, 401);
  EXPECT_THAT(names, ElementsAre("ann ann@b.c", "bob a@b.c", "poor a@b.c", "gone a@b.c", "banned a@b.c"));
}

TEST_F(RoutesRoomTest, ItsHeartbeatAndLimitsAreTheOptions) {
  make({}, {.idle_time = Milliseconds(0), .message_bytes = 5000});
  const auto answer = open("/api/v1/ws");
  EXPECT_EQ(answer->acceptance.message_bytes_max, 5000u);
  ASSERT_TRUE(answer->acceptance.heartbeat);
  EXPECT_EQ(answer->acceptance.heartbeat->interval, Millis{15'000});
  EXPECT_EQ(answer->acceptance.heartbeat->payload, "\x01");
  EXPECT_EQ(answer->acceptance.heartbeat->pong_time, Millis{5'000});
  EXPECT_EQ(answer->acceptance.heartbeat->message_time, Millis{0});
}

TEST(RoutesUser, IsWhatItsClaimsSay) {
  const auto user = [](const char* claims) {
    const Identity identity{.user = "u1", .verified = true, .claims = std::make_shared<const std::string>(claims)};
    return routes_user(&identity);
  };
  EXPECT_EQ(user(R"({"name":"Jane","email":"j@b.c","avatar_url":"a.png"})").name, "Jane");
  EXPECT_EQ(user(R"({"name":"Jane","email":"j@b.c","avatar_url":"a.png"})").avatar_url, "a.png");
  EXPECT_EQ(user(R"({"email":"j@b.c"})").name, "j@b.c");
  EXPECT_EQ(user(R"({"name":7})").name, "u1");
  EXPECT_EQ(routes_user(nullptr).id, "");
}

}  // namespace
}  // namespace carillon
