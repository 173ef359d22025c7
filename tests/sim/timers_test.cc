// What a server does when time passes, in simulated time: pings, timeouts, heartbeats, the end.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include "server/make_token.h"
#include "sim/sim_client.h"

namespace carillon {
namespace {

using namespace std::chrono_literals;

class Witness final : public SimClientEvents {
 public:
  Witness(SimServer& server, const SimNetworkOptions& network = {}) : client(server, network, *this) {}

  void on_message(std::string_view message) override { messages.emplace_back(message); }
  void on_line(std::string_view line) override { lines.emplace_back(line); }
  void on_ping() override { ++pings; }
  void on_answer(const HttpResponse& response) override { answers.push_back(response); }
  void on_gone(std::uint16_t close_code) override { code = close_code; }

  SimClient client;
  std::vector<std::string> messages, lines;
  std::vector<HttpResponse> answers;
  int pings = 0;
  std::optional<int> code;
};

class SimTimers : public testing::Test {
 protected:
  SimServer& start() {
    server_ = std::make_unique<SimServer>(world_, options_, 2);
    return *server_;
  }

  SimWorld world_{1};
  ServerOptions options_;
  std::unique_ptr<SimServer> server_;
};

TEST_F(SimTimers, a_client_that_answers_pings_stays) {
  Witness witness(start());
  witness.client.open_websocket("/ws");
  world_.run_for(10min);
  EXPECT_FALSE(witness.code);
  // One each 25 s of silence, found within a quarter of the shortest limit, 5 s.
  EXPECT_GE(witness.pings, 22);
  EXPECT_LE(witness.pings, 24);
}

TEST_F(SimTimers, who_speaks_is_not_pinged) {
  Witness witness(start());
  witness.client.open_websocket("/ws");
  for (int i = 0; i < 30; ++i) {
    world_.run_for(20s);
    witness.client.say(R"({"type":"ping"})");
  }
  world_.run_for(1s);
  EXPECT_EQ(witness.pings, 0);
  EXPECT_EQ(witness.messages.size(), 30u);
}

TEST_F(SimTimers, a_client_that_has_vanished_is_found_out) {
  Witness witness(start());
  witness.client.open_websocket("/ws");
  world_.run_for(1s);
  ASSERT_EQ(server_->hub().stats().sessions, 1u);
  witness.client.vanish();
  world_.run_for(58s);
  EXPECT_EQ(server_->connections(), 1u);
  world_.run_for(5s);
  EXPECT_EQ(server_->connections(), 0u);
  EXPECT_EQ(server_->hub().stats().sessions, 0u);
  EXPECT_EQ(server_->frame_bytes(), 0u);
  EXPECT_EQ(server_->timeouts(), 1u);
}

TEST_F(SimTimers, a_session_ends_with_its_token) {
  options_.auth.jwt_secrets = {std::string(32, 's')};
  SimServer& server = start();
  const auto token = [&](Milliseconds lifetime) {
    const TokenCall call{.user = "alice", .lifetime = lifetime};
    return "token=" + *make_token(options_.auth, call, server.hub().clock().unix_ms());
  };
  Witness brief(server), stream(server), longer(server), anonymous(server), late(server);
  brief.client.open_websocket("/ws?" + token(60s));
  stream.client.listen("/api/events?channel=a&" + token(60s));
  longer.client.open_websocket("/ws?" + token(2h));
  anonymous.client.open_websocket("/ws");
  const std::string expired = token(60s);
  world_.run_for(64s);
  EXPECT_FALSE(brief.code);
  EXPECT_FALSE(stream.code);
  world_.run_for(2s);  // The minute and the leeway, and what the network takes.
  EXPECT_EQ(brief.code, 1008);
  EXPECT_TRUE(stream.code) << "an event stream ends";
  late.client.open_websocket("/ws?" + expired);
  world_.run_for(1s);
  ASSERT_EQ(late.answers.size(), 1u);
  EXPECT_EQ(late.answers[0].status, 401);
  EXPECT_EQ(late.answers[0].headers.get("WWW-Authenticate"), R"(Bearer error="invalid_token")");
  world_.run_for(1h);
  EXPECT_FALSE(longer.code);
  EXPECT_FALSE(anonymous.code);
  EXPECT_EQ(server.hub().stats().sessions, 2u);
}

TEST_F(SimTimers, who_answers_no_ping_is_closed) {
  Witness witness(start());
  witness.client.open_websocket("/ws");
  world_.run_for(1s);
  witness.client.play_dead();
  world_.run_for(58s);
  EXPECT_EQ(witness.pings, 1);
  EXPECT_EQ(server_->connections(), 1u);
  world_.run_for(5s);
  EXPECT_EQ(server_->connections(), 0u);
}

TEST_F(SimTimers, a_request_that_does_not_end_is_answered_408) {
  Witness witness(start());
  witness.client.send_raw("POST /api/publish HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 10\r\n\r\nabc");
  world_.run_for(29s);
  EXPECT_TRUE(witness.answers.empty());
  world_.run_for(4s);
  ASSERT_EQ(witness.answers.size(), 1u);
  EXPECT_EQ(witness.answers[0].status, 408);
  EXPECT_TRUE(witness.answers[0].headers.has_token("Connection", "close"));
  EXPECT_TRUE(witness.code);
  EXPECT_EQ(server_->connections(), 0u);
}

TEST_F(SimTimers, a_connection_without_request_is_closed) {
  Witness silent(start()), kept(*server_);
  silent.client.send_raw("");
  kept.client.ask("GET", "/api/realtime/stats");
  world_.run_for(33s);
  EXPECT_EQ(kept.answers.size(), 1u);
  EXPECT_TRUE(silent.code) << "30 s for the first request";
  EXPECT_FALSE(kept.code);
  world_.run_for(45s);
  EXPECT_TRUE(kept.code) << "75 s for the next";
  EXPECT_EQ(server_->connections(), 0u);
}

TEST_F(SimTimers, a_client_that_takes_nothing_is_given_up) {
  Witness stalled(start(), {.capacity = 2000}), publisher(*server_);
  stalled.client.open_websocket("/ws");
  publisher.client.open_websocket("/ws");
  world_.run_for(100ms);
  stalled.client.say(R"({"type":"subscribe","channel":"room:1"})");
  world_.run_for(100ms);
  stalled.client.pause();
  for (int i = 0; i < 5; ++i) {
    publisher.client.say(
        fmt::format(R"({{"type":"publish","channel":"room:1","event":"said","data":"{}"}})", std::string(1000, 'x')));
  }
  world_.run_for(50s);
  EXPECT_EQ(server_->hub().stats().sessions, 2u);
  world_.run_for(15s);
  EXPECT_EQ(server_->hub().stats().sessions, 1u);
  EXPECT_EQ(server_->timeouts(), 1u);
}

TEST_F(SimTimers, an_event_stream_beats) {
  Witness witness(start());
  witness.client.listen("/api/events?channel=room:1");
  world_.run_for(1s);
  witness.lines.clear();
  world_.run_for(5min);
  const auto beats = std::count(witness.lines.begin(), witness.lines.end(), ":");
  EXPECT_GE(beats, 300 / 17);
  EXPECT_LE(beats, 300 / 15);
  EXPECT_FALSE(witness.code);
}

TEST_F(SimTimers, drain_says_1001_to_websockets_and_ends_streams) {
  start();
  std::vector<std::unique_ptr<Witness>> sockets, streams;
  for (int i = 0; i < 20; ++i) {
    sockets.push_back(std::make_unique<Witness>(*server_));
    sockets.back()->client.open_websocket("/ws");
    streams.push_back(std::make_unique<Witness>(*server_));
    streams.back()->client.listen("/api/events?channel=room:1");
  }
  Witness asking(*server_);
  asking.client.ask("GET", "/api/realtime/stats");
  world_.run_for(1s);
  server_->drain();
  world_.run_for(100ms);
  EXPECT_GT(server_->connections(), 10u) << "all at once";
  EXPECT_LT(server_->connections(), 41u);
  world_.run_for(5s);
  EXPECT_TRUE(server_->drained());
  EXPECT_EQ(server_->connections(), 0u);
  EXPECT_EQ(server_->hub().stats().sessions, 0u);
  EXPECT_EQ(server_->frame_bytes(), 0u);
  for (const auto& socket : sockets) EXPECT_EQ(socket->code, 1001);
  for (const auto& stream : streams) EXPECT_TRUE(stream->code);
  EXPECT_TRUE(asking.code);
}

TEST_F(SimTimers, drain_does_not_wait_for_ever_for_who_does_not_answer) {
  Witness dead(start());
  dead.client.open_websocket("/ws");
  world_.run_for(1s);
  dead.client.play_dead();
  server_->drain();
  world_.run_for(4900ms);
  EXPECT_FALSE(server_->drained()) << "5 s for the close frame";
  world_.run_for(2s);
  EXPECT_TRUE(server_->drained());
}

}  // namespace
}  // namespace carillon
