// Listener: a bounded stream of every publication, for code in this process. A slow listener loses the oldest and knows how
// many; it never holds up a publisher.
#pragma once

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <mutex>

#include "hub/publication.h"

namespace carillon {

class Listener {
 public:
  explicit Listener(std::size_t capacity) : capacity_(capacity) {}

  // Any thread.
  void push(const PublicationPtr& publication);
  void close();

  // The oldest waiting publication; null when none came within `wait` or the stream was closed and is empty.
  PublicationPtr next(std::chrono::milliseconds wait);
  // No more will come than what waits.
  bool closed();
  // Publications lost since the last call.
  std::uint64_t take_lost();

 private:
  const std::size_t capacity_;
  std::mutex mutex_;
  std::condition_variable came_;
  std::deque<PublicationPtr> waiting_;
  std::uint64_t lost_ = 0;
  bool closed_ = false;
};

}  // namespace carillon
