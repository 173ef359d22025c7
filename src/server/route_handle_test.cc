// What an embedding program sees of the routes protocol, with a whole server and clients over real sockets.
#include "server/route_handle.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <condition_variable>
#include <latch>
#include <thread>

#include "carillon/server.h"
#include "client/websocket_client.h"
#include "engine/redis/redis_process.h"

namespace carillon {
namespace {

using namespace std::chrono_literals;
using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;

constexpr auto kPatience = 10s;

enum class ThreadRoute { kGet, kUpdate, kTitle, kUnsubscribe, kThrows, kWaits, kEcho };
enum class ThreadEvent { kState, kUpdated, kTitle, kUnsubscribed, kThrown, kWaited, kEcho };

constexpr std::string_view wire_name(ThreadRoute route) {
  switch (route) {
    case ThreadRoute::kGet: return "/threads/get";
    case ThreadRoute::kUpdate: return "/threads/update";
    case ThreadRoute::kTitle: return "/threads/title";
    case ThreadRoute::kUnsubscribe: return "/threads/unsubscribe";
    case ThreadRoute::kThrows: return "/threads/throws";
    case ThreadRoute::kWaits: return "/threads/waits";
    case ThreadRoute::kEcho: return "/threads/echo";
  }
  return "";
}
constexpr std::string_view wire_name(ThreadEvent event) {
  switch (event) {
    case ThreadEvent::kState: return "getThreadState";
    case ThreadEvent::kUpdated: return "updateThreadState";
    case ThreadEvent::kTitle: return "generatingTitle";
    case ThreadEvent::kUnsubscribed: return "unsubscribed";
    case ThreadEvent::kThrown: return "thrown";
    case ThreadEvent::kWaited: return "waited";
    case ThreadEvent::kEcho: return "echo";
  }
  return "";
}

using Threads = RouteResource<ThreadRoute, ThreadEvent>;

// A browser tab.
class Tab {
 public:
  Tab(const std::string& address, const std::string& user)
      : socket_(WebSocketClient::connect(*parse_client_url("http://" + address), "/api/v1/ws?user=" + user)) {
    EXPECT_TRUE(socket_) << socket_.error().text;
  }
  void send(std::string_view route, std::string_view payload, int id = 0) {
    const std::string tail = id == 0 ? "" : fmt::format(R"(,"id":{})", id);
    ASSERT_TRUE(socket_->send_text(fmt::format(R"({{"route":"{}","payload":{}{}}})", route, payload, tail)));
  }
  // The next envelope, or what happened instead.
  std::string hear() {
    for (;;) {
      const Result<WebSocketClient::Heard> heard = socket_->receive(kPatience);
      if (!heard) return "error: " + heard.error().text;
      if (heard->kind == WebSocketClient::Heard::Kind::kMessage) return heard->text;
      if (heard->kind == WebSocketClient::Heard::Kind::kClosed) return fmt::format("closed {}", heard->close_code);
      if (heard->kind == WebSocketClient::Heard::Kind::kNothing) return "nothing";
    }
  }
  std::string ask(std::string_view route, std::string_view payload, int id = 0) {
    send(route, payload, id);
    return hear();
  }
  // Nothing waits that came before this.
  void expect_silence() { EXPECT_THAT(ask("/channels/list", "{}"), HasSubstr(R"("event":"listChannels")")); }
  void close() { socket_->close(); }

 private:
  Result<WebSocketClient> socket_;
};

class RouteHandleTest : public ::testing::Test {
 protected:
  static ServerOptions options() {
    ServerOptions options;
    options.listen = "127.0.0.1:0";
    options.loops = 2;
    options.drain_time = 100ms;
    options.websocket.close_time = 200ms;
    return options;
  }
  void start(RouteHooks hooks, RoutesOptions routes = {}, Milliseconds presence_period = Milliseconds{0}) {
    ServerOptions wished = options();
    wished.routes = routes;
    wished.presence.period = presence_period;
    auto started = Server::start(wished, {}, std::move(hooks));
    ASSERT_TRUE(started) << started.error().text;
    server_ = *std::move(started);
  }
  Tab tab(const std::string& user) { return Tab(server_->address(), user); }
  RouteHub& routes() { return server_->routes(); }

