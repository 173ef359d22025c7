// RedisGroups: queue groups that all nodes of a Redis share. A group is a consumer group of its channel's stream: what is
// delivered and not settled is pending there, with how often it was delivered and until when. A hash beside it holds the
// settings and what is counted.
//
// 1. New publications are read by XREADGROUP, under the name of the node. XACK settles.
// 2. When the time of a delivery is over, XAUTOCLAIM gives it to the node that finds it. Redis knows no times for single
//    entries, only how long each has been idle; so an entry is due when it has been idle for twelve hours, the longest time
//    there is, and who gets it for thirty seconds has it said (XCLAIM IDLE) to be idle for all but thirty seconds of that.
//    So one mechanism does for visibility times, extensions and delays, it costs no second list, and survives a restart.
// 3. What comes back early belongs to consumers that are nobody, whose names say why it did: ~nacked, ~member_left, ~undone. It
//    is due at once, or after the delay; a message on the channel's group_news tells the nodes.
// 4. What is due and was delivered as often as it may be is claimed for ~dead.<reason>, published by the node that claimed it,
//    and acknowledged. When that node dies first it is due again after 30 seconds, and published under the same idempotency
//    key.
// 5. A group has a generation, which its tokens name: another one begins when the group is made anew or its channel counts
// anew.
//    With it, an offset and the number of the delivery a token means one delivery and no other.
//
// Each of these is one script on the keys of one slot. The set of all groups' names lies in another one: it is changed before a
// group is made, and put right when it is listed.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "engine/redis/redis_answer.h"
#include "engine/redis/redis_guard.h"
#include "engine/redis/redis_inbox.h"
#include "engine/redis/redis_parts.h"
#include "hub/group_store.h"

namespace carillon {

class RedisGroups final : public GroupStore, private RedisSubscriber {
 public:
  // Made and ended on the loop, or while it does not run. The parts outlive it, but for the client: see stop().
  explicit RedisGroups(RedisParts& parts);

  // On the loop: the client is not used any more; what has not been sent is answered kUnavailable, as is what comes later.
  void stop() { inbox_.close(); }

  void set_events(GroupStoreEvents& events) override { events_ = &events; }
  void hear(const GroupName& name) override;
  void unhear(const GroupName& name) override;
  void open(GroupName name, std::optional<GroupBeginning> beginning, UniqueFunction<void(Result<GroupState>)> done) override;
  void fetch(GroupFetch fetch, UniqueFunction<void(Result<GroupFetched>)> done) override;
  void settle(GroupName name, GroupSettle settle, UniqueFunction<void(Result<GroupSettled>)> done) override;
  void give_back(GroupName name, GroupReturn how, std::vector<DeliveryToken> deliveries,
                 UniqueFunction<void(Result<std::size_t>)> done) override;
  void list(std::string channel, std::optional<GroupName> after, std::size_t count_max,
            UniqueFunction<void(Result<GroupPage>)> done) override;
  void remove(GroupName name, UniqueFunction<void(Result<void>)> done) override;

 private:
  using Replied = UniqueFunction<void(Result<RespValue::Array>)>;

  void on_message(std::size_t master, std::string_view channel, std::string_view message) override;
  void on_deaf(std::size_t) override {}
  void on_hearing(std::size_t) override {}

  // `replied` hears the answer of a script that is not "gone", which is kNotFound.
  void run(const RedisScript& script, const GroupName& name, std::vector<std::string> arguments, Replied replied);
  void open_here(GroupName name, std::optional<GroupBeginning> beginning, RedisAnswer<GroupState> answer);
  void ask_state(const GroupName& name, const std::optional<GroupBeginning>& beginning, RedisAnswer<GroupState> answer);
  void index(const GroupName& name, bool there);
  void end_deliveries(const GroupName& name, std::string_view verb, Millis time, const std::vector<DeliveryToken>& deliveries,
                      UniqueFunction<void(Result<std::string>)> done);
  Result<GroupFetched> read_fetched(const GroupName& name, const RespValue::Array& words);
  void list_named(const Result<RespValue>& reply, std::size_t count_max, RedisAnswer<GroupPage> answer);

  RedisParts& parts_;
  GroupStoreEvents* events_ = nullptr;
  std::map<std::string, std::size_t, std::less<>> heard_;  // Channels, and by how many groups.
  RedisInbox inbox_;
  RedisGuard guard_;
};

}  // namespace carillon
