#include "hub/interest.h"

#include <algorithm>

namespace carillon {
namespace {

// Where the third segment ends, or the name does.
std::size_t head_size(std::string_view name) {
  std::size_t end = name.find(':');
  for (int separators = 1; separators < 3 && end != std::string_view::npos; ++separators) end = name.find('/', end + 1);
  return std::min(end, name.size());
}

bool is_everything(const Selector& selector) {
  return selector.kind == Selector::Kind::kTree && selector.base.empty();
}

bool is_shallow(const Selector& selector) {
  if (selector.kind == Selector::Kind::kExact) return false;
  const std::size_t colon = selector.base.find(':');
  return colon == std::string::npos || selector.base.find('/', colon) == std::string::npos;
}

}  // namespace

const Interest::Stripe& Interest::stripe_of(std::string_view name) const {
  // Not the lowest bits: the maps inside the stripes tell names apart by those.
  return stripes_[(hash_name(name.substr(0, head_size(name))) >> 20) % kStripes];
}

template <class Change>
void Interest::change_table_of(const Selector& selector, Change&& change) {
  if (is_shallow(selector)) {
    const std::unique_lock lock(shallow_mutex_);
    change(shallow_);
    shallow_count_.store(shallow_.size(), std::memory_order_release);
  } else {
    const Stripe& stripe = stripe_of(selector.base);
    const std::lock_guard lock(stripe.mutex);
    change(stripe.loops);
  }
}

void Interest::add(const Selector& selector, unsigned loop) {
  const std::uint64_t bit = std::uint64_t{1} << loop;
  if (is_everything(selector)) {
    everything_.fetch_or(bit, std::memory_order_release);
  } else {
    change_table_of(selector, [&](Loops& table) { table[selector] |= bit; });
  }
}

void Interest::remove(const Selector& selector, unsigned loop) {
  const std::uint64_t bit = std::uint64_t{1} << loop;
  if (is_everything(selector)) {
    everything_.fetch_and(~bit, std::memory_order_release);
    return;
  }
  change_table_of(selector, [&](Loops& table) {
    std::uint64_t* const loops = table.find(selector);
    if (loops == nullptr) return;
    *loops &= ~bit;
    if (*loops == 0) table.erase(selector);
  });
}

std::uint64_t Interest::loops_hearing(std::string_view channel) const {
  std::uint64_t hearing = everything_.load(std::memory_order_acquire);
  const auto collect = [&hearing](std::uint64_t loops) { hearing |= loops; };
  {
    const Stripe& stripe = stripe_of(channel);
    const std::lock_guard lock(stripe.mutex);
    stripe.loops.for_each_match(channel, collect);
  }
  if (shallow_count_.load(std::memory_order_acquire) > 0) {
    const std::shared_lock lock(shallow_mutex_);
    shallow_.for_each_match(channel, collect);
  }
  return hearing;
}

}  // namespace carillon
