// Loop: one thread and its turns. In a turn a loop handles what happened (bytes, timers, posted tasks), then runs its
// turn-end hooks, which send what piled up, then frees what was closed.
#pragma once

#include <memory>

#include "base/timer_wheel.h"
#include "base/unique_function.h"

namespace carillon {

// What may outlive the call in which it was closed, and is freed at the turn's end.
class Disposable {
 public:
  virtual ~Disposable() = default;
};

// Runs at the end of every turn, in the order of registration.
class TurnEnd {
 public:
  virtual ~TurnEnd() = default;
  virtual void on_turn_end() = 0;
};

class Loop {
 public:
  virtual ~Loop() = default;

  // Runs the task on the loop's thread in a later turn. Any thread. Tasks of one poster run in their order. Tasks posted
  // to a loop that has stopped are destroyed unrun.
  virtual void post(Task task) = 0;

  // True on the loop's own thread. Any thread.
  virtual bool in_loop_thread() const = 0;

  // The rest only on the loop's own thread (or before it runs).

  // Monotonic, since an arbitrary start; read once a turn.
  virtual Millis now() const = 0;
  virtual void schedule(Timer& timer, Millis delay) = 0;
  virtual void add_turn_end(TurnEnd& hook) = 0;
  virtual void dispose(std::unique_ptr<Disposable> closed) = 0;
};

}  // namespace carillon
