// BayeuxEvents: what happens to sessions, for the program's listeners: bounded streams that drop their oldest. Any thread.
#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <mutex>
#include <optional>
#include <vector>

#include "carillon/bayeux.h"

namespace carillon {

using BayeuxEventPtr = std::shared_ptr<const BayeuxEvent>;

// One listener's events. May outlive the BayeuxEvents that fills it.
class BayeuxEventStream {
 public:
  // Beyond `capacity`, 1 at least, the oldest goes and is counted.
  explicit BayeuxEventStream(std::size_t capacity);

  void push(const BayeuxEventPtr& event);
  // No more will come than what waits.
  void close();
  // Nothing: none came in time, or it was closed and all was taken.
  std::optional<BayeuxEvent> next(std::chrono::milliseconds wait);
  // Events lost since the last call.
  std::uint64_t take_lost();
  bool closed() const;
  // What waits, what was lost and whether it is closed, anew. It hears of nothing by itself: BayeuxEvents::Streams::add_copy.
  std::shared_ptr<BayeuxEventStream> copy() const;

 private:
  const std::size_t capacity_;
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<BayeuxEventPtr> waiting_;
  std::uint64_t lost_ = 0;
  bool closed_ = false;
};

class BayeuxEvents {
 public:
  // The streams that are filled. Listeners hold it, so that they can be copied when the BayeuxEvents is gone: nothing comes
  // then.
  class Streams {
   public:
    void add(std::shared_ptr<BayeuxEventStream> stream);
    // A further stream from where `first` stands, which gets all that comes from now on.
    std::shared_ptr<BayeuxEventStream> add_copy(const BayeuxEventStream& first);
    void push(const BayeuxEventPtr& event);
    void close();
    bool heard() const { return count_.load(std::memory_order_relaxed) != 0; }

   private:
    void put(const std::shared_ptr<BayeuxEventStream>& stream);

    std::mutex mutex_;
    std::vector<std::weak_ptr<BayeuxEventStream>> streams_;
    std::atomic<std::size_t> count_{0};
    bool closed_ = false;
  };

  BayeuxEvents() = default;
  ~BayeuxEvents();
  BayeuxEvents(const BayeuxEvents&) = delete;
  BayeuxEvents& operator=(const BayeuxEvents&) = delete;

  std::shared_ptr<BayeuxEventStream> listen(std::size_t capacity);
  const std::shared_ptr<Streams>& streams() const { return streams_; }
  // Whether anybody listens: who would make an event only to throw it away asks first. May say so a while longer than is true.
  bool heard() const { return streams_->heard(); }
  void emit(BayeuxEvent event);
  // Ends every stream, after what waits in it. Idempotent.
  void close();

 private:
  const std::shared_ptr<Streams> streams_ = std::make_shared<Streams>();
};

}  // namespace carillon
