#include "engine/memory/memory_engine.h"

#include <algorithm>

#include "base/check.h"
#include "hub/publication_id.h"

namespace carillon {
namespace {

// What a kept publication costs beside its payload, about.
std::size_t kept_bytes(const Publication& publication) {
  return sizeof(Publication) + 64 + publication.channel.size() + publication.event.size() + publication.payload.size();
}

Uuid next_uuid(FastRandom& random) {
  const std::uint64_t words[2] = {random.next_u64(), random.next_u64()};
  std::array<std::uint8_t, 16> bytes;
  std::memcpy(bytes.data(), words, sizeof words);
  return Uuid::from_random(bytes);
}

}  // namespace

void KeptPublications::drop_oldest() {
  publications_[gone_++].reset();
  if (gone_ * 2 < publications_.size()) return;
  publications_.erase(publications_.begin(), publications_.begin() + static_cast<std::ptrdiff_t>(gone_));
  gone_ = 0;
  if (publications_.capacity() > 4 * publications_.size() + 8) publications_.shrink_to_fit();
}

MemoryEngine::MemoryEngine(const Clock& clock, Random& random, MemoryEngineOptions options)
    : clock_(clock),
      random_(random),
      options_(std::move(options)),
      presence_(clock, random),
      state_(clock),
      presence_node_(presence_.open_node()) {
  for (Stripe& stripe : stripes_) stripe.ids = std::make_unique<FastRandom>(random_);
  new_epoch();
}

// 48 bits: exact as a number wherever it may be read.
void MemoryEngine::new_epoch() {
  epoch_.store((random_.next_u64() >> 16) | 1);
}

MemoryEngine::~MemoryEngine() = default;

void MemoryEngine::publish(Draft draft, UniqueFunction<void(Result<Receipt>)> done) {
  Stripe& stripe = stripe_of(draft.channel);
  Result<Receipt> outcome = [&] {
    const std::lock_guard lock(stripe.mutex);
    return publish_locked(stripe, draft);
  }();
  done(std::move(outcome));
}

Result<Receipt> MemoryEngine::publish_locked(Stripe& stripe, Draft& draft) {
  const std::int64_t now_ms = clock_.unix_ms();
  std::string key;
  if (!draft.idempotency_key.empty()) {
    forget_keys(stripe, now_ms);
    key = draft.channel + '\0' + draft.idempotency_key;
    if (const auto used = stripe.receipts.find(key); used != stripe.receipts.end()) {
      Receipt receipt = used->second;
      receipt.repeated = true;
      return receipt;
    }
  }

  ChannelLog* log = nullptr;
  if (const HistoryRule rule = options_.rule_for(draft.channel); rule.count_max > 0 && !is_private(draft.deliver_to)) {
    log = log_for(stripe, draft.channel, rule);
    if (log == nullptr) return Error{ErrorKind::kLimit, "too many channels keep history; try again later or raise the limit"};
  }

  std::unique_ptr<Publication> publication = publication_of(std::move(draft));
  publication->time_ms = log == nullptr ? now_ms : std::max(now_ms, log->last_publish_ms);
  if (log != nullptr) {
    ++log->top.offset;
    log->last_publish_ms = publication->time_ms;
    publication->position = log->top;
    publication->id = publication_id(log->top, stripe.ids->next_u64());
  } else {
    publication->id = next_uuid(*stripe.ids);
  }
  const Receipt receipt{.position = publication->position, .id = publication->id, .time_ms = publication->time_ms};
  const PublicationPtr made(publication.release());
  if (log != nullptr) keep(*log, made);
  if (!key.empty()) {
    make_room_for_key(stripe);
    key_count_.fetch_add(1, std::memory_order_relaxed);
    stripe.used_keys.push_back({key, now_ms});
    stripe.receipts.emplace(std::move(key), receipt);
  }
  if (events_ != nullptr) events_->on_publication(made);
  return receipt;
}

MemoryEngine::ChannelLog* MemoryEngine::log_for(Stripe& stripe, const std::string& channel, const HistoryRule& rule) {
  if (const auto found = stripe.logs.find(channel); found != stripe.logs.end()) return found->second.get();
  const std::lock_guard lock(names_mutex_);
  if (names_.size() >= options_.channels_max) return nullptr;
  names_.insert(channel);
  auto log = std::make_unique<ChannelLog>();
  log->rule = rule;
  log->top.epoch = epoch_.load();
  return stripe.logs.emplace(channel, std::move(log)).first->second.get();
}

void MemoryEngine::keep(ChannelLog& log, PublicationPtr publication) {
  const std::int64_t now_ms = publication->time_ms;
  log.bytes += kept_bytes(*publication);
  history_bytes_.fetch_add(kept_bytes(*publication), std::memory_order_relaxed);
  log.kept.push(std::move(publication));
  trim(log, now_ms);
  while (history_bytes() > options_.history_bytes_max && !log.kept.empty()) drop_oldest(log);
}

void MemoryEngine::trim(ChannelLog& log, std::int64_t now_ms) {
  while (log.kept.size() > log.rule.count_max) drop_oldest(log);
  while (log.rule.bytes_max > 0 && log.bytes > log.rule.bytes_max) drop_oldest(log);
  if (log.rule.age_max_ms == 0) return;
  while (!log.kept.empty() && log.kept.oldest()->time_ms < now_ms - log.rule.age_max_ms) drop_oldest(log);
}

void MemoryEngine::drop_oldest(ChannelLog& log) {
  const std::size_t bytes = kept_bytes(*log.kept.oldest());
  log.bytes -= bytes;
  history_bytes_.fetch_sub(bytes, std::memory_order_relaxed);
  log.kept.drop_oldest();
}

std::uint64_t MemoryEngine::ChannelLog::offset_at(std::int64_t time_ms) const {
  std::size_t low = 0, high = kept.size();
  while (low < high) {
    const std::size_t middle = low + (high - low) / 2;
    if (kept[middle]->time_ms < time_ms) {
      low = middle + 1;
    } else {
      high = middle;
    }
  }
  return oldest() + low;
}

void MemoryEngine::forget_keys(Stripe& stripe, std::int64_t now_ms) {
  while (!stripe.used_keys.empty() && stripe.used_keys.front().used_ms < now_ms - options_.idempotency_ms) {
    forget_oldest_key(stripe);
  }
}

// One key comes, two go: so stripes that hold many make room for those that hold none yet.
void MemoryEngine::make_room_for_key(Stripe& stripe) {
  for (int i = 0; i < 2 && key_count_.load(std::memory_order_relaxed) >= options_.idempotency_keys_max; ++i) {
    if (!stripe.used_keys.empty()) forget_oldest_key(stripe);
  }
}

void MemoryEngine::forget_oldest_key(Stripe& stripe) {
  stripe.receipts.erase(stripe.used_keys.front().key);
  stripe.used_keys.pop_front();
  key_count_.fetch_sub(1, std::memory_order_relaxed);
}

void MemoryEngine::history(HistoryQuery query, UniqueFunction<void(Result<HistoryPage>)> done) {
  Stripe& stripe = stripe_of(query.channel);
  HistoryPage page;
  {
    const std::lock_guard lock(stripe.mutex);
    if (const auto found = stripe.logs.find(query.channel); found != stripe.logs.end()) {
      trim(*found->second, clock_.unix_ms());
      page = page_of(*found->second, query);
    } else {
      // A client that starts before the first publication can recover from there: that will have this epoch.
      if (options_.rule_for(query.channel).count_max > 0) page.top = Position{.epoch = epoch_.load(), .offset = 0};
      page.complete = !query.since || query.since == page.top;
    }
  }
  done(std::move(page));
}

HistoryPage MemoryEngine::page_of(const ChannelLog& log, const HistoryQuery& query) const {
  HistoryPage page;
  page.top = log.top;
  const std::uint64_t oldest = log.oldest();
  std::uint64_t from = oldest, to = log.top.offset + 1;  // The wanted offsets: [from, to).
  if (query.since) {
    const bool same = query.since->epoch == log.top.epoch && query.since->offset <= log.top.offset;
    if (query.reverse) {
      to = same ? std::clamp(query.since->offset, oldest, to) : to;
      page.complete = same && (query.since->offset > oldest || query.since->offset <= 1);
    } else {
      from = same ? std::max(query.since->offset + 1, oldest) : oldest;
      page.complete = same && query.since->offset + 1 >= oldest;
      // Positions of this epoch that never were: nothing that is kept can be said to come after them.
      if (query.since->epoch == log.top.epoch && query.since->offset > log.top.offset) from = to;
    }
  } else if (query.from_time_ms) {
    (query.reverse ? to : from) = log.offset_at(*query.from_time_ms);
  }
  const std::size_t count = std::min<std::size_t>(to - from, query.count_max);
  page.more = count < to - from;
  const std::uint64_t first = query.reverse ? to - count : from;
  page.publications.reserve(count);
  for (std::size_t i = 0; i < count; ++i) {
    page.publications.push_back(log.kept[(query.reverse ? count - 1 - i : i) + first - oldest]);
  }
  return page;
}

void MemoryEngine::publications(std::string channel, std::vector<Uuid> ids,
                                UniqueFunction<void(Result<std::vector<PublicationPtr>>)> done) {
  std::vector<PublicationPtr> found(ids.size());
  Stripe& stripe = stripe_of(channel);
  {
    const std::lock_guard lock(stripe.mutex);
    const auto entry = stripe.logs.find(channel);
    for (std::size_t i = 0; entry != stripe.logs.end() && i < ids.size(); ++i) {
      ChannelLog& log = *entry->second;
      trim(log, clock_.unix_ms());
      const std::uint64_t place = offset_in(ids[i], log.top.epoch) - log.oldest();
      if (place < log.kept.size() && log.kept[place]->id == ids[i]) found[i] = log.kept[place];
    }
  }
  done(std::move(found));
}

void MemoryEngine::remove_history(std::string channel, UniqueFunction<void(Result<void>)> done) {
  Stripe& stripe = stripe_of(channel);
  {
    const std::lock_guard lock(stripe.mutex);
    if (const auto found = stripe.logs.find(channel); found != stripe.logs.end()) {
      while (!found->second->kept.empty()) drop_oldest(*found->second);
      stripe.logs.erase(found);
      new_epoch();
      const std::lock_guard names_lock(names_mutex_);
      names_.erase(channel);
    }
  }
  done({});
}

void MemoryEngine::channels(std::string prefix, std::string after, std::size_t count_max,
                            UniqueFunction<void(Result<std::vector<ChannelRecord>>)> done) {
  std::vector<ChannelRecord> records;
  {
    const std::lock_guard lock(names_mutex_);
    for (auto name = after < prefix ? names_.lower_bound(prefix) : names_.upper_bound(after);
         name != names_.end() && name->starts_with(prefix) && records.size() < count_max; ++name) {
      records.push_back({.name = *name, .top = std::nullopt});
    }
  }
  for (ChannelRecord& record : records) {
    Stripe& stripe = stripe_of(record.name);
    const std::lock_guard lock(stripe.mutex);
    const auto found = stripe.logs.find(record.name);
    if (found == stripe.logs.end()) continue;
    record.top = found->second->top;
    record.history_count = found->second->kept.size();
  }
  std::erase_if(records, [](const ChannelRecord& record) { return !record.top; });  // Removed meanwhile.
  done(std::move(records));
}

void MemoryEngine::expire() {
  const std::int64_t now_ms = clock_.unix_ms();
  state_.expire();
  for (Stripe& stripe : stripes_) {
    const std::lock_guard lock(stripe.mutex);
    forget_keys(stripe, now_ms);
    for (auto entry = stripe.logs.begin(); entry != stripe.logs.end();) {
      ChannelLog& log = *entry->second;
      trim(log, now_ms);
      if (!log.kept.empty() || log.last_publish_ms > now_ms - options_.channel_idle_ms) {
        ++entry;
        continue;
      }
      const std::lock_guard names_lock(names_mutex_);
      names_.erase(entry->first);
      stripe.logs.erase(entry++);
      new_epoch();
    }
  }
}

}  // namespace carillon
