#include "engine/log/log_check.h"

#include <fmt/format.h>

#include <unordered_map>

#include "engine/log/log_store.h"
#include "hub/publication_id.h"

namespace carillon {
namespace {

constexpr std::uint64_t kProgressEvery = 10'000;

// One channel and how far its publications were looked at.
struct Looked {
  std::string name;
  LogChannelRecord record;
  std::uint64_t next = 1;  // The offset that must come.
  std::int64_t time_ms = 0;
  std::uint64_t bytes_end = 0;  // What the next publication must say is before it; unknown before the first.
  bool any = false;
};

class Checker {
 public:
  Checker(Files& files, const LogStore& store, const LogProgress& progress, LogCheck& report)
      : files_(files), store_(store), progress_(progress), report_(report) {}

  void check() {
    check_tables();
    if (!check_channels() || !check_publications()) return;
    check_keys();
    check_states();
  }

 private:
  void check_tables() {
    const std::vector<LogTable> tables = store_.tables();
    std::uint64_t total = 0, done = 0;
    for (const LogTable& table : tables) total += table.bytes;
    for (const LogTable& table : tables) {
      progress_("checksums, in bytes", done, total);
      if (const Result<void> whole = LogStore::verify(files_, table.path); !whole) {
        report_.add_fault(fmt::format("{} ({}): {}", table.path, table.family, whole.error().text));
      }
      done += table.bytes;
    }
  }

  // False: reading ends here. The fault is noted.
  bool reads(const Result<void>& result, std::string_view what) {
    if (!result) report_.add_fault(fmt::format("the {} cannot be read to their end: {}", what, result.error().text));
    return result.has_value();
  }

  bool check_channels() {
    return reads(store_.scan(LogFamily::kChannels, "",
                             [this](std::string_view name, std::string_view value) {
                               check_channel(name, read_channel(value));
                               return true;
                             }),
                 "channels");
  }

  void check_channel(std::string_view name, const std::optional<LogChannelRecord>& record) {
    if (++report_.channels % kProgressEvery == 0) progress_("channels", report_.channels, 0);
    if (!record) return report_.add_fault(fmt::format("channel {}: its record is damaged", name));
    if (record->number == 0 || record->number >= store_.next_number()) {
      report_.add_fault(fmt::format("channel {}: its number {} was never given", name, record->number));
    }
    const auto [place, is_new] =
        channels_.try_emplace(record->number, Looked{.name = std::string(name), .record = *record, .next = record->oldest});
    if (!is_new) {
      report_.add_fault(fmt::format("channel {}: it has the same number as channel {}", name, place->second.name));
    }
  }

  bool check_publications() {
    const Result<void> scanned =
        store_.scan(LogFamily::kPublications, "", [this](std::string_view key, std::string_view value) {
          if (++report_.publications % kProgressEvery == 0) progress_("events", report_.publications, 0);
          const std::optional<PublicationKey> place = read_publication_key(key);
          if (place) {
            check_publication(*place, value);
          } else {
            report_.add_fault(fmt::format("an event is kept under a key of {} bytes", key.size()));
          }
          return true;
        });
    if (!reads(scanned, "events")) return false;
    for (const auto& [number, channel] : channels_) check_end(channel);
    if (orphans_ > 0) report_.add_fault(fmt::format("{} events belong to no channel", orphans_));
    return true;
  }

  void check_publication(const PublicationKey& place, std::string_view value) {
    const auto found = channels_.find(place.channel_number);
    if (found == channels_.end()) {
      ++orphans_;
      return;
    }
    Looked& channel = found->second;
    const auto fault = [&](std::string_view what) {
      report_.add_fault(fmt::format("channel {}, offset {}: {}", channel.name, place.offset, what));
    };
    if (place.offset < channel.record.erased) return fault("it should have been erased");
    if (place.offset < channel.record.oldest) return;  // To be erased.
    if (place.offset > channel.record.top.offset) return fault("it is beyond the channel's newest");
    if (place.offset != channel.next) fault(fmt::format("{} events before it are missing", place.offset - channel.next));
    channel.next = place.offset + 1;
    const Position position{channel.record.top.epoch, place.offset};
    const std::optional<LogPublicationHead> head = read_publication_head(value);
    const PublicationPtr publication = read_publication(value, channel.name, position, store_.run());
    if (!head || publication == nullptr) return fault("its record is damaged");
    if (head->time_ms < channel.time_ms) fault("it is older than the one before");
    if (channel.any && head->bytes_before != channel.bytes_end) fault("the bytes before it do not add up");
    if (offset_in(publication->id, position.epoch) != place.offset) fault("its id leads to another offset");
    channel.any = true;
    channel.time_ms = head->time_ms;
    channel.bytes_end = head->bytes_before + log_bytes(*publication);
  }

  void check_end(const Looked& channel) {
    const auto fault = [&](std::string_view what) { report_.add_fault(fmt::format("channel {}: {}", channel.name, what)); };
    const std::uint64_t top = channel.record.top.offset;
    if (channel.next <= top)
      fault(fmt::format("{} events before its newest position, {}, are missing", top + 1 - channel.next, top));
    if (!channel.any || channel.next <= top) return;
    if (channel.time_ms > channel.record.last_ms) fault("its newest event is younger than it says");
    if (channel.bytes_end != channel.record.bytes_ever) fault("its bytes do not add up");
  }

  void check_keys() {
    reads(store_.scan(LogFamily::kKeys, "",
                      [this](std::string_view key, std::string_view value) {
                        if (++report_.keys % kProgressEvery == 0) progress_("idempotency keys", report_.keys, 0);
                        const std::optional<ReceiptKey> names = read_receipt_key(key);
                        if (!names) {
                          report_.add_fault("an idempotency key names no channel");
                        } else if (!read_receipt(value)) {
                          report_.add_fault(
                              fmt::format("channel {}: the receipt of an idempotency key is damaged", names->channel));
                        }
                        return true;
                      }),
          "idempotency keys");
  }

  void check_states() {
    reads(store_.scan(LogFamily::kState, "",
                      [this](std::string_view key, std::string_view value) {
                        if (++report_.states % kProgressEvery == 0) progress_("state records", report_.states, 0);
                        if (!read_expiring(value)) report_.add_fault(fmt::format("state {}: its record is damaged", key));
                        return true;
                      }),
          "state records");
  }

  Files& files_;
  const LogStore& store_;
  const LogProgress& progress_;
  LogCheck& report_;
  std::unordered_map<std::uint64_t, Looked> channels_;  // By number.
  std::uint64_t orphans_ = 0;
};

}  // namespace

void LogCheck::add_fault(std::string text) {
  ++fault_count;
  if (faults.size() < kFaultsMax) faults.push_back(std::move(text));
}

Result<LogCheck> check_log(Files& files, const Clock& clock, Random& random, const std::string& directory,
                           const LogProgress& progress) {
  LogCheck report;
  Result<std::unique_ptr<LogStore>> store = LogStore::open(files, clock, random, {.directory = directory, .only_read = true});
  if (!store && store.error().kind != ErrorKind::kCorrupt) return store.error();
  if (!store) {
    report.add_fault(store.error().text);
    return report;
  }
  const Result<TailReport> tail = find_torn_tail(files, directory);
  if (!tail) return tail.error();
  report.cuts = tail->cuts;
  Checker(files, **store, progress, report).check();
  return report;
}

}  // namespace carillon
