// RedisFeeds: all channels that this node hears, and what must be known of all of them: when this node is deaf, and when it has
// made up for that. On the engine's loop.
//
// 1. What is wanted is subscribed to (RedisInterests). A channel's feed (RedisFeed) begins with what is first heard of it, or
// with
//    the first page that is shown of it.
// 2. When a master cannot be heard, the feeds of its channels are stale, and EngineEvents is told kDegraded.
// 3. When it is heard again, every stale feed reads from its stream what it missed. When the last one has, kOk is told; and
//    before it kReset, where something is wanted of which nothing is kept, or not known where it stood.
#pragma once

#include <boost/unordered/unordered_flat_map.hpp>
#include <boost/unordered/unordered_flat_set.hpp>
#include <deque>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "base/hash.h"
#include "base/log_limit.h"
#include "engine/redis/redis_feed.h"
#include "engine/redis/redis_interests.h"

namespace carillon {

class RedisFeeds final : private RedisSubscriber {
 public:
  // Streams that are read at once.
  static constexpr std::size_t kReadsMax = 128;
  // Entries asked for at once.
  static constexpr std::size_t kReadCount = 500;
  // Feeds of channels that only wide selectors want; beyond it one is forgotten for each new one.
  static constexpr std::size_t kWideFeedsMax = 100'000;

  explicit RedisFeeds(const RedisParts& parts);
  ~RedisFeeds();  // Whoever waits is told.

  void set_events(EngineEvents& events) { events_ = &events; }
  void add(const Selector& selector);
  void remove(const Selector& selector);
  bool wants(std::string_view channel) const { return interests_.wants(channel); }
  // Where the channel's feed stands; absent: there is none, or it is not known.
  std::optional<Position> last(std::string_view channel) const;
  std::optional<RedisMark> mark(std::string_view channel) const;

  // This node's own publications of one channel, in order. `done` is called when the last was handed out; at once when nobody
  // here wants them.
  void offer(const std::string& channel, std::vector<PublicationPtr> own, Task done);
  // Of a channel that keeps no history: before it is published, this node's own is to be looked out for; `when_heard_bare` is
  // called after it was published, and answers when its copy came, or if none can be waited for.
  void expect_bare(const Uuid& id) { expected_.emplace(id, false); }
  void forget_bare(const Uuid& id) { expected_.erase(id); }
  void when_heard_bare(const std::string& channel, const Uuid& id, Task done);

  // Pages of the channel may be read: it is heard, or not wanted.
  void when_heard(const std::string& channel, RedisAnswer<void> heard) { interests_.when_heard(channel, std::move(heard)); }
  // A page up to this position may be shown: all up to there was handed out, or nobody here wants it.
  void settle(const std::string& channel, const Position& top, RedisAnswer<void> settled);

 private:
  void on_message(std::size_t master, std::string_view channel, std::string_view message) override;
  void on_deaf(std::size_t master) override;
  void on_hearing(std::size_t master) override;

  RedisFeed* find(std::string_view channel) const;
  RedisFeed& feed_of(const std::string& channel);
  void take_positioned(RedisFeed& feed, const RedisMessage& message);
  void take_announced(RedisFeed& feed, RedisMessage announced, std::string_view entries);
  bool is_known(const RedisFeed& feed, const Position& first, std::size_t count) const;
  void take_bare(RedisFeed& feed, const RedisMessage& message);
  void find_start(const std::string& channel, const Position& first);
  void settle_behind_barrier(const std::string& channel, const Position& top, RedisAnswer<void> settled);
  void tell_waiters(RedisFeed& feed);

  void read(RedisFeed& feed);
  void ask_next();
  void on_missed(const std::string& channel, bool was_deaf, const Result<RespValue>& reply);
  void finish_reading(RedisFeed& feed);
  void tell_continuity();

  // Calls `heard` behind everything that the channel's master has published by now; one ping for all that ask in one turn.
  void behind_heard(const std::string& channel, RedisAnswer<void> heard);
  void flush_barriers();
  void sweep();
  std::size_t master_of(std::string_view channel) const { return parts_.client.master_of(parts_.keys.publications(channel)); }

  struct Barrier {
    std::string key;
    std::vector<RedisAnswer<void>> heard;
  };

  const RedisParts& parts_;
  EngineEvents* events_ = nullptr;
  RedisInterests interests_;
  boost::unordered_flat_map<std::string, std::unique_ptr<RedisFeed>, NameHash, NameEqual> feeds_;
  boost::unordered_flat_set<std::string, NameHash, NameEqual> busy_;  // Feeds that are waited for, or are read.
  std::map<Uuid, bool> expected_;  // Own publications without position, and whether their copy came.

  std::set<std::size_t> deaf_;  // Masters.
  bool degraded_ = false;       // Was told.
  bool reset_ = false;          // Is to be told.
  std::size_t stale_count_ = 0;
  std::deque<std::string> to_read_;  // Channels whose stream is to be asked.
  std::size_t reads_ = 0;            // Under way.

  std::map<std::size_t, Barrier> barriers_;  // By master, to be sent at the next turn.
  CallbackTimer sweep_timer_;
  LogLimit log_limit_{Millis{10'000}};
  RedisGuard guard_;
};

}  // namespace carillon
