// RedisFeed: what this node has handed out of one channel that it hears, and what it must hear next.
//
// Publications of a channel that keeps history come from three sides: by pub/sub (live), as this node's own, whose publish was
// answered, and from the stream, when some were missed. Their positions say which is next; each is handed out once, in order.
//  - The next one is handed out, and with it those held that follow.
//  - A live one that is further on means that some were missed: it is held, and the stream is to be read.
//  - An own one that is further on is held: those before it are on their way.
//  - While the stream is read, everything is held. What is too much is dropped: it is in the stream.
// On the engine's loop.
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/timer_wheel.h"
#include "engine/redis/redis_entry.h"
#include "engine/redis/resp.h"
#include "hub/engine.h"

namespace carillon {

class RedisFeed {
 public:
  static constexpr std::size_t kHeldMax = 1000;
  static constexpr std::size_t kHeldBytesMax = 4u << 20;

  // The events may be null: nobody listens.
  RedisFeed(std::string name, bool keeps, EngineEvents* events) : name_(std::move(name)), keeps_(keeps), events_(events) {}

  const std::string& name() const { return name_; }
  bool keeps() const { return keeps_; }  // History, so there are positions.
  // The newest that was handed out; absent: it is not known where the channel stands.
  const std::optional<Position>& last() const { return last_; }
  std::optional<RedisMark> mark() const;
  bool has_reached(const Position& position) const;

  // True: the stream is to be read, by begin_reading().
  [[nodiscard]] bool take_live(PublicationPtr publication);
  // True: it is held, until what comes before it is there.
  bool take_own(PublicationPtr publication);
  // Where the channel stands, when nothing of it was handed out yet.
  void start_at(const Position& position);

  bool reading() const { return reading_; }
  void begin_reading() { reading_ = true; }
  // What missed() answered when it was asked for so many after last(). `was_deaf`: this node did not hear before it was asked.
  // True: there is more to read.
  [[nodiscard]] bool take_missed(const RespValue& reply, std::size_t count, bool was_deaf, const RedisWriter& reader);
  // The stream cannot be read, and never will be.
  void give_up_reading();

  // Without history: live ones are handed out as they come; the same one again is not.
  void take_bare(const PublicationPtr& publication);

  // Called when what is at the position was handed out, or never will be.
  struct Waiter {
    Position until;
    Millis deadline;
    UniqueFunction<void(bool reached)> done;
  };
  void wait(Waiter waiter) { waiters_.push_back(std::move(waiter)); }
  bool waited_for() const { return !waiters_.empty(); }
  // Those whose time has come, or who have waited too long.
  std::vector<Waiter> take_waiters(Millis now);
  std::vector<Waiter> take_all_waiters() { return std::exchange(waiters_, {}); }

  std::optional<RedisMessage> announced;  // Its publications are the next message.
  bool stale = false;                     // This node has been deaf, and what was missed is not read yet.
  bool asked = false;                     // The stream is being read now; else, while reading(), it is to be asked again.
  bool again = false;                     // When that is answered, once more.

 private:
  struct Held {
    PublicationPtr publication;
    bool live = false;
  };
  using Order = std::pair<std::uint64_t, std::uint64_t>;  // Epoch and offset.

  void hold(PublicationPtr publication, bool live);
  void hand_out(const PublicationPtr& publication);
  // Nothing is known of what is there.
  void stand_at(const std::optional<Position>& position);
  void tell_gap(std::uint64_t count);
  void change_epoch(std::uint64_t epoch);
  // True: something is missing before a live one.
  bool release();
  bool end_reading();

  const std::string name_;
  const bool keeps_;
  EngineEvents* const events_;
  std::optional<Position> last_;
  Uuid last_id_;       // Of what is at `last_`; nil: nothing is known of that.
  Uuid last_bare_id_;  // Of what has no position.
  bool reading_ = false;
  std::map<Order, Held> held_;
  std::size_t held_bytes_ = 0;
  std::vector<Waiter> waiters_;
};

}  // namespace carillon
