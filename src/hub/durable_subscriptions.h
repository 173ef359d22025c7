// DurableSubscriptions: which channels a subscriber with a name of its own wants to hear, and how far it has heard them,
// remembered while it is away: as long as the state store remembers, and each for its expiry after its last use.
//
// Any thread. What is asked of one subscriber is done in the order of asking, one after the other, so that nothing that is
// renewed comes back after it was forgotten; several nodes on one store see to it that a subscriber is on one of them only.
// `done` is called once, inside the call or later, on any thread; errors are those of StateStore, and those that are named.
// The store and the clock outlive all answers; this object need not.
#pragma once

#include <cstddef>
#include <initializer_list>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/timer_wheel.h"
#include "base/unique_function.h"
#include "carillon/result.h"
#include "hub/publication.h"
#include "hub/state_store.h"

namespace carillon {

struct DurableSubscription {
  std::string channel;
  // What it has heard, everything up to here; absent: nothing yet, or the channel kept no history.
  std::optional<Position> heard;
  friend bool operator==(const DurableSubscription&, const DurableSubscription&) = default;
};

// The name of a subscriber made of parts that others choose ("infotainer", uuid; "native", user, name): two lists of parts
// never make the same name, and no part can end the one before it.
std::string durable_subscriber(std::initializer_list<std::string_view> parts);

class DurableSubscriptions {
 public:
  // Bytes of a subscriber's name, and of a channel's; a longer one is refused with kInvalid.
  static constexpr std::size_t kSubscriberBytesMax = 200;

  struct Options {
    // Channels of one subscriber; keeping one more is refused with kLimit.
    std::size_t channels_max = 100;
  };

  DurableSubscriptions(StateStore& store, const Clock& clock) : DurableSubscriptions(store, clock, Options{}) {}
  DurableSubscriptions(StateStore& store, const Clock& clock, Options options);
  ~DurableSubscriptions();

  using Done = UniqueFunction<void(Result<void>)>;

  // Its subscriptions in the order of their channels' names; each is good for its whole expiry again.
  void load(std::string subscriber, UniqueFunction<void(Result<std::vector<DurableSubscription>>)> done);
  // Remembers it for `expiry` from now on. A position takes the place of the one known, but never of a later one of the same
  // epoch; without one, what is known stays. Told when a loss of power does not undo a new subscription.
  void keep(std::string subscriber, DurableSubscription subscription, Millis expiry, Done done);
  // As keep, for those of the subscriptions that it has; others are left out. For what was heard meanwhile.
  void heard(std::string subscriber, std::vector<DurableSubscription> subscriptions, Done done);
  // `done` hears whether it had it.
  void forget(std::string subscriber, std::string channel, UniqueFunction<void(Result<bool>)> done);
  void forget_all(std::string subscriber, Done done);

  // Who has subscribed to exactly this channel, in the order of their names after `after`.
  void subscribers(std::string channel, std::string after, std::size_t count_max,
                   UniqueFunction<void(Result<std::vector<std::string>>)> done);
  // Ends the channel's subscriptions, whoever has them. Who subscribes meanwhile may stay.
  void forget_channel(std::string channel, Done done);

 private:
  class Book;
  const std::shared_ptr<Book> book_;
};

}  // namespace carillon
