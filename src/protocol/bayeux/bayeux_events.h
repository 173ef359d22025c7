// BayeuxEvents: what happens to sessions, for the program's listeners: bounded streams that drop their oldest. Any thread.
#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <deque>
#include <memory>
#include <mutex>
#include <optional>
#include <vector>

#include "carillon/bayeux.h"

namespace carillon {

class BayeuxEventStream {
 public:
  explicit BayeuxEventStream(std::size_t capacity) : capacity_(capacity) {}
  // What waits, what was lost and whether it is closed, anew.
  std::shared_ptr<BayeuxEventStream> copy() const;

  void push(const BayeuxEvent& event);
  void close();
  std::optional<BayeuxEvent> next(std::chrono::milliseconds wait);
  std::uint64_t take_lost();
  bool closed() const;

 private:
  const std::size_t capacity_;
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<BayeuxEvent> waiting_;
  std::uint64_t lost_ = 0;
  bool closed_ = false;
};

class BayeuxEvents {
 public:
  ~BayeuxEvents();

  std::shared_ptr<BayeuxEventStream> listen(std::size_t capacity);
  // A further listener from where the first stands, which gets all that comes from now on.
  std::shared_ptr<BayeuxEventStream> listen_as(const BayeuxEventStream& first);
  // Whether anybody listens: who would make an event only to throw it away asks first.
  bool heard() const { return count_.load(std::memory_order_relaxed) != 0; }
  void emit(BayeuxEvent event);
  // Ends every stream, after what waits in it.
  void close();

 private:
  std::mutex mutex_;
  std::vector<std::weak_ptr<BayeuxEventStream>> streams_;
  std::atomic<std::size_t> count_{0};
  bool closed_ = false;
};

}  // namespace carillon
