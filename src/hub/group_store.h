// GroupStore: the queue groups that several nodes share. A part of the engine's port: rooms of engine/ implement it.
//
// The store holds all that is known of a group: how far it has come, what is delivered and not settled, how often, and until
// when. Whatever a node asks for is one step of the store, so that of two nodes that want the same publication one gets it.
// What a node was given is its own until it settles it, gives it back, or lets its time pass, by the store's clock; a node that
// dies has to say nothing. Who among a node's members has what is the node's business.
//
// Any thread; an answer is given exactly once, inside the call or later, on any thread. Errors of all: kUnavailable (it may
// have been done all the same), kLimit, kCorrupt (what is stored cannot be read), kNotFound (no such group).
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/unique_function.h"
#include "hub/group_call.h"

namespace carillon {

// A group as it is stored. `info.members` is that of all nodes, as they last said.
struct GroupState {
  GroupInfo info;
  std::uint64_t generation = 0;  // Another one: nothing that was delivered before counts any more.
  bool created = false;
};

struct GroupFetch {
  GroupName name;
  std::size_t room = 0;                // So many deliveries may be made.
  bool look = false;                   // What came back is looked for; else only what is new is delivered.
  std::optional<std::size_t> members;  // Of this node, when it has to be said again: it is forgotten after kGroupMembersLease.
  std::uint64_t generation = 0;        // As this node knows the group.
  Position top;                        // As far as this node has heard the channel.
  bool verify = false;                 // The channel may count anew.
};
inline constexpr Millis kGroupMembersLease{30'000};

struct GroupFetched {
  struct Delivery {
    PublicationPtr publication;
    DeliveryToken token;
    Millis left{0};  // Of its visibility time.
  };
  // To be published to the dead-letter channel and buried; given to somebody else when that does not happen in time.
  struct Dead {
    PublicationPtr publication;
    DeliveryToken token;
    ReturnReason reason = ReturnReason::kNone;
  };
  GroupSettings settings;
  std::uint64_t generation = 0;
  std::uint64_t epoch = 0;
  // The store knows nothing of the group, though nobody has removed it: it has lost what it had, and the channel with it.
  bool forgotten = false;
  std::vector<Delivery> deliveries;  // What came back first, oldest first; then what is new, in the channel's order.
  std::vector<Dead> dead;
  std::uint64_t lost = 0;       // Publications that could not be delivered any more, found out by this call.
  bool returned_left = false;   // Of what came back not all was given: there was no room, or it was too much at once.
  bool unsettled_full = false;  // New ones have to wait until some are settled.
};

// How a delivery ends that its member did not settle itself.
enum class GroupReturn : std::uint8_t {
  kLeft,    // The member has left: delivered again at once.
  kUndone,  // It has not reached its member: it does not count.
  kBuried,  // A dead one stands in the dead-letter channel now.
};

// Called on any thread; must not block and must not call the store.
class GroupStoreEvents {
 public:
  // Something comes back to a group that is heard, in this time. It may be called for nothing, and it may be missed.
  virtual void on_group_return(const GroupName& name, Millis within) = 0;
  virtual void on_group_removed(const GroupName& name, std::uint64_t generation) = 0;
  // Another node was told how a delivery ended that was made here.
  virtual void on_group_settled(const GroupName& name, const DeliveryToken& token) = 0;

 protected:
  ~GroupStoreEvents() = default;
};

class GroupStore {
 public:
  virtual ~GroupStore() = default;

  // Set once, before anything else.
  virtual void set_events(GroupStoreEvents& events) = 0;
  // Groups whose events this node wants. Counted.
  virtual void hear(const GroupName& name) = 0;
  virtual void unhear(const GroupName& name) = 0;

  // `beginning`: a group that does not exist is made so.
  virtual void open(GroupName name, std::optional<GroupBeginning> beginning, UniqueFunction<void(Result<GroupState>)> done) = 0;
  virtual void fetch(GroupFetch fetch, UniqueFunction<void(Result<GroupFetched>)> done) = 0;
  virtual void settle(GroupName name, GroupSettle settle, UniqueFunction<void(Result<GroupSettled>)> done) = 0;
  // `done` hears how many of them counted.
  virtual void give_back(GroupName name, GroupReturn how, std::vector<DeliveryToken> deliveries,
                         UniqueFunction<void(Result<std::size_t>)> done) = 0;

  // Groups in the order of their keys after that of `after`; of one channel when it is not empty.
  virtual void list(std::string channel, std::optional<GroupName> after, std::size_t count_max,
                    UniqueFunction<void(Result<GroupPage>)> done) = 0;
  // All nodes that hear it are told. Also removes a group that cannot be read.
  virtual void remove(GroupName name, UniqueFunction<void(Result<void>)> done) = 0;
};

}  // namespace carillon
