// LogLimit: one line in a while about something that many peers may cause at once. One thread.
#pragma once

#include <cstdint>

#include "base/timer_wheel.h"

namespace carillon {

class LogLimit {
 public:
  explicit LogLimit(Millis period = Millis{1000}) : period_(period) {}

  // Whether a line may be written now; if not, it is counted.
  bool may_write(Millis now) {
    if (written_ && now - last_ < period_) {
      ++left_out_;
      return false;
    }
    written_ = true;
    last_ = now;
    return true;
  }
  // Lines left out since the last that was written.
  std::uint64_t take_left_out() { return std::exchange(left_out_, 0); }

 private:
  Millis period_;
  Millis last_{0};
  bool written_ = false;
  std::uint64_t left_out_ = 0;
};

}  // namespace carillon
