// Bayeux sessions that wander: polls and WebSockets of one client arrive on any loop while somebody publishes. For
// ThreadSanitizer too.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <charconv>
#include <random>
#include <thread>

#include "carillon/server.h"
#include "client/http_client.h"
#include "client/websocket_client.h"

namespace carillon {
namespace {

using namespace std::chrono_literals;

constexpr int kClients = 4;
constexpr int kPublications = 300;

// Asks for acknowledged delivery, and changes its connection with every connect: so nothing may be lost, and nothing come
// twice.
class Wanderer {
 public:
  Wanderer(std::string address, unsigned seed) : address_(std::move(address)), dice_(seed) {
    const std::string welcome = post(
        R"([{"channel":"/meta/handshake","id":"1","version":"1.0","supportedConnectionTypes":["long-polling"],"ext":{"ack":true}}])");
    const std::size_t found = welcome.find(R"("clientId":")");
    if (found != std::string::npos) id_ = welcome.substr(found + 12, 40);
    take(post(connect_text(0)));
    post(fmt::format(R"([{{"channel":"/meta/subscribe","id":"2","clientId":"{}","subscription":"/wander/*"}}])", id_));
  }

  void run() {
    while (heard_.size() < kPublications && !failed_) {
      switch (dice_() % 3) {
        case 0: take(post(connect_text(2000))); break;
        case 1: take(by_websocket()); break;
        case 2: leave_a_poll(); break;
      }
    }
  }
  const std::vector<int>& heard() const { return heard_; }
  // Any thread: until it has heard so many, or cannot any more.
  void wait_for(std::size_t count) const {
    for (std::size_t known = count_.load(); known < count; known = count_.load()) count_.wait(known);
  }

 private:
  std::string connect_text(int timeout) const {
    return fmt::format(
        R"([{{"channel":"/meta/connect","id":"c","clientId":"{}","connectionType":"any","advice":{{"timeout":{}}},"ext":{{"ack":{}}}}}])",
        id_, timeout, batch_);
  }
  std::string post(const std::string& messages) {
    HttpClient http(*parse_client_url("http://" + address_));
    const Result<HttpResponse> answer = http.call({.method = "POST", .target = "/cometd", .body = messages});
    return answer ? answer->body : std::string();
  }
  std::string by_websocket() {
    Result<WebSocketClient> socket = WebSocketClient::connect(*parse_client_url("http://" + address_), "/cometd");
    if (!socket || !socket->send_text(connect_text(2000))) return {};
    for (;;) {
      const Result<WebSocketClient::Heard> heard = socket->receive(10s);
      if (!heard || heard->kind == WebSocketClient::Heard::Kind::kClosed) return {};
      if (heard->kind != WebSocketClient::Heard::Kind::kMessage) continue;
      socket->close();
      return heard->text;
    }
  }
  // One that nobody waits for: what it is answered has not come.
  void leave_a_poll() {
    Result<WebSocketClient> socket = WebSocketClient::connect(*parse_client_url("http://" + address_), "/cometd");
    if (socket) static_cast<void>(socket->send_text(connect_text(50)));
  }

  // All that an answer holds, if it is one to a connect.
  void take(const std::string& array) {
    const std::size_t ack = array.find(R"("ext":{"ack":)");
    if (ack == std::string::npos) {
      failed_ = failed_ || array.find("402::session_unknown") != std::string::npos;
      if (failed_) {
        count_ = kPublications;
        count_.notify_all();
      }
      return;
    }
    for (std::size_t at = array.find(R"("data":)"); at != std::string::npos; at = array.find(R"("data":)", at + 1)) {
      int number = -1;
      std::from_chars(array.data() + at + 7, array.data() + array.size(), number);
      heard_.push_back(number);
    }
    std::from_chars(array.data() + ack + 13, array.data() + array.size(), batch_);
    count_ = heard_.size();
    count_.notify_all();
  }

  const std::string address_;
  std::minstd_rand dice_;
  std::string id_;
  std::uint64_t batch_ = 0;
  std::vector<int> heard_;
  std::atomic<std::size_t> count_{0};
  bool failed_ = false;
};

TEST(BayeuxThreads, NothingIsLostOrDoubledHoweverAClientChangesItsConnection) {
  ServerOptions options;
  options.listen = "127.0.0.1:0";
  options.loops = 3;
  options.drain_time = 100ms;
  auto server = Server::start(options);
  ASSERT_TRUE(server) << server.error().text;
  std::vector<std::unique_ptr<Wanderer>> clients;
  for (unsigned i = 0; i < kClients; ++i) clients.push_back(std::make_unique<Wanderer>((*server)->address(), i + 1));
  std::vector<std::thread> threads;
  for (const auto& client : clients) threads.emplace_back([&client] { client->run(); });
  for (int number = 0; number < kPublications; ++number) {
    EXPECT_TRUE((*server)->bayeux().publish(fmt::format("/wander/{}", number % 3), std::to_string(number)));
    // A few at a time, so that most connects wait.
    if (number >= 4) clients[static_cast<std::size_t>(number) % kClients]->wait_for(static_cast<std::size_t>(number) - 4);
  }
  for (std::thread& thread : threads) thread.join();
  for (const auto& client : clients) {
    // Of one channel in order; the three are told apart by the number.
    std::vector<int> sorted = client->heard();
    for (int channel = 0; channel < 3; ++channel) {
      std::vector<int> of_channel;
      std::ranges::copy_if(client->heard(), std::back_inserter(of_channel), [&](int n) { return n % 3 == channel; });
      EXPECT_TRUE(std::ranges::is_sorted(of_channel));
    }
    std::ranges::sort(sorted);
    std::vector<int> all(kPublications);
    for (int number = 0; number < kPublications; ++number) all[static_cast<std::size_t>(number)] = number;
    EXPECT_EQ(sorted, all);
  }
  (*server)->stop();
}

}  // namespace
}  // namespace carillon
