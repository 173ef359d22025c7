#include "base/timer_wheel.h"

#include <algorithm>

namespace carillon {

void Timer::cancel() {
  if (next_ == nullptr) return;
  previous_->next_ = next_;
  next_->previous_ = previous_;
  previous_ = next_ = nullptr;
}

// A slot is the head of its own circular list.
TimerWheel::Slot::Slot() {
  previous_ = next_ = this;
}
TimerWheel::Slot::~Slot() {
  while (!empty()) next_->cancel();
  previous_ = next_ = nullptr;
}
bool TimerWheel::Slot::empty() const {
  return next_ == this;
}

TimerWheel::TimerWheel(Millis now) : current_tick_(tick_of(now)) {}
TimerWheel::~TimerWheel() = default;

void TimerWheel::schedule(Timer& timer, Millis now, Millis delay) {
  timer.cancel();
  delay = std::clamp(delay, Millis{0}, kLongest);
  // The next whole tick after the delay has passed, and at least one tick ahead: a timer never fires inside schedule().
  timer.deadline_tick_ = std::max(tick_of(now + delay + kTick - Millis{1}), current_tick_ + 1);
  next_tick_ = std::min(next_tick_, timer.deadline_tick_);
  place(timer);
}

void TimerWheel::place(Timer& timer) {
  const std::uint64_t distance = timer.deadline_tick_ > current_tick_ ? timer.deadline_tick_ - current_tick_ : 0;
  int level = 0;
  while (level + 1 < kLevels && distance >= std::uint64_t{1} << (kSlotBits * (level + 1))) ++level;
  Slot& slot = slots_[static_cast<std::size_t>(level)][(timer.deadline_tick_ >> (kSlotBits * level)) % kSlots];
  timer.next_ = &slot;
  timer.previous_ = slot.previous_;
  timer.previous_->next_ = &timer;
  slot.previous_ = &timer;
}

void TimerWheel::advance(Millis now) {
  const std::uint64_t target = tick_of(now);
  if (next_tick_ == kNever) current_tick_ = std::max(current_tick_, target);  // Nothing is armed.
  while (current_tick_ < target) {
    ++current_tick_;
    for (int level = 1; level < kLevels && (current_tick_ & ((std::uint64_t{1} << (kSlotBits * level)) - 1)) == 0; ++level) {
      spill(level);
    }
    fire(slots_[0][current_tick_ % kSlots]);
  }
}

// A coarse slot's time has come: its timers move to finer levels.
void TimerWheel::spill(int level) {
  Slot& slot = slots_[static_cast<std::size_t>(level)][(current_tick_ >> (kSlotBits * level)) % kSlots];
  Slot due;
  if (slot.empty()) return;
  due.next_ = slot.next_;
  due.previous_ = slot.previous_;
  due.next_->previous_ = due.previous_->next_ = &due;
  slot.previous_ = slot.next_ = &slot;
  while (!due.empty()) {
    Timer& timer = *due.next_;
    timer.cancel();
    place(timer);
  }
}

void TimerWheel::fire(Slot& slot) {
  while (!slot.empty()) {
    Timer& timer = *slot.next_;
    timer.cancel();
    timer.on_timer();
  }
}

Millis TimerWheel::until_next(Millis now) const {
  if (next_tick_ <= current_tick_) next_tick_ = find_next_tick();
  if (next_tick_ == kNever) return Millis{-1};
  return std::max(Millis{0}, Millis(static_cast<std::int64_t>(next_tick_) * kTick.count()) - now);
}

// The nearest armed slot of the finest level, or the next boundary at which a coarser level spills.
std::uint64_t TimerWheel::find_next_tick() const {
  for (std::uint64_t tick = current_tick_ + 1; tick <= current_tick_ + kSlots; ++tick) {
    if (!slots_[0][tick % kSlots].empty()) return tick;
    if (tick % kSlots != 0) continue;
    for (std::size_t level = 1; level < kLevels; ++level) {
      if (std::any_of(slots_[level].begin(), slots_[level].end(), [](const Slot& slot) { return !slot.empty(); })) return tick;
    }
  }
  return kNever;
}

}  // namespace carillon
