// A whole server inside a program, spoken to over real sockets on the loopback address.
#include "carillon/server.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <thread>

#include "client/websocket_client.h"

namespace carillon {
namespace {

using namespace std::chrono_literals;
using ::testing::HasSubstr;
using ::testing::StartsWith;

constexpr auto kPatience = 10s;

ServerOptions on_free_port() {
  ServerOptions options;
  options.listen = "127.0.0.1:0";
  options.loops = 2;
  options.drain_time = 100ms;
  return options;
}

class ServerTest : public ::testing::Test {
 protected:
  void start(const ServerOptions& options) {
    auto started = Server::start(options);
    ASSERT_TRUE(started) << started.error().text;
    server_ = *std::move(started);
  }

  ClientUrl url() const { return *parse_client_url("http://" + server_->address()); }
  WebSocketClient connect(const std::string& target = "/ws") {
    Result<WebSocketClient> client = WebSocketClient::connect(url(), target);
    if (!client) throw std::runtime_error(client.error().text);
    return *std::move(client);
  }
  // The next message or the close, whatever else comes between.
  static WebSocketClient::Heard hear(WebSocketClient& client) {
    while (true) {
      const Result<WebSocketClient::Heard> heard = client.receive(kPatience);
      if (!heard) return {.text = "an error: " + heard.error().text};
      if (heard->kind != WebSocketClient::Heard::Kind::kAlive) return *heard;
    }
  }
  static std::string ask(WebSocketClient& client, std::string_view command) {
    const Result<void> sent = client.send_text(command);
    return sent ? hear(client).text : "not sent: " + sent.error().text;
  }

