#include "engine/redis/presence_feeds.h"

#include <algorithm>
#include <charconv>
#include <memory>
#include <utility>

#include "base/log.h"
#include "engine/redis/redis_failure.h"

namespace carillon {
namespace {

// How long the nodes may take to say again what Redis has forgotten, and a read that failed waits.
constexpr Millis kLaterPause{1000};

const Error& deaf_error() {
  static const Error error{ErrorKind::kUnavailable, "presence cannot be heard from Redis now"};
  return error;
}

void sort_by_place(std::vector<PresenceRecord>& records) {
  std::sort(records.begin(), records.end(), [](const PresenceRecord& a, const PresenceRecord& b) { return a.is_before(b); });
}

}  // namespace

PresenceFeeds::PresenceFeeds(Loop& loop, RedisClient& client, const RedisKeys& keys, Seen seen)
    : loop_(loop), client_(client), keys_(keys), seen_(std::move(seen)), later_timer_([this] { go_on(); }) {}

void PresenceFeeds::stop() {
  stopped_ = true;
  later_timer_.cancel();
  for (const auto& [channel, feed] : feeds_) client_.unsubscribe(keys_.presence_diffs(channel), *this);
  feeds_.clear();
}

// --- What is wanted

void PresenceFeeds::add(const std::string& channel) {
  if (!stopped_ && feeds_[channel].wanted++ == 0) subscribe(channel);
}

void PresenceFeeds::subscribe(const std::string& channel) {
  client_.subscribe(keys_.presence_diffs(channel), *this,
                    guard_.wrap([this, channel](const Result<void>& outcome) { on_subscribed(channel, outcome); }));
}

void PresenceFeeds::remove(const std::string& channel) {
  const auto found = feeds_.find(channel);
  if (found == feeds_.end() || --found->second.wanted > 0) return;
  std::vector<StateAnswer> waiting = std::move(found->second.waiting);
  feeds_.erase(found);
  client_.unsubscribe(keys_.presence_diffs(channel), *this);
  for (StateAnswer& answer : waiting) read_without_feed(channel, std::move(answer));
}

void PresenceFeeds::on_subscribed(const std::string& channel, const Result<void>& outcome) {
  Feed* const feed = find(channel);
  if (feed == nullptr || !is_unheard(*feed)) return;
  if (!outcome) {
    feed->stage = Stage::kDeaf;
    do_later(channel);
    return refuse(*feed, deaf_error());
  }
  feed->stage = Stage::kLive;
  if (!feed->waiting.empty()) read(channel, *feed);
}

std::uint64_t PresenceFeeds::version_of(std::string_view channel) const {
  const auto found = feeds_.find(channel);
  return found == feeds_.end() ? 0 : std::max(found->second.version.value_or(0), found->second.told);
}

PresenceFeeds::Feed* PresenceFeeds::find(std::string_view channel) {
  const auto found = feeds_.find(channel);
  return found == feeds_.end() ? nullptr : &found->second;
}

void PresenceFeeds::refuse(Feed& feed, const Error& error) {
  for (StateAnswer& answer : std::exchange(feed.waiting, {})) answer(error);
}

// --- Diffs as they come

void PresenceFeeds::on_message(std::size_t, std::string_view name, std::string_view text) {
  const auto channel = keys_.channel_of_presence_diffs(name);
  Feed* const feed = channel ? find(*channel) : nullptr;
  if (feed == nullptr || feed->stage == Stage::kDeaf) return;
  auto message = parse_presence_message(text);
  if (!message) {
    if (log_limit_.may_write(loop_.now())) log_warning("redis: what was published on {} is no diff of presence", name);
    return;
  }
  take(*channel, *feed, *std::move(message));
}

void PresenceFeeds::take(const std::string& channel, Feed& feed, PresenceMessage message) {
  if (feed.stage == Stage::kReading) {
    if (feed.held.size() < kHeldMax) return feed.held.push_back(std::move(message));
    feed.held.clear();
    feed.held_too_many = true;
    return;
  }
  if (!feed.version) return hand_out(channel, feed, std::move(message));
  if (message.version <= *feed.version) return;
  // What was empty for long is forgotten, with its version.
  const bool follows = message.before == *feed.version || (message.before == 0 && feed.known.empty());
  if (follows) return hand_out(channel, feed, std::move(message));
  feed.missed = true;
  read(channel, feed);
  feed.held.push_back(std::move(message));
}

void PresenceFeeds::hand_out(const std::string& channel, Feed& feed, PresenceMessage message) {
  for (const PresenceRecord& record : message.leaves) feed.known.erase(record.meta.client_id);
  for (const PresenceRecord& record : message.joins) feed.known[record.meta.client_id] = record;
  feed.version = message.version;
  feed.told = std::max(feed.told + 1, message.version);
  feed.counts = message.counts;
  for (const PresenceRecord& record : message.joins) {
    seen_(channel, node_of_member(record.meta.client_id), record.incarnation);
  }
  tell(channel, feed, message.joins, message.leaves);
}

void PresenceFeeds::tell(const std::string& channel, Feed& feed, const std::vector<PresenceRecord>& joins,
                         const std::vector<PresenceRecord>& leaves) {
  feed.state = nullptr;
  if (events_ == nullptr) return;
  events_->on_presence(std::make_shared<const PresenceUpdate>(
      PresenceUpdate{.channel = channel,
                     .version = feed.told,
                     .changes = {.joins = presence_entries(joins), .leaves = presence_entries(leaves)},
                     .counts = feed.counts}));
}

// --- Hearing and not

void PresenceFeeds::on_deaf(std::size_t master) {
  for (auto& [channel, feed] : feeds_) {
    if (feed.stage == Stage::kSubscribing || client_.master_of(keys_.members(channel)) != master) continue;
    feed.missed = feed.missed || feed.stage != Stage::kDeaf;
    feed.stage = Stage::kDeaf;
    feed.reading = 0;
    feed.held.clear();
    refuse(feed, deaf_error());
  }
}

void PresenceFeeds::on_hearing(std::size_t master) {
  for (auto& [channel, feed] : feeds_) {
    if (feed.stage != Stage::kDeaf || client_.master_of(keys_.members(channel)) != master) continue;
    if (feed.missed) {
      feed.stage = Stage::kReading;  // What comes from now on is held.
      feed.waited = false;
      due_.push_back(channel);
    } else {
      feed.stage = Stage::kLive;
    }
  }
  read_due();
}

void PresenceFeeds::do_later(const std::string& channel) {
  later_.push_back(channel);
  if (!later_timer_.armed()) loop_.schedule(later_timer_, kLaterPause);
}

void PresenceFeeds::go_on() {
  for (std::string& channel : std::exchange(later_, {})) {
    const Feed* const feed = find(channel);
    if (feed == nullptr) continue;
    if (is_unheard(*feed)) {
      // Whether it is subscribed to by now. The client counts.
      subscribe(channel);
      client_.unsubscribe(keys_.presence_diffs(channel), *this);
    } else {
      due_.push_back(std::move(channel));
    }
  }
  read_due();
}

// --- Reading the state

void PresenceFeeds::read_due() {
  while (!due_.empty() && due_readings_.size() < kAtOnce && !stopped_) {
    const std::string channel = std::move(due_.front());
    due_.pop_front();
    Feed* const feed = find(channel);
    if (feed == nullptr || feed->stage != Stage::kReading || !feed->missed) continue;
    read(channel, *feed);
    due_readings_.insert(feed->reading);
  }
}

void PresenceFeeds::read(const std::string& channel, Feed& feed) {
  feed.stage = Stage::kReading;
  feed.reading = ++last_reading_;
  feed.held_too_many = false;
  const std::string key = keys_.members(channel);
  client_.transact(key, {RespCommand{"GET", keys_.presence_version(channel)}, RespCommand{"HGETALL", key}},
                   guard_.wrap([this, channel, reading = feed.reading](const Result<RespValue>& reply) {
                     on_read(channel, reading, reply);
                   }));
}

void PresenceFeeds::on_read(const std::string& channel, std::uint64_t reading, const Result<RespValue>& reply) {
  auto read = parse(reply);
  if (read) {
    note_leases(channel, read->members);
    const auto shared = std::make_shared<Read>(*std::move(read));
    return client_.after_heard(keys_.members(channel), guard_.wrap([this, channel, reading, shared](const Result<void>& heard) {
      on_heard(channel, reading, std::move(*shared), heard);
    }));
  }
  on_heard(channel, reading, {}, read.error());
}

void PresenceFeeds::on_heard(const std::string& channel, std::uint64_t reading, Read read, const Result<void>& heard) {
  due_readings_.erase(reading);
  Feed* const feed = find(channel);
  if (feed != nullptr && feed->stage == Stage::kReading && feed->reading == reading) {
    if (!heard) {
      on_read_failure(channel, *feed, heard.error());
    } else if (feed->held_too_many) {
      feed->missed = true;
      this->read(channel, *feed);
    } else if (feed->missed) {
      catch_up(channel, *feed, std::move(read));
    } else {
      become_whole(channel, *feed, std::move(read));
    }
  }
  read_due();
}

void PresenceFeeds::on_read_failure(const std::string& channel, Feed& feed, const Error& error) {
  refuse(feed, error);
  if (feed.missed) {
    feed.reading = 0;
    return do_later(channel);
  }
  feed.stage = Stage::kLive;
  for (PresenceMessage& message : std::exchange(feed.held, {})) take(channel, feed, std::move(message));
}

// Nothing was missed: what was held is handed out, then the state is what was read, with what is newer among the held.
void PresenceFeeds::become_whole(const std::string& channel, Feed& feed, Read read) {
  feed.stage = Stage::kLive;
  std::vector<PresenceMessage> newer;
  for (PresenceMessage& message : std::exchange(feed.held, {})) {
    if (message.version > read.version.value_or(0)) newer.push_back(message);
    take(channel, feed, std::move(message));
  }
  if (feed.stage == Stage::kReading) return;  // Something was missed after all, and is being read.
  if (feed.version && read.version && *feed.version < *read.version) {
    feed.missed = true;
    return catch_up(channel, feed, std::move(read));
  }
  for (const PresenceMessage& message : newer) {
    for (const PresenceRecord& record : message.leaves) read.members.erase(record.meta.client_id);
    for (const PresenceRecord& record : message.joins) read.members[record.meta.client_id] = record;
  }
  feed.known = std::move(read.members);
  feed.counts = counts_of(feed.known);
  feed.whole = true;
  feed.state = nullptr;
  if (!feed.version) feed.version = read.version.value_or(0);
  feed.told = std::max(feed.told, *feed.version);
  for (StateAnswer& answer : std::exchange(feed.waiting, {})) answer_from(channel, std::move(answer));
}

void PresenceFeeds::catch_up(const std::string& channel, Feed& feed, Read read) {
  if (!read.version && !feed.known.empty() && !std::exchange(feed.waited, true)) {
    feed.stage = Stage::kReading;
    feed.reading = 0;
    return do_later(channel);
  }
  std::vector<PresenceRecord> joins;
  std::vector<PresenceRecord> leaves;
  for (const auto& [member, record] : feed.known) {
    const auto now = read.members.find(member);
    if (now == read.members.end() || now->second.meta.ref != record.meta.ref) leaves.push_back(record);
  }
  for (const auto& [member, record] : read.members) {
    const auto before = feed.known.find(member);
    if (before == feed.known.end() || before->second.meta.ref != record.meta.ref) joins.push_back(record);
  }
  sort_by_place(joins);
  sort_by_place(leaves);
  feed.known = std::move(read.members);
  feed.counts = counts_of(feed.known);
  feed.whole = true;
  feed.missed = false;
  feed.stage = Stage::kLive;
  feed.state = nullptr;
  if (read.version || !feed.version) feed.version = read.version.value_or(0);
  feed.told = std::max(feed.told + (joins.empty() && leaves.empty() ? 0 : 1), *feed.version);
  if (!joins.empty() || !leaves.empty()) tell(channel, feed, joins, leaves);
  for (PresenceMessage& message : std::exchange(feed.held, {})) take(channel, feed, std::move(message));
  if (feed.stage == Stage::kReading) return;
  for (StateAnswer& answer : std::exchange(feed.waiting, {})) answer_from(channel, std::move(answer));
}

// --- Questions

void PresenceFeeds::state(const std::string& channel, StateAnswer answer) {
  if (stopped_) return answer(deaf_error());
  Feed* const feed = find(channel);
  if (feed == nullptr) return read_without_feed(channel, std::move(answer));
  switch (feed->stage) {
    case Stage::kDeaf: return answer(deaf_error());
    case Stage::kSubscribing:
    case Stage::kReading: return feed->waiting.push_back(std::move(answer));
    case Stage::kLive: break;
  }
  if (feed->whole) return answer_from(channel, std::move(answer));
  feed->waiting.push_back(std::move(answer));
  read(channel, *feed);
}

void PresenceFeeds::answer_from(const std::string& channel, StateAnswer answer) {
  client_.after_heard(keys_.members(channel),
                      guard_.wrap([this, channel, answer = std::move(answer)](const Result<void>& heard) mutable {
                        if (!heard) return answer(heard.error());
                        Feed* const feed = find(channel);
                        if (feed == nullptr || feed->stage != Stage::kLive || !feed->whole)
                          return state(channel, std::move(answer));
                        if (feed->state == nullptr) feed->state = state_of(channel, feed->told, feed->known);
                        answer(feed->state);
                      }));
}

void PresenceFeeds::read_without_feed(const std::string& channel, StateAnswer answer) {
  const std::string key = keys_.members(channel);
  client_.transact(key, {RespCommand{"GET", keys_.presence_version(channel)}, RespCommand{"HGETALL", key}},
                   guard_.wrap([this, channel, answer = std::move(answer)](const Result<RespValue>& reply) mutable {
                     const auto read = parse(reply);
                     if (!read) return answer(read.error());
                     note_leases(channel, read->members);
                     answer(state_of(channel, read->version.value_or(0), read->members));
                   }));
}

void PresenceFeeds::note_leases(const std::string& channel, const Members& members) const {
  std::set<std::pair<std::string_view, std::uint64_t>> leases;
  for (const auto& [member, record] : members) leases.emplace(node_of_member(member), record.incarnation);
  for (const auto& [node, incarnation] : leases) seen_(channel, node, incarnation);
}

Result<PresenceFeeds::Read> PresenceFeeds::parse(const Result<RespValue>& reply) {
  if (const auto failure = redis_failure(reply)) return *failure;
  const Error unreadable{ErrorKind::kCorrupt, "presence in Redis cannot be read"};
  const RespValue::Array* const both = reply->array();
  if (both == nullptr || both->size() != 2 || both->back().array() == nullptr) return unreadable;
  Read read;
  if (const std::string* const version = both->front().text()) {
    std::uint64_t number = 0;
    std::from_chars(version->data(), version->data() + version->size(), number);
    read.version = number;
  }
  const RespValue::Array& words = *both->back().array();
  for (std::size_t i = 0; i + 1 < words.size(); i += 2) {
    const std::string* const member = words[i].text();
    const std::string* const value = words[i + 1].text();
    if (member == nullptr || value == nullptr) return unreadable;
    auto record = parse_presence_record(*member, *value);
    if (!record) return unreadable;
    read.members.emplace(*member, *std::move(record));
  }
  return read;
}

PresenceCounts PresenceFeeds::counts_of(const Members& members) {
  std::set<std::string_view> users;
  for (const auto& [member, record] : members) users.insert(record.key);
  return {.users = users.size(), .members = members.size()};
}

PresenceStatePtr PresenceFeeds::state_of(const std::string& channel, std::uint64_t version, const Members& members) {
  std::vector<PresenceRecord> records;
  records.reserve(members.size());
  for (const auto& [member, record] : members) records.push_back(record);
  sort_by_place(records);
  return std::make_shared<const PresenceState>(PresenceState{
      .channel = channel, .version = version, .entries = presence_entries(records), .counts = counts_of(members)});
}

}  // namespace carillon
