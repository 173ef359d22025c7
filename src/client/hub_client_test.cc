// The blocking clients against a scripted server on a loopback port: it takes one connection after the other, reads until a
// text that the script names has come, and says what the script says.
#include "client/hub_client.h"

#include <arpa/inet.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <thread>

#include "base/check.h"
#include "client/subscriber.h"
#include "wire/websocket/websocket_frame.h"
#include "wire/websocket/websocket_handshake.h"

namespace carillon {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

struct Turn {
  std::string until;   // Reads until this has come.
  std::string answer;  // "{key}" in it becomes the accept key of the handshake that came.
  bool close = false;  // Then closes the connection and takes the next one.
};

class ScriptedServer {
 public:
  explicit ScriptedServer(std::vector<Turn> script) : script_(std::move(script)) {
    listener_ = socket(AF_INET, SOCK_STREAM, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    CHECK(bind(listener_, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0 && listen(listener_, 8) == 0);
    set_patience(listener_);
    socklen_t size = sizeof address;
    CHECK(getsockname(listener_, reinterpret_cast<sockaddr*>(&address), &size) == 0);
    port_ = ntohs(address.sin_port);
    thread_ = std::thread([this] { play(); });
  }
  // Waits for the script's end.
  ~ScriptedServer() {
    if (thread_.joinable()) thread_.join();
    close(listener_);
  }

  ClientUrl url() const { return {"127.0.0.1", port_, ""}; }
  // What came, turn by turn; ends the server.
  const std::vector<std::string>& heard() {
    if (thread_.joinable()) thread_.join();
    return heard_;
  }

 private:
  void play() {
    int connection = -1;
    std::string came;
    for (const Turn& turn : script_) {
      if (connection < 0) {
        connection = accept(listener_, nullptr, nullptr);
        if (connection < 0) return;
        set_patience(connection);
      }
      while (came.find(turn.until) == std::string::npos) {
        char piece[4096];
        const ssize_t count = recv(connection, piece, sizeof piece, 0);
        if (count <= 0) break;
        came.append(piece, static_cast<std::size_t>(count));
      }
      heard_.push_back(std::exchange(came, {}));
      std::string answer = turn.answer;
      if (const std::size_t key = answer.find("{key}"); key != std::string::npos) {
        answer.replace(key, 5, accept_key(field(heard_.back(), "Sec-WebSocket-Key: ")));
      }
      static_cast<void>(send(connection, answer.data(), answer.size(), MSG_NOSIGNAL));
      if (turn.close) part_with(std::exchange(connection, -1));
    }
    if (connection >= 0) close(connection);
  }

  // A script that waits in vain must fail, not hang.
  static void set_patience(int descriptor) {
    const timeval patience{10, 0};
    setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
  }

  // Reads what still comes, for closing with unread bytes would reset the connection and take from the client what was said.
  static void part_with(int connection) {
    shutdown(connection, SHUT_WR);
    char piece[4096];
    while (recv(connection, piece, sizeof piece, 0) > 0) {
    }
    close(connection);
  }

  static std::string field(const std::string& head, const std::string& name) {
    const std::size_t begin = head.find(name) + name.size();
    return head.substr(begin, head.find("\r\n", begin) - begin);
  }

  std::vector<Turn> script_;
  std::vector<std::string> heard_;
  int listener_ = -1;
  std::uint16_t port_ = 0;
  std::thread thread_;
};

std::string answer(int status, const std::string& body) {
  return "HTTP/1.1 " + std::to_string(status) + " X\r\nContent-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body;
}

TEST(HubClient, PublishesAndGivesTheReceipt) {
  ScriptedServer server({{"\"k\"}", answer(200, "{\"channel\":\"room:x\",\n\"offset\":1}")}});
  HubClient client(server.url(), {.bearer = "secret"});
  const auto receipt = client.publish({"room:x", "e", "[1, 2]", "k"});
  ASSERT_TRUE(receipt) << receipt.error().text;
  EXPECT_EQ(*receipt, R"({"channel":"room:x","offset":1})");
  const std::string request = server.heard()[0];
  EXPECT_THAT(request, HasSubstr("POST /api/publish HTTP/1.1\r\nHost: 127.0.0.1:"));
  EXPECT_THAT(request, HasSubstr("\r\nAuthorization: Bearer secret\r\n"));
  EXPECT_THAT(request, HasSubstr("\r\n\r\n{\"channel\":\"room:x\",\"event\":\"e\",\"data\":[1, 2],\"idempotency_key\":\"k\"}"));
}

TEST(HubClient, ARefusalSpeaksInTheServersWords) {
  ScriptedServer server({{"}", answer(413, R"({"error":{"code":"too_large","message":"a message is at most 1MiB"}})"), true}});
  const auto receipt = HubClient(server.url(), {}).publish({"room:x", "e", "1", ""});
  ASSERT_FALSE(receipt);
  EXPECT_EQ(receipt.error().kind, ErrorKind::kTooLarge);
  EXPECT_EQ(receipt.error().text, "the server refused with 413: a message is at most 1MiB");
}

TEST(HubClient, NoAnswerAndNoHttpAreErrors) {
  ScriptedServer silent({{"}", "", true}});
  EXPECT_THAT(HubClient(silent.url(), {}).publish({"c", "e", "1", ""}).error().text, HasSubstr("without an answer"));
  ScriptedServer strange({{"}", "SSH-2.0-OpenSSH\r\n\r\n", true}});
  EXPECT_FALSE(HubClient(strange.url(), {}).publish({"c", "e", "1", ""}));
  ScriptedServer other({{"}", answer(200, "<html>"), true}});
  EXPECT_THAT(HubClient(other.url(), {}).publish({"c", "e", "1", ""}).error().text, HasSubstr("is this a Carillon server"));
}

TEST(HubClient, NobodyThereNamesTheAddress) {
  ClientUrl url;
  {
    ScriptedServer gone({});
    url = gone.url();
  }
  const auto receipt = HubClient(url, {}).publish({"c", "e", "1", ""});
  ASSERT_FALSE(receipt);
  EXPECT_EQ(receipt.error().text, "cannot connect to 127.0.0.1 port " + std::to_string(url.port) + ": Connection refused");
}

TEST(HubClient, AKeptConnectionThatIsGoneIsMadeAnew) {
  ScriptedServer server({{"}", answer(200, "{\"n\":1}")}, {"}", "", true}, {"}", answer(200, "{\"n\":2}")}});
  HubClient client(server.url(), {});
  EXPECT_EQ(*client.publish({"c", "e", "1", "k1"}), "{\"n\":1}");
  EXPECT_EQ(*client.publish({"c", "e", "2", "k2"}), "{\"n\":2}");
  EXPECT_EQ(server.heard()[1], server.heard()[2]);
}

TEST(HubClient, WithoutAKeyAPublishIsNeverSentTwice) {
  ScriptedServer server({{"}", answer(200, "{}")}, {"}", "", true}});
  HubClient client(server.url(), {});
  EXPECT_TRUE(client.publish({"c", "e", "1", ""}));
  EXPECT_FALSE(client.publish({"c", "e", "2", ""}));
}

TEST(HubClient, HistoryTurnsPages) {
  ScriptedServer server({{"\r\n\r\n", answer(200, R"({"events":[{"epoch":"a","offset":1},{"epoch":"a",
"offset":2}],"complete":false,"more":true})")},
                         {"\r\n\r\n", answer(200, R"({"events":[{"epoch":"a","offset":3}],"complete":true,"more":false})")}});
  const auto page = HubClient(server.url(), {}).history({"repo:a/b", 5, ClientPosition{"a", 0}, false});
  ASSERT_TRUE(page) << page.error().text;
  EXPECT_FALSE(page->complete);
  EXPECT_THAT(page->events,
              ElementsAre(R"({"epoch":"a","offset":1})", R"({"epoch":"a","offset":2})", R"({"epoch":"a","offset":3})"));
  EXPECT_THAT(server.heard()[0], HasSubstr("GET /api/channels/repo%3Aa%2Fb/history?limit=5&since=a%3A0 HTTP/1.1"));
  EXPECT_THAT(server.heard()[1], HasSubstr("history?limit=3&since=a%3A2 HTTP/1.1"));
}

TEST(Position, ReadsAndRefuses) {
  EXPECT_EQ(*parse_position("1f3a:12"), (ClientPosition{"1f3a", 12}));
  EXPECT_EQ(position_text({"1f3a", 12}), "1f3a:12");
  for (const char* text :
       {"", ":", "1f3a", "1f3a:", ":1", "xyz:1", "1f:-1", "1f:1x", "00000000000000001:1", "1:99999999999999999999"}) {
    EXPECT_FALSE(parse_position(text)) << text;
  }
}

// ---- the subscriber ----

constexpr const char* kAccepted =
    "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: {key}\r\n\r\n";

std::string frame(std::string_view text) {
  std::string out;
  append_frame(out, WebSocketOpcode::kText, text);
  return out;
}

std::string close_frame(std::uint16_t code) {
  std::string out;
  append_close_frame(out, code);
  return out;
}

class Notebook : public SubscriberListener {
 public:
  explicit Notebook(std::size_t enough) : enough_(enough) {}
  bool on_event(std::string_view line) override {
    events.emplace_back(line);
    return events.size() < enough_;
  }
  void on_notice(std::string_view text) override { notices.emplace_back(text); }

