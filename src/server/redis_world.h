// For tests: a loop on its own thread with a client of Redis, and ways to wait for what it answers.
#pragma once

#include <future>
#include <map>
#include <memory>
#include <string>
#include <thread>
#include <type_traits>
#include <utility>
#include <vector>

#include "engine/redis/redis_process.h"
#include "engine/redis/redis_servers.h"
#include "os/epoll_loop.h"
#include "os/system_clock.h"
#include "os/tcp_dialer.h"

namespace carillon {

// Connects to another port than it is told to, where that is wanted: as an address that is given to another machine.
class RedirectingDialer final : public Dialer {
 public:
  explicit RedirectingDialer(EpollLoop& loop) : dialer_(loop) {}
  void redirect(std::uint16_t from, std::uint16_t to) { ports_[from] = to; }
  std::unique_ptr<DialAttempt> dial(const DialTarget& target, Millis timeout, Dialed done) override {
    DialTarget redirected = target;
    if (const auto found = ports_.find(target.port); found != ports_.end()) redirected.port = found->second;
    return dialer_.dial(redirected, timeout, std::move(done));
  }

 private:
  TcpDialer dialer_;
  std::map<std::uint16_t, std::uint16_t> ports_;
};

class RedisWorld {
 public:
  explicit RedisWorld(RedisOptions options) {
    client_ = std::make_unique<RedisServers>(*loop_, dialer_, random_, std::move(options));
    thread_ = std::thread([this] { loop_->run(); });
  }
  ~RedisWorld() {
    on_loop([this] { client_.reset(); });
    loop_->stop();
    thread_.join();
  }

  EpollLoop& loop() { return *loop_; }
  // On the loop's thread only, as the next.
  RedisServers& client() { return *client_; }
  RedirectingDialer& dialer() { return dialer_; }

  // Runs it on the loop and waits for its end.
  template <class Act>
  std::invoke_result_t<Act&> on_loop(Act act) {
    std::promise<std::invoke_result_t<Act&>> ended;
    loop_->post([&] {
      if constexpr (std::is_void_v<std::invoke_result_t<Act&>>) {
        act();
        ended.set_value();
      } else {
        ended.set_value(act());
      }
    });
    return ended.get_future().get();
  }
  template <class Condition>
  void until(const char* what, Condition condition) {
    wait_until_redis(what, [&] { return on_loop(condition); });
  }

  // A command whose first argument is its key.
  Result<RespValue> send(std::vector<std::string> words) {
    return await<Result<RespValue>>([&](auto done) {
      RespCommand command;
      for (const std::string& word : words) command.add(std::string_view(word));
      client_->send(words.size() > 1 ? words[1] : "", std::move(command), std::move(done));
    });
  }
  // Its answer as text: numbers in digits, errors of Redis and of the client behind "-".
  std::string text(std::vector<std::string> words) { return describe(send(std::move(words))); }

  Result<void> subscribe(const std::string& channel, RedisSubscriber& subscriber) {
    return await<Result<void>>([&](auto done) { client_->subscribe(channel, subscriber, std::move(done)); });
  }
  Result<void> subscribe_pattern(const std::string& pattern, RedisSubscriber& subscriber) {
    return await<Result<void>>([&](auto done) { client_->subscribe_pattern(pattern, subscriber, std::move(done)); });
  }
  Result<void> after_heard(const std::string& key) {
    return await<Result<void>>([&](auto done) { client_->after_heard(key, std::move(done)); });
  }

  // `ask` gets a completion to hand to the client; waits until it is called.
  template <class Answer, class Ask>
  Answer await(Ask ask) {
    std::promise<Answer> answer;
    loop_->post([&] { ask([&answer](Answer value) { answer.set_value(std::move(value)); }); });
    return answer.get_future().get();
  }

  static std::string describe(const Result<RespValue>& result) {
    if (!result) return "-" + result.error().text;
    return describe(*result);
  }
  static std::string describe(const RespValue& value) {
    if (value.is_null()) return "null";
    if (const std::int64_t* const number = value.number()) return std::to_string(*number);
    if (const std::string* const text = value.text()) return *text;
    if (const RespValue::Error* const error = value.error()) return "-" + error->text;
    std::string all = "[";
    for (const RespValue& each : *value.array()) all += (all.size() > 1 ? " " : "") + describe(each);
    return all + "]";
  }

 private:
  const std::unique_ptr<EpollLoop> loop_ = *EpollLoop::create();
  RedirectingDialer dialer_{*loop_};
  SystemRandom random_;
  std::unique_ptr<RedisServers> client_;
  std::thread thread_;
};

}  // namespace carillon
