// RedisServers: RedisClient for one Redis with its replicas, and for a Redis Cluster.
//
// The way of a command:
// 1. It gets a number and a slot (without a cluster all are in slot 0) and is written to the pipe of the slot's master; what
// was
//    written in a turn leaves together (`work`).
// 2. When the master is not there, or answers that it is not the one or not now (MOVED, ASK, TRYAGAIN, CLUSTERDOWN, LOADING,
//    READONLY), the command waits at its slot's gate, and whatever is asked of that slot from then on behind it.
// 3. A gate opens when nothing of its slot is on its way any more and the master is there; then all leave in the order of their
//    numbers. So the order of a key's commands holds whatever happens between.
// 4. What waits for longer than wait_max is answered kUnavailable.
//
// Subscriptions: a channel is subscribed to at the master of its slot, a pattern at every master. When a slot moves, its
// channels are subscribed to at the new master, and that one counts as deaf until this is confirmed.
//
// On the loop only; it ends before the loop and the dialer do. A completion must not destroy it. What is still waiting at its
// end is dropped without an answer.
#pragma once

#include <deque>
#include <map>
#include <memory>
#include <vector>

#include "base/random.h"
#include "engine/redis/redis_client.h"
#include "engine/redis/redis_cluster_map.h"
#include "engine/redis/redis_hearing.h"
#include "engine/redis/redis_pipe.h"
#include "engine/redis/redis_subscribers.h"

