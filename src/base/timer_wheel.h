// Timers in O(1): a hierarchical wheel (Varghese and Lauck, 1987) of intrusive lists.
//
// A Timer is a base or a member of whatever waits; its end cancels it, so nothing is ever called after it is gone. The
// wheel and its timers belong to one loop. Resolution: TimerWheel::kTick; a timer never fires early.
#pragma once

#include <array>
#include <chrono>
#include <cstdint>

#include "base/unique_function.h"

namespace carillon {

using Millis = std::chrono::milliseconds;

class Timer {
 public:
  Timer() = default;
  Timer(const Timer&) = delete;
  Timer& operator=(const Timer&) = delete;

  bool armed() const { return next_ != nullptr; }
  void cancel();

 protected:
  virtual ~Timer() { cancel(); }
  // Called once, unarmed; may arm itself again, or destroy itself.
  virtual void on_timer() = 0;

 private:
  friend class TimerWheel;
  Timer* previous_ = nullptr;
  Timer* next_ = nullptr;
  std::uint64_t deadline_tick_ = 0;
};

// A timer that calls a function; for owners that need several.
class CallbackTimer final : public Timer {
 public:
  explicit CallbackTimer(Task callback) : callback_(std::move(callback)) {}

 private:
  void on_timer() override { callback_(); }
  Task callback_;
};

class TimerWheel {
 public:
  static constexpr Millis kTick{8};
  // Longer waits fire at the maximum; a timer for such a span arms itself again.
  static constexpr Millis kLongest{std::int64_t{1} << 34};

  explicit TimerWheel(Millis now);
  ~TimerWheel();

  // Arms the timer, moving it if it was armed.
  void schedule(Timer& timer, Millis now, Millis delay);
  // Fires everything that is due at `now`.
  void advance(Millis now);
  // How long until advance() may have something to do; negative when no timer is armed.
  Millis until_next(Millis now) const;

 private:
  static constexpr int kLevels = 4;
  static constexpr int kSlotBits = 8;
  static constexpr std::uint64_t kSlots = 1 << kSlotBits;
  static constexpr std::uint64_t kNever = ~std::uint64_t{0};

  class Slot final : public Timer {
   public:
    Slot();
    ~Slot() override;
    bool empty() const;

   private:
    void on_timer() override {}
  };

  static std::uint64_t tick_of(Millis now) { return static_cast<std::uint64_t>(now / kTick); }
  void place(Timer& timer);
  void spill(int level);
  void fire(Slot& slot);
  std::uint64_t find_next_tick() const;

  std::array<std::array<Slot, kSlots>, kLevels> slots_;
  std::uint64_t current_tick_;
  mutable std::uint64_t next_tick_ = kNever;  // No timer fires before it; found anew once it has passed.
};

}  // namespace carillon