  std::unique_ptr<Server> server_;
};

RouteHooks with(const Threads& threads) {
  RouteHooks hooks;
  threads.add_to(hooks);
  return hooks;
}

// Opens a thread: follows it, tells the others, answers its state.
void open_thread(const RouteCall& call) {
  RouteFields fields(call.payload());
  const std::string id = fields.text("id");
  if (const Result<void> read = fields.status(); !read) return (void)call.fail(ThreadEvent::kState, read.error());
  if (id == "secret") {
    return (void)call.fail(ThreadEvent::kState,
                           Error{ErrorKind::kForbidden, "You don't have permission to access this thread"});
  }
  const std::string about = fmt::format(R"([{{"id":{},"thread_id":{}}}])", json_text(call.user().id), json_text(id));
  const Result<bool> followed = call.follow({.channel = "thread:" + id,
                                             .joined = RouteNews{.event = "joinedThread", .payload = about},
                                             .left = RouteNews{.event = "leftThread", .payload = about}});
  if (!followed) return (void)call.fail(ThreadEvent::kState, followed.error());
  (void)call.send({.event = ThreadEvent::kState, .payload = R"({"id":)" + json_text(id) + "}", .channel = "thread:" + id});
}

Threads thread_routes() {
  Threads threads;
  threads.on(ThreadRoute::kGet, ThreadEvent::kState, open_thread);
  threads.on(ThreadRoute::kUpdate, ThreadEvent::kUpdated, [](const RouteCall& call) {
    (void)call.send(
        {.event = ThreadEvent::kUpdated, .payload = call.payload(), .channel = "thread:t", .method = SendMethod::kAll});
  });
  threads.unsubscribe(ThreadRoute::kUnsubscribe, ThreadEvent::kUnsubscribed, "thread");
  return threads;
}

TEST_F(RouteHandleTest, AThreadIsOpenedUpdatedAndLeft) {
  start(with(thread_routes()));
  Tab ann = tab("ann"), bob = tab("bob");
  EXPECT_THAT(ann.ask("/threads/get", R"({"id":"t"})", 1),
              AllOf(HasSubstr(R"("event":"getThreadState","payload":{"id":"t"},"sent_by":{"id":"ann","name":"ann"})"),
                    HasSubstr(R"("send_method":"SenderOnly","id":1})")));
  EXPECT_THAT(bob.ask("/threads/get", R"({"id":"t"})"), HasSubstr(R"("event":"getThreadState")"));
  EXPECT_THAT(ann.hear(), AllOf(HasSubstr(R"("event":"joinedThread","payload":[{"id":"bob","thread_id":"t"}])"),
                                HasSubstr(R"("send_method":"AllButSender"})")));
  bob.send("/threads/update", R"({"title":"x"})");
  for (Tab* const each : {&ann, &bob}) {
    EXPECT_THAT(each->hear(), HasSubstr(R"("event":"updateThreadState","payload":{"title":"x"},"sent_by":{"id":"bob")"));
  }
  const Result<std::vector<RouteMember>> members = routes().members("thread:t");
  ASSERT_TRUE(members);
  ASSERT_EQ(members->size(), 2u);
  EXPECT_EQ((*members)[0].user, "ann");
  EXPECT_THAT((*members)[0].card, HasSubstr(R"("name":"ann")"));
  EXPECT_THAT(bob.ask("/threads/unsubscribe", R"({"id":null})"), HasSubstr(R"("event":"unsubscribed","payload":[{"id":"t"}])"));
  EXPECT_THAT(ann.hear(), HasSubstr(R"("event":"leftThread","payload":[{"id":"bob")"));
}

// Answers with who follows the thread, the asking one among them.
Threads member_routes() {
  Threads threads;
  threads.on(ThreadRoute::kGet, ThreadEvent::kState, [](const RouteCall& call) {
    const Result<bool> followed = call.follow({.channel = "thread:t"});
    const auto members = call.members("thread:t");
    std::string users = followed ? (*followed ? "new" : "known") : followed.error().text;
    if (members) {
      for (const RouteMember& member : *members) users += " " + member.user;
    }
    (void)call.answer(ThreadEvent::kState, json_text(users));
  });
  return threads;
}

TEST_F(RouteHandleTest, WhoFollowsIsAmongTheMembersWhenTheHandlerAsks) {
  for (const Milliseconds period : {0ms, 20ms}) {
    start(with(member_routes()), {}, period);
    Tab ann = tab("ann"), bob = tab("bob");
    EXPECT_THAT(ann.ask("/threads/get", "{}"), HasSubstr(R"("new ann")"));
    EXPECT_THAT(bob.ask("/threads/get", "{}"), HasSubstr(R"("new ann bob")"));
    EXPECT_THAT(ann.ask("/threads/get", "{}"), HasSubstr(R"("known ann bob")"));
    server_->stop();
  }
}

TEST_F(RouteHandleTest, PermissionIsAskedBeforeAnythingIsHeard) {
  start(with(thread_routes()));
  Tab ann = tab("ann");
  EXPECT_THAT(ann.ask("/threads/get", R"({"id":"secret"})"),
              HasSubstr(R"("error":{"code":"UNAUTHORIZED","message":"You don't have permission to access this thread"})"));
  EXPECT_THAT(ann.ask("/threads/get", "[]"), HasSubstr(R"("code":"BAD_REQUEST")"));
  EXPECT_THAT(ann.ask("/channels/list", "{}"), HasSubstr(R"("payload":[{"id":"user:ann"}])"));
}

TEST_F(RouteHandleTest, WhoIsLostHasLeft) {
  start(with(thread_routes()));
  Tab ann = tab("ann");
  ann.ask("/threads/get", R"({"id":"t"})");
  {
    Tab bob = tab("bob");
    bob.ask("/threads/get", R"({"id":"t"})");
    EXPECT_THAT(ann.hear(), HasSubstr("joinedThread"));
  }  // No goodbye.
  EXPECT_THAT(ann.hear(), HasSubstr("leftThread"));
}

TEST_F(RouteHandleTest, APureHandlerAnswersClientsAndTheProgram) {
  Threads threads;
  threads.answer(ThreadRoute::kEcho, ThreadEvent::kEcho, [](const RouteQuestion& question) -> Result<std::string> {
    if (question.payload == "0") return Error{ErrorKind::kNotFound, "nothing there"};
    if (question.payload == "1") return std::string("{no json");
    return question.payload;
  });
  start(with(threads));
  Tab ann = tab("ann"), other_tab = tab("ann");
  EXPECT_THAT(ann.ask("/threads/echo", R"({"a":1})", 7),
              AllOf(HasSubstr(R"("event":"echo","payload":{"a":1})"), HasSubstr(R"("id":7})")));
  EXPECT_THAT(other_tab.hear(), AllOf(HasSubstr(R"("event":"echo","payload":{"a":1})"), Not(HasSubstr(R"("id":7)"))));
  EXPECT_THAT(
      ann.ask("/threads/echo", "0"),
      HasSubstr(
          R"("payload":null,"sent_by":{"id":"ann","name":"ann"},"error":{"code":"NOT_FOUND","message":"nothing there"})"));
  EXPECT_THAT(ann.ask("/threads/echo", "1"),
              HasSubstr(R"("error":{"code":"INTERNAL_SERVER_ERROR","message":"Failed to serialize data"})"));
  EXPECT_EQ(*routes().call("/threads/echo", {.id = "ann"}, "[2]"), "[2]");
  EXPECT_EQ(routes().call("/threads/echo", {}, "0").error().kind, ErrorKind::kNotFound);
  EXPECT_EQ(routes().call("/threads/none", {}, "0").error().kind, ErrorKind::kNotFound);
}

TEST_F(RouteHandleTest, ProgressIsToldStepByStepAndWhatIsNotCompletedHasFailed) {
  Threads threads;
  threads.on(ThreadRoute::kTitle, ThreadEvent::kTitle, [](const RouteCall& call) {
    RouteProgress progress(call, {.event = ThreadEvent::kTitle, .payload = R"({"chat_id":"c"})"});
    (void)progress.step(R"({"title_chunk":"Sal"})");
    EXPECT_FALSE(progress.step("[]"));
    if (call.payload() == "1") return;
    (void)progress.complete(R"({"title":"Sales"})");
    EXPECT_EQ(progress.step().error().kind, ErrorKind::kConflict);
  });
  start(with(threads));
  Tab ann = tab("ann");
  EXPECT_THAT(ann.ask("/threads/title", "0"),
              HasSubstr(R"("payload":{"chat_id":"c","title_chunk":"Sal","progress":"inProgress"})"));
  EXPECT_THAT(ann.hear(), HasSubstr(R"("payload":{"chat_id":"c","title":"Sales","progress":"completed"})"));
  ann.ask("/threads/title", "1");
  EXPECT_THAT(ann.hear(), HasSubstr(R"("payload":{"chat_id":"c","progress":"failed"})"));
}

TEST_F(RouteHandleTest, ManyMessagesOfOneCallComeInTheirOrder) {
  constexpr int kMany = 2000;
  Threads threads;
  threads.on(ThreadRoute::kTitle, ThreadEvent::kTitle, [](const RouteCall& call) {
    for (int i = 0; i < kMany; ++i) ASSERT_TRUE(call.answer(ThreadEvent::kTitle, std::to_string(i)));
  });
  start(with(threads));
  Tab ann = tab("ann");
  ann.send("/threads/title", "0");
  for (int i = 0; i < kMany; ++i) ASSERT_THAT(ann.hear(), HasSubstr(fmt::format(R"("payload":{},)", i)));
}

TEST_F(RouteHandleTest, WhatAHandlerThrowsIsAnErrorWithoutItsText) {
  Threads threads;
  threads.on(ThreadRoute::kThrows, ThreadEvent::kThrown,
             [](const RouteCall&) { throw std::runtime_error("the password is x"); });
  start(with(threads));
  Tab ann = tab("ann");
  EXPECT_THAT(ann.ask("/threads/throws", "0"),
              AllOf(HasSubstr(R"("event":"thrown")"), HasSubstr("INTERNAL_SERVER_ERROR"), Not(HasSubstr("password"))));
}

// Handlers that wait until they are let go.
struct Gate {
  std::latch arrived{1};
  std::latch open{1};
};

TEST_F(RouteHandleTest, HandlersRunSideBySideAndAnswerInAnyOrder) {
  const auto gate = std::make_shared<Gate>();
  Threads threads;
  threads.on(ThreadRoute::kWaits, ThreadEvent::kWaited, [gate](const RouteCall& call) {
    gate->arrived.count_down();
    gate->open.wait();
    (void)call.answer(ThreadEvent::kWaited, "1");
  });
  threads.answer(ThreadRoute::kEcho, ThreadEvent::kEcho,
                 [](const RouteQuestion& question) { return Result<std::string>(question.payload); });
  start(with(threads));
  Tab ann = tab("ann");
  ann.send("/threads/waits", "0", 1);
  gate->arrived.wait();
  EXPECT_THAT(ann.ask("/threads/echo", "5", 2), HasSubstr(R"("id":2})"));
  gate->open.count_down();
  EXPECT_THAT(ann.hear(), HasSubstr(R"("id":1})"));
}

TEST_F(RouteHandleTest, ACallOfAConnectionThatEndedIsCancelled) {
  const auto gate = std::make_shared<Gate>();
  std::atomic<bool> refused{false};
  std::latch done(1);
  Threads threads;
  threads.on(ThreadRoute::kWaits, ThreadEvent::kWaited, [&, gate](const RouteCall& call) {
    gate->arrived.count_down();
    while (!call.cancelled()) std::this_thread::yield();
    refused = !call.answer(ThreadEvent::kWaited, "1") && !call.follow({.channel = "thread:t"});
    done.count_down();
  });
  start(with(threads));
  Tab other_tab = tab("ann");
  {
    Tab ann = tab("ann");
    ann.send("/threads/waits", "0");
    gate->arrived.wait();
  }
  done.wait();
  EXPECT_TRUE(refused);
  other_tab.expect_silence();
}

TEST_F(RouteHandleTest, ACallMayBeKeptAndAnsweredLater) {
  std::mutex mutex;
  std::optional<RouteCall> kept;
  std::latch taken(1);
  Threads threads;
  threads.on(ThreadRoute::kWaits, ThreadEvent::kWaited, [&](const RouteCall& call) {
    const std::lock_guard lock(mutex);
    kept = call;
    taken.count_down();
  });
  start(with(threads), {.calls_per_connection = 1});
  Tab ann = tab("ann");
  ann.send("/threads/waits", "0", 1);
  taken.wait();
  EXPECT_THAT(ann.ask("/threads/waits", "0", 2), AllOf(HasSubstr("too many requests at a time"), HasSubstr(R"("id":2})")));
  ASSERT_TRUE(kept->answer(ThreadEvent::kWaited, "9"));
  EXPECT_THAT(ann.hear(), AllOf(HasSubstr(R"("payload":9,)"), HasSubstr(R"("id":1})")));
  server_->stop();
  EXPECT_EQ(kept->answer(ThreadEvent::kWaited, "9").error().kind, ErrorKind::kUnavailable);
  EXPECT_EQ(kept->follow({.channel = "thread:t"}).error().kind, ErrorKind::kUnavailable);
  EXPECT_EQ(kept->state().get("k").error().kind, ErrorKind::kUnavailable);
  server_.reset();
  EXPECT_EQ(kept->members("thread:t").error().kind, ErrorKind::kUnavailable);
  kept.reset();
}

TEST_F(RouteHandleTest, TheStopWaitsForHandlers) {
  const auto gate = std::make_shared<Gate>();
  std::atomic<bool> finished{false};
  Threads threads;
  threads.on(ThreadRoute::kWaits, ThreadEvent::kWaited, [&, gate](const RouteCall& call) {
    gate->arrived.count_down();
    while (!call.cancelled()) std::this_thread::yield();
    (void)call.follow({.channel = "thread:t"});
    (void)call.state().set("k", "v");
    finished = true;
  });
  start(with(threads));
  Tab ann = tab("ann");
  ann.send("/threads/waits", "0");
  gate->arrived.wait();
  server_->stop();
  EXPECT_TRUE(finished);
  EXPECT_EQ(ann.hear(), "closed 1001");
}

TEST_F(RouteHandleTest, ValuesAndDraftsAreKept) {
  start({});
  const RouteState state = routes().state();
  EXPECT_EQ(*state.get("k"), std::nullopt);
  ASSERT_TRUE(state.set("k", "v"));
  EXPECT_EQ(*state.get("k"), "v");
  ASSERT_TRUE(state.remove("k"));
  EXPECT_EQ(*state.get("k"), std::nullopt);
  ASSERT_TRUE(state.set_draft("thread:t", "session"));
  EXPECT_EQ(*state.draft("thread:t"), "session");
  EXPECT_EQ(*state.get("draft:thread:t"), "session");
  ASSERT_TRUE(state.drop_draft("thread:t"));
  EXPECT_EQ(*state.draft("thread:t"), std::nullopt);
  EXPECT_EQ(state.set("k", std::string((1 << 20) + 1, 'v')).error().kind, ErrorKind::kTooLarge);
  EXPECT_EQ(state.set(std::string(2000, 'k'), "v").error().kind, ErrorKind::kTooLarge);
  ASSERT_TRUE(state.set("short", "v", 1ms));
  for (const auto until = std::chrono::steady_clock::now() + kPatience; state.get("short")->has_value();) {
    ASSERT_LT(std::chrono::steady_clock::now(), until);
    std::this_thread::sleep_for(1ms);
  }
}

TEST_F(RouteHandleTest, TheProgramSpeaksToChannelsAndUsersAndRevokes) {
  start(with(thread_routes()));
  Tab ann = tab("ann"), bob = tab("bob");
  for (Tab* const each : {&ann, &bob}) each->ask("/threads/get", R"({"id":"t"})");
  ann.hear();  // joinedThread.
  ASSERT_TRUE(routes().send(
      {.event = "refreshed", .payload = "1", .channel = "thread:t", .method = SendMethod::kAll, .route = "/threads/get"}));
  for (Tab* const each : {&ann, &bob})
    EXPECT_THAT(each->hear(), HasSubstr(R"("event":"refreshed","payload":1,"sent_by":null)"));
  const RouteUser as_ann{.id = "ann", .name = "Ann"};
  ASSERT_TRUE(routes().send(
      {.event = "edited", .channel = "thread:t", .method = SendMethod::kAllButSender, .route = "/threads/get"}, &as_ann));
  EXPECT_THAT(bob.hear(), HasSubstr(R"("sent_by":{"id":"ann","name":"Ann"})"));
  ASSERT_TRUE(routes().send_to_user("ann", {.event = "note", .route = "/notes"}));
  EXPECT_THAT(ann.hear(), HasSubstr(R"("event":"note")"));
  EXPECT_EQ(routes().revoke("thread:t", "bob", "not any more"), 1u);
  EXPECT_THAT(bob.hear(), HasSubstr("not any more"));
  EXPECT_THAT(ann.hear(), HasSubstr("leftThread"));
  EXPECT_EQ(routes().connection_count(), 2u);
  for (const RouteMessage& bad : {RouteMessage{.event = "e", .route = "/r"}, RouteMessage{.event = "e", .channel = "c"},
                                  RouteMessage{.event = "", .channel = "c", .route = "/r"}}) {
    EXPECT_EQ(routes().send(bad).error().kind, ErrorKind::kInvalid);
  }
}

// Two servers that share their channels by a Redis.
class RouteNodesTest : public RouteHandleTest {
 protected:
  std::unique_ptr<Server> node(RouteHooks hooks) {
    ServerOptions wished = options();
    wished.engine.kind = "redis";
    wished.redis.urls = {fmt::format("redis://127.0.0.1:{}", redis.port())};
    auto started = Server::start(wished, {}, std::move(hooks));
    EXPECT_TRUE(started) << started.error().text;
    return *std::move(started);
  }
  static Tab tab_at(Server& server, const std::string& user) { return Tab(server.address(), user); }

  RedisProcess redis;
};

TEST_F(RouteNodesTest, AThreadIsSharedByThoseOnEveryServer) {
  const auto one = node(with(thread_routes())), other = node(with(thread_routes()));
  Tab ann = tab_at(*one, "ann"), bob = tab_at(*other, "bob");
  EXPECT_THAT(ann.ask("/threads/get", R"({"id":"t"})"), HasSubstr("getThreadState"));
  EXPECT_THAT(bob.ask("/threads/get", R"({"id":"t"})"), HasSubstr("getThreadState"));
  EXPECT_THAT(ann.hear(), HasSubstr(R"("event":"joinedThread","payload":[{"id":"bob")"));
  for (Server* const server : {one.get(), other.get()}) {
    const Result<std::vector<RouteMember>> members = server->routes().members("thread:t");
    ASSERT_TRUE(members) << members.error().text;
    ASSERT_EQ(members->size(), 2u);
    EXPECT_EQ((*members)[1].user, "bob");
  }
  // A second tab of Bob elsewhere is no news, nor is the end of the first.
  {
    Tab elsewhere = tab_at(*one, "bob");
    EXPECT_THAT(elsewhere.ask("/threads/get", R"({"id":"t"})"), HasSubstr("getThreadState"));
    bob.close();
    // Both at once, at different servers, may each be told of.
    while (other->routes().connection_count() > 0) std::this_thread::yield();
    for (int i = 0; i < 3; ++i) ASSERT_TRUE(other->routes().members("thread:t"));
    elsewhere.send("/threads/update", R"({"title":"x"})");
    for (Tab* const each : {&ann, &elsewhere}) EXPECT_THAT(each->hear(), HasSubstr(R"("payload":{"title":"x"})"));
    ann.expect_silence();
    ASSERT_TRUE(other->routes().send_to_user("bob", {.event = "note", .route = "/notes"}));
    EXPECT_THAT(elsewhere.hear(), HasSubstr(R"("event":"note")"));
    elsewhere.close();
  }
  EXPECT_THAT(ann.hear(), HasSubstr(R"("event":"leftThread","payload":[{"id":"bob")"));
  const Result<std::vector<RouteMember>> left = other->routes().members("thread:t");
  ASSERT_TRUE(left);
  EXPECT_EQ(left->size(), 1u);
  ann.expect_silence();
}

TEST_F(RouteNodesTest, WhoFollowsIsAmongTheMembersWhenTheHandlerAsks) {
  const auto one = node(with(member_routes())), other = node(with(member_routes()));
  Tab ann = tab_at(*one, "ann"), bob = tab_at(*other, "bob"), cleo = tab_at(*one, "cleo");
  EXPECT_THAT(ann.ask("/threads/get", "{}"), HasSubstr(R"("new ann")"));
  EXPECT_THAT(bob.ask("/threads/get", "{}"), HasSubstr(R"("new ann bob")"));
  EXPECT_THAT(cleo.ask("/threads/get", "{}"), HasSubstr(R"("new ann bob cleo")"));
  EXPECT_THAT(ann.ask("/threads/get", "{}"), HasSubstr(R"("known ann bob cleo")"));
}

TEST(RouteHooks, AreRefusedWhenTheySayNothing) {
  const auto error_of = [](RouteEntry entry) {
    RouteHooks hooks;
    hooks.routes.push_back(std::move(entry));
    const Result<void> checked = check_route_hooks(hooks);
    return checked ? std::string() : checked.error().text;
  };
  const WireRouteHandler handle = [](const RouteCall&) {};
  EXPECT_EQ(error_of({.route = "/r", .handle = handle}), "");
  EXPECT_THAT(error_of({.route = "r", .handle = handle}), HasSubstr("begins with `/`"));
  EXPECT_THAT(error_of({.route = "/channels/x", .handle = handle}), HasSubstr("the server's own"));
  EXPECT_THAT(error_of({.route = "/r"}), HasSubstr("exactly one"));
  EXPECT_THAT(error_of({.route = "/r", .handle = handle, .leaves = "x", .event = "e"}), HasSubstr("exactly one"));
  EXPECT_THAT(error_of({.route = "/r", .leaves = "x"}), HasSubstr("no event"));
  RouteHooks twice;
  twice.routes = {{.route = "/r", .handle = handle}, {.route = "/r", .handle = handle}};
  EXPECT_THAT(check_route_hooks(twice).error().text, HasSubstr("twice"));
}

TEST(RouteFields, ReadsPayloadsAndKeepsTheFirstFault) {
  RouteFields fields(R"({"id":"é","n":5,"ids":["a","b"],"any":{ "x":1 },"none":null})");
  EXPECT_EQ(fields.text("id"), "é");
  EXPECT_EQ(fields.integer("n"), 5);
  EXPECT_EQ(fields.optional_integer("n"), 5);
  EXPECT_EQ(fields.optional_integer("none"), std::nullopt);
  EXPECT_EQ(fields.optional_text("none"), std::nullopt);
  EXPECT_THAT(fields.texts("ids"), ElementsAre("a", "b"));
  EXPECT_EQ(fields.raw("any"), R"({ "x":1 })");
  EXPECT_EQ(fields.raw("absent"), "");
  EXPECT_TRUE(fields.status());
  EXPECT_EQ(fields.texts("any"), std::vector<std::string>());
  fields.fail("later");
  EXPECT_THAT(fields.status().error().text, HasSubstr("`any` must be a list of texts"));
  EXPECT_FALSE(RouteFields("7").status());
}

TEST(RouteFields, ABooleanIsTrueOrFalseAndNothingElse) {
  RouteFields fields(R"({"yes":true,"no":false,"none":null,"text":"true"})");
  EXPECT_EQ(fields.optional_boolean("yes"), true);
  EXPECT_EQ(fields.optional_boolean("no"), false);
  EXPECT_EQ(fields.optional_boolean("none"), std::nullopt);
  EXPECT_EQ(fields.optional_boolean("absent"), std::nullopt);
  EXPECT_TRUE(fields.status());
  EXPECT_EQ(fields.optional_boolean("text"), std::nullopt);
  EXPECT_THAT(fields.status().error().text, HasSubstr("`text` must be true or false"));
}

TEST(RouteJson, WritesPayloads) {
  EXPECT_EQ(json_object({}), "{}");
  EXPECT_EQ(json_object({{"id", json_text("é\"")}, {"rows", json_array({"1", "[]", json_array({})})}}),
            R"({"id":"é\"","rows":[1,[],[]]})");
  EXPECT_EQ(json_number(0.1), "0.1");
  EXPECT_EQ(json_number(1.0 / 0.0), "null");
}

}  // namespace
}  // namespace carillon