namespace carillon {

class RedisServers final : public RedisClient,
                           private RedisPipeOwner,
                           private RedisHearingOwner,
                           private RedisClusterMapOwner,
                           private Timer {
 public:
  RedisServers(Loop& loop, Dialer& dialer, Random& random, RedisOptions options);
  ~RedisServers() override;

  void send(std::string_view key, RespCommand command, Replied done) override;
  void send_all(RespCommand command, AllReplied done) override;
  using RedisClient::transact;
  void transact(std::string_view key, RespTransaction commands, Replied done) override;
  void run(const RedisScript& script, std::span<const std::string> keys, std::vector<std::string> arguments,
           Replied done) override;
  void subscribe(std::string channel, RedisSubscriber& subscriber, Subscribed subscribed) override;
  void unsubscribe(const std::string& channel, RedisSubscriber& subscriber) override;
  void subscribe_pattern(std::string pattern, RedisSubscriber& subscriber, Subscribed subscribed) override;
  void unsubscribe_pattern(const std::string& pattern, RedisSubscriber& subscriber) override;
  void after_heard(std::string_view key, Heard heard) override;
  std::size_t master_of(std::string_view key) const override;
  bool is_hearing(std::size_t master) const override;

 private:
  struct Master {
    std::size_t index = 0;
    RedisOptions::Server server;  // In a cluster. Else whichever the pipe has found.
    std::unique_ptr<RedisPipe> pipe;
    std::unique_ptr<RedisHearing> hearing;
    std::optional<std::uint16_t> first_slot;  // Absent: it has none.
    Millis named{0};                          // When a redirection last named it.
    bool leaving = false;                     // It takes no writes any more: left once it has answered what it was asked.
  };
  struct Gate {
    std::deque<RedisRequest> waiting;  // In the order of their numbers.
    Millis opens{0};                   // Not before.
  };
  // send_all.
  struct Everywhere;
  struct EverywhereLater {
    RespCommand command;
    AllReplied done;
    Millis asked;
  };
  struct Barrier {
    std::uint16_t slot;
    Heard heard;
    Millis asked;
  };

  // Commands.
  RedisRequest make_request(std::uint16_t slot, Replied done);
  void accept(RedisRequest request);
  void dispatch(RedisRequest request);
  void transmit(Master& master, RedisRequest request);
  void finish(RedisRequest request, Result<RespValue> result);
  void on_pipe_up(RedisPipe& pipe) override;
  void on_pipe_answer(RedisPipe& pipe, RedisRequest request, RespValue value) override;
  void on_pipe_down(RedisPipe& pipe, std::deque<RedisRequest> unanswered, std::deque<RedisRequest> unsent,
                    const Error& why) override;
  std::optional<Millis> pause_before_retry(Master& master, RedisRequest& request, const std::string& error);
  Millis follow(const RedisRedirection& redirection, RedisRequest& request);
  void set_owner(std::uint16_t slot, Master& master);
  void put_back(RedisRequest request, Millis pause);
  void open_gates();
  bool open_gate(std::uint16_t slot, Gate& gate);
  Master* master_for(RedisRequest& request);
  void expire_gates(Millis now);
  void spread(RespCommand command, AllReplied done);
  void spread_later_ones();
  bool knows_masters() const;

  // Subscriptions.
  void add_name(RedisNameKind kind, const std::string& name, RedisSubscriber& subscriber, Subscribed subscribed);
  void introduce(RedisSubscriber& subscriber);
  void remove_name(RedisNameKind kind, const std::string& name, RedisSubscriber& subscriber);
  void want(RedisNameKind kind, const std::string& name, RedisSubscribers::Wanted& wanted);
  bool is_subscribed(RedisNameKind kind, std::string_view name, const RedisSubscribers::Wanted& wanted) const;
  bool may_become_subscribed(RedisNameKind kind, const RedisSubscribers::Wanted& wanted) const;
  bool may_hear(const Master& master) const;
  void settle_waiters(RedisNameKind kind, std::string_view name);
  void fail_waiters(const Error& why, std::optional<std::size_t> home);
  void expire_waiters(Millis now);
  void expire_barriers(Millis now);
  void on_heard(RedisHearing& hearing, RedisNameKind kind, std::string_view name, const std::string& channel,
                const std::string& message) override;
  void on_subscribed(RedisHearing& hearing, RedisNameKind kind, std::string_view name) override;
  void on_hearing(RedisHearing& hearing) override;
  void on_hearing_failed(RedisHearing& hearing, bool was_hearing, const Error& why) override;
  void rehome();
  void ask_barriers();

  // Masters.
  Master& add_master(const RedisOptions::Server& server);
  Master& master_at(const RedisOptions::Server& server);
  void start_hearing(Master& master);
  void remove_idle_masters();
  bool is_idle(const Master& master) const;
  void remove(Master& master);
  Master* owner_of(std::uint16_t slot);
  const Master* owner_of(std::uint16_t slot) const;
  Master& master_with(const RedisPipe& pipe);
  Master& master_with(const RedisHearing& hearing);
  void on_map(const std::vector<RedisSlotRange>& ranges) override;
  void on_map_failed(const Error& why) override;
  std::uint16_t slot_of(std::string_view key) const;

  // Turns.
  void answer_later(Task answer);
  void ask_for_work();
  void work();
  void flush();
  void keep_watch();
  void on_timer() override;

  Loop& loop_;
  const RedisOptions options_;
  FastRandom random_;
  const RedisLink::World world_;
  const std::shared_ptr<RedisServers*> self_ = std::make_shared<RedisServers*>(this);  // For what is posted.

  std::vector<std::unique_ptr<Master>> masters_;  // By index; null: there is none now.
  std::vector<std::int32_t> owners_;              // Of slots: an index of masters_, or -1. One slot without a cluster.
  std::vector<std::uint32_t> on_their_way_;       // Of slots: how many requests were sent and not answered.
  std::map<std::uint16_t, Gate> gates_;           // Of slots that do not flow.
  bool gates_may_open_ = false;
  std::vector<EverywhereLater> everywhere_later_;  // Until the masters are known.
  std::uint64_t numbers_ = 0;
  std::size_t waiting_ = 0;  // Requests without an answer, and their bytes.
  std::size_t waiting_bytes_ = 0;
  Error failure_{ErrorKind::kUnavailable, "Redis was not reached yet"};  // The last.

  RedisSubscribers subscribers_;
  // To be told that a master is heard.
  struct Newcomer {
    RedisSubscriber* subscriber;
    std::size_t master;
    bool operator==(const Newcomer&) const = default;
  };
  std::vector<Newcomer> newcomers_;
  std::vector<Barrier> barriers_;
  // Of waiters for a confirmation, the longest first.
  struct Wait {
    Millis since;
    RedisNameKind kind;
    std::string name;
  };
  std::deque<Wait> waits_;
  bool slots_moved_ = false;
  std::vector<std::size_t> gained_;  // Masters that have slots they did not have.

  std::unique_ptr<RedisClusterMap> map_;  // With a cluster.
  bool map_failed_ = false;               // Since it was read last.
  std::vector<Task> answers_;             // For the next work.
  bool work_posted_ = false;
};

}  // namespace carillon
