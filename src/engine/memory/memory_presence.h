// MemoryPresence: who is present, in this process: channel runtimes behind stripes of locks.
//
// One object is what all nodes of a cluster share; each node has its door, a PresenceStore. A server of one process has one
// node. Several in one process are for embedding programs and tests: leases are kept for them all.
#pragma once

#include <array>
#include <boost/unordered/unordered_flat_map.hpp>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/hash.h"
#include "base/random.h"
#include "engine/memory/presence_batch.h"
#include "hub/presence_store.h"

namespace carillon {

class MemoryPresence {
 public:
  MemoryPresence(const Clock& clock, Random& random);
  ~MemoryPresence();

  // A node's door; ends before this object. Its end without a word (a node that died) leaves its members until its lease is
  // over; those of a node that never renewed it stay.
  std::unique_ptr<PresenceStore> open_node();

  // Lets the members go of nodes whose lease is over. Called by every node's renew too. Any thread.
  void expire();

  std::size_t membership_count() const;

 private:
  class Node;
  struct Channel {
    std::uint64_t version = 0;
    PresenceStatePtr state;  // Null: not made since the last change.
  };
  struct Stripe {
    explicit Stripe(ChannelRuntime machine) : runtime(std::move(machine)) {}
    mutable std::mutex mutex;
    ChannelRuntime runtime;
    boost::unordered_flat_map<std::string, Channel, NameHash, NameEqual> channels;  // That have a member.
    std::uint64_t last_version = 0;  // Of the channels of this stripe: one that comes back goes on growing.
  };
  static constexpr std::size_t kStripes = 64;

  struct Lease {
    std::string node;  // What its members' names begin with.
    PresenceEvents* events = nullptr;
    std::int64_t ends_ms = INT64_MAX;
  };

  Stripe& stripe_of(std::string_view channel) { return *stripes_[(hash_name(channel) >> 20) % kStripes]; }
  void change(const std::string& node, std::string channel, std::vector<PresenceChange> changes);
  void crash(const std::string& node, const std::string& channel, const std::string& reason);
  void drop_members(Stripe& stripe, const std::string& node, const std::string& channel);
  PresenceStatePtr state(const std::string& channel);
  PresenceCounts counts(const std::string& channel);
  void renew(const std::string& node, std::int64_t lease_ms);
  void close_node(const std::string& node);

  // With the stripe's lock held: what the runtime says of the channel becomes one diff, handed to every node.
  void tell(Stripe& stripe, const std::string& channel);
  void tell(Stripe& stripe, const std::string& channel, PresenceBatch& batch);
  static PresenceCounts counts_in(const Stripe& stripe, std::string_view channel);

  const Clock& clock_;
  std::vector<std::unique_ptr<Stripe>> stripes_;

  mutable std::mutex nodes_mutex_;  // Taken after a stripe's mutex.
  std::vector<Lease> nodes_;
  std::size_t nodes_ever_ = 0;
};

}  // namespace carillon
