#include "engine/log/log_writer.h"

#include <algorithm>

#include "base/log.h"
#include "hub/publication_id.h"

namespace carillon {
namespace {

// Bytes of one batch; more becomes another one.
constexpr std::size_t kBatchBytes = 4u << 20;
constexpr std::int64_t kRetryMs = 500;
constexpr std::int64_t kStoredPeriodMs = 1000;
constexpr std::size_t kStoredLooked = 256;

// So many publications are too much before they are erased on the disk, together.
std::uint64_t erase_from(const HistoryRule& rule) {
  return std::clamp<std::uint64_t>(rule.count_max / 8, 16, 65'536);
}

std::string key_of(const std::string& channel, const std::string& key) {
  return channel + '\0' + key;
}

bool wants_sync(const LogWork& work) {
  if (const auto* publish = std::get_if<LogPublish>(&work)) return publish->rule.durability == Durability::kSync;
  return std::get<LogStateChange>(work).synced;
}

}  // namespace

LogWriter::LogWriter(LogStore& store, LogChannels& channels, LogReader& reader, const Clock& clock, Random& random,
                     const LogWriterOptions& options)
    : store_(store),
      channels_(channels),
      reader_(reader),
      clock_(clock),
      random_(random),
      ids_(random),
      options_(options),
      batch_(store),
      next_number_(store.next_number()),
      saved_next_number_(store.next_number()),
      channel_count_(store.channel_count()) {
  reader_.set_epoch(store.epoch());
}

// ---- Batches ----

void LogWriter::write(std::span<LogWork> work) {
  std::size_t from = 0;
  for (std::size_t i = 0; i < work.size(); ++i) {
    auto* const removal = std::get_if<LogRemoval>(&work[i]);
    if (removal == nullptr) continue;
    write_run(work.subspan(from, i - from));
    remove(*removal);
    from = i + 1;
  }
  write_run(work.subspan(from));
}

// What needs no sync does not wait for it. A channel's publishes are all of one kind; state changes are made so.
void LogWriter::write_run(std::span<LogWork> run) {
  const bool state_synced = std::any_of(run.begin(), run.end(), [](const LogWork& work) {
    const auto* const state = std::get_if<LogStateChange>(&work);
    return state != nullptr && state->synced;
  });
  for (LogWork& work : run) {
    if (auto* const state = std::get_if<LogStateChange>(&work)) state->synced = state_synced;
  }
  write_part(run, false);
  write_part(run, true);
}

void LogWriter::write_part(std::span<LogWork> run, bool synced) {
  for (LogWork& work : run) {
    if (wants_sync(work) != synced) continue;
    if (auto* const publish = std::get_if<LogPublish>(&work)) {
      make(*publish);
    } else {
      auto& state = std::get<LogStateChange>(work);
      for (const StateChange& change : state.changes) {
        if (change.value) {
          batch_.put_state(change.key, *change.value, change.expires_at_ms);
        } else {
          batch_.erase_state(change.key);
        }
      }
      wants_interval_ = true;
      states_.push_back(&state);
    }
    if (batch_.bytes() > kBatchBytes) commit(synced);
  }
  commit(synced);
}

// Writes the batch, hands out what is in it, answers.
void LogWriter::commit(bool synced) {
  if (made_.empty() && states_.empty()) return;
  const Result<void> written = commit_batch(synced);
  if (written) {
    hand_out();
  } else {
    answer(written.error());
  }
  settle_touched(written.has_value());
  for (LogStateChange* const state : std::exchange(states_, {})) state->done(written);
  made_.clear();
  keys_.clear();
  last_ = nullptr;
}

Result<void> LogWriter::commit_batch(bool synced) {
  put_touched();
  if (batch_.empty()) return {};
  if (!disk_is_well()) {
    batch_.clear();
    return *failure_;
  }
  const std::uint64_t next_number = next_number_;
  if (next_number != saved_next_number_) batch_.put_beginnings(next_number, reader_.epoch());
  const Result<void> written = store_.write(batch_, synced);
  batch_.clear();
  if (!written) {
    note_failure(written.error());
    return written;
  }
  saved_next_number_ = next_number;
  batches_total_.add();
  if (synced) {
    syncs_total_.add();
    unsynced_ = false;
    synced_ms_ = clock_.unix_ms();
  } else if (wants_interval_) {
    unsynced_ = true;
  }
  wants_interval_ = false;
  return {};
}

// The batch is not there. Who would have been answered without it still is.
void LogWriter::answer(const Error& error) {
  for (Made& made : made_) {
    const bool depends = made.channel != nullptr || (made.outcome && made.outcome->repeated && !keys_.empty());
    if (depends) failed_total_.add();
    made.publish->done(depends ? Result<Receipt>(error) : std::move(made.outcome));
  }
}

void LogWriter::hand_out() {
  for (std::size_t from = 0; from < made_.size();) {
    const LogChannelPtr& channel = made_[from].channel;
    std::size_t to = from + 1;
    while (to < made_.size() && made_[to].channel == channel) ++to;
    if (channel != nullptr) {
      const std::lock_guard lock(channels_.stripe_of(channel->name).mutex);
      for (std::size_t i = from; i < to; ++i) {
        if (events_ != nullptr) events_->on_publication(made_[i].publication);
      }
      channel->shown_top = made_[to - 1].publication->position->offset;
      channel->shown_oldest = std::min(channel->record.oldest, channel->shown_top + 1);
    }
    for (; from < to; ++from) made_[from].publish->done(std::move(made_[from].outcome));
  }
}

// ---- One publication ----

void LogWriter::make(LogPublish& publish) {
  Draft& draft = publish.draft;
  Result<std::optional<Receipt>> earlier = earlier_receipt(draft);
  if (!earlier || *earlier) {
    Result<Receipt> outcome = !earlier ? Result<Receipt>(earlier.error()) : Result<Receipt>(**earlier);
    made_.push_back({&publish, nullptr, nullptr, std::move(outcome)});
    return;
  }
  Result<LogChannelPtr> found = channel_for(publish);
  if (!found) {
    made_.push_back({&publish, nullptr, nullptr, found.error()});
    return;
  }
  LogChannelRecord& record = touch(*found);
  record.last_ms = std::max(clock_.unix_ms(), record.last_ms);
  if (record.count() == 0) record.oldest_ms = record.last_ms;
  ++record.top.offset;

  std::unique_ptr<Publication> made = publication_of(std::move(draft));
  made->position = record.top;
  made->time_ms = record.last_ms;
  made->id = publication_id(record.top, ids_.next_u64());
  const Receipt receipt{.position = made->position, .id = made->id, .time_ms = made->time_ms};
  if (!draft.idempotency_key.empty()) {
    batch_.put_key(made->channel, draft.idempotency_key, receipt);
    keys_.emplace(key_of(made->channel, draft.idempotency_key), receipt);
  }
  batch_.put_publication(record.number, *made, record.bytes_ever, store_.run());
  record.bytes_ever += log_bytes(*made);
  if (publish.rule.durability == Durability::kInterval) wants_interval_ = true;
  made_.push_back({&publish, *std::move(found), PublicationPtr(made.release()), receipt});
}

// What an earlier publish with the same idempotency key was answered.
Result<std::optional<Receipt>> LogWriter::earlier_receipt(const Draft& draft) {
  if (draft.idempotency_key.empty()) return std::optional<Receipt>();
  std::optional<Receipt> found;
  if (const auto here = keys_.find(key_of(draft.channel, draft.idempotency_key)); here != keys_.end()) {
    found = here->second;
  } else {
    Result<std::optional<Receipt>> stored = store_.receipt(draft.channel, draft.idempotency_key);
    if (!stored) return stored.error();
    found = *stored;
    if (found && found->time_ms < clock_.unix_ms() - options_.idempotency_ms) found.reset();
  }
  if (found) found->repeated = true;
  return found;
}

Result<LogChannelPtr> LogWriter::channel_for(const LogPublish& publish) {
  const std::string& name = publish.draft.channel;
  if (last_ != nullptr && last_->name == name) return last_;
  Result<LogChannelPtr> loaded = reader_.load(name);
  if (!loaded) return loaded;
  if (*loaded == nullptr) {
    if (channel_count_ >= options_.channels_max) {
      return Error{ErrorKind::kLimit, "too many channels keep history; try again later or raise the limit"};
    }
    ++channel_count_;
    const LogChannelRecord fresh{.number = next_number_++, .top = {.epoch = reader_.epoch(), .offset = 0}};
    loaded = channels_.add(std::make_shared<LogChannel>(name, fresh, publish.rule));
    touch(*loaded, true);
  }
  last_ = *loaded;
  return last_;
}

LogChannelRecord& LogWriter::touch(const LogChannelPtr& channel, bool is_new) {
  if (channel->batch != batch_number_) {
    channel->batch = batch_number_;
    touched_.push_back({channel, channel->record, is_new});
  }
  return channel->record;
}

// ---- Retention ----

void LogWriter::put_touched() {
  for (const Touched& touched : touched_) {
    LogChannel& channel = *touched.channel;
    LogChannelRecord& record = channel.record;
    const HistoryRule& rule = channel.rule;
    if (record.count() > rule.count_max) {
      record.oldest = record.top.offset - rule.count_max + 1;
      channel.bytes_gone_known = false;
    }
    if (rule.bytes_max > 0 && record.count() > 1) trim_bytes(channel);
    if (record.oldest - record.erased >= erase_from(rule) || record.count() == 0) {
      batch_.erase_publications(record.number, record.erased, record.oldest);
      record.erased = record.oldest;
    }
    batch_.put_channel(channel.name, record);
  }
}

// Down to fifteen sixteenths of the limit, so that it is not looked for anew with every publication. What is in the batch
// itself stays until the next one.
void LogWriter::trim_bytes(LogChannel& channel) {
  LogChannelRecord& record = channel.record;
  if (!channel.bytes_gone_known) {
    const std::optional<std::uint64_t> before = bytes_before(channel, record.oldest);
    if (!before) return;
    record.bytes_gone = *before;
    channel.bytes_gone_known = true;
  }
  if (record.bytes() <= channel.rule.bytes_max) return;
  const std::uint64_t wanted = channel.rule.bytes_max - channel.rule.bytes_max / 16;
  std::uint64_t low = record.oldest, high = channel.shown_top + 1;
  while (low < high) {
    const std::uint64_t middle = low + (high - low) / 2;
    const std::optional<std::uint64_t> before = bytes_before(channel, middle);
    if (before && record.bytes_ever - *before <= wanted) {
      high = middle;
    } else {
      low = middle + 1;
    }
  }
  record.oldest = std::min(low, record.top.offset);
  channel.bytes_gone_known = false;
}

// Nothing: it is not on the disk yet, or cannot be read.
std::optional<std::uint64_t> LogWriter::bytes_before(const LogChannel& channel, std::uint64_t offset) const {
  const Result<std::string> stored = store_.publication(channel.number, offset);
  if (!stored) return std::nullopt;
  const std::optional<LogPublicationHead> head = read_publication_head(*stored);
  if (!head) return std::nullopt;
  return head->bytes_before;
}

void LogWriter::settle_touched(bool written) {
  for (Touched& touched : std::exchange(touched_, {})) {
    LogChannel& channel = *touched.channel;
    if (written) {
      const std::lock_guard lock(channels_.stripe_of(channel.name).mutex);
      channel.shown_oldest = std::min(channel.record.oldest, channel.shown_top + 1);
      continue;
    }
    channel.record = touched.before;
    channel.bytes_gone_known = false;
    if (!touched.is_new) continue;
    channels_.drop(channel);
    --channel_count_;
  }
  for (const LogChannelPtr& channel : std::exchange(forgotten_, {})) {
    if (!written) continue;
    channels_.drop(*channel);
    if (channel_count_ > 0) --channel_count_;
  }
  ++batch_number_;
}

// ---- Removal ----

void LogWriter::remove(LogRemoval& removal) {
  const Result<LogChannelPtr> loaded = reader_.load(removal.channel);
  if (!loaded) return removal.done(loaded.error());
  if (*loaded == nullptr) return removal.done({});
  forget(*loaded);
  const Result<void> written = commit_batch(true);
  settle_touched(written.has_value());
  removal.done(written);
}

// All that is kept of it goes with the next write, and who comes after counts anew in another epoch.
void LogWriter::forget(const LogChannelPtr& channel) {
  batch_.erase_publications(channel->number, channel->record.erased, channel->record.top.offset + 1);
  batch_.erase_channel(channel->name);
  const std::uint64_t epoch = random_.next_u64() >> 16 | 1;  // 48 bits: exact as a number wherever it may be read.
  batch_.put_beginnings(next_number_, epoch);
  reader_.set_epoch(epoch);
  forgotten_.push_back(channel);
  if (last_ == channel) last_ = nullptr;
}

// ---- A disk that fails ----

bool LogWriter::disk_is_well() {
  if (!failure_) return true;
  const std::int64_t now_ms = clock_.unix_ms();
  if (now_ms < retry_ms_ && retry_ms_ - now_ms <= kRetryMs) return false;  // The clock may have been set back.
  if (const Result<void> resumed = store_.resume(); !resumed) {
    failure_ = resumed.error();
    retry_ms_ = now_ms + kRetryMs;
    return false;
  }
  log_info("the log takes writes again");
  failure_.reset();
  writable_ = true;
  return true;
}

void LogWriter::note_failure(const Error& error) {
  if (!failure_) log_error("the log takes no writes, publishes fail until it does: {}", error.text);
  failure_ = error;
  retry_ms_ = clock_.unix_ms() + kRetryMs;
  writable_ = false;
}

// ---- What the clock asks for ----

void LogWriter::tick() {
  const std::int64_t now_ms = clock_.unix_ms();
  if (unsynced_ && (now_ms >= synced_ms_ + options_.sync_interval_ms || now_ms < synced_ms_)) finish();
  if (failure_) {
    disk_is_well();
    return;
  }
  if (channels_.count() > options_.channels_cached) channels_.drop_unused(next_stripe_);
  expire_known(now_ms);
  if (now_ms >= stored_ms_ + kStoredPeriodMs || now_ms < stored_ms_) {
    stored_ms_ = now_ms;
    look_at_stored(now_ms);
  }
}

void LogWriter::finish() {
  if (!unsynced_ || failure_) return;
  synced_ms_ = clock_.unix_ms();
  if (const Result<void> synced = store_.sync(); !synced) return note_failure(synced.error());
  unsynced_ = false;
  syncs_total_.add();
}

// One stripe a call.
void LogWriter::expire_known(std::int64_t now_ms) {
  std::vector<LogChannelPtr> aged;
  {
    LogChannels::Stripe& stripe = channels_.stripe(next_stripe_);
    const std::lock_guard lock(stripe.mutex);
    for (const auto& [name, channel] : stripe.channels) {
      if (channel->rule.age_max_ms > 0) aged.push_back(channel);
    }
  }
  next_stripe_ = (next_stripe_ + 1) % LogChannels::kStripes;
  for (const LogChannelPtr& channel : aged) trim_age(channel, now_ms);
  if (touched_.empty() && forgotten_.empty()) return;
  const Result<void> written = commit_batch(false);
  settle_touched(written.has_value());
}

void LogWriter::trim_age(const LogChannelPtr& channel, std::int64_t now_ms) {
  const LogChannelRecord& record = channel->record;
  if (record.count() == 0) {
    if (record.last_ms < now_ms - options_.channel_idle_ms) forget(channel);
    return;
  }
  const std::int64_t too_old_ms = now_ms - channel->rule.age_max_ms;
  if (record.oldest_ms >= too_old_ms) return;
  const Result<std::uint64_t> young = reader_.offset_at(channel->number, record.oldest, record.top.offset + 1, too_old_ms);
  if (!young) return;  // Reading fails: publishes and pages say so.
  LogChannelRecord& changed = touch(channel);
  changed.oldest = *young;
  changed.oldest_ms = too_old_ms;
  channel->bytes_gone_known = false;
}

// Channels that nobody has used since the start, or for long: those with something too old are brought into memory, where
// expire_known finds them.
void LogWriter::look_at_stored(std::int64_t now_ms) {
  const auto records = store_.channels("", next_stored_, kStoredLooked);
  if (!records) return;
  for (const auto& [name, record] : *records) {
    const std::int64_t age_max_ms = reader_.rule_for(name).age_max_ms;
    if (age_max_ms == 0) continue;
    const bool old =
        record.count() > 0 ? record.oldest_ms < now_ms - age_max_ms : record.last_ms < now_ms - options_.channel_idle_ms;
    if (old) static_cast<void>(reader_.load(name));
  }
  next_stored_ = records->size() < kStoredLooked ? "" : records->back().first;
}

}  // namespace carillon
