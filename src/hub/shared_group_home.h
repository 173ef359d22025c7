// SharedGroupHome: the queue groups that nodes share, as far as this loop's members and takers go: what stands between them and
// the store (group_store.h), which knows everything of a group but who of a node's members has what. On its loop only.
//
// 1. A group that is asked for and not in use here is opened in the store, or made, if the asking one may make it: then the
//    channel is asked where it begins. Who asks meanwhile waits.
// 2. At the end of a turn, each group in which something happened fetches as many publications as its members and takers have
//    room for, one call at a time, and hands them out. What finds nobody any more is given back uncounted.
// 3. It fetches when there is room and the channel has got news, or when something may have come back: a delivery made here is
//    over its time, the store says so (on_return), or kLookTime has passed: so what a node had that has died comes to others.
// 4. What is to be dead-lettered comes with what is fetched. It is published, then buried; again, if either failed.
// 5. Acks and their like go to the store, which decides whether they count; then who had the delivery has room again here.
// 6. A group that nobody uses here is let go of after kIdleTime.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/log_limit.h"
#include "base/loop.h"
#include "hub/group_keeper.h"
#include "hub/group_store.h"
#include "hub/group_table.h"
#include "hub/hub.h"
#include "hub/queue_groups.h"

namespace carillon {

class SharedGroupHome final : public GroupKeeper, private TurnEnd {
 public:
  static constexpr Millis kIdleTime{10 * 60 * 1000};
  static constexpr Millis kRetryTime{1000};
  // How often it is looked for what came back, while somebody waits for deliveries.
  static constexpr Millis kLookTime{1000};
  // How often the store is told how many members there are.
  static constexpr Millis kMembersTime{kGroupMembersLease / 3};
  // Publications fetched at once.
  static constexpr std::size_t kFetchMax = 64;

  SharedGroupHome(QueueGroups& groups, Hub& hub, GroupStore& store, Loop& loop, std::size_t index);
  ~SharedGroupHome() override;

  Loop& loop() override { return loop_; }
  void join(GroupMember member, GroupJoin join) override;
  void leave(const GroupName& name, GroupMember member) override;
  void take(GroupMember taker, GroupTake take) override;
  void cancel(const GroupName& name, GroupMember taker) override;
  void settle(const GroupName& name, GroupSettle settle, UniqueFunction<void(Result<GroupSettled>)> done) override;
  void inspect(const GroupName& name, UniqueFunction<void(Result<GroupInfo>)> done) override;
  void remove(const GroupName& name, UniqueFunction<void(Result<void>)> done) override;
  void on_news(const std::string& channel) override;
  void look_again(const std::string& channel) override;
  void on_return(const GroupName& name, Millis within) override;
  void on_removed(const GroupName& name, std::uint64_t generation) override;
  void on_settled(const GroupName& name, const DeliveryToken& token) override;

 private:
  struct Group;
  struct Taker;
  struct Opener;
  using Opened = UniqueFunction<void(Result<Group*>)>;

  void on_turn_end() override;

  // `afresh`: what is known of a group in use is asked for anew.
  void open(const GroupName& name, const GroupWish& wish, bool afresh, Opened opened);
  void ask_state(Group& group, std::optional<GroupBeginning> beginning);
  void take_state(std::uint64_t id, Result<GroupState> outcome);
  void ask_start(Group& group);
  void take_start(std::uint64_t id, const Result<HistoryPage>& outcome);
  void adopt(Group& group, std::uint64_t generation, const GroupSettings& settings, std::uint64_t epoch);
  void fail(Group& group, const Error& error);
  void remake(Group& group);
  void end(Group& group);
  void forget(Group& group);

  void work(Group& group);
  void expire(Group& group);
  void fetch(Group& group);
  void take_fetched(std::uint64_t id, bool looked, std::size_t room, Result<GroupFetched> outcome);
  void hand_out(Group& group, std::vector<GroupFetched::Delivery> deliveries);
  void clear(Group& group, std::uint64_t offset);
  void give_back(Group& group, GroupReturn how, std::vector<DeliveryToken> tokens);
  void take_settled(const GroupName& name, const GroupSettle& settle, const GroupSettled& settled);
  void publish_dead(Group& group, const DeliveryToken& token);
  void take_dead_receipt(std::uint64_t id, const DeliveryToken& token, const Result<Receipt>& outcome);
  void answer_takers(Group& group);
  void arm(Group& group);
  void count(Group& group);
  void run_here(Task task);

  QueueGroups& groups_;
  Hub& hub_;
  GroupStore& store_;
  Loop& loop_;
  const std::size_t index_;

  GroupTable<Group> table_;
  LogLimit lost_log_;
  LogLimit failure_log_;
};

}  // namespace carillon
