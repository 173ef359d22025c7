#include "engine/redis/redis_feeds.h"

#include <utility>

#include "base/log.h"
#include "engine/redis/redis_failure.h"
#include "engine/redis/redis_scripts.h"

namespace carillon {
namespace {

// How often it is looked for who has waited too long, and for streams that could not be read.
constexpr Millis kSweep{100};

}  // namespace

RedisFeeds::RedisFeeds(const RedisParts& parts) : parts_(parts), interests_(parts, *this), sweep_timer_([this] { sweep(); }) {
  parts_.loop.schedule(sweep_timer_, kSweep);
}

RedisFeeds::~RedisFeeds() {
  for (auto& [channel, feed] : feeds_) {
    for (RedisFeed::Waiter& waiter : feed->take_all_waiters()) waiter.done(false);
  }
}

// ---- What is wanted ----

void RedisFeeds::add(const Selector& selector) {
  interests_.add(selector);
  // What it misses from now on is to be told, also before anything is heard of it.
  const bool keeps = selector.kind == Selector::Kind::kExact && parts_.options.rule_for(selector.base).count_max > 0;
  if (keeps) feed_of(selector.base);
}

void RedisFeeds::remove(const Selector& selector) {
  if (!interests_.remove(selector)) return;
  const auto forget = [this](RedisFeed& feed) {
    for (RedisFeed::Waiter& waiter : feed.take_all_waiters()) waiter.done(true);
    if (feed.stale) --stale_count_;
  };
  if (selector.kind == Selector::Kind::kExact) {
    const auto found = feeds_.find(std::string_view(selector.base));
    if (found != feeds_.end() && !wants(selector.base)) {
      forget(*found->second);
      feeds_.erase(found);
    }
  } else {
    for (auto feed = feeds_.begin(); feed != feeds_.end();) {
      if (wants(feed->first)) {
        ++feed;
        continue;
      }
      forget(*feed->second);
      feeds_.erase(feed++);
    }
  }
  tell_continuity();
}

RedisFeed* RedisFeeds::find(std::string_view channel) const {
  const auto found = feeds_.find(channel);
  return found == feeds_.end() ? nullptr : found->second.get();
}

RedisFeed& RedisFeeds::feed_of(const std::string& channel) {
  if (RedisFeed* const feed = find(channel)) return *feed;
  if (interests_.wants_wide() && feeds_.size() >= kWideFeedsMax) {
    for (auto old = feeds_.begin(); old != feeds_.end(); ++old) {
      if (old->second->reading() || old->second->waited_for() || old->second->stale || interests_.wants_exactly(old->first))
        continue;
      feeds_.erase(old);
      break;
    }
  }
  const bool keeps = parts_.options.rule_for(channel).count_max > 0;
  return *feeds_.emplace(channel, std::make_unique<RedisFeed>(channel, keeps, events_)).first->second;
}

std::optional<Position> RedisFeeds::last(std::string_view channel) const {
  const RedisFeed* const feed = find(channel);
  return feed == nullptr ? std::nullopt : feed->last();
}

std::optional<RedisMark> RedisFeeds::mark(std::string_view channel) const {
  const RedisFeed* const feed = find(channel);
  return feed == nullptr ? std::nullopt : feed->mark();
}

// ---- What is heard ----

void RedisFeeds::on_message(std::size_t /*master*/, std::string_view channel, std::string_view message) {
  const std::optional<std::string> name = parts_.keys.channel_of_publications(channel);
  if (!name || !wants(*name)) return;
  RedisFeed* const known = find(*name);
  std::optional<RedisMessage> announced = known == nullptr ? std::nullopt : std::exchange(known->announced, std::nullopt);
  if (is_only_entries(message)) {
    if (announced) take_announced(*known, *std::move(announced), message);
    return;  // Else nothing was published, or this node has heard only the end of it.
  }
  const std::optional<RedisMessage> read = read_message(message);
  if (!read) {
    if (log_limit_.may_write(parts_.loop.now())) {
      log_warning("redis: a message that is not ours was published channel={} bytes={}", *name, message.size());
    }
    return;
  }
  RedisFeed& feed = feed_of(*name);
  if (read->announced > 0) {
    feed.announced = read;
  } else if (read->first) {
    take_positioned(feed, *read);
  } else {
    take_bare(feed, *read);
  }
}

// Most often it is this node's own, which was handed out when its publish was answered.
bool RedisFeeds::is_known(const RedisFeed& feed, const Position& first, std::size_t count) const {
  return count > 0 && feed.has_reached({first.epoch, first.offset + count - 1}) && first.epoch == feed.last()->epoch;
}

void RedisFeeds::take_announced(RedisFeed& feed, RedisMessage announced, std::string_view entries) {
  if (is_known(feed, *announced.first, announced.announced)) return;
  auto read = read_entries(entries);
  // What cannot be read, or is not what was announced, is missing before the next.
  if (!read || read->size() != announced.announced) return;
  announced.entries = *std::move(read);
  take_positioned(feed, announced);
}

void RedisFeeds::take_positioned(RedisFeed& feed, const RedisMessage& message) {
  Position position = *message.first;
  if (is_known(feed, position, message.entries.size())) return;
  for (const auto& words : message.entries) {
    PublicationPtr publication = read_entry(feed.name(), position, message.time_ms, words, parts_.writer);
    ++position.offset;
    // What cannot be read is missing before the next, and is told as lost when the stream is read.
    if (publication == nullptr) continue;
    if (feed.take_live(std::move(publication))) read(feed);
  }
  tell_waiters(feed);
}

void RedisFeeds::take_bare(RedisFeed& feed, const RedisMessage& message) {
  for (const auto& words : message.entries) {
    const PublicationPtr publication = read_entry(feed.name(), std::nullopt, message.time_ms, words, parts_.writer);
    if (publication == nullptr) continue;
    feed.take_bare(publication);
    if (const auto own = expected_.find(publication->id); own != expected_.end()) own->second = true;
  }
}

// ---- This node's own ----

void RedisFeeds::offer(const std::string& channel, std::vector<PublicationPtr> own, Task done) {
  if (own.empty() || !wants(channel)) return done();
  RedisFeed& feed = feed_of(channel);
  const Position first = *own.front()->position, top = *own.back()->position;
  bool held = false;
  for (PublicationPtr& publication : own) held = feed.take_own(std::move(publication));
  tell_waiters(feed);
  if (!held) return done();
  busy_.insert(channel);
  feed.wait({top, parts_.loop.now() + parts_.options.wait_max, [done = std::move(done)](bool) mutable { done(); }});
  if (!feed.last()) return find_start(channel, first);
  // What comes before it does not come by itself when this node is deaf.
  if (!feed.reading() && !parts_.client.is_hearing(master_of(channel))) read(feed);
}

// What was published before this node heard the channel does not come; if nothing has come behind the barrier, nothing was
// published between that and the first own one.
void RedisFeeds::find_start(const std::string& channel, const Position& first) {
  interests_.when_heard(channel, RedisAnswer<void>(guard_.wrap([this, channel, first](const Result<void>& heard) {
                          if (!heard) return;
                          behind_heard(channel,
                                       RedisAnswer<void>(guard_.wrap([this, channel, first](const Result<void>& behind) {
                                         RedisFeed* const feed = find(channel);
                                         if (!behind || feed == nullptr) return;
                                         feed->start_at({first.epoch, first.offset - 1});
                                         tell_waiters(*feed);
                                       })));
                        })));
}

void RedisFeeds::when_heard_bare(const std::string& channel, const Uuid& id, Task done) {
  const auto own = expected_.find(id);
  const bool seen = own == expected_.end() || own->second || !wants(channel);
  if (own != expected_.end() && seen) expected_.erase(own);
  if (seen) return done();
  behind_heard(channel, RedisAnswer<void>(guard_.wrap([this, id, done = std::move(done)](const Result<void>&) mutable {
                 expected_.erase(id);
                 done();
               })));
}

// ---- Pages ----

void RedisFeeds::settle(const std::string& channel, const Position& top, RedisAnswer<void> settled) {
  const RedisFeed* const feed = find(channel);
  if (!wants(channel) || (feed != nullptr && feed->has_reached(top))) return settled({});
  behind_heard(channel, RedisAnswer<void>(
                            guard_.wrap([this, channel, top, settled = std::move(settled)](const Result<void>& behind) mutable {
                              if (!behind) return settled(behind.error());
                              settle_behind_barrier(channel, top, std::move(settled));
                            })));
}

void RedisFeeds::settle_behind_barrier(const std::string& channel, const Position& top, RedisAnswer<void> settled) {
  if (!wants(channel)) return settled({});
  RedisFeed& feed = feed_of(channel);
  feed.start_at(top);
  tell_waiters(feed);
  if (feed.has_reached(top)) return settled({});
  // Something is missing, or the epoch is another of which no publication is heard yet.
  busy_.insert(channel);
  feed.wait(
      {top, parts_.loop.now() + parts_.options.wait_max, [settled = std::move(settled)](bool reached) mutable {
         if (reached) return settled({});
         settled(Error{ErrorKind::kUnavailable, "what was published before cannot be read from Redis now; try again later"});
       }});
  if (!feed.reading()) read(feed);
}

void RedisFeeds::tell_waiters(RedisFeed& feed) {
  if (!feed.waited_for()) return;
  for (RedisFeed::Waiter& waiter : feed.take_waiters(parts_.loop.now())) waiter.done(feed.has_reached(waiter.until));
}

// ---- Reading what was missed ----

void RedisFeeds::read(RedisFeed& feed) {
  feed.begin_reading();
  busy_.insert(feed.name());
  to_read_.push_back(feed.name());
  ask_next();
}

void RedisFeeds::ask_next() {
  while (reads_ < kReadsMax && !to_read_.empty()) {
    const std::string channel = std::move(to_read_.front());
    to_read_.pop_front();
    RedisFeed* const feed = find(channel);
    if (feed == nullptr || !feed->reading() || feed->asked) continue;
    feed->asked = true;
    ++reads_;
    const std::string keys[] = {parts_.keys.stream(channel)};
    std::vector<std::string> words;
    append_mark(words, feed->mark());
    words.push_back(std::to_string(kReadCount));
    words.push_back(std::to_string(parts_.options.idle_ms));
    parts_.client.run(
        redis_scripts::missed(), keys, std::move(words),
        guard_.wrap([this, channel, deaf = feed->stale](const Result<RespValue>& reply) { on_missed(channel, deaf, reply); }));
  }
}

void RedisFeeds::on_missed(const std::string& channel, bool was_deaf, const Result<RespValue>& reply) {
  --reads_;
  RedisFeed* const feed = find(channel);
  if (feed != nullptr && feed->reading() && feed->asked) {
    feed->asked = false;
    const std::optional<Error> failure = redis_failure(reply);
    if (!failure) {
      if (feed->take_missed(*reply, kReadCount, was_deaf, parts_.writer)) to_read_.push_back(channel);
    } else if (failure->kind == ErrorKind::kCorrupt) {
      feed->give_up_reading();
    }
    // Of what could not be read now the sweep asks again.
    tell_waiters(*feed);
    if (std::exchange(feed->again, false) && !feed->reading()) read(*feed);
    if (!feed->reading()) finish_reading(*feed);
  }
  ask_next();
}

void RedisFeeds::finish_reading(RedisFeed& feed) {
  // What was lost again while it was read is read again when it is heard.
  if (!feed.stale || deaf_.contains(master_of(feed.name()))) return;
  feed.stale = false;
  --stale_count_;
  tell_continuity();
}

// ---- Hearing ----

void RedisFeeds::on_deaf(std::size_t master) {
  deaf_.insert(master);
  for (auto& [channel, feed] : feeds_) {
    if (!feed->keeps() || master_of(channel) != master) continue;
    feed->announced.reset();
    if (std::exchange(feed->stale, true)) continue;
    ++stale_count_;
  }
  reset_ = reset_ || interests_.wants_wide() || interests_.wants_bare();
  if (std::exchange(degraded_, true) || events_ == nullptr) return;
  events_->on_continuity(Continuity::kDegraded);
}

void RedisFeeds::on_hearing(std::size_t master) {
  deaf_.erase(master);
  interests_.on_hearing();
  for (auto& [channel, feed] : feeds_) {
    if (!feed->stale || deaf_.contains(master_of(channel))) continue;
    // What was asked before it was heard again may have been answered before what was missed.
    feed->again = feed->asked;
    feed->begin_reading();
    busy_.insert(channel);
    to_read_.push_back(channel);
  }
  ask_next();
  tell_continuity();
}

void RedisFeeds::tell_continuity() {
  if (!degraded_ || !deaf_.empty() || stale_count_ > 0) return;
  degraded_ = false;
  const bool reset = std::exchange(reset_, false);
  if (events_ == nullptr) return;
  if (reset) events_->on_continuity(Continuity::kReset);
  events_->on_continuity(Continuity::kOk);
}

void RedisFeeds::behind_heard(const std::string& channel, RedisAnswer<void> heard) {
  const bool first = barriers_.empty();
  const std::string key = parts_.keys.publications(channel);
  Barrier& barrier = barriers_[parts_.client.master_of(key)];
  barrier.key = key;
  barrier.heard.push_back(std::move(heard));
  if (first) parts_.loop.post(guard_.wrap([this] { flush_barriers(); }));
}

void RedisFeeds::flush_barriers() {
  for (auto& [master, barrier] : std::exchange(barriers_, {})) {
    parts_.client.after_heard(barrier.key, [heard = std::move(barrier.heard)](const Result<void>& outcome) mutable {
      for (RedisAnswer<void>& one : heard) one(outcome);
    });
  }
}

void RedisFeeds::sweep() {
  parts_.loop.schedule(sweep_timer_, kSweep);
  interests_.expire(parts_.loop.now());
  for (auto channel = busy_.begin(); channel != busy_.end();) {
    RedisFeed* const feed = find(*channel);
    if (feed != nullptr) tell_waiters(*feed);
    if (feed == nullptr || (!feed->waited_for() && !feed->reading())) {
      busy_.erase(channel++);
      continue;
    }
    if (feed->reading() && !feed->asked) to_read_.push_back(*channel);
    ++channel;
  }
  ask_next();
}

}  // namespace carillon
