// PresenceWriter: this node's own members, here and in Redis. On the engine's loop.
//
// 1. What changes in a channel is put into `members` at once, and sent as one script (presence_scripts.h).
// 2. Before the first, the channel is entered in the set of those that this lease has members in: so whoever removes what a
// dead
//    node left finds it. When the last member has left, it is taken out again.
// 3. A script that is not known to have been executed leaves the channel uncertain. So does a lease that was lost, and a Redis
//    that was away, which may be another, older one now. Then all members are said again, in one script that changes only what
//    is not so already: refs stay, so nobody hears of a member that was there all the time.
// 4. A script that comes after the end of the lease does nothing: others may have removed this node's members by then.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/loop.h"
#include "engine/redis/redis_client.h"
#include "engine/redis/redis_guard.h"
#include "engine/redis/redis_keys.h"
#include "engine/redis/redis_nodes.h"
#include "hub/presence_store.h"

namespace carillon {

class PresenceWriter {
 public:
  // `version_of`: the last version that this node knows of a channel.
  PresenceWriter(Loop& loop, RedisClient& client, const RedisKeys& keys, const Clock& clock, RedisNodes& nodes,
                 std::function<std::uint64_t(std::string_view channel)> version_of);

  void change(const std::string& channel, std::vector<PresenceChange> changes);
  void leave_all(const std::string& channel);

  // Calls `settled` when what was changed before is in Redis. Error: it could not be said yet, and is said later.
  void when_settled(const std::string& channel, UniqueFunction<void(Result<void>)> settled);

  void on_lease(const RedisLease& lease);
  void on_lease_failure(const Error& error);
  // This master was away: what lies there is to be said again, once the lease is known to be good.
  void doubt(std::size_t master);

  // Everybody leaves; `left` hears whether Redis knows all of it. Nothing is said afterwards.
  void stop(UniqueFunction<void(bool)> left);

 private:
  struct Own {
    std::string key;
    std::string meta;
    std::string ref;
    std::int64_t online_at_ms = 0;
    std::uint64_t order = 0;  // Members are said again in the order they came.
  };
  // Members' names and their records, empty where they leave: a script's arguments.
  using Batch = std::vector<std::string>;
  struct Waiting {
    std::uint64_t after = 0;  // This batch.
    UniqueFunction<void(Result<void>)> settled;
  };
  enum class Stage {
    kNew,
    kEntering,   // Into the set of channels.
    kOpen,       // Batches are sent as they come.
    kUncertain,  // Waits to be said again.
    kSaying,     // All is being said.
  };
  struct Channel {
    std::map<std::string, Own> members;
    Stage stage = Stage::kNew;
    std::string entered;          // Under this lease, last; empty: never.
    std::string entered_before;   // And under this one, which is over.
    std::deque<Batch> batches;    // Not sent yet.
    std::size_t under_way = 0;    // Scripts that were sent.
    std::uint64_t made = 0;       // Batches ever.
    std::uint64_t settled = 0;    // Of them, executed.
    std::deque<Waiting> waiting;  // In the order of their batches.
  };
  struct Leaving {
    UniqueFunction<void(bool)> left;
    std::size_t under_way = 0;
    bool all = true;
  };
  using Channels = std::map<std::string, Channel, std::less<>>;
  // Channels that are said again at the same time.
  static constexpr std::size_t kAtOnce = 256;

  Batch take(Channel& channel, std::vector<PresenceChange> changes);
  void put(const std::string& name, Channel& channel, Batch batch);
  void enter(const std::string& name, Channel& channel, Stage stage);
  void on_entered(const std::string& name, const Result<RespValue>& reply);
  void send_batches(const std::string& name, Channel& channel);
  void say_all(const std::string& name, Channel& channel);
  void run(const std::string& name, const char* what, Batch batch, RedisClient::Replied done);
  void on_sent(const std::string& name, std::uint64_t batch, const Result<RespValue>& reply);
  void on_said(const std::string& name, std::uint64_t batch, const Result<RespValue>& reply);

  void make_uncertain(const std::string& name, Channel& channel);
  void say_uncertain();
  void fail(const std::string& name, Channel& channel, const Result<RespValue>& reply);
  bool accept(const std::string& name, Channel& channel, const Result<RespValue>& reply);
  void settle(Channel& channel, std::uint64_t batch);
  static void fail_waiting(Channel& channel, const Error& error);
  void close_if_empty(const std::string& name);
  void read_entered();
  void end_leaving(const std::shared_ptr<Leaving>& leaving);
  bool may_say() const { return !stopped_ && !lease_.name.empty() && !retry_timer_.armed(); }
  void pause(Millis span);

  std::string member_name(std::string_view member) const { return nodes_.name() + '/' + std::string(member); }
  std::string record(const Own& own) const;

  Loop& loop_;
  RedisClient& client_;
  const RedisKeys keys_;
  const Clock& clock_;
  RedisNodes& nodes_;
  const std::function<std::uint64_t(std::string_view)> version_of_;

  Channels channels_;                // That have a member, or something under way.
  std::set<std::string> uncertain_;  // Names of channels that wait to be said again.
  std::size_t saying_ = 0;           // Channels that are being said.
  std::set<std::size_t> doubted_;    // Masters that were away since the lease was last confirmed.
  RedisLease lease_;
  std::uint64_t last_ref_ = 0;
  std::uint64_t last_order_ = 0;
  bool stopped_ = false;
  CallbackTimer retry_timer_;  // Armed: something failed, and nothing is said again before it fires.
  RedisGuard guard_;
};

}  // namespace carillon
