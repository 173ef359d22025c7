// QueueGroup: one queue group: its members share the publications of a channel, each delivered to one of them until it is
// settled. A deterministic machine: events and the time go in, decisions come out; no I/O, no threads, no clock of its own.
//
// Every publication is settled once: acknowledged, moved to the dead-letter channel, or lost (the channel's retention took it
// before anybody was given it). The cursor is the last offset up to which all are settled. Above it stand entries for what was
// delivered and is not settled; what is above the cursor, below `next` and has no entry is settled.
//
// 1. deliver() gives offsets to members: first what came back, oldest first, then what is new, in the channel's order. The
//    member with the fewest in flight is next, then whoever was served longest ago.
// 2. A delivery ends by ack, nack or the visibility time, or with its member. What is not acknowledged is delivered again, to
//    anybody, unless it was delivered `deliveries_max` times: then it is to be dead-lettered.
// 3. serialise() writes what must outlive the process: who is a member need not.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <tuple>
#include <utility>
#include <vector>

#include "base/timer_wheel.h"
#include "carillon/result.h"
#include "hub/publication.h"

namespace carillon {

// Chosen by the owner, never 0, never used again.
using GroupMember = std::uint64_t;

struct GroupSettings {
  Millis visibility{30'000};         // A delivery that is not settled within this time is made again.
  std::uint32_t deliveries_max = 5;  // So many deliveries, then the dead-letter channel. 0: without end.
  std::string dead_letter;           // Its name.
  friend bool operator==(const GroupSettings&, const GroupSettings&) = default;
};

// Names one delivery. What is delivered again has another token, and the old one counts no more.
struct DeliveryToken {
  std::uint64_t generation = 0;  // Of the machine that made it.
  std::uint64_t offset = 0;
  std::uint32_t attempt = 0;  // From 1.
  friend bool operator==(const DeliveryToken&, const DeliveryToken&) = default;
};
// Opaque to clients: at most 60 letters, digits and hyphens.
std::string token_text(const DeliveryToken& token);
std::optional<DeliveryToken> parse_token(std::string_view text);

// Why a delivery came back.
enum class ReturnReason : std::uint8_t { kNone, kNacked, kTimedOut, kMemberLeft, kRestarted };
// "nacked", "timed_out", …
const char* return_reason_name(ReturnReason reason);

class QueueGroup {
 public:
  // Publications delivered and not settled; beyond it nothing new is delivered until some are.
  static constexpr std::size_t kUnsettledMax = 10'000;

  enum class Kind : std::uint8_t {
    kMember,  // What it holds comes back when it leaves.
    kTaker,   // Takes up to a number; what it was given stays with it for the visibility time, whether it leaves or not.
  };
  struct Delivery {
    GroupMember member = 0;
    DeliveryToken token;
    Millis deadline{0};
  };
  struct DeadLetter {
    std::uint64_t offset = 0;
    std::uint32_t attempts = 0;
    ReturnReason reason = ReturnReason::kNone;
  };
  struct Totals {
    std::uint64_t delivered = 0;  // First deliveries.
    std::uint64_t redelivered = 0;
    std::uint64_t acked = 0;
    std::uint64_t dead = 0;
    std::uint64_t lost = 0;
  };

  // Begins after `cursor`. `generation` grows with every machine of the group.
  QueueGroup(GroupSettings settings, Position cursor, std::uint64_t generation);
  // From what serialise() wrote: what members had in flight is ready at once, what takers had is so when its time is over.
  // `unix_ms` is the calendar time of `now`. Errors: kCorrupt.
  static Result<QueueGroup> parse(std::string_view text, std::uint64_t generation, Millis now, std::int64_t unix_ms);
  std::string serialise(Millis now, std::int64_t unix_ms) const;

  const GroupSettings& settings() const { return settings_; }
  std::uint64_t generation() const { return generation_; }
  std::uint64_t epoch() const { return epoch_; }
  Position cursor() const {
    return {.epoch = epoch_, .offset = unsettled_.empty() ? next_ - 1 : unsettled_.begin()->first - 1};
  }
  std::uint64_t top() const { return top_; }
  // Publications of the channel that are not settled, delivered or not.
  std::uint64_t lag() const { return unsettled_.size() + (top_ + 1 - next_); }
  std::size_t in_flight() const { return in_flight_; }
  std::size_t unsettled() const { return unsettled_.size(); }
  std::size_t member_count() const { return members_.size(); }
  const Totals& totals() const { return totals_; }

