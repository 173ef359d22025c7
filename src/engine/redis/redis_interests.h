// RedisInterests: what this node wants to hear, and whether Redis has confirmed it. On the engine's loop.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "engine/redis/redis_answer.h"
#include "engine/redis/redis_guard.h"
#include "engine/redis/redis_parts.h"
#include "hub/selector_table.h"

namespace carillon {

class RedisInterests {
 public:
  // `subscriber` hears what is published on the channels wanted.
  RedisInterests(const RedisParts& parts, RedisSubscriber& subscriber) : parts_(parts), subscriber_(subscriber) {}

  // Counted.
  void add(const Selector& selector);
  // True: nobody wants it any more.
  bool remove(const Selector& selector);

  bool wants(std::string_view channel) const;
  bool wants_exactly(const std::string& channel) const { return interests_.find({Selector::Kind::kExact, channel}) != nullptr; }
  bool wants_wide() const { return wide_count_ > 0; }
  // Whether an exact one of a channel that keeps no history is wanted.
  bool wants_bare() const { return bare_count_ > 0; }

  // Calls back when the channel, which is wanted, is heard; after wait_max without that with kUnavailable.
  void when_heard(const std::string& channel, RedisAnswer<void> heard);
  // Whoever waits and is heard by now is told: after on_hearing.
  void on_hearing();
  void expire(Millis now);

 private:
  struct Waiting {
    std::string channel;
    Millis deadline;
    RedisAnswer<void> heard;
  };
  struct Interest {
    std::size_t count = 0;
    std::uint64_t number = 0;  // Of the subscription: one that is made anew is another.
    bool confirmed = false;
    std::vector<Waiting> waiting;
  };

  void subscribe(const Selector& selector, Interest& interest);
  void on_subscribed(const Selector& selector, std::uint64_t number, const Result<void>& outcome);
  bool hears(const Interest& interest, const std::string& channel) const;
  void tell(Interest& interest, Millis now);

  const RedisParts& parts_;
  RedisSubscriber& subscriber_;
  // Asked, not changed, by what is const here.
  mutable SelectorTable<Interest> interests_;
  std::uint64_t subscriptions_ = 0;
  std::size_t wide_count_ = 0;
  std::size_t bare_count_ = 0;
  RedisGuard guard_;
};

}  // namespace carillon
