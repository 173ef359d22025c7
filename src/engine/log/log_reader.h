// LogReader: pages of history from the disk, and publications by their ids. Any thread; blocks while the disk works.
#pragma once

#include <atomic>
#include <optional>
#include <string>
#include <vector>

#include "base/clock.h"
#include "engine/log/log_channels.h"
#include "engine/log/log_store.h"

namespace carillon {

class LogReader {
 public:
  // All of them outlive the reader.
  LogReader(const LogStore& store, LogChannels& channels, const Clock& clock,
            const std::function<HistoryRule(std::string_view)>& rule_for)
      : store_(store), channels_(channels), clock_(clock), rule_for_(rule_for) {}

  // The epoch of channels that do not exist yet.
  void set_epoch(std::uint64_t epoch) { epoch_.store(epoch); }
  std::uint64_t epoch() const { return epoch_.load(); }

  // The answer when it needs no disk: to a question for the position of a channel that is known in memory.
  std::optional<HistoryPage> page_at_hand(const HistoryQuery& query);
  Result<HistoryPage> page(const HistoryQuery& query);
  Result<std::vector<PublicationPtr>> publications(const std::string& channel, const std::vector<Uuid>& ids);
  Result<std::vector<ChannelRecord>> channels(const std::string& prefix, const std::string& after, std::size_t count_max);

  // The first offset in [from, to) whose publication is not older; `to` when all are.
  Result<std::uint64_t> offset_at(std::uint64_t channel_number, std::uint64_t from, std::uint64_t to,
                                  std::int64_t time_ms) const;
  HistoryRule rule_for(std::string_view channel) const { return rule_for_(channel); }
  // The entry of a channel that exists, brought into memory if it was not.
  Result<LogChannelPtr> load(const std::string& name);

 private:
  // What may be shown: [oldest, top].
  struct Shown {
    std::uint64_t number = 0;
    Position top;
    std::uint64_t oldest = 1;
  };
  std::optional<Shown> shown_at_hand(std::string_view name);
  Result<std::optional<Shown>> shown(const std::string& name);

  const LogStore& store_;
  LogChannels& channels_;
  const Clock& clock_;
  const std::function<HistoryRule(std::string_view)>& rule_for_;
  std::atomic<std::uint64_t> epoch_{0};
};

}  // namespace carillon
