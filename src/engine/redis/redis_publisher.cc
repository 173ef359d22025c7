#include "engine/redis/redis_publisher.h"

#include <algorithm>
#include <array>

#include "engine/redis/redis_failure.h"
#include "engine/redis/redis_receipts.h"
#include "engine/redis/redis_scripts.h"
#include "hub/publication_id.h"

namespace carillon {
namespace {

constexpr Millis kSweep{100};
constexpr std::size_t kEntryBytes = 32;  // Of an entry in a message, about, beside event and data.

std::size_t size_of(const RedisPublish& publish) {
  return publish.draft.event.size() + (publish.compressed ? publish.compressed->size() : publish.draft.payload.size());
}

Millis renew_time(const RedisOptions& options) {
  return options.idle_ms == 0 ? Millis(3'600'000) : Millis(options.idle_ms / 8);
}

std::size_t size_of(const std::vector<RedisPublish>& batch) {
  std::size_t bytes = 0;
  for (const RedisPublish& publish : batch) bytes += size_of(publish);
  return bytes;
}

void refuse(std::vector<RedisPublish>& batch, const Error& error) {
  for (RedisPublish& publish : batch) publish.answer(error);
}

}  // namespace

std::optional<RedisPlace> RedisPlace::take(RedisWaitingRoom& room, std::size_t bytes, const RedisOptions& options) {
  // Callers that ask at once may all be let in.
  if (room.count.load() >= options.waiting_max || room.bytes.load() + bytes > options.waiting_bytes_max) return std::nullopt;
  room.count.fetch_add(1);
  room.bytes.fetch_add(bytes);
  return RedisPlace(room, bytes);
}

RedisPlace::~RedisPlace() {
  if (room_ == nullptr) return;
  room_->count.fetch_sub(1);
  room_->bytes.fetch_sub(bytes_);
}

void RedisPublish::answer(Result<Receipt> outcome) {
  // Whoever hears it may publish the next.
  { const RedisPlace left = std::move(place); }
  done(std::move(outcome));
}

RedisPublisher::RedisPublisher(const RedisParts& parts, RedisFeeds& feeds, Random& random)
    : parts_(parts), feeds_(feeds), random_(random), sweep_timer_([this] { sweep(); }) {
  parts_.loop.schedule(sweep_timer_, kSweep);
}

// ---- Channels ----

RedisPublisher::Channel* RedisPublisher::find(const std::string& name) {
  const auto found = channels_.find(name);
  return found == channels_.end() ? nullptr : found->second.get();
}

RedisPublisher::Channel& RedisPublisher::channel_of(const std::string& name) {
  if (Channel* const channel = find(name)) return *channel;
  if (channels_.size() >= kChannelsMax) forget_one();
  return *channels_.emplace(name, std::make_unique<Channel>(name)).first->second;
}

void RedisPublisher::forget_one() {
  for (auto entry = channels_.begin(); entry != channels_.end(); ++entry) {
    const Channel& channel = *entry->second;
    if (channel.ready || channel.under_way > 0 || !channel.waiting.empty()) continue;
    channels_.erase(entry);
    return;
  }
}

// ---- Sending ----

void RedisPublisher::add(RedisPublish publish) {
  Channel& channel = channel_of(publish.draft.channel);
  publish.deadline = parts_.loop.now() + parts_.options.wait_max;
  channel.waiting.push_back(std::move(publish));
  if (!std::exchange(channel.ready, true)) ready_.push_back(&channel);
}

void RedisPublisher::flush() {
  for (Channel* const channel : std::exchange(ready_, {})) {
    channel->ready = false;
    send(*channel);
  }
}

void RedisPublisher::send(Channel& channel) {
  while (channel.under_way < kUnderWayMax && !channel.waiting.empty() && channel.returned.empty()) {
    const std::size_t count = next_count(channel);
    const bool by_commands = may_go_by_commands(channel, count);
    // Few wait for more: what is under way is answered soon.
    if (channel.under_way > 0 && count < kByCommandsMin) break;
    // What goes otherwise would overtake those that go by commands, if they have to go again.
    if (channel.by_commands > 0 && !by_commands) break;
    Batch batch = take(channel, count);
    ++channel.under_way;
    if (by_commands) {
      send_by_commands(channel, std::move(batch));
    } else if (batch.front().rule.count_max > 0) {
      send_by_script(channel, std::move(batch));
    } else if (!batch.front().draft.idempotency_key.empty()) {
      send_once(channel, std::move(batch.front()));
    } else {
      send_bare(channel, std::move(batch));
    }
  }
  if (!channel.waiting.empty()) queued_.insert(channel.name);
}

// What is not kept goes apart from what is; of that, those with a key go alone.
std::size_t RedisPublisher::next_count(const Channel& channel) {
  const auto goes_alone = [](const RedisPublish& each) {
    return each.rule.count_max == 0 && !each.draft.idempotency_key.empty();
  };
  const RedisPublish& first = channel.waiting.front();
  if (goes_alone(first)) return 1;
  const std::size_t most = std::clamp(channel.waiting.size() / 2, kBatchMin, kBatchMax);
  std::size_t count = 0, bytes = 0;
  for (const RedisPublish& next : channel.waiting) {
    if (count == most || bytes >= kBatchBytesMax) break;
    if (goes_alone(next) || (next.rule.count_max == 0) != (first.rule.count_max == 0)) break;
    bytes += size_of(next);
    ++count;
  }
  return count;
}

bool RedisPublisher::may_go_by_commands(const Channel& channel, std::size_t count) const {
  return count >= kByCommandsMin && channel.waiting.front().rule.count_max > 0 && channel.known && !channel.unsure &&
         redis_ms_ != 0 && channel.renewed && parts_.loop.now() - *channel.renewed <= renew_time(parts_.options) &&
         std::all_of(channel.waiting.begin(), channel.waiting.begin() + static_cast<std::ptrdiff_t>(count),
                     [](const RedisPublish& each) { return each.draft.idempotency_key.empty(); });
}

RedisPublisher::Batch RedisPublisher::take(Channel& channel, std::size_t count) {
  Batch batch;
  batch.reserve(count);
  for (; count > 0; --count) {
    batch.push_back(std::move(channel.waiting.front()));
    channel.waiting.pop_front();
  }
  return batch;
}

// The expiry of the stream, and the name in the list, are to be renewed.
bool RedisPublisher::renews(Channel& channel) {
  const bool renew = !channel.renewed || parts_.loop.now() - *channel.renewed > renew_time(parts_.options);
  if (renew) channel.renewed = parts_.loop.now();
  return renew;
}

// How far this node knows the channel to have come: what it has published, or heard, if that is further.
std::optional<RedisMark> RedisPublisher::mark(const Channel& channel) const {
  const std::optional<RedisMark> heard = feeds_.mark(channel.name);
  if (!channel.known || !heard) return heard ? heard : channel.known;
  const auto order = [](const RedisMark& mark) { return std::pair(mark.position.epoch, mark.position.offset); };
  return order(*channel.known) < order(*heard) ? heard : channel.known;
}

void RedisPublisher::send_by_script(Channel& channel, Batch batch) {
  const bool renew = renews(channel);
  std::vector<std::string> words;
  words.reserve(10);
  words.push_back(parts_.keys.publications(channel.name));
  words.push_back(std::to_string(batch.front().rule.count_max));
  words.push_back(std::to_string(parts_.options.idle_ms));
  words.emplace_back(renew ? "1" : "0");
  words.push_back(std::to_string(parts_.options.idempotency_ms));
  append_mark(words, mark(channel));
  words.push_back(std::to_string(channel.known_ms));
  words.push_back(parts_.keys.idempotency(channel.name, ""));
  std::string& entries = words.emplace_back();
  entries.reserve(size_of(batch) + batch.size() * kEntryBytes);
  for (RedisPublish& publish : batch) {
    publish.random = random_.next_u64();
    append_packed(entries, redis_entry(publish.draft, publish.compressed, redis_random_text(publish.random), parts_.writer));
  }
  if (renew) list(channel.name);
  const std::string keys[] = {parts_.keys.stream(channel.name)};
  parts_.client.run(redis_scripts::publish(), keys, std::move(words),
                    guard_.wrap([this, name = channel.name, batch = std::move(batch)](const Result<RespValue>& reply) mutable {
                      on_script(name, std::move(batch), reply);
                    }));
}

void RedisPublisher::send_by_commands(Channel& channel, Batch batch) {
  ++channel.by_commands;
  const std::string stream = parts_.keys.stream(channel.name), heard = parts_.keys.publications(channel.name);
  const std::string count_max = std::to_string(batch.front().rule.count_max);
  const std::optional<RedisMark> known = mark(channel);
  const std::string any = std::to_string(known->position.epoch) + "-*";
  const std::int64_t time_ms = std::max(redis_ms_ + (parts_.loop.now() - redis_ms_at_).count(), channel.known_ms);
  channel.known_ms = time_ms;
  const std::string time = std::to_string(time_ms);
  RespTransaction commands;
  std::string packed, id;
  packed.reserve(size_of(batch) + batch.size() * kEntryBytes);
  for (RedisPublish& publish : batch) {
    publish.random = random_.next_u64();
    id = redis_random_text(publish.random);
    const RedisEntry entry = redis_entry(publish.draft, publish.compressed, id, parts_.writer);
    append_packed(packed, entry);
    // The last one cuts the stream to its length for all of them.
    const bool is_last = &publish == &batch.back();
    commands.begin(6 + (is_last ? 3 : 0) + field_word_count(entry)).word("XADD").word(stream).word("NOMKSTREAM");
    if (is_last) commands.word("MAXLEN").word("~").word(count_max);
    commands.word(any).word("time").word(time);
    append_fields(commands, entry);
  }
  std::vector<std::string> marked;
  append_mark(marked, known);
  const std::string count = std::to_string(batch.size());
  const std::string idle_ms = std::to_string(parts_.options.idle_ms);
  commands.run(redis_scripts::announce(), std::array<std::string_view, 1>{stream},
               std::array<std::string_view, 7>{heard, marked[0], marked[1], count, time, id, idle_ms});
  commands.begin(3).word("PUBLISH").word(heard).word(packed);
  parts_.client.transact(
      stream, std::move(commands),
      guard_.wrap([this, name = channel.name, batch = std::move(batch), time_ms](const Result<RespValue>& reply) mutable {
        on_commands(name, std::move(batch), time_ms, reply);
      }));
}

void RedisPublisher::send_bare(Channel& channel, Batch batch) {
  const std::int64_t now_ms = parts_.clock.unix_ms();
  std::string entries;
  for (RedisPublish& publish : batch) {
    publish.id = random_uuid(random_);
    append_packed(entries, redis_entry(publish.draft, publish.compressed, publish.id.text(), parts_.writer));
  }
  const std::string heard = parts_.keys.publications(channel.name);
  if (feeds_.wants(channel.name)) feeds_.expect_bare(batch.back().id);
  parts_.client.send(
      heard, RespCommand{"PUBLISH", heard, pack_message(std::nullopt, now_ms, entries)},
      guard_.wrap([this, name = channel.name, batch = std::move(batch), now_ms](const Result<RespValue>& reply) mutable {
        on_bare(name, std::move(batch), now_ms, reply);
      }));
}

void RedisPublisher::send_once(Channel& channel, RedisPublish publish) {
  const std::int64_t now_ms = parts_.clock.unix_ms();
  publish.id = random_uuid(random_);
  std::string entry;
  append_packed(entry, redis_entry(publish.draft, publish.compressed, publish.id.text(), parts_.writer));
  const std::string keys[] = {parts_.keys.idempotency(channel.name, publish.draft.idempotency_key)};
  std::vector<std::string> arguments = {parts_.keys.publications(channel.name), pack_message(std::nullopt, now_ms, entry),
                                        std::to_string(parts_.options.idempotency_ms),
                                        redis_receipt_text({.id = publish.id, .time_ms = now_ms})};
  if (feeds_.wants(channel.name)) feeds_.expect_bare(publish.id);
  parts_.client.run(
      redis_scripts::publish_once(), keys, std::move(arguments),
      guard_.wrap([this, name = channel.name, publish = std::move(publish), now_ms](const Result<RespValue>& reply) mutable {
        on_once(name, std::move(publish), now_ms, reply);
      }));
}

// ---- Answers ----

void RedisPublisher::on_script(const std::string& name, Batch batch, const Result<RespValue>& reply) {
  const std::optional<Error> failure = redis_failure(reply);
  std::optional<RedisOutcomes> outcomes;
  if (!failure) outcomes = read_outcomes(*reply, batch.size());
  if (outcomes) {
    note_time(outcomes->time_ms);
    if (Channel* const channel = find(name)) channel->unsure = false;
    settle(name, std::move(batch), *outcomes);
  } else {
    refuse(batch, failure ? *failure : Error{ErrorKind::kInternal, "Redis answered what no script of ours does"});
  }
  on_answered(name);
}

void RedisPublisher::on_commands(const std::string& name, Batch batch, std::int64_t time_ms, const Result<RespValue>& reply) {
  Channel* const channel = find(name);
  if (channel != nullptr) --channel->by_commands;
  // None of them was executed, or nobody knows. (Errors of single ones are no failure here: they go again.)
  if (!reply || reply->error() != nullptr) {
    refuse(batch, *redis_failure(reply));
    return on_answered(name);
  }
  const RedisAdded added = read_added(*reply, batch.size());
  if (added.now_ms) note_time(*added.now_ms);
  if (added.first) {
    if (!added.told) tell(name, batch, *added.first, time_ms);
    settle(name, std::move(batch), {.first = added.first, .others = {}, .time_ms = time_ms});
  } else if (channel != nullptr) {
    channel->unsure = true;
    channel->returned.push_back(std::move(batch));
  }
  on_answered(name);
}

// What the script would have told, had Redis not lost it meanwhile.
void RedisPublisher::tell(const std::string& name, const Batch& batch, const Position& first, std::int64_t time_ms) {
  std::string entries;
  for (const RedisPublish& publish : batch) {
    append_packed(entries, redis_entry(publish.draft, publish.compressed, redis_random_text(publish.random), parts_.writer));
  }
  const std::string heard = parts_.keys.publications(name);
  parts_.client.send(heard, RespCommand{"PUBLISH", heard, pack_message(first, time_ms, entries)}, {});
}

void RedisPublisher::settle(const std::string& name, Batch batch, const RedisOutcomes& outcomes) {
  const bool wanted = feeds_.wants(name);
  std::vector<PublicationPtr> own;
  std::vector<std::pair<RedisPublish, Receipt>> published;
  published.reserve(batch.size());
  std::size_t bytes = 0;
  std::optional<RedisMark> last;
  for (std::size_t i = 0; i < batch.size(); ++i) {
    RedisPublish& publish = batch[i];
    const RedisOutcome outcome = outcomes.of(i);
    if (outcome.error) {
      publish.answer(*outcome.error);
      continue;
    }
    Receipt receipt = outcome.receipt;
    if (receipt.repeated) {
      publish.answer(receipt);
      continue;
    }
    last = RedisMark{*receipt.position, publish.random};
    bytes += size_of(publish);
    receipt.id = publication_id(*receipt.position, publish.random);
    if (wanted) {
      std::unique_ptr<Publication> made = publication_of(std::move(publish.draft));
      made->position = receipt.position;
      made->id = receipt.id;
      made->time_ms = receipt.time_ms;
      own.emplace_back(made.release());
    }
    published.emplace_back(std::move(publish), receipt);
  }
  if (Channel* const channel = find(name); channel != nullptr && last) {
    channel->known_ms = std::max(channel->known_ms, outcomes.time_ms);
    // With its first publication a channel is one to be listed.
    if (published.front().second.position->offset == 1) list(name);
    keep_in_order(*channel, *last, bytes, published.front().first.rule);
  }
  feeds_.offer(name, std::move(own), [published = std::move(published)]() mutable {
    for (auto& [publish, receipt] : published) publish.answer(receipt);
  });
}

void RedisPublisher::note_time(std::int64_t redis_ms) {
  redis_ms_ = redis_ms;
  redis_ms_at_ = parts_.loop.now();
}

void RedisPublisher::on_bare(const std::string& name, Batch batch, std::int64_t time_ms, const Result<RespValue>& reply) {
  const Uuid last = batch.back().id;
  if (const std::optional<Error> failure = redis_failure(reply)) {
    feeds_.forget_bare(last);
    refuse(batch, *failure);
  } else {
    feeds_.when_heard_bare(name, last, [batch = std::move(batch), time_ms]() mutable {
      for (RedisPublish& publish : batch) publish.answer(Receipt{.id = publish.id, .time_ms = time_ms});
    });
  }
  on_answered(name);
}

void RedisPublisher::on_once(const std::string& name, RedisPublish publish, std::int64_t time_ms,
                             const Result<RespValue>& reply) {
  const std::optional<Error> failure = redis_failure(reply);
  const std::string* const text = failure ? nullptr : reply->text();
  const std::optional<Receipt> before = text != nullptr ? parse_redis_receipt(*text, "=") : std::nullopt;
  if (text != nullptr && *text == "+") {
    const Uuid id = publish.id;
    feeds_.when_heard_bare(name, id, [publish = std::move(publish), time_ms]() mutable {
      publish.answer(Receipt{.id = publish.id, .time_ms = time_ms});
    });
  } else {
    feeds_.forget_bare(publish.id);
    if (before) {
      publish.answer(*before);
    } else {
      publish.answer(failure ? *failure
                             : Error{ErrorKind::kCorrupt, "what Redis keeps for this idempotency key cannot be read"});
    }
  }
  on_answered(name);
}

void RedisPublisher::on_answered(const std::string& name) {
  Channel* const channel = find(name);
  if (channel == nullptr) return;
  --channel->under_way;
  take_back(*channel);
  // What was answered now may be followed by more in this turn.
  if (!channel->waiting.empty()) send(*channel);
}

void RedisPublisher::take_back(Channel& channel) {
  if (channel.under_way > 0) return;
  std::vector<Batch> returned = std::exchange(channel.returned, {});
  for (auto batch = returned.rbegin(); batch != returned.rend(); ++batch) {
    for (auto publish = batch->rbegin(); publish != batch->rend(); ++publish) channel.waiting.push_front(std::move(*publish));
  }
}

// ---- What is kept ----

void RedisPublisher::keep_in_order(Channel& channel, const RedisMark& last, std::size_t bytes, const HistoryRule& rule) {
  channel.known = last;
  channel.bytes_since_trim += bytes;
  const Millis now = parts_.loop.now();
  const bool large = rule.bytes_max > 0 && channel.bytes_since_trim >= rule.bytes_max / 8;
  const bool old = rule.age_max_ms > 0 && now - channel.trimmed >= std::max(Millis(1000), Millis(rule.age_max_ms / 8));
  if (!large && !old) return;
  channel.trimmed = now;
  channel.bytes_since_trim = 0;
  const std::string keys[] = {parts_.keys.stream(channel.name)};
  // Nobody waits for it, and the next one makes up for it.
  parts_.client.run(redis_scripts::trim(), keys, {std::to_string(rule.age_max_ms), std::to_string(rule.bytes_max)},
                    [](const Result<RespValue>&) {});
}

void RedisPublisher::list(const std::string& name) {
  parts_.client.send(parts_.keys.channels(), RespCommand{"ZADD", parts_.keys.channels(), "0", name},
                     [](const Result<RespValue>&) {});
}

void RedisPublisher::sweep() {
  parts_.loop.schedule(sweep_timer_, kSweep);
  const Millis now = parts_.loop.now();
  for (auto name = queued_.begin(); name != queued_.end();) {
    Channel* const channel = find(*name);
    Batch late;
    while (channel != nullptr && !channel->waiting.empty() && channel->waiting.front().deadline <= now) {
      late.push_back(std::move(channel->waiting.front()));
      channel->waiting.pop_front();
    }
    refuse(late, {ErrorKind::kUnavailable, "Redis did not take it in time: it was not published; try again later"});
    if (channel == nullptr || channel->waiting.empty()) {
      queued_.erase(name++);
    } else {
      ++name;
    }
  }
}

}  // namespace carillon
