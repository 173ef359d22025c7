#include "hub/interest.h"

namespace carillon {

Interest::Stripe& Interest::stripe_of(const Selector& selector) {
  if (selector.kind != Selector::Kind::kExact) return wide_;
  return exact_[stripe_number(selector.base)];
}

void Interest::add(const Selector& selector, unsigned loop) {
  Stripe& stripe = stripe_of(selector);
  const std::lock_guard lock(stripe.mutex);
  stripe.loops[selector] |= std::uint64_t{1} << loop;
  if (&stripe == &wide_) wide_count_.store(wide_.loops.size(), std::memory_order_release);
}

void Interest::remove(const Selector& selector, unsigned loop) {
  Stripe& stripe = stripe_of(selector);
  const std::lock_guard lock(stripe.mutex);
  std::uint64_t* const loops = stripe.loops.find(selector);
  if (loops == nullptr) return;
  *loops &= ~(std::uint64_t{1} << loop);
  if (*loops == 0) stripe.loops.erase(selector);
  if (&stripe == &wide_) wide_count_.store(wide_.loops.size(), std::memory_order_release);
}

std::uint64_t Interest::loops_hearing(std::string_view channel) const {
  std::uint64_t hearing = 0;
  const auto collect = [&hearing](std::uint64_t loops) { hearing |= loops; };
  {
    const Stripe& stripe = exact_[stripe_number(channel)];
    const std::lock_guard lock(stripe.mutex);
    stripe.loops.for_each_match(channel, collect);
  }
  if (wide_count_.load(std::memory_order_acquire) > 0) {
    const std::lock_guard lock(wide_.mutex);
    wide_.loops.for_each_match(channel, collect);
  }
  return hearing;
}

}  // namespace carillon
