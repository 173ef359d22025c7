#include "engine/log/log_reader.h"

#include <fmt/format.h>

#include <algorithm>

#include "hub/publication_id.h"

namespace carillon {
namespace {

// The wanted offsets, [from, to), and whether nothing between the question's position and them is missing.
struct Wanted {
  std::uint64_t from = 0;
  std::uint64_t to = 0;
  bool complete = true;
};

Wanted wanted_since(const Position& since, const Position& top, std::uint64_t oldest, bool reverse) {
  Wanted wanted{.from = oldest, .to = top.offset + 1};
  const bool same = since.epoch == top.epoch && since.offset <= top.offset;
  if (reverse) {
    if (same) wanted.to = std::clamp(since.offset, oldest, wanted.to);
    wanted.complete = same && (since.offset > oldest || since.offset <= 1);
    return wanted;
  }
  if (same) wanted.from = std::max(since.offset + 1, oldest);
  wanted.complete = same && since.offset + 1 >= oldest;
  // Positions of this epoch that never were: nothing that is kept can be said to come after them.
  if (since.epoch == top.epoch && since.offset > top.offset) wanted.from = wanted.to;
  return wanted;
}

Error damaged(std::string_view channel, std::uint64_t offset) {
  return {ErrorKind::kCorrupt,
          fmt::format("publication {} of channel {} is damaged or missing in the log; `carillon log check` says how", offset,
                      channel)};
}

}  // namespace

std::optional<LogReader::Shown> LogReader::shown_at_hand(std::string_view name) {
  LogChannels::Stripe& stripe = channels_.stripe_of(name);
  const std::lock_guard lock(stripe.mutex);
  const auto found = stripe.channels.find(name);
  if (found == stripe.channels.end()) return std::nullopt;
  LogChannel& channel = *found->second;
  channel.used = true;
  // Made, and nothing of it handed out yet: that is like not being there, in the epoch that it will have.
  return Shown{.number = channel.number,
               .top = {.epoch = channel.epoch, .offset = channel.shown_top},
               .oldest = std::min(channel.shown_oldest, channel.shown_top + 1)};
}

Result<LogChannelPtr> LogReader::load(const std::string& name) {
  LogChannels::Stripe& stripe = channels_.stripe_of(name);
  for (;;) {
    std::uint64_t dropped = 0;
    {
      const std::lock_guard lock(stripe.mutex);
      if (const auto found = stripe.channels.find(name); found != stripe.channels.end()) {
        found->second->used = true;
        return found->second;
      }
      dropped = stripe.dropped;
    }
    Result<std::optional<LogChannelRecord>> record = store_.channel(name);
    if (!record) return record.error();
    if (!*record) {
      // It was made since, or is not there.
      return channels_.find(name);
    }
    const auto channel = std::make_shared<LogChannel>(name, **record, rule_for_(name));
    if (LogChannelPtr added = channels_.add(channel, dropped)) return added;
  }
}

Result<std::optional<LogReader::Shown>> LogReader::shown(const std::string& name) {
  std::optional<Shown> found = shown_at_hand(name);
  // An entry that is dropped before it is looked at is loaded again, or is not there any more.
  while (!found) {
    const Result<LogChannelPtr> loaded = load(name);
    if (!loaded) return loaded.error();
    if (*loaded == nullptr) return std::optional<Shown>();
    found = shown_at_hand(name);
  }
  Shown& shown = *found;
  const HistoryRule rule = rule_for_(name);
  if (rule.count_max > 0 && shown.top.offset >= rule.count_max) {
    shown.oldest = std::max(shown.oldest, shown.top.offset - rule.count_max + 1);
  }
  if (rule.age_max_ms > 0) {
    const Result<std::uint64_t> young =
        offset_at(shown.number, shown.oldest, shown.top.offset + 1, clock_.unix_ms() - rule.age_max_ms);
    if (!young) return young.error();
    shown.oldest = *young;
  }
  return found;
}

std::optional<HistoryPage> LogReader::page_at_hand(const HistoryQuery& query) {
  if (query.count_max > 0 || query.since || query.from_time_ms) return std::nullopt;
  const std::optional<Shown> shown = shown_at_hand(query.channel);
  if (!shown) return std::nullopt;
  HistoryPage page;
  page.top = shown->top;
  page.more = shown->oldest <= shown->top.offset;
  return page;
}

Result<HistoryPage> LogReader::page(const HistoryQuery& query) {
  Result<std::optional<Shown>> look = shown(query.channel);
  if (!look) return look.error();
  HistoryPage page;
  if (!*look) {
    // A client that starts before the first publication can recover from there: that will have this epoch.
    if (rule_for_(query.channel).count_max > 0) page.top = Position{.epoch = epoch(), .offset = 0};
    page.complete = !query.since || query.since == page.top;
    return page;
  }
  const Shown& shown = **look;
  page.top = shown.top;
  Wanted wanted{.from = shown.oldest, .to = shown.top.offset + 1};
  if (query.since) {
    wanted = wanted_since(*query.since, shown.top, shown.oldest, query.reverse);
  } else if (query.from_time_ms) {
    const Result<std::uint64_t> offset = offset_at(shown.number, wanted.from, wanted.to, *query.from_time_ms);
    if (!offset) return offset.error();
    (query.reverse ? wanted.to : wanted.from) = *offset;
  }
  page.complete = wanted.complete;
  const std::uint64_t count = std::min<std::uint64_t>(wanted.to - wanted.from, query.count_max);
  page.more = count < wanted.to - wanted.from;
  if (count == 0) return page;

  std::uint64_t first = query.reverse ? wanted.to - count : wanted.from;
  std::uint64_t expected = query.reverse ? wanted.to - 1 : first;
  page.publications.reserve(count);
  std::optional<std::uint64_t> wrong;
  const Result<void> walked =
      store_.walk(shown.number, first, first + count, query.reverse, [&](std::uint64_t offset, std::string_view record) {
        // Retention took the first of them since we looked.
        if (!query.reverse && page.publications.empty() && offset > expected) {
          page.complete = page.complete && !query.since;
          expected = offset;
        }
        PublicationPtr publication =
            offset == expected ? read_publication(record, query.channel, {shown.top.epoch, offset}, store_.run()) : nullptr;
        if (publication == nullptr) {
          wrong = expected;
          return false;
        }
        page.publications.push_back(std::move(publication));
        expected += query.reverse ? -1 : 1;
        return true;
      });
  if (!walked) return walked.error();
  if (wrong) return damaged(query.channel, *wrong);
  if (page.publications.size() < count) {
    // The rest is gone: by retention, or with the whole channel. Else the log has a hole.
    const std::optional<Shown> now = shown_at_hand(query.channel);
    const bool taken = !now || now->number != shown.number || now->oldest >= first + count || query.reverse;
    if (!taken) return damaged(query.channel, expected);
    page.complete = page.complete && !query.since;
    page.more = false;
  }
  return page;
}

Result<std::vector<PublicationPtr>> LogReader::publications(const std::string& channel, const std::vector<Uuid>& ids) {
  std::vector<PublicationPtr> found(ids.size());
  Result<std::optional<Shown>> look = shown(channel);
  if (!look) return look.error();
  if (!*look) return found;
  const Shown& shown = **look;
  for (std::size_t i = 0; i < ids.size(); ++i) {
    const std::uint64_t offset = offset_in(ids[i], shown.top.epoch);
    if (offset < shown.oldest || offset > shown.top.offset) continue;
    Result<std::string> record = store_.publication(shown.number, offset);
    if (!record) return record.error();
    if (record->empty()) continue;
    PublicationPtr publication = read_publication(*record, channel, {shown.top.epoch, offset}, store_.run());
    if (publication == nullptr) return damaged(channel, offset);
    if (publication->id == ids[i]) found[i] = std::move(publication);
  }
  return found;
}

Result<std::vector<ChannelRecord>> LogReader::channels(const std::string& prefix, const std::string& after,
                                                       std::size_t count_max) {
  auto records = store_.channels(prefix, after, count_max);
  if (!records) return records.error();
  std::vector<ChannelRecord> found;
  found.reserve(records->size());
  for (const auto& [name, record] : *records) {
    Shown shown{.number = record.number, .top = record.top, .oldest = record.oldest};
    if (const std::optional<Shown> now = shown_at_hand(name)) shown = *now;
    found.push_back({.name = name, .top = shown.top, .history_count = shown.top.offset + 1 - shown.oldest});
  }
  return found;
}

Result<std::uint64_t> LogReader::offset_at(std::uint64_t channel_number, std::uint64_t from, std::uint64_t to,
                                           std::int64_t time_ms) const {
  // Most often nothing is too old: the first answers it.
  for (std::uint64_t middle = from; from < to; middle = from + (to - from) / 2) {
    const Result<std::string> record = store_.publication(channel_number, middle);
    if (!record) return record.error();
    const std::optional<LogPublicationHead> head = read_publication_head(*record);
    // What was erased meanwhile is older than all that is there.
    if (head && head->time_ms >= time_ms) {
      to = middle;
    } else {
      from = middle + 1;
    }
  }
  return to;
}

}  // namespace carillon
