// Interest: which loops hear a channel, so that nobody else is told of a publication. Any thread; one short lock a stripe.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <mutex>
#include <string_view>

#include "hub/selector_table.h"

namespace carillon {

class Interest {
 public:
  static constexpr unsigned kLoopsMax = 64;

  void add(const Selector& selector, unsigned loop);
  void remove(const Selector& selector, unsigned loop);
  // Bit i: loop i hears the channel.
  std::uint64_t loops_hearing(std::string_view channel) const;

 private:
  // Exact selectors are spread over stripes; the few wide ones are under one lock of their own.
  struct Stripe {
    mutable std::mutex mutex;
    mutable SelectorTable<std::uint64_t> loops;
  };
  static constexpr std::size_t kStripes = 64;

  // Not the lowest bits: the maps inside the stripes tell names apart by those.
  static std::size_t stripe_number(std::string_view name) { return (hash_name(name) >> 20) % kStripes; }
  Stripe& stripe_of(const Selector& selector);

  std::array<Stripe, kStripes> exact_;
  Stripe wide_;
  std::atomic<std::size_t> wide_count_{0};
};

}  // namespace carillon
