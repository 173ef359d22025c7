// Loops on threads of their own, for tests that a thread checker watches.
#pragma once

#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

#include "os/epoll_loop.h"

namespace carillon {

// Tasks on the loops may be waited for.
class Threads {
 public:
  explicit Threads(unsigned count) {
    for (unsigned i = 0; i < count; ++i) loops_.push_back(*EpollLoop::create());
  }
  ~Threads() { stop(); }
  void start() {
    for (auto& loop : loops_) threads_.emplace_back([&loop] { loop->run(); });
  }
  void stop() {
    for (auto& loop : loops_) loop->stop();
    for (std::thread& thread : threads_) thread.join();
    threads_.clear();
  }
  EpollLoop& operator[](unsigned loop) { return *loops_[loop]; }
  void on(unsigned loop, std::function<void()> act) {
    std::mutex mutex;
    std::condition_variable finished;
    bool done = false;
    loops_[loop]->post([&] {
      act();
      const std::lock_guard lock(mutex);
      done = true;
      finished.notify_one();
    });
    std::unique_lock lock(mutex);
    finished.wait(lock, [&done] { return done; });
  }

 private:
  std::vector<std::unique_ptr<EpollLoop>> loops_;
  std::vector<std::thread> threads_;
};

}  // namespace carillon
