// Answer: what one thread waits for and another gives, or never gives.
//
// The waiting thread owns the Answer. A Giver is moved to whoever gives, through tasks and callbacks; the wait is over when the
// last of it is destroyed, with the value if one was given. So a task that a stopped loop destroys unrun ends the wait too.
#pragma once

#include <condition_variable>
#include <memory>
#include <mutex>
#include <optional>
#include <utility>

namespace carillon {

template <class T>
class Answer {
  struct State {
    std::mutex mutex;
    std::condition_variable changed;
    std::optional<T> value;
    bool over = false;
  };

 public:
  class Giver {
   public:
    explicit Giver(std::shared_ptr<State> state) : state_(std::move(state)) {}
    Giver(Giver&&) noexcept = default;
    Giver& operator=(Giver&&) = delete;
    ~Giver() {
      if (state_ == nullptr) return;
      const std::lock_guard lock(state_->mutex);
      state_->over = true;
      state_->changed.notify_one();
    }

    void give(T value) {
      const std::lock_guard lock(state_->mutex);
      state_->value = std::move(value);
    }

   private:
    std::shared_ptr<State> state_;
  };

  // Once.
  Giver giver() { return Giver(state_); }

  // Nothing: nobody is left who could give.
  std::optional<T> wait() {
    std::unique_lock lock(state_->mutex);
    state_->changed.wait(lock, [this] { return state_->over; });
    return std::move(state_->value);
  }

 private:
  std::shared_ptr<State> state_ = std::make_shared<State>();
};

}  // namespace carillon
