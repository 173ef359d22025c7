// SubscriberTalk: what a subscriber says and what it makes of what it hears, over any number of connections. No sockets; one
// thread.
//
// It keeps the position of every channel heard, and subscribes with these when it comes back. Positions:
//  - A first subscription starts where the server says the channels stand.
//  - A later one asks for all after the positions kept. What the server then sends moves them on, so that a connection lost
//    in the middle of a recovery loses nothing.
//  - Where the server has begun a new epoch, what it kept of that is taken from its beginning.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "client/hub_client.h"

namespace carillon {

// A queue group to be a member of, on each of the channels. What is absent is as the group has it.
struct SubscriberGroup {
  std::string name;
  bool acknowledge = true;  // Each event once it was told; else it comes again, to any member, after the visibility time.
  std::optional<std::uint64_t> in_flight;
  std::optional<std::uint64_t> visibility_ms;
  std::optional<std::uint64_t> deliveries_max;
  std::string dead_letter;  // Empty: absent.
};

struct SubscriberStart {
  std::vector<std::string> channels;
  std::optional<ClientPosition> recover;  // Of the only channel: begin after this.
  bool since_beginning = false;           // Begin with all that is kept.
  bool presence = false;                  // Hear who is there, without being there.
  // Then `recover` and `since_beginning` say where the group begins if it is new.
  std::optional<SubscriberGroup> group;
};

class SubscriberTalk {
 public:
  // Channels whose position is kept for one subscription. Beyond it a channel is heard but its position is not kept, so that
  // coming back may bring its kept events again.
  static constexpr std::size_t kPositionsMax = 10'000;

  explicit SubscriberTalk(SubscriberStart start);

  // A connection was made; returns the commands to send.
  std::vector<std::string> on_connected();

  struct Outcome {
    enum class Kind : std::uint8_t {
      kNothing,
      kEvent,     // `text` is the event, one line of JSON.
      kPresence,  // `text` is who is there, came and went, or how many there are: lines of JSON.
      kNotice,    // `text` is for the person in front of it.
      kRefused,   // A subscription was refused for good; `text` says why.
      kLater,     // A subscription was refused for now; `text` says why.
    };
    Kind kind = Kind::kNothing;
    std::string text;
    std::string reply;  // Of an event: the command to send once it was told. Empty: none.
  };
  Outcome on_message(std::string_view message);

  // Every subscription of this connection was confirmed.
  bool all_confirmed() const;

 private:
  struct Subscription {
    std::string channel;
    std::map<std::string, ClientPosition, std::less<>> positions;  // Of the channels heard through it.
    bool recovering = false;                                       // Subscribes with its positions.
    bool confirmed = false;                                        // On this connection.

    bool hears(std::string_view event_channel) const;
  };

  std::string join_command(const Subscription& subscription, std::size_t index) const;
  Outcome on_delivery(std::string_view message) const;
  std::string subscribe_command(const Subscription& subscription, std::size_t index) const;
  Outcome on_subscribed(std::string_view message);
  Outcome on_event(std::string_view message);
  Outcome on_error(std::string_view message);
  Outcome on_ended(std::string_view message);
  bool move_on(std::string_view channel, const ClientPosition& position);

  std::vector<Subscription> subscriptions_;
  bool presence_ = false;
  std::optional<SubscriberGroup> group_;
  std::optional<ClientPosition> first_recover_;  // Until the first subscription was confirmed.
};

}  // namespace carillon
