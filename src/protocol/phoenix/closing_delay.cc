#include "protocol/phoenix/closing_delay.h"

#include <algorithm>

namespace carillon {

bool ClosingDelay::hold(Held& held, Millis until) {
  if (until <= loop_.now() || held_.size() >= held_max_) return false;
  const auto place = held_.emplace(until, &held).first;
  if (place == held_.begin()) arm();
  return true;
}

void ClosingDelay::on_timer() {
  while (!held_.empty() && held_.begin()->first <= loop_.now()) {
    Held* const held = held_.begin()->second;
    held_.erase(held_.begin());
    held->on_held_long_enough();
  }
  arm();
}

void ClosingDelay::arm() {
  if (!held_.empty()) loop_.schedule(*this, std::max(held_.begin()->first - loop_.now(), Millis{0}));
}

}  // namespace carillon
