// LogChannels: what is known in memory of the channels that were used lately. Everything here is on the disk too, so an entry
// may be dropped and read again.
//
// The writer alone changes `record`; what readers may show is under the stripe's mutex, which the writer holds while it hands a
// publication out and shows it.
#pragma once

#include <array>
#include <atomic>
#include <boost/unordered/unordered_flat_map.hpp>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>

#include "base/hash.h"
#include "engine/log/log_record.h"

namespace carillon {

struct LogChannel {
  LogChannel(std::string_view its_name, const LogChannelRecord& its_record, const HistoryRule& its_rule)
      : name(its_name),
        number(its_record.number),
        epoch(its_record.top.epoch),
        rule(its_rule),
        record(its_record),
        shown_top(its_record.top.offset),
        shown_oldest(its_record.oldest) {}

  const std::string name;
  const std::uint64_t number;
  const std::uint64_t epoch;
  const HistoryRule rule;

  // The writer's.
  LogChannelRecord record;
  bool bytes_gone_known = false;  // record.bytes_gone is that of the oldest.
  std::uint64_t batch = 0;        // The last batch that touched it.

  // Under the stripe's mutex.
  std::uint64_t shown_top;
  std::uint64_t shown_oldest;
  bool used = true;  // Since the last look for what to drop.
};
using LogChannelPtr = std::shared_ptr<LogChannel>;

class LogChannels {
 public:
  static constexpr std::size_t kStripes = 64;

  struct Stripe {
    std::mutex mutex;
    boost::unordered_flat_map<std::string, LogChannelPtr, NameHash, NameEqual> channels;
    std::uint64_t dropped = 0;  // How many entries were dropped ever.
  };

  // Not the lowest bits: the maps inside the stripes tell names apart by those.
  Stripe& stripe_of(std::string_view name) { return stripes_[(hash_name(name) >> 20) % kStripes]; }
  Stripe& stripe(std::size_t index) { return stripes_[index]; }

  // Null: not known here.
  LogChannelPtr find(std::string_view name);
  // The entry that is there already stays, and is returned. Null: entries were dropped since there were `dropped` of them, so
  // what this one was made from may be what was there before it was used and dropped.
  LogChannelPtr add(const LogChannelPtr& channel, std::optional<std::uint64_t> dropped = std::nullopt);
  void drop(const LogChannel& channel);
  // Drops entries of one stripe that were not used since the last call for it.
  void drop_unused(std::size_t index);

  std::size_t count() const { return count_.load(std::memory_order_relaxed); }

 private:
  std::array<Stripe, kStripes> stripes_;
  std::atomic<std::size_t> count_{0};
};

}  // namespace carillon
