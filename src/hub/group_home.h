// GroupHome: the queue groups that live on one loop: what stands between the machine (queue_group.h), the engine and whoever
// takes part. On its loop only.
//
// 1. A group that is asked for and not here is read from the state store, or made, if the asking one may make it; then the
//    channel's top is read. Who asks meanwhile waits.
// 2. At the end of a turn, each group in which something happened decides on deliveries, reads their publications in pages and
//    hands them to members and takers. What is to be dead-lettered is read and published likewise.
// 3. Then what has changed is written, all groups in one change and one change at a time; what is waiting for that is answered:
//    acks, and takers. What was not written is tried again after a second.
// 4. A group that nobody uses is let go of after kIdleTime; its state stays in the store.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/log_limit.h"
#include "base/loop.h"
#include "hub/group_keeper.h"
#include "hub/group_table.h"
#include "hub/hub.h"
#include "hub/queue_groups.h"

namespace carillon {

class GroupHome final : public GroupKeeper, private TurnEnd {
 public:
  static constexpr Millis kIdleTime{10 * 60 * 1000};
  static constexpr Millis kRetryTime{1000};
  // Publications read at once.
  static constexpr std::size_t kPageMax = 100;

  GroupHome(QueueGroups& groups, Hub& hub, Loop& loop, std::size_t index);
  ~GroupHome() override;

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

 private:
  void on_turn_end() override;

  struct Group;
  struct Taker;
  using Opened = UniqueFunction<void(Result<Group*>)>;
  using Written = UniqueFunction<void(const Result<void>&)>;

  // `wish`: a group that does not exist is made so; null: kNotFound then.
  void open(const GroupName& name, const GroupWish* wish, Opened opened);
  void read_state(Group& group);
  void take_state(std::uint64_t id, Result<std::optional<std::string>> outcome);
  void read_start(Group& group);
  void take_start(std::uint64_t id, Result<HistoryPage> outcome);
  Result<void> begin(Group& group, const HistoryPage& page);
  Result<void> resume(Group& group, const HistoryPage& page);
  void start(Group& group);
  void fail(Group& group, const Error& error);
  void forget(Group& group);

  void work(Group& group);
  void pump(Group& group);
  void fetch(Group& group);
  void take_page(std::uint64_t id, std::uint64_t first, Result<HistoryPage> outcome);
  void hand_out(Group& group, const HistoryPage& page, std::uint64_t first);
  bool follow_epoch(Group& group, const Position& top);
  void publish_dead(Group& group, const QueueGroup::DeadLetter& dead, const Publication& publication);
  void take_dead_receipt(Group& group, std::uint64_t offset, const Result<Receipt>& outcome);
  void answer_takers(Group& group);
  void arm(Group& group);
  void count(Group& group);
  void retry_later(Group& group);

  void write();
  void on_written(const Result<void>& outcome);
  void run_here(Task task);
  std::uint64_t next_generation() const;

  QueueGroups& groups_;
  Hub& hub_;
  Loop& loop_;
  const std::size_t index_;

  GroupTable<Group> table_;

  std::vector<std::uint64_t> dirty_;   // Groups whose state is to be written.
  std::vector<std::string> removals_;  // Keys to be removed.
  std::vector<Written> waiting_;       // For the next write.
  std::vector<Written> writing_answers_;
  std::vector<std::uint64_t> writing_groups_;
  bool writing_ = false;
  CallbackTimer write_timer_;  // Armed while a write that failed is not tried again yet.
  LogLimit lost_log_;
};

}  // namespace carillon
