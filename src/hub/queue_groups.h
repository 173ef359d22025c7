// QueueGroups: all queue groups of the node. Each lives on one loop, its home, by the hash of its name; whoever speaks to it
// from another loop does so by Loop::post.
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
#include "hub/group_call.h"

namespace carillon {

class GroupHome;
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

class QueueGroups {
 public:
  explicit QueueGroups(Hub& hub);
  ~QueueGroups();

  GroupHome& add_home(Loop& loop);

  // A member that stays until it leaves. `joined` is called once, before any delivery; after an error nothing follows. Errors:
  // kInvalid (the channel keeps no history), kConflict (the group has other settings, or the wished position is of another
  // epoch), kLimit (kGroupsMax), kUnavailable, kCorrupt.
  struct Join {
    GroupName name;
    GroupWish wish;
    std::size_t in_flight_max = kGroupInFlightDefault;
    UniqueFunction<void(Result<GroupJoined>)> joined;
    UniqueFunction<void(std::vector<GroupDelivery>)> deliver;
    UniqueFunction<void(std::string_view reason)> ended;  // The group was deleted.
  };
  GroupMember join(Join join);
  // What it has in flight is delivered again, at once.
  void leave(const GroupName& name, GroupMember member);

  // Takes what there is, up to `count`; when there is nothing, what comes first within `wait`. What is taken stays with the
  // taker for the visibility time. Errors as join's.
  struct Take {
    GroupName name;
    GroupWish wish;
    std::size_t count = 1;
    Millis wait{0};
    UniqueFunction<void(Result<std::vector<GroupDelivery>>)> taken;  // Called once; empty when nothing came.
  };
  GroupMember take(Take take);
  // A taker that still waits is answered with nothing.
  void cancel(const GroupName& name, GroupMember taker);

  // Errors: kInvalid, kNotFound (no such group), kUnavailable (not written; what was said may be forgotten by a restart).
  void settle(const GroupName& name, GroupSettle settle, UniqueFunction<void(Result<GroupSettled>)> done);

  // Groups in the order of their keys after that of `after`; of one channel when it is not empty. `done` is called on any
  // thread. The groups listed are in use by that.
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
  // What the homes that have groups on a channel want to hear: how far it has come.
  struct Watch {
    std::size_t groups = 0;  // Under watches_mutex_.
    std::mutex mutex;
    std::array<std::size_t, 64> homes{};  // Groups by home.
    std::uint64_t told = 0;               // Homes that were posted to and have not looked yet.
    Position top;
  };

  GroupHome& home_of(const GroupName& name) const;
  void tell(const Publication& publication);
  // For homes, on their loops.
  void watch(const std::string& channel, std::size_t home);
  void unwatch(const std::string& channel, std::size_t home);
  std::optional<Position> look(const std::string& channel, std::size_t home);

  Hub& hub_;
  std::vector<std::unique_ptr<GroupHome>> homes_;
  std::atomic<GroupMember> last_member_{0};

  std::atomic<std::size_t> watch_count_{0};
  std::shared_mutex watches_mutex_;
  boost::unordered_flat_map<std::string, std::unique_ptr<Watch>, NameHash, NameEqual> watches_;
};

}  // namespace carillon
