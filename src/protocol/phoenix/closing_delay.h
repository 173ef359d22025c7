// ClosingDelay: keeps connections open for a while that the server wants to close.
//
// phoenix.js connects again 10 ms after a connection was lost that had once been open, and never slows down; a client whose
// first frame closes its connection would come back a hundred times a second. Its close so waits until the connection has
// lived for a time. One loop, with one timer.
#pragma once

#include <set>
#include <utility>

#include "base/loop.h"

namespace carillon {

class ClosingDelay final : private Timer {
 public:
  class Held {
   public:
    // May forget or hold any, and end any but itself.
    virtual void on_held_long_enough() = 0;

   protected:
    ~Held() = default;
  };

  ClosingDelay(Loop& loop, std::size_t held_max) : loop_(loop), held_max_(held_max) {}

  // False: it is late enough, or as many are held as may be; close at once. Else `held` is told at `until`, unless it is
  // forgotten before, which its end must do.
  bool hold(Held& held, Millis until);
  void forget(Held& held, Millis until) { held_.erase({until, &held}); }
  std::size_t size() const { return held_.size(); }

 private:
  void on_timer() override;
  void arm();

  Loop& loop_;
  const std::size_t held_max_;
  std::set<std::pair<Millis, Held*>> held_;
};

}  // namespace carillon
