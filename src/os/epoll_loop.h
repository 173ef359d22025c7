// EpollLoop: the real Loop: one thread, one epoll set, one read buffer that all its connections share.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <span>
#include <vector>

#include "base/counter.h"
#include "base/loop.h"
#include "carillon/result.h"
#include "os/file_descriptor.h"

namespace carillon {

// What epoll tells of: a socket, the loop's own bell.
class Pollable {
 public:
  virtual void on_ready(std::uint32_t epoll_events) = 0;

 protected:
  ~Pollable() = default;
};

class EpollLoop final : public Loop {
 public:
  static Result<std::unique_ptr<EpollLoop>> create();
  ~EpollLoop() override;

  // Turns until stop(). The calling thread is the loop's thread from here on.
  void run();
  // Any thread. The turn under way is finished first.
  void stop();

  void post(Task task) override;
  bool in_loop_thread() const override;
  Millis now() const override { return now_; }
  void schedule(Timer& timer, Millis delay) override { timers_.schedule(timer, now_, delay); }
  void add_turn_end(TurnEnd& hook) override { turn_ends_.push_back(&hook); }
  void dispose(std::unique_ptr<Disposable> closed) override { disposed_.push_back(std::move(closed)); }

  // For sockets, on the loop's thread (or before it runs).
  Result<void> watch(int fd, std::uint32_t epoll_events, Pollable& pollable);
  void change(int fd, std::uint32_t epoll_events, Pollable& pollable);
  // Before a descriptor is closed (the kernel forgets it by itself only when no process that is just being forked has it too),
  // or goes on to another Pollable. What was ready in this turn may still be told. Nothing happens if it is not watched.
  void forget(int fd);
  // Lent to whoever reads, during one call.
  std::span<char> read_buffer() { return {read_buffer_.get(), kReadBufferBytes}; }

  // Turns taken, and the longest since the last call in microseconds: a loop that is held up shows here. Any thread.
  std::uint64_t turns() const { return turns_.get(); }
  std::uint64_t take_longest_turn_us() { return longest_turn_us_.exchange(0, std::memory_order_relaxed); }

 private:
  // Deep enough that what a busy publisher sent while we were away is one turn's work.
  static constexpr std::size_t kReadBufferBytes = 256 << 10;
  static constexpr int kEventsPerTurn = 1024;

  EpollLoop(FileDescriptor epoll, FileDescriptor bell);

  void turn();
  int timer_wait_ms() const;
  void stop_taking();
  void run_posted();
  void free_disposed();
  void measure_turn(std::int64_t began_us);

  class Bell final : public Pollable {
   public:
    explicit Bell(int fd) : fd_(fd) {}
    void on_ready(std::uint32_t epoll_events) override;

   private:
    int fd_;
  };

  FileDescriptor epoll_;
  FileDescriptor bell_fd_;
  Bell bell_;
  std::unique_ptr<char[]> read_buffer_;
  Millis now_;
  TimerWheel timers_;
  std::vector<TurnEnd*> turn_ends_;
  std::vector<std::unique_ptr<Disposable>> disposed_;
  std::atomic<bool> stopping_{false};

  std::mutex posted_mutex_;
  std::vector<Task> posted_;  // Under posted_mutex_, as the next.
  bool stopped_ = false;      // Nothing posted will run any more.

  Counter turns_;
  std::atomic<std::uint64_t> longest_turn_us_{0};
};

}  // namespace carillon
