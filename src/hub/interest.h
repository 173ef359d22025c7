// Interest: which loops hear a channel, so that nobody else is told of a publication. Any thread.
//
// Asked for every publication, on all loops at once, and changed seldom: so a question takes the lock of one stripe, which
// holds all selectors but the shallow ones that can match the channel; and, while there are shallow ones, theirs, shared. Who
// hears everything costs no lock.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <mutex>
#include <shared_mutex>
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
  using Loops = SelectorTable<std::uint64_t>;
  // By the first three segments: exact selectors, and wide ones whose base has as many (`repo:alice/app` and what lies below).
  struct Stripe {
    mutable std::mutex mutex;
    mutable Loops loops;
  };
  static constexpr std::size_t kStripes = 64;

  const Stripe& stripe_of(std::string_view name) const;
  // Calls change(table) under its lock.
  template <class Change>
  void change_table_of(const Selector& selector, Change&& change);

  std::array<Stripe, kStripes> stripes_;
  // Of the tree of the empty name.
  std::atomic<std::uint64_t> everything_{0};
  // Other wide selectors with less segments: all rooms, one owner's repositories.
  mutable std::shared_mutex shallow_mutex_;
  mutable Loops shallow_;  // Looked into only, under a shared lock.
  std::atomic<std::size_t> shallow_count_{0};
};

}  // namespace carillon
