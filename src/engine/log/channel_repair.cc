#include "engine/log/channel_repair.h"

#include <fmt/format.h>

#include <algorithm>
#include <limits>
#include <unordered_set>
#include <vector>

#include "engine/log/log_record.h"
#include "hub/publication_id.h"

namespace carillon {
namespace {

constexpr std::size_t kBatchBytes = 4u << 20;
constexpr std::size_t kPage = 256;
constexpr std::uint64_t kProgressEvery = 1000;

// What is there of one channel.
struct Found {
  std::uint64_t first = 0;  // 0: nothing is whole.
  std::uint64_t last = 0;
  std::uint64_t whole = 0;   // How many.
  std::uint64_t broken = 0;  // Records that cannot be read.
  bool in_order = true;      // Times do not fall, bytes add up, ids lead to their offsets.
  std::int64_t first_ms = 0;
  std::int64_t last_ms = 0;
  std::uint64_t bytes_end = 0;
};

// What makes an id unique, so that it still does in another epoch.
std::uint64_t random_part(const Uuid& id) {
  std::uint64_t bits = 0;
  for (std::size_t i = 8; i < id.bytes.size(); ++i) bits = bits << 8 | id.bytes[i];
  return bits;
}

class ChannelRepair {
 public:
  ChannelRepair(LogStore& store, Random& random, const ChannelTrust& trust, const LogProgress& progress, LogRepair& report)
      : store_(store),
        trust_(trust),
        progress_(progress),
        report_(report),
        batch_(store),
        next_number_(store.next_number()),
        epoch_(random.next_u64() >> 16 | 1) {}

  Result<void> repair() {
    for (const auto step : {&ChannelRepair::find_numbers, &ChannelRepair::drop_broken_records, &ChannelRepair::repair_each,
                            &ChannelRepair::drop_orphans}) {
      if (Result<void> done = (this->*step)(); !done) return done;
    }
    // Also the channels of which nothing is left must not count on in their old epoch.
    batch_.put_beginnings(next_number_, epoch_);
    return store_.write(batch_, true);
  }

 private:
  // Numbers that were given, whatever the beginnings say.
  Result<void> find_numbers() {
    const auto seen = [this](std::uint64_t number) { next_number_ = std::max(next_number_, number + 1); };
    Result<void> scanned = store_.scan(LogFamily::kChannels, "", [&](std::string_view, std::string_view value) {
      if (const std::optional<LogChannelRecord> record = read_channel(value)) seen(record->number);
      return true;
    });
    if (!scanned) return scanned;
    return store_.scan(LogFamily::kPublications, "", [&](std::string_view key, std::string_view) {
      if (const std::optional<PublicationKey> place = read_publication_key(key)) seen(place->channel_number);
      return true;
    });
  }

  Result<void> drop_broken_records() {
    std::uint64_t keys = 0, states = 0;
    Result<void> scanned = store_.scan(LogFamily::kChannels, "", [&](std::string_view name, std::string_view value) {
      if (read_channel(value)) return true;
      report_.add_lost(fmt::format("channel {}: its record is damaged, all of it is lost", name));
      batch_.erase(LogFamily::kChannels, name);
      return true;
    });
    if (!scanned) return scanned;
    scanned = store_.scan(LogFamily::kKeys, "", [&](std::string_view key, std::string_view value) {
      if (read_receipt_key(key) && read_receipt(value)) return true;
      batch_.erase(LogFamily::kKeys, key);
      return ++keys > 0;
    });
    if (!scanned) return scanned;
    scanned = store_.scan(LogFamily::kState, "", [&](std::string_view key, std::string_view value) {
      if (read_expiring(value)) return true;
      batch_.erase(LogFamily::kState, key);
      return ++states > 0;
    });
    if (!scanned) return scanned;
    if (keys > 0) report_.add_lost(fmt::format("{} idempotency keys", keys));
    if (states > 0) report_.add_lost(fmt::format("{} state records", states));
    return write();
  }

  Result<void> repair_each() {
    for (std::string after;;) {
      const auto page = store_.channels("", after, kPage);
      if (!page) return page.error();
      for (const auto& [name, record] : *page) {
        if (++report_.channels % kProgressEvery == 0) progress_("putting channels in order", report_.channels, 0);
        if (Result<void> done = repair_channel(name, record); !done) return done;
      }
      if (page->size() < kPage) return {};
      after = page->back().first;
    }
  }

  Result<void> repair_channel(const std::string& name, LogChannelRecord record) {
    const bool is_its_own = numbers_.insert(record.number).second;
    Result<Found> looked = is_its_own ? look(name, record) : Result<Found>(Found{});
    if (!looked) return looked.error();
    const Found& found = *looked;
    report_.publications += found.whole;
    const std::uint64_t lost = record.count() - std::min(record.count(), found.whole);
    // Whole up to the newest, so that at most the oldest are missing.
    const bool contiguous = found.whole > 0 ? found.last == record.top.offset && found.last - found.first + 1 == found.whole &&
                                                  found.bytes_end == record.bytes_ever && found.last_ms <= record.last_ms
                                            : record.count() == 0;
    if (contiguous && found.in_order && is_its_own && trust_.knows(name)) {
      if (found.whole == 0 || found.first == record.oldest) return {};
      report_.add_lost(fmt::format("channel {}: its oldest {} events; positions stay", name, lost));
      batch_.erase_publications(record.number, record.oldest, found.first);
      record.oldest = record.erased = found.first;
      record.oldest_ms = found.first_ms;
      record.bytes_gone = std::min(record.bytes_gone, record.bytes_ever);
      batch_.put_channel(name, record);
      return write();
    }
    report_.add_lost(lost > 0 ? fmt::format("channel {}: {} events; it begins a new epoch", name, lost)
                              : fmt::format("channel {}: nothing that is known of; it begins a new epoch, for its newest "
                                            "position is not certain",
                                            name));
    return begin_anew(name, record, is_its_own);
  }

