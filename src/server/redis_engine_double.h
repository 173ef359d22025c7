// For tests: a server's Redis engine with a loop on a thread of its own, and calls that wait for their answers. It stands here
// because engine and os meet in this folder.
#pragma once

#include <gtest/gtest.h>
#include <atomic>

#include <functional>
#include <future>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "engine/redis/redis_engine.h"
#include "engine/redis/redis_process.h"
#include "hub/engine_double.h"
#include "os/system_clock.h"
#include "os/tcp_dialer.h"

namespace carillon {

// Calls with a completion, and waits for it.
template <class T, class Call>
T wait_for_answer(Call call) {
  auto promise = std::make_shared<std::promise<T>>();
  std::future<T> outcome = promise->get_future();
  call([promise](T result) { promise->set_value(std::move(result)); });
  return outcome.get();
}

// One redis-server for all tests of this program. Each has a prefix of its own.
inline RedisProcess& shared_redis() {
  static RedisProcess process;
  return process;
}
inline std::string fresh_prefix() {
  static std::atomic<int> tests{0};
  return "test" + std::to_string(++tests) + ":";
}

class RedisEngineNode {
 public:
  explicit RedisEngineNode(RedisOptions options)
      : engine_(std::make_unique<RedisEngine>(*loop_, dialer_, clock_, random_, std::move(options))) {
    engine_->set_events(heard);
    engine_->start();
    thread_ = std::thread([this] { loop_->run(); });
  }
  ~RedisEngineNode() { stop(); }
  RedisEngineNode(const RedisEngineNode&) = delete;
  RedisEngineNode& operator=(const RedisEngineNode&) = delete;

  void stop() {
    if (!thread_.joinable()) return;
    engine_->stop();
    loop_->stop();
    thread_.join();
  }
  RedisEngine& engine() { return *engine_; }

  // Everything the engine is asked inside reaches its loop in one turn.
  void in_one_turn(const std::function<void()>& act) {
    std::promise<void> held, go_on;
    loop_->post([held = &held, go_on = go_on.get_future()]() mutable {
      held->set_value();
      go_on.wait();
    });
    held.get_future().wait();
    act();
    go_on.set_value();
  }

  // Waits until this is heard.
  void listen(const Selector& selector) {
    engine_->add_interest(selector);
    ASSERT_TRUE(try_history({.channel = selector.base.empty() ? "bare" : selector.base + "/x", .count_max = 0}));
    ASSERT_TRUE(try_history({.channel = selector.base.empty() ? "bare" : selector.base, .count_max = 0}));
  }
  Result<Receipt> try_publish(Draft draft) {
    return wait_for_answer<Result<Receipt>>([&](auto done) { engine_->publish(std::move(draft), std::move(done)); });
  }
  Result<Receipt> try_publish(const std::string& channel, std::string_view payload = "x", std::string key = {}) {
    return try_publish(
        {.channel = channel, .event = "e", .payload = Bytes::copy_of(payload), .idempotency_key = std::move(key)});
  }
  Receipt publish(const std::string& channel, std::string_view payload = "x", std::string key = {}) {
    const Result<Receipt> outcome = try_publish(channel, payload, std::move(key));
    EXPECT_TRUE(outcome) << outcome.error().text;
    return outcome ? *outcome : Receipt{};
  }
  Result<HistoryPage> try_history(HistoryQuery query) {
    return wait_for_answer<Result<HistoryPage>>([&](auto done) { engine_->history(std::move(query), std::move(done)); });
  }
  HistoryPage history(HistoryQuery query) {
    Result<HistoryPage> page = try_history(std::move(query));
    EXPECT_TRUE(page) << page.error().text;
    return page ? *std::move(page) : HistoryPage{};
  }

  // "channel offset payload" of what was handed out, in order.
  std::vector<std::string> heard_of(const std::string& channel) { return texts(heard.copy(channel)); }
  std::size_t count_of(const std::string& channel) { return heard.copy(channel).size(); }
  static std::vector<std::string> texts(const std::vector<PublicationPtr>& publications) {
    std::vector<std::string> all;
    for (const PublicationPtr& publication : publications) {
      all.push_back((publication->position ? std::to_string(publication->position->offset) + " " : "") +
                    std::string(publication->payload.view()));
    }
    return all;
  }

