// A Redis and the nodes that share it, for tests: a real server, real connections, all nodes on one loop with a thread of its
// own. What the test asks of a loop's objects is done on the loop while it waits.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <functional>
#include <future>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "engine/memory/hub_double.h"
#include "engine/redis/redis_nodes.h"
#include "engine/redis/redis_presence.h"
#include "engine/redis/redis_process.h"
#include "engine/redis/redis_servers.h"
#include "engine/redis/redis_state.h"
#include "os/epoll_loop.h"
#include "os/system_clock.h"
#include "os/tcp_dialer.h"

namespace carillon {

// Asks again until it is so, for twenty seconds at most.
inline bool wait_until(const std::function<bool()>& is_so) {
  const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(20);
  while (!is_so()) {
    if (std::chrono::steady_clock::now() > end) return false;
    std::this_thread::sleep_for(std::chrono::milliseconds(2));
  }
  return true;
}

// Calls with a completion, and waits for it.
template <class T, class Call>
Result<T> wait_for(Call call) {
  auto promise = std::make_shared<std::promise<Result<T>>>();
  std::future<Result<T>> outcome = promise->get_future();
  call([promise](Result<T> result) { promise->set_value(std::move(result)); });
  if (outcome.wait_for(std::chrono::seconds(20)) != std::future_status::ready) {
    return Error{ErrorKind::kInternal, "no answer within 20 seconds"};
  }
  return outcome.get();
}

// "<key> <ref>" of each.
inline std::set<std::string> present_in(const PresenceState& state) {
  std::set<std::string> all;
  for (const PresenceEntry& entry : state.entries) {
    for (const PresenceMeta& meta : entry.metas) all.insert(entry.key + ' ' + meta.ref);
  }
  return all;
}

// Who is present by what diffs have told, from nothing or from a state; and what was wrong with them.
class PresenceHeard final : public PresenceEvents {
 public:
  void on_presence(const PresenceUpdatePtr& diff) override {
    const std::lock_guard lock(mutex_);
    std::string text = diff->channel;
    for (const auto& entry : diff->changes.leaves) text += " -" + entry.key + "x" + std::to_string(entry.metas.size());
    for (const auto& entry : diff->changes.joins) text += " +" + entry.key + "x" + std::to_string(entry.metas.size());
    texts_.push_back(text);
    diffs_.push_back(diff);
    Channel& channel = channels_[diff->channel];
    if (diff->version <= channel.last) faults_.push_back("version does not grow: " + text);
    channel.last = diff->version;
    if (!channel.awaits_state) apply(channel, *diff);
  }

  // The channel's members are those of a state, once there is one.
  void await_state(const std::string& channel) {
    const std::lock_guard lock(mutex_);
    channels_[channel].awaits_state = true;
  }
  void begin(const PresenceState& state) {
    const std::lock_guard lock(mutex_);
    Channel& channel = channels_[state.channel];
    if (channel.last < state.version && channel.last > 0) faults_.push_back("the state came before its diff");
    channel.awaits_state = false;
    channel.present = present_in(state);
    for (const PresenceUpdatePtr& diff : diffs_) {
      if (diff->channel == state.channel && diff->version > state.version) apply(channel, *diff);
    }
  }

  std::vector<std::string> texts() const { return locked(texts_); }
  std::vector<PresenceUpdatePtr> diffs() const { return locked(diffs_); }
  std::vector<std::string> faults() const { return locked(faults_); }
  // As present_in tells of a state.
  std::set<std::string> present(const std::string& channel) const {
    const std::lock_guard lock(mutex_);
    const auto found = channels_.find(channel);
    return found == channels_.end() ? std::set<std::string>() : found->second.present;
  }

 private:
  struct Channel {
    std::uint64_t last = 0;
    bool awaits_state = false;
    std::set<std::string> present;
  };

  void apply(Channel& channel, const PresenceUpdate& diff) {
    const auto fault = [&](const char* what, const PresenceEntry& entry, const PresenceMeta& meta) {
      faults_.push_back(diff.channel + ' ' + std::to_string(diff.version) + ": " + what + ' ' + entry.key + ' ' + meta.ref);
    };
    for (const auto& entry : diff.changes.leaves) {
      for (const PresenceMeta& meta : entry.metas) {
        if (channel.present.erase(entry.key + ' ' + meta.ref) == 0) fault("was not there", entry, meta);
      }
    }
    for (const auto& entry : diff.changes.joins) {
      for (const PresenceMeta& meta : entry.metas) {
        if (!channel.present.insert(entry.key + ' ' + meta.ref).second) fault("is there already", entry, meta);
      }
    }
    if (diff.counts.members != channel.present.size()) faults_.push_back(diff.channel + " counts otherwise");
  }
  template <class T>
  T locked(const T& value) const {
    const std::lock_guard lock(mutex_);
    return value;
  }

  mutable std::mutex mutex_;
  std::vector<std::string> texts_;
  std::vector<PresenceUpdatePtr> diffs_;
  std::vector<std::string> faults_;
  std::map<std::string, Channel> channels_;
};

// A loop on a thread of its own.
class LoopThread {
 public:
  LoopThread() : loop_(*EpollLoop::create()), thread_([this] { loop_->run(); }) {}
  ~LoopThread() { end(); }
  // No turn is taken any more; the loop stays.
  void end() {
    if (!thread_.joinable()) return;
    loop_->stop();
    thread_.join();
  }
  EpollLoop& loop() { return *loop_; }
  // Done on the loop; returns when it is.
  void run(std::function<void()> work) {
    std::promise<void> done;
    loop_->post([&] {
      work();
      done.set_value();
    });
    done.get_future().wait();
  }

