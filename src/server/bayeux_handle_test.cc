// What an embedding program sees of Bayeux, with a whole server that clients speak to over HTTP.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <thread>

#include "carillon/server.h"
#include "client/http_client.h"
#include "client/websocket_client.h"

namespace carillon {
namespace {

using namespace std::chrono_literals;
using bayeux_event::RemovalReason;
using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;

constexpr auto kPatience = 10s;

// A Bayeux client: long polls, one request after the other.
class Client {
 public:
  explicit Client(const std::string& address) : http_(*parse_client_url("http://" + address)) {}

  // The answer's body, or what went wrong.
  std::string post(const std::string& messages) {
    const Result<HttpResponse> answer = http_.call({.method = "POST", .target = "/cometd", .body = messages});
    return answer ? answer->body : "no answer: " + answer.error().text;
  }
  std::string shake_hands() {
    const std::string answer =
        post(R"([{"channel":"/meta/handshake","id":"1","version":"1.0","supportedConnectionTypes":["long-polling"]}])");
    const std::string_view before = R"("clientId":")";
    const std::size_t found = answer.find(before);
    if (found != std::string::npos) id_ = answer.substr(found + before.size(), 40);
    return answer;
  }
  std::string ask(std::string_view channel, std::string_view rest) {
    return post(fmt::format(R"([{{"channel":"{}","id":"2","clientId":"{}",{}}}])", channel, id_, rest));
  }
  std::string subscribe(std::string_view channel) {
    return ask("/meta/subscribe", fmt::format(R"("subscription":"{}")", channel));
  }
  // What waits here, or after `timeout` only the connect's own reply.
  std::string connect(std::chrono::milliseconds timeout = kPatience) {
    return ask("/meta/connect", fmt::format(R"("connectionType":"long-polling","advice":{{"timeout":{}}})", timeout.count()));
  }
  std::string connect_first() { return connect(0ms); }
  const std::string& id() const { return id_; }

 private:
  HttpClient http_;
  std::string id_;
};

class BayeuxHandleTest : public ::testing::Test {
 protected:
  void start(BayeuxHooks hooks = {}, const BayeuxOptions& bayeux = {}) {
    ServerOptions options;
    options.listen = "127.0.0.1:0";
    options.loops = 2;
    options.drain_time = 100ms;
    options.bayeux = bayeux;
    auto started = Server::start(options, std::move(hooks));
    ASSERT_TRUE(started) << started.error().text;
    server_ = *std::move(started);
  }

  Bayeux& bayeux() { return server_->bayeux(); }
  Client client() {
    Client made(server_->address());
    EXPECT_THAT(made.shake_hands(), HasSubstr(R"("successful":true)"));
    return made;
  }
  // The next event, which must be of this kind.
  template <class Event>
  static Event hear(BayeuxListener& listener) {
    const std::optional<BayeuxEvent> event = listener.next(kPatience);
    if (!event || !std::holds_alternative<Event>(*event)) {
      ADD_FAILURE() << (event ? "another event" : "no event");
      return {};
    }
    return std::get<Event>(*event);
  }

