// Streams that resume, in the simulated world.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include "sim/sim_client.h"

namespace carillon {
namespace {

using namespace std::chrono_literals;

constexpr int kChannels = 6;
constexpr std::size_t kEvents = 300;

class Listener final : public SimClientEvents {
 public:
  explicit Listener(SimServer& server) : client(server, {}, *this) {}
  void on_message(std::string_view message) override { messages.emplace_back(message); }
  void on_line(std::string_view line) override { lines.emplace_back(line); }
  void on_gone(std::uint16_t) override { gone = true; }

  SimClient client;
  std::vector<std::string> messages, lines;
  bool gone = false;
};

class SimResume : public testing::Test {
 protected:
  void publish(std::size_t data_bytes) {
    server_.reset();
    world_.reset();
    world_ = std::make_unique<SimWorld>(1);
    server_ = std::make_unique<SimServer>(*world_, options_, 2);
    Listener publisher(*server_);
    publisher.client.open_websocket("/ws");
    world_->run_for(100ms);
    for (std::size_t i = 0; i < kEvents; ++i) {
      publisher.client.say(fmt::format(R"({{"type":"publish","channel":"room:{}","event":"said","data":"{}"}})", i % kChannels,
                                       std::string(data_bytes, 'x')));
    }
    world_->run_for(100ms);
    ASSERT_EQ(publisher.messages.size(), kEvents);
    const std::string& receipt = publisher.messages.back();
    epoch_ = receipt.substr(receipt.find("\"epoch\":\"") + 9, 16);
  }

  std::unique_ptr<Listener> resume() {
    std::string target = "/api/events?", cursor;
    for (int i = 0; i < kChannels; ++i) {
      target += fmt::format("&channel=room:{}", i);
      cursor += fmt::format("{}room:{}={}:0", i == 0 ? "" : ";", i, epoch_);
    }
    auto stream = std::make_unique<Listener>(*server_);
    stream->client.listen(target, {{"Last-Event-ID", cursor}});
    world_->run_for(100ms);
    return stream;
  }

  struct Heard {
    std::size_t events = 0, missed = 0;
  };
  static Heard count(const Listener& stream) {
    Heard heard;
    for (const std::string& line : stream.lines) {
      if (line.starts_with(R"(data: {"type":"event")")) ++heard.events;
      if (line.starts_with(R"(data: {"type":"gap")")) heard.missed += std::stoul(line.substr(line.find("\"missed\":") + 9));
    }
    return heard;
  }

  std::unique_ptr<SimWorld> world_;
  ServerOptions options_;
  std::unique_ptr<SimServer> server_;
  std::string epoch_;
};

TEST_F(SimResume, with_more_than_the_outbox_holds_brings_all_of_it) {
  options_.limits.outbox_bytes = 200'000;
  publish(2000);
  const auto stream = resume();
  EXPECT_FALSE(stream->gone);
  const auto [events, missed] = count(*stream);
  EXPECT_EQ(events, kEvents);
  EXPECT_EQ(missed, 0u);
}

// What is replayed on one channel fills the outbox; a client that reads is no slow consumer for that, at any limit.
TEST_F(SimResume, while_the_server_closes_slow_consumers) {
  options_.limits.slow_consumer = SlowConsumer::kClose;
  for (std::size_t limit = 21'000; limit < 24'000; limit += 100) {
    options_.limits.outbox_bytes = limit;
    publish(100);
    const auto stream = resume();
    EXPECT_FALSE(stream->gone);
    EXPECT_EQ(server_->hub().stats().slow_closed_total, 0u);
    EXPECT_EQ(count(*stream).events + count(*stream).missed, kEvents);
  }
}

}  // namespace
}  // namespace carillon