 private:
  std::unique_ptr<EpollLoop> loop_;
  std::thread thread_;
};

class RedisNodeDouble {
 public:
  struct Options {
    std::string name;
    std::int64_t lease_ms = 30'000;
    bool renews = true;  // As the hub does: every third of the lease.
  };

  RedisNodeDouble(LoopThread& thread, const RedisOptions& redis, Options options)
      : thread_(thread), options_(std::move(options)) {
    thread_.run([&] { parts_ = std::make_unique<Parts>(thread_.loop(), redis, options_); });
    presence().set_events(heard);
  }
  ~RedisNodeDouble() { die(); }

  RedisPresence& presence() { return parts_->presence; }
  RedisNodes& nodes() { return parts_->nodes; }
  RedisState& state() { return parts_->state; }
  const std::string& name() const { return options_.name; }

  // Hears and watches it, as a client would: the state, and then what is newer.
  void watch(const std::string& channel) {
    heard.await_state(channel);
    hear(channel);
    heard.begin(*shown(channel));
  }
  void hear(const std::string& channel) { presence().add_interest({.kind = Selector::Kind::kExact, .base = channel}); }
  void ignore(const std::string& channel) { presence().remove_interest({.kind = Selector::Kind::kExact, .base = channel}); }
  void come(const std::string& channel, const std::string& member, const std::string& key, const std::string& meta = "") {
    presence().change(channel, {{.kind = PresenceChange::Kind::kSet, .member = member, .key = key, .meta = meta}});
  }
  void go(const std::string& channel, const std::string& member) {
    presence().change(channel, {{.kind = PresenceChange::Kind::kLeave, .member = member, .key = {}, .meta = {}}});
  }
  Result<PresenceStatePtr> try_state(const std::string& channel) {
    return wait_for<PresenceStatePtr>([&](auto done) { presence().state(channel, std::move(done)); });
  }
  // Asks until there is an answer.
  PresenceStatePtr shown(const std::string& channel) {
    PresenceStatePtr state;
    EXPECT_TRUE(wait_until([&] {
      auto answer = try_state(channel);
      if (answer) state = *answer;
      return state != nullptr;
    }));
    return state;
  }
  PresenceCounts counts(const std::string& channel) {
    return *wait_for<PresenceCounts>([&](auto done) { presence().counts(channel, std::move(done)); });
  }

  // Held up: it renews no more.
  void hold_up() {
    thread_.run([&] { parts_->renew_timer.cancel(); });
  }
  void go_on() {
    thread_.run([&] { parts_->renew(); });
  }
  // As by kill -9: it says nothing.
  void die() {
    if (parts_ != nullptr) thread_.run([&] { parts_ = nullptr; });
  }
  // As a server stops.
  void leave() {
    std::promise<void> done;
    thread_.run([&] {
      parts_->renew_timer.cancel();
      parts_->presence.stop([&](bool left) {
        parts_->state.stop();
        parts_->nodes.stop({.keep_lease = !left}, [&] { done.set_value(); });
      });
    });
    ASSERT_EQ(done.get_future().wait_for(std::chrono::seconds(20)), std::future_status::ready);
    die();
  }

  PresenceHeard heard;

 private:
  struct Parts {
    Parts(EpollLoop& its_loop, const RedisOptions& redis, const Options& its_options)
        : loop(its_loop),
          options(its_options),
          dialer(loop),
          client(loop, dialer, random, redis),
          keys(redis.prefix),
          nodes(loop, client, keys, {.name = options.name, .started_at_ms = clock.unix_ms(), .lease_ms = options.lease_ms}),
          presence(loop, client, keys, clock, nodes),
          state(loop, client, keys),
          renew_timer([this] { renew(); }) {
      nodes.start();
      if (options.renews) loop.schedule(renew_timer, Millis{options.lease_ms / 3});
    }
    void renew() {
      presence.renew(options.lease_ms);
      loop.schedule(renew_timer, Millis{options.lease_ms / 3});
    }

    EpollLoop& loop;
    const Options options;
    SystemClock clock;
    SeededRandom random{1};
    TcpDialer dialer;
    RedisServers client;
    RedisKeys keys;
    RedisNodes nodes;
    RedisPresence presence;
    RedisState state;
    CallbackTimer renew_timer;
  };

  LoopThread& thread_;
  const Options options_;
  std::unique_ptr<Parts> parts_;
};

// Options of a client that comes back soon.
inline RedisOptions soon_again(std::vector<RedisOptions::Server> servers, bool cluster = false) {
  RedisOptions options;
  options.servers = std::move(servers);
  options.cluster = cluster;
  options.prefix = "t:";
  options.retry_min = Millis{5};
  options.retry_max = Millis{100};
  options.wait_max = Millis{1000};
  return options;
}

// Names of keys, in their order.
inline std::vector<std::string> keys_in(const RedisProcess& redis, std::string_view pattern = "*") {
  std::vector<std::string> names;
  const RespValue reply = redis.command({"KEYS", pattern});
  if (reply.array() == nullptr) return {"(no answer)"};
  for (const RespValue& name : *reply.array()) names.push_back(*name.text());
  std::sort(names.begin(), names.end());
  return names;
}

}  // namespace carillon