  // Calls with each whole publication between the channel's oldest and as far as there are any.
  template <class Visit>
  Result<void> each_whole(const std::string& name, const LogChannelRecord& record, const Visit& visit) {
    return store_.walk(record.number, record.oldest, std::numeric_limits<std::uint64_t>::max(), false,
                       [&](std::uint64_t offset, std::string_view bytes) {
                         const Position position{record.top.epoch, offset};
                         visit(offset, read_publication_head(bytes), read_publication(bytes, name, position, store_.run()));
                         return true;
                       });
  }

  Result<Found> look(const std::string& name, const LogChannelRecord& record) {
    Found found;
    const Result<void> walked = each_whole(
        name, record,
        [&](std::uint64_t offset, const std::optional<LogPublicationHead>& head, const PublicationPtr& publication) {
          if (!head || publication == nullptr) {
            ++found.broken;
            return;
          }
          const bool follows = found.whole == 0 || (head->time_ms >= found.last_ms && head->bytes_before == found.bytes_end);
          found.in_order = found.in_order && follows && offset_in(publication->id, record.top.epoch) == offset;
          if (found.whole++ == 0) {
            found.first = offset;
            found.first_ms = head->time_ms;
          }
          found.last = offset;
          found.last_ms = head->time_ms;
          found.bytes_end = head->bytes_before + log_bytes(*publication);
        });
    if (!walked) return walked.error();
    return found;
  }

  // What is whole goes under a new number, counted from 1 in the new epoch.
  Result<void> begin_anew(const std::string& name, const LogChannelRecord& record, bool is_its_own) {
    LogChannelRecord fresh{.number = next_number_++, .top = {.epoch = epoch_, .offset = 0}};
    Result<void> written;
    const Result<void> walked =
        !is_its_own
            ? Result<void>()
            : each_whole(name, record,
                         [&](std::uint64_t, const std::optional<LogPublicationHead>& head, const PublicationPtr& publication) {
                           if (head && publication != nullptr && written) written = put(fresh, *publication);
                         });
    if (!walked) return walked;
    if (!written) return written;
    fresh.last_ms = std::max(fresh.last_ms, record.last_ms);
    if (fresh.top.offset == 0) fresh.oldest_ms = fresh.last_ms;
    if (is_its_own) {
      batch_.erase_publications(record.number, 0, std::numeric_limits<std::uint64_t>::max());
    }
    batch_.put_channel(name, fresh);
    numbers_.insert(fresh.number);
    return write();
  }

  // As the channel's next.
  Result<void> put(LogChannelRecord& channel, const Publication& found) {
    ++channel.top.offset;
    channel.last_ms = std::max(channel.last_ms, found.time_ms);
    if (channel.top.offset == 1) channel.oldest_ms = channel.last_ms;
    Publication moved;
    moved.position = channel.top;
    moved.time_ms = channel.last_ms;
    moved.id = publication_id(channel.top, random_part(found.id));
    moved.event = found.event;
    moved.payload = found.payload;
    moved.format = found.format;
    moved.identity = found.identity;
    moved.tags = found.tags;
    batch_.put_publication(channel.number, moved, channel.bytes_ever, 0);
    channel.bytes_ever += log_bytes(moved);
    return batch_.bytes() < kBatchBytes ? Result<void>() : write();
  }

  // Publications of channels whose names are lost.
  Result<void> drop_orphans() {
    std::unordered_set<std::uint64_t> orphans;
    std::uint64_t count = 0;
    Result<void> scanned = store_.scan(LogFamily::kPublications, "", [&](std::string_view key, std::string_view) {
      const std::optional<PublicationKey> place = read_publication_key(key);
      if (!place) {
        batch_.erase(LogFamily::kPublications, key);
      } else if (!numbers_.contains(place->channel_number)) {
        orphans.insert(place->channel_number);
        ++count;
      }
      return true;
    });
    if (!scanned) return scanned;
    if (count > 0) report_.add_lost(fmt::format("{} events of channels whose names are lost", count));
    for (const std::uint64_t number : orphans) {
      batch_.erase_publications(number, 0, std::numeric_limits<std::uint64_t>::max());
    }
    return write();
  }

  Result<void> write() {
    if (batch_.empty()) return {};
    Result<void> written = store_.write(batch_, false);
    batch_.clear();
    return written;
  }

  LogStore& store_;
  const ChannelTrust& trust_;
  const LogProgress& progress_;
  LogRepair& report_;
  LogBatch batch_;
  std::uint64_t next_number_;
  const std::uint64_t epoch_;
  std::unordered_set<std::uint64_t> numbers_;  // Of all channels.
};

}  // namespace

Result<void> repair_channels(LogStore& store, Random& random, const ChannelTrust& trust, const LogProgress& progress,
                             LogRepair& report) {
  return ChannelRepair(store, random, trust, progress, report).repair();
}

}  // namespace carillon
