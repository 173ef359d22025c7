// Engine: orders, keeps and spreads publications. The hub's port to it; rooms of engine/ implement it.
//
// Promises of every engine, each tested on every engine:
//  - order: the publications of one channel are handed to EngineEvents in one order, the same for all nodes and loops;
//  - own copy first: a publication is handed to EngineEvents before its publish completes;
//  - positions: where the channel keeps history, offsets within an epoch grow by one without holes; what is for its publisher
//    alone (is_private) has none and is not kept;
//  - seen first: a publication is handed to EngineEvents before any history page shows it, and a page that was asked for after
//    it was handed out shows it (while it is kept) or a position at or after its own;
//  - honesty: a history page says when something asked for is gone;
//  - time: within a channel that keeps history no publication is older than the one before it, also when the clock goes back.
//
// All functions may be called on any thread. A completion is called exactly once, inside the call or later, on any thread.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/unique_function.h"
#include "carillon/result.h"
#include "hub/group_store.h"
#include "hub/node_directory.h"
#include "hub/presence_store.h"
#include "hub/publication.h"
#include "hub/selector.h"
#include "hub/state_store.h"

namespace carillon {

// Whether this node hears what others publish.
enum class Continuity : std::uint8_t {
  kOk,        // It does, and has heard all there was.
  kDegraded,  // It cannot now: what is published elsewhere comes later, or is told as lost.
  kReset,     // It does again, but on channels that keep no history publications may have been missed. kOk follows at once.
};

// "ok", "degraded", "reset".
constexpr const char* continuity_text(Continuity continuity) {
  switch (continuity) {
    case Continuity::kOk: return "ok";
    case Continuity::kDegraded: return "degraded";
    case Continuity::kReset: return "reset";
  }
  return "";
}

// Hears every publication of the channels this node has interest in. Called in each channel's order, on any thread;
// must not block and must not call the engine back.
class EngineEvents {
 public:
  virtual void on_publication(const PublicationPtr& publication) = 0;
  // Publications of the channel, which keeps history, will never be heard here: they were dropped before they could be read, or
  // the epoch is another. Called at their place in the channel's order. `count`: how many; 0: not known.
  virtual void on_gap(const std::string& channel, std::uint64_t count) = 0;
  virtual void on_continuity(Continuity continuity) = 0;

 protected:
  ~EngineEvents() = default;
};

// When a publish is answered and its subscribers hear of it, where the engine keeps publications on a disk.
enum class Durability : std::uint8_t {
  kNone,      // When it is written: a crash of the process does not undo it, a loss of power may.
  kInterval,  // Likewise; and within the engine's interval it survives a loss of power too.
  kSync,      // When it survives a loss of power. Publishes that come together share one sync.
};

// What one channel keeps.
struct HistoryRule {
  std::size_t count_max = 0;    // 0: no history, no positions. Beyond it the oldest goes.
  std::int64_t age_max_ms = 0;  // 0: no limit by age.
  std::size_t bytes_max = 0;    // Of payloads, names and bookkeeping, about. 0: no limit by bytes.
  Durability durability = Durability::kInterval;
};

struct HistoryQuery {
  std::string channel;
  // Publications after this position (before it, when reverse). Absent: from the oldest (the newest, when reverse).
  std::optional<Position> since;
  // Instead of `since`: publications of this Unix time or later (of before it, when reverse).
  std::optional<std::int64_t> from_time_ms;
  std::size_t count_max = 100;
  bool reverse = false;  // Newest first.
};

struct HistoryPage {
  std::vector<PublicationPtr> publications;
  // The channel's newest position when the page was made; absent where the channel keeps no history.
  std::optional<Position> top;
  // With `since`: nothing between it and this page is missing. False: the epoch differs or publications were dropped;
  // the page then starts at the oldest kept. When reverse: what came just before `since` is still kept, or never was.
  bool complete = true;
  bool more = false;  // There is more in this direction than count_max allowed.
};

struct ChannelRecord {
  std::string name;
  std::optional<Position> top;
  std::size_t history_count = 0;
};

class Engine {
 public:
  virtual ~Engine() = default;

  // Who hears publications. Set once, before anything is published.
  virtual void set_events(EngineEvents& events) = 0;

  // What this node wants to hear. An engine of several nodes hands out only what somebody wants; others hand out everything,
  // and need not be told. Calls are counted: what was added twice is wanted until it was removed twice. A page that is asked
  // for after a channel was added is answered when the channel is heard, so that nothing falls between; when it cannot be heard
  // now, the answer is kUnavailable.
  virtual bool wants_interest() const { return false; }
  virtual void add_interest(const Selector& /*selector*/) {}
  virtual void remove_interest(const Selector& /*selector*/) {}

  // Errors: kUnavailable, kLimit (memory or disk is full).
  virtual void publish(Draft draft, UniqueFunction<void(Result<Receipt>)> done) = 0;
  virtual void history(HistoryQuery query, UniqueFunction<void(Result<HistoryPage>)> done) = 0;
  // The publications of the channel that have these ids, in the order of the ids; null for each that is not kept.
  virtual void publications(std::string channel, std::vector<Uuid> ids,
                            UniqueFunction<void(Result<std::vector<PublicationPtr>>)> done) = 0;
  // Forgets what the channel kept; its next publication begins a new epoch.
  virtual void remove_history(std::string channel, UniqueFunction<void(Result<void>)> done) = 0;
  // Channels that keep anything, whose names begin with `prefix`, in the order of their names after `after`.
  virtual void channels(std::string prefix, std::string after, std::size_t count_max,
                        UniqueFunction<void(Result<std::vector<ChannelRecord>>)> done) = 0;

  virtual PresenceStore& presence() = 0;
  virtual StateStore& state() = 0;
  // Null: queue groups belong to one node, which keeps what it knows of them in `state()`.
  virtual GroupStore* groups() { return nullptr; }
  // Null: there is one node.
  virtual NodeDirectory* nodes() { return nullptr; }
};

}  // namespace carillon
