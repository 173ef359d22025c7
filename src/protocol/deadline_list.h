// DeadlineList: what is to happen at a time, the next first, with one timer for all. One loop.
#pragma once

#include <set>
#include <utility>

#include "base/loop.h"

namespace carillon {

class DeadlineList final : private Timer {
 public:
  class Member {
   public:
    // Its time has come, and it is in the list no more. May add and remove any, and end any.
    virtual void on_deadline() = 0;

   protected:
    ~Member() = default;
  };

  explicit DeadlineList(Loop& loop) : loop_(loop) {}

  // A member may be there once for each time, and must be removed before it ends.
  void add(Member& member, Millis at);
  // Nothing happens when it is not there.
  void remove(Member& member, Millis at) { waiting_.erase({at, &member}); }
  std::size_t size() const { return waiting_.size(); }

 private:
  void on_timer() override;
  void arm();

  Loop& loop_;
  std::set<std::pair<Millis, Member*>> waiting_;
};

}  // namespace carillon
