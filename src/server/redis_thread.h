// RedisThread: a Redis engine with a loop and a thread of its own.
#pragma once

#include <memory>
#include <thread>

#include "engine/redis/redis_engine.h"
#include "os/epoll_loop.h"
#include "os/tcp_dialer.h"

namespace carillon {

class RedisThread {
 public:
  // The arguments outlive it.
  static Result<std::unique_ptr<RedisThread>> open(const Clock& clock, Random& random, RedisOptions options);
  ~RedisThread();

  RedisEngine& engine() { return engine_; }
  // Begins, and waits until Redis has answered once and, mostly, given this node its number. Errors: kUnavailable.
  Result<void> start();
  // Blocks until every completion was called. Idempotent.
  void stop();

 private:
  void wait_for_number();

  RedisThread(std::unique_ptr<EpollLoop> loop, const Clock& clock, Random& random, RedisOptions options);

  const std::unique_ptr<EpollLoop> loop_;
  TcpDialer dialer_;
  RedisEngine engine_;
  std::thread thread_;
};

}  // namespace carillon