  // Publications up to this offset exist. Never goes back.
  void see_top(std::uint64_t offset);
  // The channel's top, as read when the group is used again, lies below what was delivered: a loss of power took the end of
  // the channel, and its offsets are given anew. Returns how many deliveries are forgotten.
  std::uint64_t cut_back(std::uint64_t top);
  // The channel counts anew: what was not settled is lost.
  void begin_epoch(std::uint64_t epoch, std::uint64_t generation);

  // A member may have `most` in flight; a taker may be given so many in all.
  void join(GroupMember member, Kind kind, std::size_t most);
  void leave(GroupMember member, Millis now);

  // False: the delivery was settled or counts no more. A delivery that has come back and was not made again still counts.
  bool ack(const DeliveryToken& token);
  bool nack(const DeliveryToken& token, Millis now, Millis delay);
  bool extend(const DeliveryToken& token, Millis now, Millis time);

  // Takes back what is over its time, then gives what can be given.
  std::vector<Delivery> deliver(Millis now);
  // A delivery that was decided on but did not reach its member: it does not count.
  void undo(const DeliveryToken& token, Millis now);
  // What is to be dead-lettered and was not told yet.
  std::vector<DeadLetter> take_dead() { return std::exchange(dead_, {}); }
  // It stands in the dead-letter channel now.
  void bury(std::uint64_t offset);
  // It could not be put there: told by take_dead() again.
  void revive(std::uint64_t offset);
  // The channel keeps nothing below this offset: what was not delivered or waits to be delivered again is lost.
  void lose_before(std::uint64_t offset);
  // This one is not kept any more, though it is decided on or to be dead-lettered.
  void lose(std::uint64_t offset);

  // When deliver() may have something to do by the passing of time alone.
  std::optional<Millis> next_time() const;
  // Whether what serialise() writes has changed since the last call.
  bool take_changed() { return std::exchange(changed_, false); }

 private:
  enum class State : std::uint8_t { kReady, kDelayed, kInFlight, kDead };
  struct Entry {
    State state = State::kReady;
    ReturnReason reason = ReturnReason::kNone;
    std::uint32_t attempts = 0;
    std::uint64_t generation = 0;  // Of the last delivery.
    GroupMember member = 0;        // In flight: who has it; 0: a taker.
    Millis time{0};                // In flight: until when. Delayed: from when.
  };
  using Entries = std::map<std::uint64_t, Entry>;
  struct Member {
    Kind kind = Kind::kMember;
    std::size_t most = 0;
    std::size_t in_flight = 0;  // Of a taker: given.
    std::uint64_t served = 0;
  };

  Entries::iterator find(const DeliveryToken& token);
  void take_from_flight(Entries::iterator entry);
  void give_back(Entries::iterator entry, ReturnReason reason, Millis now, Millis delay);
  void settle(Entries::iterator entry);
  void forget(Entries::iterator entry);
  void expire(Millis now);
  std::optional<std::uint64_t> next_offset();
  void seat(GroupMember id, const Member& member);
  void unseat(GroupMember id, const Member& member);

  GroupSettings settings_;
  std::uint64_t generation_;
  std::uint64_t epoch_;
  std::uint64_t next_;  // The first offset never delivered.
  std::uint64_t top_;
  Entries unsettled_;
  std::set<std::uint64_t> ready_;                     // Of the unsettled: to be delivered again now.
  std::set<std::pair<Millis, std::uint64_t>> times_;  // Of the unsettled that are in flight or delayed.
  std::map<GroupMember, Member> members_;
  std::set<std::tuple<std::size_t, std::uint64_t, GroupMember>> free_;  // Members with room: in flight, when served, who.
  std::vector<DeadLetter> dead_;
  std::size_t in_flight_ = 0;
  std::uint64_t served_ = 0;
  Totals totals_;
  bool changed_ = true;
};

}  // namespace carillon