  // Safe to read while the engine tells.
  class Heard final : public HeardEvents {
   public:
    std::vector<PublicationPtr> copy(const std::string& channel) {
      const std::lock_guard lock(mutex_);
      return by_channel[channel];
    }
    std::vector<std::pair<std::string, std::uint64_t>> gaps() {
      const std::lock_guard lock(mutex_);
      return HeardEvents::gaps;
    }
    std::vector<Continuity> continuities() {
      const std::lock_guard lock(mutex_);
      return HeardEvents::continuities;
    }
    bool is_well_again() {
      const std::vector<Continuity> told = continuities();
      return !told.empty() && told.back() == Continuity::kOk;
    }
  };
  Heard heard;

 private:
  SystemClock clock_;
  SystemRandom random_;
  std::unique_ptr<EpollLoop> loop_ = *EpollLoop::create();
  TcpDialer dialer_{*loop_};
  std::unique_ptr<RedisEngine> engine_;
  std::thread thread_;
};

// Publishes that were made at once.
struct Burst {
  std::vector<std::future<Result<Receipt>>> outcomes;

  // All were published; their positions, in the order of the calls.
  std::vector<Position> positions() {
    std::vector<Position> all;
    for (auto& outcome : outcomes) {
      const Result<Receipt> told = outcome.get();
      EXPECT_TRUE(told) << told.error().text;
      if (told) all.push_back(*told->position);
    }
    return all;
  }
};
// Publishes "<from>", "<from + 1>" and so on, in one turn: from 8 on they go in batches by commands.
inline Burst burst(RedisEngineNode& node, const std::string& channel, int from, int count,
                   const std::function<void(int, Draft&)>& change = {}) {
  Burst made;
  node.in_one_turn([&] {
    for (int i = from; i < from + count; ++i) {
      Draft draft{.channel = channel, .event = "e", .payload = Bytes::copy_of(std::to_string(i))};
      if (change) change(i, draft);
      auto promise = std::make_shared<std::promise<Result<Receipt>>>();
      made.outcomes.push_back(promise->get_future());
      node.engine().publish(std::move(draft), [promise](Result<Receipt> told) { promise->set_value(std::move(told)); });
    }
  });
  return made;
}

// Nodes of one prefix, and what is looked at.
class RedisEngineTest : public testing::Test {
 protected:
  RedisOptions options(const RedisProcess& process) {
    RedisOptions options;
    options.servers = {process.server()};
    options.prefix = prefix_;
    options.retry_min = Millis(10);
    options.retry_max = Millis(100);
    options.rule_for = [](std::string_view channel) {
      return channel.starts_with("bare") ? HistoryRule{} : HistoryRule{.count_max = 100'000};
    };
    return options;
  }
  RedisOptions options() { return options(shared_redis()); }
  // Of a node that deafen() makes deaf.
  RedisOptions guest(const RedisProcess& process) {
    process.command({"ACL", "SETUSER", "guest", "on", ">guest", "~*", "&*", "+@all"});
    RedisOptions made = options(process);
    made.user = made.password = "guest";
    return made;
  }
  // Until the guest's user is on again it cannot connect.
  static void deafen(const RedisProcess& process) {
    process.command({"ACL", "SETUSER", "guest", "off"});
    process.command({"CLIENT", "KILL", "TYPE", "pubsub"});
  }
  std::string stream(const std::string& channel) { return RedisKeys(prefix_).stream(channel); }

  static bool has_offsets_without_holes(const std::vector<PublicationPtr>& publications) {
    for (std::size_t i = 0; i < publications.size(); ++i) {
      if (publications[i]->position != Position{publications[0]->position->epoch, i + 1}) return false;
    }
    return true;
  }
  // Everything the channel keeps.
  static std::vector<std::string> kept(RedisEngineNode& node, const std::string& channel) {
    return RedisEngineNode::texts(node.history({.channel = channel, .count_max = 100'000}).publications);
  }
  // The node hears what was published last, and so everything before it.
  static void wait_for_last(RedisEngineNode& node, const std::string& channel, const std::string& payload) {
    wait_until_redis("the last is heard", [&] {
      const auto heard = node.heard.copy(channel);
      return !heard.empty() && heard.back()->payload.view() == payload;
    });
  }

  const std::string prefix_ = fresh_prefix();
};

}  // namespace carillon
