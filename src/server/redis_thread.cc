#include "server/redis_thread.h"

#include <chrono>
#include <future>

namespace carillon {

Result<std::unique_ptr<RedisThread>> RedisThread::open(const Clock& clock, Random& random, RedisOptions options) {
  Result<std::unique_ptr<EpollLoop>> loop = EpollLoop::create();
  if (!loop) return loop.error();
  return std::unique_ptr<RedisThread>(new RedisThread(*std::move(loop), clock, random, std::move(options)));
}

RedisThread::RedisThread(std::unique_ptr<EpollLoop> loop, const Clock& clock, Random& random, RedisOptions options)
    : loop_(std::move(loop)), dialer_(*loop_), engine_(*loop_, dialer_, clock, random, std::move(options)) {}

RedisThread::~RedisThread() {
  stop();
}

Result<void> RedisThread::start() {
  thread_ = std::thread([this] { loop_->run(); });
  engine_.start();
  std::promise<Result<void>> answered;
  engine_.channels("", "", 1, [&answered](const Result<std::vector<ChannelRecord>>& outcome) {
    answered.set_value(outcome ? Result<void>() : outcome.error());
  });
  const Result<void> outcome = answered.get_future().get();
  if (outcome) wait_for_number();
  if (outcome) return outcome;
  return Error{ErrorKind::kUnavailable, "the Redis of redis.urls (--redis) cannot be used: " + outcome.error().text};
}

// Ids that are made without one name no node. Each time is one more question to Redis; not for ever, as there may be none free.
void RedisThread::wait_for_number() {
  constexpr std::chrono::seconds kLongest{2};
  const auto until = std::chrono::steady_clock::now() + kLongest;
  bool lists = true;
  while (lists && engine_.nodes()->self().number == 0 && std::chrono::steady_clock::now() < until) {
    std::promise<bool> listed;
    engine_.nodes()->list([&listed](const Result<std::vector<NodeRecord>>& nodes) { listed.set_value(nodes.has_value()); });
    lists = listed.get_future().get();
  }
}

void RedisThread::stop() {
  if (!thread_.joinable()) return;
  engine_.stop();
  loop_->stop();
  thread_.join();
}

}  // namespace carillon