  std::vector<std::string> events;
  std::vector<std::string> notices;

 private:
  std::size_t enough_;
};

SubscriberOptions quick(SubscriberStart start) {
  SubscriberOptions options;
  options.start = std::move(start);
  options.backoff_first = options.backoff_longest = std::chrono::milliseconds(1);
  return options;
}

TEST(Subscriber, ComesBackAfterAClose) {
  const std::string confirmed = frame(R"({"type":"subscribed","channel":"room:x","id":0,"recovered":true})");
  const std::string first = R"({"type":"event","channel":"room:x","epoch":"a","offset":1})";
  const std::string second = R"({"type":"event","channel":"room:x","epoch":"a","offset":2})";
  ScriptedServer server({{"\r\n\r\n", kAccepted + confirmed + frame(first) + close_frame(1001), true},
                         {"\r\n\r\n", "HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n", true},
                         {"\r\n\r\n", kAccepted + confirmed + frame(second), true}});
  Notebook notebook(2);
  Subscriber subscriber(server.url(), quick({.channels = {"room:x"}}), notebook);
  const Result<void> outcome = subscriber.run();
  ASSERT_TRUE(outcome) << outcome.error().text;
  EXPECT_THAT(notebook.events, ElementsAre(first, second));
  EXPECT_THAT(notebook.notices, ElementsAre(HasSubstr("(1001); trying again"), HasSubstr("503"), "connected again"));
}

TEST(Subscriber, WithoutReconnectALossIsTheEnd) {
  ScriptedServer server({{"\r\n\r\n", kAccepted + close_frame(1001), true}});
  Notebook notebook(1);
  SubscriberOptions options = quick({.channels = {"room:x"}});
  options.reconnect = false;
  EXPECT_THAT(Subscriber(server.url(), options, notebook).run().error().text, HasSubstr("1001"));
}

TEST(Subscriber, ARefusedSubscriptionIsTheEnd) {
  ScriptedServer server(
      {{"\r\n\r\n", kAccepted + frame(R"({"type":"error","message":"no","code":"forbidden","id":0})"), true}});
  Notebook notebook(1);
  EXPECT_EQ(Subscriber(server.url(), quick({.channels = {"room:x"}}), notebook).run().error().text, "room:x: no");
}

TEST(Subscriber, ARefusedHandshakeIsTheEndWithTheServersWords) {
  ScriptedServer server({{"\r\n\r\n", answer(401, R"({"error":{"code":"unauthorized","message":"show the API key"}})"), true}});
  Notebook notebook(1);
  EXPECT_EQ(Subscriber(server.url(), quick({.channels = {"room:x"}}), notebook).run().error().text,
            "the server refused the WebSocket with 401: show the API key");
}

TEST(Subscriber, AsksForDottedNames) {
  ScriptedServer server({{"\r\n\r\n", answer(404, ""), true}});
  Notebook notebook(1);
  SubscriberOptions options = quick({.channels = {"room:x"}});
  options.dotted = true;
  EXPECT_FALSE(Subscriber(server.url(), options, notebook).run());
  EXPECT_THAT(server.heard()[0], HasSubstr("GET /ws?events=dotted HTTP/1.1"));
}

}  // namespace
}  // namespace carillon
