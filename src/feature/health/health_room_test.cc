#include "feature/health/health_room.h"

#include <gtest/gtest.h>

#include <cstdio>
#include <thread>

#include "base/manual_loop.h"
#include "engine/memory/memory_engine.h"
#include "hub/engine_double.h"
#include "hub/shard.h"
#include "protocol/exchange_double.h"

namespace carillon {
namespace {

class FixedClock final : public Clock {
 public:
  std::int64_t unix_ms() const override { return 1'700'000'090'500; }
};

class OpenPolicy final : public Policy {
 public:
  Result<void> may_subscribe(const Identity&, const Selector&) const override { return {}; }
  Result<void> may_publish(const Identity&, std::string_view) const override { return {}; }
  Result<void> may_read_history(const Identity&, std::string_view) const override { return {}; }
  Result<void> may_see_presence(const Identity&, std::string_view) const override { return {}; }
};

class ZeroRandom final : public Random {
 public:
  void fill(std::span<std::uint8_t> bytes) override { std::fill(bytes.begin(), bytes.end(), std::uint8_t{0}); }
};

// Answers listings at once, with an error, or when told to.
class MoodyEngine final : public ForwardingEngine {
 public:
  enum class Mood { kFine, kBroken, kSilent };
  using ForwardingEngine::ForwardingEngine;

  void channels(std::string, std::string, std::size_t, UniqueFunction<void(Result<std::vector<ChannelRecord>>)> done) override {
    if (mood == Mood::kFine) return done(std::vector<ChannelRecord>{});
    if (mood == Mood::kBroken) return done(Error{ErrorKind::kUnavailable, "disk on fire"});
    held_ = std::move(done);
  }
  void answer_on_another_thread() {
    std::thread([this] { held_(std::vector<ChannelRecord>{}); }).join();
  }

  Mood mood = Mood::kFine;

 private:
  UniqueFunction<void(Result<std::vector<ChannelRecord>>)> held_;
};

class HealthRoomTest : public testing::Test {
 protected:
  HealthRoomTest() {
    hub_.add_shard(loop_);
    room_.add_routes(routes_);
    phase_.set(Phase::kRunning);
  }

  HttpResponse get(std::string_view path) {
    const auto answer = routes_.ask("GET", path);
    loop_.settle();
    return answer->response.value_or(HttpResponse{.status = 0, .headers = {}, .body = ""});
  }

