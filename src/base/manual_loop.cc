#include "base/manual_loop.h"

#include <algorithm>
#include <utility>

#include "base/check.h"

namespace carillon {

thread_local ManualLoop* ManualLoop::turning_ = nullptr;

// What is freed may post or close more; tasks are destroyed unrun.
ManualLoop::~ManualLoop() {
  while (!idle()) {
    std::exchange(closed_, {}).clear();
    std::exchange(posted_, {}).clear();
  }
}

void ManualLoop::turn() {
  ManualLoop* const outer = std::exchange(turning_, this);
  CHECK(outer == nullptr);
  std::vector<Task> tasks = std::exchange(posted_, {});
  for (Task& task : tasks) {
    task();
    task = {};
  }
  wheel_.advance(now_);
  // By index: a hook may register another.
  for (std::size_t i = 0; i < turn_ends_.size(); ++i) turn_ends_[i]->on_turn_end();
  while (!closed_.empty()) std::exchange(closed_, {}).clear();
  turning_ = outer;
}

void ManualLoop::settle() {
  constexpr int kTurnsMax = 100'000;
  int turns = 0;
  do {
    CHECK(++turns <= kTurnsMax);
    turn();
  } while (!idle());
}

void ManualLoop::advance(Millis span) {
  const Millis end = now_ + span;
  settle();
  while (true) {
    const Millis wait = wheel_.until_next(now_);
    if (wait < Millis{0} || now_ + wait > end) break;
    now_ += std::max(wait, Millis{1});
    settle();
  }
  now_ = std::max(now_, end);
  settle();
}

}  // namespace carillon
