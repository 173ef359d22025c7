#include "client/load/load_generator.h"

#include <arpa/inet.h>
#include <fmt/core.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <map>
#include <thread>
#include <utility>

#include "client/load/process_cost.h"

namespace carillon {
namespace {

using testing::HasSubstr;

// What the little server does wrong, for the generator to find out.
struct Faults {
  int swallow = -1;        // Does not deliver this publish (counted from 0).
  int repeat = -1;         // Delivers this one twice.
  int hang_up_at = -1;     // Ends the first subscriber's connection instead of delivering this one.
  bool refuse = false;     // Answers every upgrade with 503.
  bool forbid = false;     // Answers every subscribe with an error.
  bool with_ping = false;  // Sends a ping in front of every delivery.
};

// Speaks as much of the native protocol and of Bayeux as the generator needs, one read and one write at a time, on a thread of
// its own.
class LittleServer {
 public:
  explicit LittleServer(Faults faults = {}) : faults_(faults) {
    listener_ = socket(AF_INET, SOCK_STREAM, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    EXPECT_EQ(bind(listener_, reinterpret_cast<sockaddr*>(&address), size), 0);
    EXPECT_EQ(listen(listener_, 1000), 0);
    getsockname(listener_, reinterpret_cast<sockaddr*>(&address), &size);
    port_ = ntohs(address.sin_port);
    EXPECT_EQ(pipe(stop_), 0);
    thread_ = std::thread([this] { serve(); });
  }
  ~LittleServer() {
    EXPECT_EQ(::write(stop_[1], "x", 1), 1);
    thread_.join();
    for (const int fd : {listener_, stop_[0], stop_[1]}) close(fd);
  }

  std::string url() const { return fmt::format("ws://127.0.0.1:{}/ws", port_); }
  int pongs() const { return pongs_; }

 private:
  struct Client {
    bool upgraded = false;
    std::string received;
    std::string channel;
    bool bayeux = false;
    bool held = false;    // A poll waits to be answered,
    std::string waiting;  // and these deliveries for a poll.
  };

  void serve() {
    while (true) {
      std::vector<pollfd> watched = {{stop_[0], POLLIN, 0}, {listener_, POLLIN, 0}};
      for (const auto& [fd, client] : clients_) watched.push_back({fd, POLLIN, 0});
      poll(watched.data(), watched.size(), -1);
      if (watched[0].revents != 0) break;
      if (watched[1].revents != 0) clients_[accept(listener_, nullptr, nullptr)];
      for (std::size_t i = 2; i < watched.size(); ++i) {
        if (watched[i].revents != 0) on_readable(watched[i].fd);
      }
    }
    for (const auto& [fd, client] : clients_) close(fd);
  }

  void on_readable(int fd) {
    const auto found = clients_.find(fd);
    if (found == clients_.end()) return;
    char buffer[65536];
    const ssize_t size = recv(fd, buffer, sizeof buffer, 0);
    if (size <= 0) return hang_up(fd);
    Client& client = found->second;
    client.received.append(buffer, static_cast<std::size_t>(size));
    if (client.received.starts_with("POST ")) return on_request(fd, client);
    if (!client.upgraded) return upgrade(fd, client);
    while (std::optional<std::string> message = take_message(client)) on_message(fd, client, *message);
  }

  void upgrade(int fd, Client& client) {
    if (!client.received.ends_with("\r\n\r\n")) return;
    client.received.clear();
    client.upgraded = true;
    write(fd, faults_.refuse ? "HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n"
                             : "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                               "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n");
  }

  void on_request(int fd, Client& client) {
    const std::size_t end = client.received.find("\r\n\r\n");
    const std::size_t length = client.received.find("Content-Length: ");
    if (end == std::string::npos || client.received.size() - end - 4 < std::stoul(client.received.substr(length + 16))) return;
    const std::string body = client.received.substr(end + 4);
    client.received.clear();
    if (const std::string reply = bayeux_reply(client, body); !reply.empty()) return answer(fd, reply);
    client.held = true;
    if (!client.waiting.empty()) answer_poll(fd, client);
  }

  // Empty: it is a connect to be held.
  std::string bayeux_reply(Client& client, const std::string& message) {
    client.bayeux = true;
    const std::string type = field(message, "channel");
    const std::string reply = fmt::format(R"({{"channel":"{}","successful":{}}})", type, faults_.forbid ? "false" : "true");
    if (type == "/meta/handshake") return R"([{"channel":"/meta/handshake","successful":true,"clientId":"c1"}])";
    if (type == "/meta/connect" && message.find("advice") == std::string::npos) return {};
    if (type == "/meta/subscribe") client.channel = field(message, "subscription");
    return '[' + reply + ']';
  }

  void answer(int fd, const std::string& body) {
    write(fd,
          fmt::format("HTTP/1.1 200 OK\r\nSet-Cookie: BAYEUX_BROWSER=1\r\nContent-Length: {}\r\n\r\n{}", body.size(), body));
  }

  void answer_poll(int fd, Client& client) {
    client.held = false;
    const std::string deliveries = std::exchange(client.waiting, {});
    answer(fd, '[' + deliveries + R"({"channel":"/meta/connect","successful":true}])");
  }

  void deliver_bayeux(int fd, Client& client, const std::string& delivery, int times) {
    std::string deliveries;
    for (int i = 0; i < times; ++i) deliveries += delivery + ',';
    if (client.upgraded) return write(fd, frame('[' + deliveries + R"({"channel":"/meta/connect","successful":true}])"));
    client.waiting += deliveries;
    if (client.held) answer_poll(fd, client);
  }

  std::optional<std::string> take_message(Client& client) {
    const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(client.received[i]); };
    if (client.received.size() < 2) return std::nullopt;
    const bool extended = (byte(1) & 0x7f) == 126;
    const std::size_t header = extended ? 8 : 6;
    if (client.received.size() < header) return std::nullopt;
    const std::size_t length = extended ? std::size_t{byte(2)} << 8 | byte(3) : byte(1) & 0x7fu;
    if (client.received.size() < header + length) return std::nullopt;
    if ((byte(0) & 0x0f) == 10) ++pongs_;
    std::string message = client.received.substr(header, length);
    for (std::size_t i = 0; i < length; ++i) message[i] = static_cast<char>(message[i] ^ byte(header - 4 + (i & 3)));
    client.received.erase(0, header + length);
    return message;
  }

  static std::string field(const std::string& message, const std::string& name) {
    const std::string key = '"' + name + "\":\"";
    const std::size_t begin = message.find(key);
    if (begin == std::string::npos) return {};
    return message.substr(begin + key.size(), message.find('"', begin + key.size()) - begin - key.size());
  }

  void on_message(int fd, Client& client, const std::string& message) {
    const std::string channel = field(message, "channel");
    if (message.starts_with("[{")) {
      const std::string reply = bayeux_reply(client, message);
      return reply.empty() ? void() : write(fd, frame(reply));
    }
    if (field(message, "type") == "publish") return on_publish(channel, field(message, "data"));
    if (field(message, "type") != "subscribe") return;
    if (faults_.forbid) return write(fd, frame(R"({"type":"error","message":"not here"})"));
    client.channel = channel;
    write(fd, frame(fmt::format(R"({{"type":"subscribed","channel":"{}"}})", channel)));
  }

  void on_publish(const std::string& channel, const std::string& data) {
    const int number = published_++;
    if (number == faults_.swallow) return;
    std::string event = frame(fmt::format(R"({{"type":"event","channel":"{}","event":"m","data":"{}"}})", channel, data));
    if (faults_.with_ping) event.insert(0, std::string("\x89\x02hi"));
    if (number == faults_.repeat) event += event;
    const std::string bayeux_name = bayeux_channel_name(channel);
    const std::string delivery = fmt::format(R"({{"channel":"{}","data":"{}"}})", bayeux_name, data);
    for (auto& [fd, client] : clients_) {
      if (client.bayeux && client.channel == bayeux_name)
        deliver_bayeux(fd, client, delivery, number == faults_.repeat ? 2 : 1);
    }
    std::vector<int> hearers;
    for (const auto& [fd, client] : clients_) {
      if (client.channel == channel) hearers.push_back(fd);
    }
    if (number == faults_.hang_up_at) {
      hang_up(hearers.front());
      hearers.erase(hearers.begin());
    }
    for (const int fd : hearers) write(fd, event);
  }

  static std::string frame(const std::string& payload) {
    std::string head = "\x81";
    if (payload.size() < 126) return head + static_cast<char>(payload.size()) + payload;
    return head + '\x7e' + static_cast<char>(payload.size() >> 8) + static_cast<char>(payload.size() & 0xff) + payload;
  }

  void write(int fd, const std::string& bytes) { (void)!::send(fd, bytes.data(), bytes.size(), MSG_NOSIGNAL); }

  void hang_up(int fd) {
    close(fd);
    clients_.erase(fd);
  }

  const Faults faults_;
  int listener_ = -1;
  int stop_[2] = {-1, -1};
  unsigned port_ = 0;
  int published_ = 0;
  std::atomic<int> pongs_ = 0;
  std::map<int, Client> clients_;
  std::thread thread_;
};

LoadOptions small_load(const LittleServer& server) {
  LoadOptions options;
  options.url = server.url();
  options.subscribers = 6;
  options.window = 4;
  options.warmup_s = 0.02;
  options.duration_s = 0.1;
  options.drain_s = 0.3;
  options.spin = false;
  return options;
}

TEST(LoadGenerator, CountsWhatIsDelivered) {
  const LittleServer server;
  const auto report = run_load(small_load(server));
  ASSERT_TRUE(report) << report.error().text;
  EXPECT_EQ(report->connections, 7u);
  EXPECT_GT(report->publishes, 0u);
  EXPECT_GT(report->deliveries, report->publishes);
  EXPECT_EQ(report->lost + report->gaps + report->duplicates + report->errors + report->refused + report->gone, 0u);
  EXPECT_EQ(report->message_bytes, 128 + 62);
  EXPECT_GT(report->latency_p50_us, 0);
  EXPECT_GE(report->latency_max_us, report->latency_p99_us);
  EXPECT_FALSE(report->server_known);
}

TEST(LoadGenerator, KeepsToItsRate) {
  const LittleServer server;
  LoadOptions options = small_load(server);
  options.rate = 200;
  options.duration_s = 0.3;
  const auto report = run_load(options);
  ASSERT_TRUE(report) << report.error().text;
  EXPECT_NEAR(static_cast<double>(report->publishes), 200 * report->seconds, 100 * report->seconds);
  EXPECT_EQ(report->lost, 0u);
}

TEST(LoadGenerator, SpreadsTopicsAndPublishers) {
  const LittleServer server;
  LoadOptions options = small_load(server);
  options.topics = 3;
  options.publishers = 4;
  options.bystanders = 2;
  const auto report = run_load(options);
  ASSERT_TRUE(report) << report.error().text;
  EXPECT_EQ(report->connections, 12u);
  EXPECT_GT(report->deliveries, 0u);
  EXPECT_EQ(report->lost + report->gaps + report->duplicates, 0u);
}

TEST(LoadGenerator, SeesALostMessage) {
  const LittleServer server({.swallow = 5});
  LoadOptions options = small_load(server);
  options.rate = 500;
  options.duration_s = 0.3;
  const auto report = run_load(options);
  ASSERT_TRUE(report) << report.error().text;
  EXPECT_EQ(report->lost, 6u);
  EXPECT_EQ(report->gaps, 6u);
  EXPECT_EQ(report->duplicates, 0u);
}

TEST(LoadGenerator, GoesOnAfterALostMessage) {
  const LittleServer server({.swallow = 5});
  LoadOptions options = small_load(server);
  options.duration_s = 1.5;
  const auto report = run_load(options);
  ASSERT_TRUE(report) << report.error().text;
  EXPECT_EQ(report->stalls, 1u);
  EXPECT_EQ(report->lost, 6u);
  EXPECT_GT(report->deliveries, 0u);
}

TEST(LoadGenerator, SeesARepeatedMessage) {
  const LittleServer server({.repeat = 3});
  const auto report = run_load(small_load(server));
  ASSERT_TRUE(report) << report.error().text;
  EXPECT_EQ(report->duplicates, 6u);
  EXPECT_EQ(report->lost + report->gaps, 0u);
}

TEST(LoadGenerator, SeesAConnectionEnd) {
  const LittleServer server({.hang_up_at = 3});
  LoadOptions options = small_load(server);
  options.rate = 500;
  options.duration_s = 0.3;
  const auto report = run_load(options);
  ASSERT_TRUE(report) << report.error().text;
  EXPECT_EQ(report->gone, 1u);
  EXPECT_GT(report->lost, 0u);
  EXPECT_NE(report->first_refusal, "");
}

TEST(LoadGenerator, AnswersPings) {
  const LittleServer server({.with_ping = true});
  const auto report = run_load(small_load(server));
  ASSERT_TRUE(report) << report.error().text;
  EXPECT_EQ(report->lost, 0u);
  EXPECT_GT(server.pongs(), 0);
}

class BayeuxLoad : public testing::TestWithParam<LoadDialect> {
 protected:
  static LoadOptions load(const LittleServer& server) {
    LoadOptions options = small_load(server);
    options.dialect = GetParam();
    return options;
  }
};

TEST_P(BayeuxLoad, CountsWhatIsDelivered) {
  const LittleServer server;
  LoadOptions options = load(server);
  options.bystanders = 2;
  const auto report = run_load(options);
  ASSERT_TRUE(report) << report.error().text;
  EXPECT_EQ(report->connections, 9u);
  EXPECT_GT(report->deliveries, report->publishes);
  EXPECT_EQ(report->lost + report->gaps + report->duplicates + report->errors + report->refused + report->gone, 0u)
      << report->first_error << report->first_refusal;
  EXPECT_GT(report->message_bytes, 128);
  const bool polls = GetParam() == LoadDialect::kBayeuxPolls;
  EXPECT_EQ(report->answers > 0, polls);
  EXPECT_GE(report->deliveries, report->answers);
  EXPECT_EQ(report->answer_bytes > 128, polls);
}

TEST_P(BayeuxLoad, SeesARepeatedMessage) {
  const LittleServer server({.repeat = 3});
  const auto report = run_load(load(server));
  ASSERT_TRUE(report) << report.error().text;
  EXPECT_EQ(report->duplicates, 6u);
  EXPECT_EQ(report->lost + report->gaps, 0u);
}

TEST_P(BayeuxLoad, HoldsIdleSessions) {
  const LittleServer server;
  LoadOptions options = load(server);
  options.measure = LoadOptions::Measure::kIdle;
  options.subscribers = 20;
  const auto report = run_load(options);
  ASSERT_TRUE(report) << report.error().text;
  EXPECT_EQ(report->connections, 20u);
  EXPECT_EQ(report->errors + report->gone, 0u);
}

TEST_P(BayeuxLoad, SaysWhyNobodyCouldSubscribe) {
  const LittleServer server({.forbid = true});
  const auto report = run_load(load(server));
  ASSERT_FALSE(report);
  EXPECT_THAT(report.error().text, HasSubstr(R"("successful":false)"));
}

INSTANTIATE_TEST_SUITE_P(Carriers, BayeuxLoad, testing::Values(LoadDialect::kBayeux, LoadDialect::kBayeuxPolls),
                         [](const auto& one) { return one.param == LoadDialect::kBayeux ? "WebSocket" : "LongPolling"; });

TEST(LoadGenerator, SaysWhyNobodyCouldConnect) {
  const LittleServer server({.refuse = true});
  const auto report = run_load(small_load(server));
  ASSERT_FALSE(report);
  EXPECT_EQ(report.error().kind, ErrorKind::kUnavailable);
  EXPECT_THAT(report.error().text, HasSubstr("503"));
}

TEST(LoadGenerator, SaysWhyNobodyCouldSubscribe) {
  const LittleServer server({.forbid = true});
  const auto report = run_load(small_load(server));
  ASSERT_FALSE(report);
  EXPECT_THAT(report.error().text, HasSubstr("not here"));
}

TEST(LoadGenerator, HoldsIdleConnections) {
  const LittleServer server;
  LoadOptions options = small_load(server);
  options.measure = LoadOptions::Measure::kIdle;
  options.subscribers = 20;
  options.server_pid = getpid();
  const auto report = run_load(options);
  ASSERT_TRUE(report) << report.error().text;
  EXPECT_EQ(report->connections, 20u);
  EXPECT_EQ(report->publishes, 0u);
  EXPECT_TRUE(report->server_known);
  EXPECT_GT(report->server.rss_bytes, 0u);
  EXPECT_TRUE(report->instrument.others_percent);
}

TEST(LoadGenerator, CountsHandshakes) {
  const LittleServer server;
  LoadOptions options = small_load(server);
  options.measure = LoadOptions::Measure::kHandshakes;
  options.subscribers = 50;
  const auto report = run_load(options);
  ASSERT_TRUE(report) << report.error().text;
  EXPECT_EQ(report->connections, 50u);
  EXPECT_GT(report->handshakes_per_s, 0);
}

TEST(LoadGenerator, EndsWhenToldTo) {
  const LittleServer server;
  LoadOptions options = small_load(server);
  const std::atomic<bool> stop = true;
  options.stop = &stop;
  EXPECT_FALSE(run_load(options));
}

TEST(LoadGenerator, RefusesWhatMakesNoSense) {
  const LittleServer server;
  const auto refused = [&](auto change) {
    LoadOptions options = small_load(server);
    change(options);
    const auto report = run_load(options);
    return !report && report.error().kind == ErrorKind::kInvalid;
  };
  EXPECT_TRUE(refused([](LoadOptions& o) { o.subscribers = 0; }));
  EXPECT_TRUE(refused([](LoadOptions& o) { o.publishers = 0; }));
  EXPECT_TRUE(refused([](LoadOptions& o) { o.topics = 0; }));
  EXPECT_TRUE(refused([](LoadOptions& o) { o.topics = 7; }));
  EXPECT_TRUE(refused([](LoadOptions& o) { o.payload_size = 31; }));
  EXPECT_TRUE(refused([](LoadOptions& o) {
    o.dialect = LoadDialect::kBayeuxPolls;
    o.measure = LoadOptions::Measure::kHandshakes;
  }));
  EXPECT_TRUE(refused([](LoadOptions& o) { o.window = 0; }));
  EXPECT_TRUE(refused([](LoadOptions& o) { o.rate = -1; }));
  EXPECT_TRUE(refused([](LoadOptions& o) { o.server_pid = 1 << 30; }));
  EXPECT_TRUE(refused([](LoadOptions& o) { o.url = "http://127.0.0.1/ws"; }));
  EXPECT_TRUE(refused([](LoadOptions& o) { o.url = "ws://127.0.0.1:99999/ws"; }));
  EXPECT_TRUE(refused([](LoadOptions& o) { o.url = "ws:///ws"; }));
}

}  // namespace
}  // namespace carillon