  ManualLoop loop_;
  FixedClock clock_;
  OpenPolicy policy_;
  ZeroRandom random_;
  MemoryEngine memory_{clock_, random_, {}};
  MoodyEngine engine_{memory_};
  Hub hub_{engine_, clock_, policy_, HubOptions{}};
  ServerPhase phase_;
  MetricsSources sources_{
      .process =
          [] {
            return ProcessUsage{1.5, 4096, 8192, 12, 1024};
          },
      .websocket_connections = [] { return std::uint64_t{7}; },
      .history_bytes = [] { return std::uint64_t{99}; },
      .presence_members = [] { return std::uint64_t{7}; },
      .more =
          [](MetricsWriter& writer) {
            writer.family("carillon_http_requests_total", MetricsWriter::Type::kCounter, "HTTP requests answered.")
                .sample(3, {{"class", "2xx"}})
                .sample(1, {{"class", "4xx"}});
          },
  };
  HealthRoom room_{hub_, loop_, phase_, {.version = "1.2.3", .started_unix_ms = 1'700'000'000'000}, sources_};
  RoutesDouble routes_;
};

TEST_F(HealthRoomTest, HealthHasGutsShapeAndTrueFigures) {
  const HttpResponse response = get("/health");
  EXPECT_EQ(response.status, 200);
  EXPECT_EQ(response.body,
            R"({"status":"up","version":"1.2.3","uptime_seconds":90,"checks":{"storage":{"status":"up","latency_ms":0},)"
            R"("realtime":{"status":"up","details":{"connections":0}}}})");
  EXPECT_EQ(get("/health/live").body, R"({"status":"up"})");
  EXPECT_EQ(get("/health/ready").status, 200);
  EXPECT_EQ(get("/health/startup").status, 200);
}

TEST_F(HealthRoomTest, ItIsNotReadyWhileStartingOrDraining) {
  phase_.set(Phase::kStarting);
  EXPECT_EQ(get("/health/ready").status, 503);
  EXPECT_EQ(get("/health/ready").body, R"({"status":"down","reason":"starting"})");
  EXPECT_EQ(get("/health/startup").status, 503);
  EXPECT_EQ(get("/health/live").status, 200);
  EXPECT_EQ(get("/health").status, 503);
  phase_.set(Phase::kDraining);
  EXPECT_EQ(get("/health/ready").body, R"({"status":"down","reason":"draining"})");
  EXPECT_EQ(get("/health/startup").status, 200);
  EXPECT_EQ(get("/health").status, 503);
}

TEST_F(HealthRoomTest, ABrokenEngineIsSaidToBe) {
  engine_.mood = MoodyEngine::Mood::kBroken;
  const HttpResponse response = get("/health");
  EXPECT_EQ(response.status, 503);
  EXPECT_NE(response.body.find(R"("storage":{"status":"down","latency_ms":0,"details":{"error":"disk on fire"}})"),
            std::string::npos)
      << response.body;
  EXPECT_EQ(get("/health/ready").body, R"({"status":"down","reason":"storage: disk on fire"})");
  EXPECT_EQ(get("/health/live").status, 200);
}

TEST_F(HealthRoomTest, ASilentEngineIsGivenUpAndItsLateAnswerIgnored) {
  engine_.mood = MoodyEngine::Mood::kSilent;
  const auto answer = routes_.ask("GET", "/health/ready");
  loop_.advance(Millis{1900});
  EXPECT_FALSE(answer->response);
  loop_.advance(Millis{200});
  ASSERT_TRUE(answer->response);
  EXPECT_EQ(answer->response->status, 503);
  engine_.answer_on_another_thread();
  loop_.settle();
}

TEST_F(HealthRoomTest, ALateAnswerIsTimed) {
  engine_.mood = MoodyEngine::Mood::kSilent;
  const auto answer = routes_.ask("GET", "/health");
  loop_.advance(Millis{300});
  engine_.answer_on_another_thread();
  EXPECT_FALSE(answer->response);
  loop_.settle();
  ASSERT_TRUE(answer->response);
  EXPECT_EQ(answer->response->status, 200);
  EXPECT_NE(answer->response->body.find(R"("latency_ms":300)"), std::string::npos);
}

TEST_F(HealthRoomTest, MetricsTellWhatHappened) {
  hub_.publish({.channel = "a", .event = "e"}, [](Result<Receipt>) {});
  const HttpResponse response = get("/metrics");
  EXPECT_EQ(response.headers.get("Content-Type"), MetricsWriter::kContentType);
  for (const char* line :
       {"\nguts_websocket_connections 7\n", "\ncarillon_publications_total 1\n", "\ncarillon_ready 1\n",
        "\nprocess_cpu_seconds_total 1.5\n", "\nprocess_open_fds 12\n", "\ncarillon_history_bytes 99\n",
        "\ncarillon_presence_members 7\n", "\ncarillon_presence_states_total 0\n", "\ncarillon_group_groups 0\n",
        "\ncarillon_presence_news_total 0\n", "\nprocess_start_time_seconds 1700000000\n",
        "\ncarillon_build_info{version=\"1.2.3\"} 1\n", "\ncarillon_http_requests_total{class=\"4xx\"} 1\n"}) {
    EXPECT_NE(response.body.find(line), std::string::npos) << line;
  }
}

TEST_F(HealthRoomTest, PromtoolFindsNothingToSay) {
  if (std::system("command -v promtool >/dev/null") != 0) GTEST_SKIP() << "promtool is not installed";
  FILE* const promtool = popen("promtool check metrics", "w");
  const std::string text = get("/metrics").body;
  ASSERT_EQ(std::fwrite(text.data(), 1, text.size(), promtool), text.size());
  EXPECT_EQ(pclose(promtool), 0) << text;
}

}  // namespace
}  // namespace carillon
