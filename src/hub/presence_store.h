// PresenceStore: who is present where, on all nodes. A part of the engine's port: rooms of engine/ implement it.
//
// One store object is one node's door to what all nodes share. Promises of every store, each tested on every store:
//  - order: the diffs of one channel are handed to PresenceEvents in one order, the same for all nodes, by growing versions;
//  - seen first: a diff is handed out before any state shows it, and a state that was asked for after it was handed out has its
//    version or a later one;
//  - no ghosts: the members of a node whose lease ran out leave, in one diff a channel.
//
// A change is never lost while the node lives: a store that cannot reach its keeper says it again. Any thread; an answer is
// given exactly once, inside the call or later, on any thread.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/unique_function.h"
#include "carillon/result.h"
#include "hub/presence.h"

namespace carillon {

// Hears the diffs of every channel that this node has interest in. Called in each channel's order, on any thread; must not
// block and must not call the store back.
class PresenceEvents {
 public:
  virtual void on_presence(const PresenceUpdatePtr& diff) = 0;

 protected:
  ~PresenceEvents() = default;
};

struct PresenceChange {
  enum class Kind : std::uint8_t {
    kSet,  // The member comes, or its key or meta is another from now on.
    kLeave,
  };
  Kind kind = Kind::kSet;
  std::string member;  // Unique on this node.
  std::string key;     // Of kSet.
  std::string meta;    // Of kSet: a JSON object text, or empty.
};

class PresenceStore {
 public:
  virtual ~PresenceStore() = default;

  // Who hears diffs. Set once, before anything changes.
  virtual void set_events(PresenceEvents& events) = 0;

  // What happened to this node's members in one channel, oldest first; told in one diff.
  virtual void change(std::string channel, std::vector<PresenceChange> changes) = 0;
  // Drops the channel's members on this node for the reason, as their leaving; to be followed by the hub's telling them.
  virtual void crash(std::string channel, std::string reason) = 0;

  // What the members of this node are called in a state (PresenceMeta::client_id). Any thread.
  virtual std::string name_of(std::string_view member) const = 0;

  // Errors: kUnavailable.
  virtual void state(std::string channel, UniqueFunction<void(Result<PresenceStatePtr>)> done) = 0;
  virtual void counts(std::string channel, UniqueFunction<void(Result<PresenceCounts>)> done) = 0;

  // Keeps this node's members for `lease_ms` from now; the hub calls it several times in each lease.
  virtual void renew(std::int64_t lease_ms) = 0;
};

}  // namespace carillon
