// ManualLoop: a Loop that turns only when told to, at a time that only its owner moves. For tests and simulation.
//
// One thread, which may own several such loops and turns them one after the other. Outside any turn that thread counts as
// every loop's own; inside a turn as that of the turning loop only, as if each loop had a thread. Another thread may post while
// the owner waits for it.
#pragma once

#include <memory>
#include <thread>
#include <vector>

#include "base/loop.h"

namespace carillon {

class ManualLoop final : public Loop {
 public:
  explicit ManualLoop(Millis start = Millis{0}) : now_(start), wheel_(start) {}
  ~ManualLoop() override;
  ManualLoop(const ManualLoop&) = delete;
  ManualLoop& operator=(const ManualLoop&) = delete;

  void post(Task task) override { posted_.push_back(std::move(task)); }
  bool in_loop_thread() const override {
    return std::this_thread::get_id() == owner_ && (turning_ == nullptr || turning_ == this);
  }
  Millis now() const override { return now_; }
  void schedule(Timer& timer, Millis delay) override { wheel_.schedule(timer, now_, delay); }
  void add_turn_end(TurnEnd& hook) override { turn_ends_.push_back(&hook); }
  void dispose(std::unique_ptr<Disposable> closed) override { closed_.push_back(std::move(closed)); }

  // One turn: what was posted before it, timers that are due, turn-end hooks, then what was closed is freed.
  void turn();
  // Turns at least once, and until nothing is posted. Stops the process after 100 000 turns: something posts for ever.
  void settle();
  // Lets time pass: each timer fires at its own time, and what it causes is settled before the next.
  void advance(Millis span);
  // Moves time without turning; for owners that interleave several loops.
  void set_now(Millis now) { now_ = now; }

  bool idle() const { return posted_.empty() && closed_.empty(); }
  // As TimerWheel::until_next.
  Millis until_next_timer() const { return wheel_.until_next(now_); }

 private:
  static thread_local ManualLoop* turning_;

  const std::thread::id owner_ = std::this_thread::get_id();
  Millis now_;
  TimerWheel wheel_;
  std::vector<Task> posted_;
  std::vector<TurnEnd*> turn_ends_;
  std::vector<std::unique_ptr<Disposable>> closed_;
};

}  // namespace carillon
