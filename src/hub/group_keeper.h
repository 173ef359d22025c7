// GroupKeeper: what keeps the queue groups whose home is one loop of this node. GroupHome where a group lives in one process,
// SharedGroupHome where several nodes share it. On its loop only; calls are QueueGroups', which see for what they mean.
#pragma once

#include <string>
#include <vector>

#include "base/counter.h"
#include "base/loop.h"
#include "base/unique_function.h"
#include "hub/engine.h"
#include "hub/group_call.h"

namespace carillon {

// A member that stays until it leaves. `joined` is called once, before any delivery; after an error nothing follows. Errors:
// kInvalid (the channel keeps no history), kConflict (the group has other settings, or the wished position is of another
// epoch), kLimit (too many groups are in use), kUnavailable, kCorrupt.
struct GroupJoin {
  GroupName name;
  GroupWish wish;
  std::size_t in_flight_max = kGroupInFlightDefault;
  UniqueFunction<void(Result<GroupJoined>)> joined;
  UniqueFunction<void(std::vector<GroupDelivery>)> deliver;
  UniqueFunction<void(std::string_view reason)> ended;  // The group was deleted.
};

// Takes what there is, up to `count`; when there is nothing, what comes first within `wait`. What is taken stays with the
// taker for the visibility time. Errors as join's.
struct GroupTake {
  GroupName name;
  GroupWish wish;
  std::size_t count = 1;
  Millis wait{0};
  UniqueFunction<void(Result<std::vector<GroupDelivery>>)> taken;  // Called once; empty when nothing came.
};

class GroupKeeper {
 public:
  virtual ~GroupKeeper() = default;

  virtual Loop& loop() = 0;
  virtual void join(GroupMember member, GroupJoin join) = 0;
  virtual void leave(const GroupName& name, GroupMember member) = 0;
  virtual void take(GroupMember taker, GroupTake take) = 0;
  virtual void cancel(const GroupName& name, GroupMember taker) = 0;
  virtual void settle(const GroupName& name, GroupSettle settle, UniqueFunction<void(Result<GroupSettled>)> done) = 0;
  virtual void inspect(const GroupName& name, UniqueFunction<void(Result<GroupInfo>)> done) = 0;
  virtual void remove(const GroupName& name, UniqueFunction<void(Result<void>)> done) = 0;
  // The channel, which it watches, has come further.
  virtual void on_news(const std::string& channel) = 0;
  // News of the channel (of every channel, when the name is empty) may have been missed.
  virtual void look_again(const std::string& channel) = 0;
  // Of groups that nodes share: something comes back to it within this time; it was removed; a delivery of this node has ended.
  virtual void on_return(const GroupName& /*name*/, Millis /*within*/) {}
  virtual void on_removed(const GroupName& /*name*/, std::uint64_t /*generation*/) {}
  virtual void on_settled(const GroupName& /*name*/, const DeliveryToken& /*token*/) {}

  struct Counters {
    Counter groups, members, in_flight, deliveries_total, redeliveries_total, acks_total, dead_total, lost_total;
  };
  const Counters& counters() const { return counters_; }

 protected:
  Counters counters_;
};

// What keepers say alike.
Error no_group(const GroupName& name);
Error no_history(const GroupName& name);
Error unlike_group(const GroupName& name, const GroupSettings& settings);
// Whether a group with these settings is what is wished.
bool fits(const GroupSettings& settings, const GroupWish& wish);

// Asks for what group_beginning needs of the channel; of a group that exists `wish` is null.
HistoryQuery start_query(const GroupName& name, const GroupWish* wish);
// Errors: kInvalid (the channel keeps no history), kConflict.
Result<GroupBeginning> group_beginning(const GroupName& name, const GroupWish& wish, const HistoryPage& page);

// The publication as it goes to the group's dead-letter channel. Published twice under one `key`, it is there once.
Draft dead_letter_draft(const GroupName& name, const GroupSettings& settings, const Publication& publication,
                        const QueueGroup::DeadLetter& dead, std::string key);

}  // namespace carillon