  std::unique_ptr<Server> server_;
};

TEST_F(BayeuxHandleTest, SendsToOneSessionWhateverItHears) {
  start();
  Client one = client();
  Client two = client();
  EXPECT_EQ(bayeux().session_count(), 2u);
  one.connect_first();
  two.connect_first();
  const Result<void> sent = bayeux().send(one.id(), "/notice", R"( {"mail":1} )");
  ASSERT_TRUE(sent) << sent.error().text;
  EXPECT_TRUE(bayeux().send(two.id(), "/service/private", "2"));
  EXPECT_THAT(one.connect(), AllOf(HasSubstr(R"("channel":"/notice")"), HasSubstr(R"("data":{"mail":1})")));
  EXPECT_THAT(two.connect(), AllOf(HasSubstr(R"("channel":"/service/private")"), Not(HasSubstr("mail"))));
}

TEST_F(BayeuxHandleTest, SendsOnlyWhatCanBeSent) {
  start();
  const Client known = client();
  for (const char* channel : {"", "notice", "/", "/a/*", "/a/**", "/service/*", "/meta/connect", "/a b:"}) {
    EXPECT_EQ(bayeux().send(known.id(), channel, "1").error().kind, ErrorKind::kInvalid) << channel;
  }
  for (const char* data : {"", "{", "1 2"}) {
    EXPECT_EQ(bayeux().send(known.id(), "/a", data).error().kind, ErrorKind::kInvalid) << data;
  }
  EXPECT_EQ(bayeux().send(known.id(), "/a", '"' + std::string(1024 * 1024, 'x') + '"').error().kind, ErrorKind::kTooLarge);
  std::string nearly = known.id();
  nearly.back() = nearly.back() == '0' ? '1' : '0';
  for (const std::string& id : {std::string(), std::string("somebody"), nearly, std::string(40, 'f')}) {
    EXPECT_EQ(bayeux().send(id, "/a", "1").error().kind, ErrorKind::kNotFound) << id;
    EXPECT_FALSE(bayeux().remove(id)) << id;
  }
}

TEST_F(BayeuxHandleTest, PublishesToEverybodyOnEveryProtocol) {
  start();
  Client remote = client();
  remote.connect_first();
  EXPECT_THAT(remote.subscribe("/repo/alice/*"), HasSubstr(R"("successful":true)"));
  Result<LocalClient> local = server_->hub().connect();
  ASSERT_TRUE(local);
  ASSERT_TRUE(local->handle_command(R"({"type":"subscribe","channel":"repo:alice/app"})"));
  local->receive(kPatience);

  const Result<EmitReceipt> receipt = bayeux().publish("/repo/alice/app", R"({"ref":"main"})");
  ASSERT_TRUE(receipt) << receipt.error().text;
  EXPECT_EQ(receipt->offset, 1u);
  EXPECT_THAT(local->receive(kPatience).value_or(""),
              AllOf(HasSubstr(R"("event":"message","data":{"ref":"main"})"), HasSubstr(receipt->event_id)));
  EXPECT_THAT(remote.connect(), AllOf(HasSubstr(R"("channel":"/repo/alice/app")"), HasSubstr(R"("data":{"ref":"main"})")));
  for (const char* channel : {"", "repo:alice/app", "/", "/a/*", "/meta/a", "/service/a"}) {
    EXPECT_EQ(bayeux().publish(channel, "1").error().kind, ErrorKind::kInvalid) << channel;
  }
  EXPECT_EQ(bayeux().publish("/a", "{").error().kind, ErrorKind::kInvalid);
}

TEST_F(BayeuxHandleTest, RemovesASessionAndItsClientIsTold) {
  start();
  Result<WebSocketClient> socket = WebSocketClient::connect(*parse_client_url("http://" + server_->address()), "/cometd");
  ASSERT_TRUE(socket) << socket.error().text;
  const auto hear_text = [&socket] {
    while (true) {
      const Result<WebSocketClient::Heard> heard = socket->receive(kPatience);
      if (!heard) return "an error: " + heard.error().text;
      if (heard->kind == WebSocketClient::Heard::Kind::kMessage) return heard->text;
    }
  };
  BayeuxListener events = bayeux().listen();
  ASSERT_TRUE(socket->send_text(R"([{"channel":"/meta/handshake","version":"1.0","supportedConnectionTypes":["websocket"]}])"));
  EXPECT_THAT(hear_text(), HasSubstr(R"("successful":true)"));
  const std::string id = hear<bayeux_event::SessionAdded>(events).client->client_id;

  EXPECT_TRUE(bayeux().remove(id));
  EXPECT_THAT(hear_text(), HasSubstr(R"("channel":"/meta/disconnect")"));
  const auto removed = hear<bayeux_event::SessionRemoved>(events);
  EXPECT_EQ(removed.client->client_id, id);
  EXPECT_EQ(removed.reason, RemovalReason::kRemoved);
  EXPECT_EQ(bayeux().session_count(), 0u);
  EXPECT_FALSE(bayeux().remove(id));
  EXPECT_EQ(bayeux().send(id, "/a", "1").error().kind, ErrorKind::kNotFound);
}

TEST_F(BayeuxHandleTest, ListenersHearWhatHappensInOrder) {
  start();
  BayeuxListener events = bayeux().listen();
  Client one = client();
  const auto added = hear<bayeux_event::SessionAdded>(events);
  EXPECT_EQ(added.client->client_id, one.id());
  EXPECT_THAT(added.client->peer, HasSubstr("127.0.0.1"));
  EXPECT_THAT(added.client->user_agent, HasSubstr("carillon/"));
  EXPECT_FALSE(added.client->headers.empty());

  one.ask("/meta/subscribe", R"("subscription":["/a","/b/*"])");
  BayeuxListener copy = events;
  EXPECT_THAT(hear<bayeux_event::Subscribe>(events).channels, ElementsAre("/a", "/b/*"));
  bayeux().emit_custom(std::string("between"));
  one.ask("/meta/unsubscribe", R"("subscription":"/a")");
  EXPECT_EQ(std::any_cast<std::string>(hear<bayeux_event::Custom>(events).value), "between");
  EXPECT_THAT(hear<bayeux_event::Unsubscribe>(events).channels, ElementsAre("/a"));
  EXPECT_EQ(one.post(fmt::format(R"([{{"channel":"/meta/disconnect","clientId":"{}"}}])", one.id())).find("402"),
            std::string::npos);
  const auto removed = hear<bayeux_event::SessionRemoved>(events);
  EXPECT_EQ(removed.client, added.client);
  EXPECT_EQ(bayeux_removal_text(removed.reason), "disconnected");

  EXPECT_THAT(hear<bayeux_event::Subscribe>(copy).channels, ElementsAre("/a", "/b/*"));
  hear<bayeux_event::Custom>(copy);
  hear<bayeux_event::Unsubscribe>(copy);
  hear<bayeux_event::SessionRemoved>(copy);
  EXPECT_FALSE(copy.next(0ms));
  EXPECT_FALSE(copy.closed());
  EXPECT_EQ(copy.take_lost(), 0u);
}

TEST_F(BayeuxHandleTest, AHandshakeIsTheProgramsToRefuseAndItsDataStays) {
  BayeuxHooks hooks;
  hooks.may_handshake = [](const BayeuxHandshake& handshake) {
    if (handshake.ext.find("sesame") == std::string_view::npos) {
      return BayeuxVerdict{.allowed = false, .advice = R"({"reconnect":"none"})", .ext = R"({"why":"closed"})"};
    }
    return BayeuxVerdict{.data = 42};
  };
  start(std::move(hooks));
  BayeuxListener events = bayeux().listen();
  Client one(server_->address());
  EXPECT_THAT(one.shake_hands(), AllOf(HasSubstr(R"("successful":false)"), HasSubstr("403::handshake_denied"),
                                       HasSubstr(R"("reconnect":"none")"), HasSubstr(R"("why":"closed")")));
  EXPECT_EQ(bayeux().session_count(), 0u);
  EXPECT_THAT(one.post(R"([{"channel":"/meta/handshake","version":"1.0","supportedConnectionTypes":["long-polling"],)"
                       R"("ext":{"say":"sesame"}}])"),
              HasSubstr(R"("successful":true)"));
  EXPECT_EQ(std::any_cast<int>(hear<bayeux_event::SessionAdded>(events).client->data), 42);
}

TEST_F(BayeuxHandleTest, PolicyAndAuthorizersRefuseInTheirWords) {
  BayeuxHooks hooks;
  hooks.policy = [](const BayeuxQuestion& question) {
    return BayeuxVerdict{.allowed = question.channel != "/hidden", .ext = R"({"seen":true})"};
  };
  hooks.authorizers.push_back(
      {"/full", [](const BayeuxQuestion&) { return BayeuxAnswer{.opinion = BayeuxOpinion::kDeny, .reason = "full"}; }});
  start(std::move(hooks), {.authorizers = {{.channel = "/**", .operations = {"create", "publish"}}, {.channel = "/open/**"}}});
  Client one = client();
  EXPECT_THAT(one.subscribe("/hidden"), AllOf(HasSubstr("403:denied_by_security_policy:"), HasSubstr(R"("successful":false)"),
                                              HasSubstr(R"("seen":true)")));
  EXPECT_THAT(one.subscribe("/full"), HasSubstr("403:full:"));
  EXPECT_THAT(one.subscribe("/elsewhere"), HasSubstr("403:denied_by_not_granting:subscribe_denied"));
  EXPECT_THAT(one.subscribe("/open/a"), HasSubstr(R"("successful":true)"));
  EXPECT_THAT(one.ask("/full", R"("data":1)"), HasSubstr("403:full:"));
}

TEST_F(BayeuxHandleTest, AServiceAnswersAtOnceOrLaterFromAnyThread) {
  std::optional<BayeuxCall> kept;
  BayeuxHooks hooks;
  hooks.services.push_back({"/service/echo/{name}", [](const BayeuxCall& call) {
                              call.reply(fmt::format(R"(["{}",{}])", call.parameter("name"), call.data()));
                            }});
  hooks.services.push_back({"/service/later", [&kept](const BayeuxCall& call) { kept = call; }});
  start(std::move(hooks));
  Client one = client();
  one.connect_first();
  EXPECT_THAT(one.ask("/service/echo/alice", R"("data":{"n":1})"), HasSubstr(R"("successful":true)"));
  EXPECT_THAT(one.connect(), HasSubstr(R"("data":["alice",{"n":1}])"));

  EXPECT_THAT(one.ask("/service/later", R"("data":null)"), HasSubstr(R"("successful":true)"));
  ASSERT_TRUE(kept);
  EXPECT_EQ(kept->client()->client_id, one.id());
  std::thread([call = *kept] { call.fail(R"("no luck")"); }).join();
  EXPECT_THAT(one.connect(),
              AllOf(HasSubstr(R"("data":"no luck")"), HasSubstr(R"("id":"2")"), HasSubstr(R"("successful":false)")));
}

// Sessions live on both loops, and each loop's hooks ask for sessions of the other: none may wait for the other.
TEST_F(BayeuxHandleTest, HooksMaySpeakToSessionsOfEveryLoop) {
  constexpr int kClients = 8;
  constexpr int kRounds = 20;
  std::atomic<Bayeux*> handle{nullptr};
  std::atomic<int> unasked{0};
  BayeuxHooks hooks;
  hooks.services.push_back({"/service/tell/{id}", [&](const BayeuxCall& call) {
                              const std::string id(call.parameter("id"));
                              if (!handle.load()->send(id, "/told", call.data())) ++unasked;
                            }});
  hooks.services.push_back({"/service/leave", [&](const BayeuxCall& call) {
                              if (!handle.load()->remove(call.client()->client_id)) ++unasked;
                            }});
  start(std::move(hooks));
  handle = &bayeux();
  BayeuxListener events = bayeux().listen();
  std::vector<Client> clients;
  for (int i = 0; i < kClients; ++i) clients.push_back(client());
  for (Client& each : clients) each.connect_first();

  std::vector<std::thread> threads;
  for (int i = 0; i < kClients; ++i) {
    threads.emplace_back([&clients, i] {
      for (int round = 0; round < kRounds; ++round) {
        const std::string& other = clients[static_cast<std::size_t>((i + 1 + round) % kClients)].id();
        EXPECT_THAT(clients[static_cast<std::size_t>(i)].ask("/service/tell/" + other, R"("data":"hello")"),
                    HasSubstr(R"("successful":true)"));
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(unasked, 0);
  for (Client& each : clients) {
    ASSERT_TRUE(bayeux().send(each.id(), "/last", "0"));  // Behind all that was asked for before.
    each.ask("/service/leave", R"("data":0)");
  }
  for (int removed = 0; removed < kClients;) {
    const std::optional<BayeuxEvent> event = events.next(kPatience);
    ASSERT_TRUE(event);
    removed += std::holds_alternative<bayeux_event::SessionRemoved>(*event) ? 1 : 0;
  }
  EXPECT_EQ(bayeux().session_count(), 0u);
}

TEST_F(BayeuxHandleTest, AfterTheStopNothingIsDoneAndListenersEnd) {
  start();
  BayeuxListener events = bayeux().listen();
  const Client one = client();
  server_->stop();
  hear<bayeux_event::SessionAdded>(events);
  const auto removed = hear<bayeux_event::SessionRemoved>(events);
  EXPECT_EQ(removed.reason, RemovalReason::kShutdown);
  EXPECT_FALSE(events.next(kPatience));
  EXPECT_TRUE(events.closed());
  EXPECT_EQ(bayeux().send(one.id(), "/a", "1").error().kind, ErrorKind::kUnavailable);
  EXPECT_EQ(bayeux().publish("/a", "1").error().kind, ErrorKind::kUnavailable);
  EXPECT_FALSE(bayeux().remove(one.id()));
  EXPECT_TRUE(bayeux().listen().closed());
  server_.reset();
  BayeuxListener copy = events;
  EXPECT_TRUE(copy.closed());
}

TEST(BayeuxHooksAtStart, WithoutChannelOrFunctionAreRefused) {
  ServerOptions options;
  options.listen = "127.0.0.1:0";
  const auto refused = Server::start(options, {.services = {{"/echo", [](const BayeuxCall&) {}}}});
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().kind, ErrorKind::kInvalid);
  EXPECT_THAT(refused.error().text, HasSubstr("the Bayeux service `/echo`: it is no service channel"));
}

}  // namespace
}  // namespace carillon