  std::unique_ptr<Server> server_;
};

TEST_F(ServerTest, TellsTheAddressWithThePortItPicked) {
  start(on_free_port());
  EXPECT_THAT(server_->address(), StartsWith("127.0.0.1:"));
  EXPECT_NE(server_->address(), "127.0.0.1:0");
}

TEST_F(ServerTest, WhatTheProgramEmitsArrivesAtAWebSocketClient) {
  start(on_free_port());
  WebSocketClient client = connect();
  EXPECT_THAT(ask(client, R"({"type":"subscribe","channel":"repo:alice/app"})"), StartsWith(R"({"type":"subscribed")"));
  const Result<EmitReceipt> receipt = server_->hub().emit("repo:alice/app", EventKind::kPush, R"({"ref":"refs/heads/main"})");
  ASSERT_TRUE(receipt) << receipt.error().text;
  const std::string event = hear(client).text;
  EXPECT_THAT(event,
              StartsWith(R"({"type":"event","channel":"repo:alice/app","event":"push","data":{"ref":"refs/heads/main"})"));
  EXPECT_THAT(event, HasSubstr(receipt->event_id));
}

TEST_F(ServerTest, ClientsInTheProgramAndOutsideMeet) {
  start(on_free_port());
  WebSocketClient remote = connect("/ws?v=2");
  const std::string hello = hear(remote).text;
  Result<LocalClient> local = server_->hub().connect({.user_id = "the program"});
  ASSERT_TRUE(local);
  EXPECT_EQ(server_->hub().connection_count(), 2);

  ask(remote, R"({"type":"subscribe","channel":"room:42"})");
  ASSERT_TRUE(local->handle_command(R"({"type":"publish","channel":"room:42","event":"said","data":"hi"})"));
  EXPECT_THAT(local->receive(kPatience).value_or(""), StartsWith(R"({"type":"published")"));
  EXPECT_THAT(hear(remote).text, HasSubstr(R"("event":"said","data":"hi")"));

  // The id that a hello tells names the client here too.
  const std::string_view before = R"("session":")";
  ASSERT_THAT(hello, HasSubstr(before));
  const std::string id = hello.substr(hello.find(before) + before.size(), local->id().size());
  const std::optional<ClientMetadata> known = server_->hub().client(id);
  ASSERT_TRUE(known);
  EXPECT_THAT(known->ip_address, StartsWith("127.0.0.1:"));
  EXPECT_THAT(known->user_agent, StartsWith("carillon/"));
  EXPECT_TRUE(server_->hub().disconnect(id));
  const WebSocketClient::Heard goodbye = hear(remote);
  EXPECT_EQ(goodbye.kind, WebSocketClient::Heard::Kind::kClosed);
  EXPECT_EQ(goodbye.close_code, 1008);
  EXPECT_EQ(server_->hub().connection_count(), 1);
}

TEST_F(ServerTest, AnAnnouncementReachesRemoteAndLocalClients) {
  start(on_free_port());
  WebSocketClient one = connect();
  WebSocketClient two = connect();
  ask(one, R"({"type":"ping"})");
  ask(two, R"({"type":"ping"})");
  Result<LocalClient> local = server_->hub().connect();
  ASSERT_TRUE(local);
  ASSERT_TRUE(server_->hub().announce("maintenance at noon"));
  EXPECT_EQ(hear(one).text, "maintenance at noon");
  EXPECT_EQ(hear(two).text, "maintenance at noon");
  EXPECT_EQ(local->receive(kPatience), "maintenance at noon");
}

TEST_F(ServerTest, StopSaysGoodbyeToEveryone) {
  start(on_free_port());
  std::optional<WebSocketClient> remote = connect();
  ask(*remote, R"({"type":"ping"})");
  Result<LocalClient> local = server_->hub().connect();
  ASSERT_TRUE(local);
  EventListener listener = server_->hub().listen();

  std::thread stopping([&] { server_->stop(); });
  const WebSocketClient::Heard goodbye = hear(*remote);
  EXPECT_EQ(goodbye.kind, WebSocketClient::Heard::Kind::kClosed);
  EXPECT_EQ(goodbye.close_code, 1001);
  remote.reset();  // The server waits a little for its clients to hang up.
  stopping.join();
  server_->stop();  // Nothing more to do.

  EXPECT_TRUE(local->closed());
  EXPECT_EQ(local->close_reason(), "the hub has stopped");
  EXPECT_TRUE(listener.closed());
  EXPECT_FALSE(WebSocketClient::connect(url(), "/ws"));
  EXPECT_EQ(server_->hub().connect().error().kind, ErrorKind::kUnavailable);
  EXPECT_EQ(server_->hub().emit("room:x", "e", "1").error().kind, ErrorKind::kUnavailable);
  EXPECT_EQ(server_->hub().announce("x").error().kind, ErrorKind::kUnavailable);
  EXPECT_FALSE(server_->hub().client(local->id()));
  EXPECT_FALSE(server_->hub().disconnect(local->id()));
}

TEST_F(ServerTest, HandlesOutliveTheServer) {
  start(on_free_port());
  Result<LocalClient> local = server_->hub().connect();
  ASSERT_TRUE(local);
  server_.reset();
  EXPECT_TRUE(local->closed());
  EXPECT_EQ(local->handle_command(R"({"type":"ping"})").error().kind, ErrorKind::kUnavailable);
}

TEST_F(ServerTest, ASecondServerOnThePortIsRefused) {
  start(on_free_port());
  ServerOptions options = on_free_port();
  options.listen = server_->address();
  const auto second = Server::start(options);
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().kind, ErrorKind::kUnavailable);
  EXPECT_THAT(second.error().text, HasSubstr(server_->address()));
  EXPECT_THAT(second.error().text, HasSubstr("is another server running there?"));
}

TEST_F(ServerTest, ANewServerCanTakeThePortAtOnce) {
  start(on_free_port());
  std::optional<WebSocketClient> client = connect();
  ask(*client, R"({"type":"ping"})");
  ServerOptions options = on_free_port();
  options.listen = server_->address();
  std::thread stopping([&] { server_->stop(); });
  EXPECT_EQ(hear(*client).close_code, 1001);
  client.reset();
  stopping.join();
  start(options);
  WebSocketClient again = connect();
  EXPECT_EQ(ask(again, R"({"type":"ping"})"), R"({"type":"pong"})");
}

TEST_F(ServerTest, AnAddressThatOthersReachNeedsAKey) {
  ServerOptions options = on_free_port();
  options.listen = "0.0.0.0:0";
  const auto refused = Server::start(options);
  ASSERT_FALSE(refused);
  EXPECT_THAT(refused.error().text, HasSubstr("--api-key"));
}

TEST_F(ServerTest, OptionsThatContradictAreRefused) {
  ServerOptions options = on_free_port();
  options.websocket.ping_interval = options.websocket.idle_time;
  const auto refused = Server::start(options);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().kind, ErrorKind::kInvalid);
  EXPECT_THAT(refused.error().text, HasSubstr("websocket.ping_interval"));
}

TEST(Version, IsTold) {
  EXPECT_STREQ(version(), CARILLON_VERSION);
}

}  // namespace
}  // namespace carillon
