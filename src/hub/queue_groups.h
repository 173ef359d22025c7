// QueueGroups: the door to all queue groups. Each has one loop of this node as its home, by the hash of its name; whoever
// speaks to it from another loop does so by Loop::post. Where the engine has a store for groups (group_store.h) all its nodes
// share them, and each node that uses a group has a home for it; else a group lives in this process.
//
// Any thread, unless said otherwise. Part of the hub: made and ended with it; add_home() once a loop, before the loops run. The
// hooks of a call are called on the group's home, or in the asking call when that is refused at once; whoever asked brings the
// answer to where it is wanted. Members, takers and
// answers that wait when a loop stops are dropped unheard.
#pragma once

#include <array>
#include <atomic>
#include <boost/unordered/unordered_flat_map.hpp>
#include <cstdint>
#include <memory>
#include <mutex>
#include <shared_mutex>
#include <string>
#include <vector>

#include "base/hash.h"
#include "base/loop.h"
#include "hub/group_keeper.h"

namespace carillon {

class Hub;

struct GroupStats {
  std::uint64_t groups = 0;     // In use now.
  std::uint64_t members = 0;    // Now; takers that wait too.
  std::uint64_t in_flight = 0;  // Now, of the groups in use.
  std::uint64_t deliveries_total = 0;
  std::uint64_t redeliveries_total = 0;
  std::uint64_t acks_total = 0;
  std::uint64_t dead_total = 0;
  std::uint64_t lost_total = 0;
};

class QueueGroups final : private GroupStoreEvents {
 public:
  explicit QueueGroups(Hub& hub);
  ~QueueGroups();

  void add_home(Loop& loop);

  using Join = GroupJoin;
  GroupMember join(Join join);
  // What it has in flight is delivered again, at once.
  void leave(const GroupName& name, GroupMember member);

  using Take = GroupTake;
  GroupMember take(Take take);
  // A taker that still waits is answered with nothing.
  void cancel(const GroupName& name, GroupMember taker);

  // Errors: kInvalid, kNotFound (no such group), kUnavailable (not written; what was said may be forgotten by a restart).
  void settle(const GroupName& name, GroupSettle settle, UniqueFunction<void(Result<GroupSettled>)> done);

  // Groups in the order of their keys after that of `after`; of one channel when it is not empty. `done` is called on any
  // thread. Groups of this process are in use by that.
  void list(std::string channel, std::optional<GroupName> after, std::size_t count_max,
            UniqueFunction<void(Result<GroupPage>)> done);
  // Its members are told, and what it knew is forgotten. Errors: kNotFound, kUnavailable.
  void remove(const GroupName& name, UniqueFunction<void(Result<void>)> done);

  // From the engine's events; must be cheap and must not call the engine.
  void on_publication(const Publication& publication) {
    if (watch_count_.load(std::memory_order_acquire) != 0) tell(publication);
  }

  // News of the channel may have been missed (of every channel, when the name is empty): groups look at how far it has come.
  void look_again(const std::string& channel);

  GroupStats stats() const;

 private:
  friend class GroupHome;
  friend class SharedGroupHome;
  // What the homes that have groups on a channel want to hear: how far it has come.
  struct Watch {
    std::size_t groups = 0;  // Under watches_mutex_.
    std::mutex mutex;
    std::array<std::size_t, 64> homes{};  // Groups by home.
    std::uint64_t told = 0;               // Homes that were posted to and have not looked yet.
    Position top;
  };

  void on_group_return(const GroupName& name, Millis within) override;
  void on_group_removed(const GroupName& name, std::uint64_t generation) override;
  void on_group_settled(const GroupName& name, const DeliveryToken& token) override;

  GroupKeeper& home_of(const GroupName& name) const;
  void tell(const Publication& publication);
  // For homes, on their loops.
  void watch(const std::string& channel, std::size_t home);
  void unwatch(const std::string& channel, std::size_t home);
  std::optional<Position> look(const std::string& channel, std::size_t home);

  Hub& hub_;
  std::vector<std::unique_ptr<GroupKeeper>> homes_;
  std::atomic<GroupMember> last_member_{0};

  std::atomic<std::size_t> watch_count_{0};
  std::shared_mutex watches_mutex_;
  boost::unordered_flat_map<std::string, std::unique_ptr<Watch>, NameHash, NameEqual> watches_;
};

}  // namespace carillon
