// RedisSubscribers: who wants which channels and patterns, and who was handed a message already. No connections here.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "engine/redis/redis_client.h"
#include "engine/redis/redis_hearing.h"

namespace carillon {

class RedisSubscribers {
 public:
  using Subscribed = UniqueFunction<void(Result<void>)>;
  struct Waiter {
    Subscribed subscribed;
    Millis since;
  };
  struct Wanted {
    struct By {
      RedisSubscriber* subscriber;
      std::uint32_t count;
    };
    std::vector<By> by;
    std::vector<Waiter> waiters;      // For its confirmation.
    std::optional<std::size_t> home;  // A channel's master, once it is known.
  };
  using Names = RedisNames<Wanted>;

  // True: nobody wanted it before.
  bool add(RedisNameKind kind, const std::string& name, RedisSubscriber& subscriber);
  // True: nobody wants it any more, and it is forgotten. Waiters are moved to `left`.
  bool remove(RedisNameKind kind, const std::string& name, RedisSubscriber& subscriber, std::vector<Waiter>& left);

  // It wants something.
  bool knows(const RedisSubscriber& subscriber) const;
  Wanted* find(RedisNameKind kind, std::string_view name);
  Names& names(RedisNameKind kind) { return names_[static_cast<std::size_t>(kind)]; }

  // Hands a message on to those who want the name, unless they were handed the same one by another of its names. Redis sends
  // the copies of one message behind each other: first that of the channel, then one for each pattern.
  void hand_on(std::size_t master, RedisNameKind kind, std::string_view name, const std::string& channel,
               const std::string& message);
  // What comes next is no copy of what came last.
  void forget_last() { last_.names.clear(); }

  // Every subscriber once, whatever it wants. They may subscribe and unsubscribe meanwhile.
  template <class Tell>
  void tell_all(Tell tell) {
    for (RedisSubscriber* const subscriber : std::vector(everybody_)) {
      if (knows(*subscriber)) tell(*subscriber);
    }
  }

 private:
  struct Last {
    std::size_t master = 0;
    std::string channel, message;
    std::vector<std::pair<RedisNameKind, std::string>> names;  // By which it came; empty: there is none.
    std::vector<RedisSubscriber*> handed;
  };

  bool is_copy(std::size_t master, RedisNameKind kind, std::string_view name, const std::string& channel,
               const std::string& message) const;
  bool wants(RedisNameKind kind, std::string_view name, const RedisSubscriber& subscriber);
  void hand_to_all(std::size_t master, RedisNameKind kind, std::string_view name, const std::string& channel,
                   const std::string& message);

  std::array<Names, 2> names_;  // By kind.
  std::vector<RedisSubscriber*> everybody_;
  std::vector<std::uint32_t> everybodys_;  // How many names each wants, by place in everybody_.
  Last last_;
};

}  // namespace carillon
