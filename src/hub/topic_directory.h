// TopicDirectory: channels that have a name, a creator and a date: topics. Each has a UUID; its publications are those of the
// channel "log:<uuid>" (hyphenated, lower case), and its subscribers those that DurableSubscriptions knows of that channel.
//
// Two kinds: a topic that was created lasts until it is removed; one that a subscription made goes with its last subscriber, or
// when nobody has used it for its expiry; what the channel keeps stays then. Whoever may subscribe to the channel `topics`
// hears of each that is made and each that goes, but for those that expire.
//
// Any thread. `done` is called once, inside the call or later, on any thread; errors are those of StateStore, and those that
// are named. The hub, the subscriptions and the loops outlive all answers.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/id.h"
#include "base/timer_wheel.h"
#include "base/unique_function.h"
#include "carillon/result.h"
#include "hub/durable_subscriptions.h"
#include "hub/hub.h"

namespace carillon {

struct Topic {
  Uuid id;
  std::string name;     // Need not be the only one of this name.
  std::string creator;  // Whoever made it, for people.
  std::int64_t created_ms = 0;
  bool lasting = false;  // It was created, not made by a subscription.
  friend bool operator==(const Topic&, const Topic&) = default;
};

enum class TopicChange : std::uint8_t { kCreated, kRemoved };

inline constexpr std::string_view kTopicsChannel = "topics";
// "topic_created", "topic_removed".
std::string_view topic_event(TopicChange change);
std::string topic_channel(const Uuid& id);
// Absent where it is no topic's.
std::optional<Uuid> topic_of_channel(std::string_view channel);

class TopicDirectory {
 public:
  // Bytes of a name, which is UTF-8 without control characters, and of what a creator is called; else kInvalid.
  static constexpr std::size_t kNameBytesMax = 255;

  // `describe`: what is published of a change, one JSON text. Any thread.
  using Describe = std::function<std::string(const Topic&, TopicChange)>;
  TopicDirectory(Hub& hub, DurableSubscriptions& subscriptions, Describe describe)
      : hub_(hub), subscriptions_(subscriptions), describe_(std::move(describe)) {}

  // Called when a topic was removed, or went with its last subscriber; not when one expires. Set before the loops run.
  void on_removed(std::function<void(const Uuid&)> hook) { removed_ = std::move(hook); }

  using Done = UniqueFunction<void(Result<void>)>;

  // A topic that lasts. Told when a loss of power does not undo it. kConflict: the id has one that lasts.
  void create(Topic topic, UniqueFunction<void(Result<Topic>)> done);
  // Makes it when there is none, and renews one that a subscription made. `done` hears whether it was made.
  void ensure(Topic topic, Millis expiry, UniqueFunction<void(Result<bool>)> done);
  void read(const Uuid& id, UniqueFunction<void(Result<std::optional<Topic>>)> done);
  // Whether there is such a topic, or anybody who has subscribed to its channel.
  void is_known(const Uuid& id, UniqueFunction<void(Result<bool>)> done);
  // In the order of their ids after `after`.
  void list(std::optional<Uuid> after, std::size_t count_max, UniqueFunction<void(Result<std::vector<Topic>>)> done);
  // A subscription has ended: one that was made by a subscription and has none left goes.
  void on_unsubscribed(const Uuid& id, Done done);
  // With all that its channel kept, and everybody's subscriptions. `done`, called on `loop`, hears whether there was one.
  void remove(Loop& loop, const Uuid& id, UniqueFunction<void(Result<bool>)> done);

 private:
  void write(Topic topic, std::int64_t expires_at_ms, bool synced, Done done);
  void tell(const Topic& topic, TopicChange change);
  void remove_record(Topic topic, Done done);
  void remove_rest(Loop& loop, const Uuid& id, UniqueFunction<void(Result<bool>)> done);

  Hub& hub_;
  DurableSubscriptions& subscriptions_;
  const Describe describe_;
  std::function<void(const Uuid&)> removed_;
};

}  // namespace carillon
