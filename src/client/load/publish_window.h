// PublishWindow: which publishes of a closed loop are still on their way to someone. Sequences count up from 0 by one.
//
// A publish is in flight until everybody has heard it and all before it; at most `size` are in flight. One thread.
#pragma once

#include <cstdint>
#include <vector>

namespace carillon {

class PublishWindow {
 public:
  explicit PublishWindow(std::uint32_t size) : missing_(size) {}

  bool may_publish() const { return next_ - oldest_ < missing_.size(); }
  bool empty() const { return next_ == oldest_; }

  // The next sequence went out, and so many shall hear it. Only when may_publish().
  void on_published(std::uint64_t hearers) {
    missing_[next_++ % missing_.size()] = hearers;
    advance();
  }

  // Somebody heard it. What is not in flight (given up, or heard once too often) changes nothing.
  void on_delivered(std::uint32_t sequence) {
    if (sequence - oldest_ >= next_ - oldest_) return;
    std::uint64_t& missing = missing_[sequence % missing_.size()];
    if (missing > 0) --missing;
    if (sequence == oldest_) advance();
  }

  // What is in flight shall no longer be waited for.
  void give_up() { oldest_ = next_; }

 private:
  void advance() {
    while (oldest_ != next_ && missing_[oldest_ % missing_.size()] == 0) ++oldest_;
  }

  std::vector<std::uint64_t> missing_;  // Who has not heard it, by sequence modulo size.
  std::uint32_t oldest_ = 0;            // Sequences may wrap: only their differences count.
  std::uint32_t next_ = 0;
};

}  // namespace carillon
