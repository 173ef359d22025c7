// RedisNodes: the servers that share a Redis, and the lease of this one.
//
// 1. A node lives by a lease: an entry in a sorted set, whose score is the time it ends by Redis' own clock. `renew` moves it
// on.
// 2. A lease is called `<node>.<incarnation>`. When it has run out (this process was held up, or Redis has lost it) it is never
//    taken up again: the node claims the next incarnation, and says anew what it had said under the last.
// 3. Every node looks, when the next lease of another should end, which are over. One of them is chosen for each to remove what
//    is left under it; when that one dies meanwhile, another is chosen. Then the lease is forgotten.
//
// A node's number is claimed with its lease, in one step. Messages go by pub/sub.
#pragma once

#include <cstdint>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "base/log_limit.h"
#include "base/loop.h"
#include "engine/redis/redis_client.h"
#include "engine/redis/redis_guard.h"
#include "engine/redis/redis_inbox.h"
#include "engine/redis/redis_keys.h"
#include "hub/node_directory.h"

namespace carillon {

struct RedisNodesOptions {
  // Of letters, digits, `-` and `_`; never used before by another node or another start of this one.
  std::string name;
  std::int64_t started_at_ms = 0;
  // Until somebody calls `renew` with another.
  std::int64_t lease_ms = 30'000;
};

struct RedisLease {
  std::string name;  // "<node>.<incarnation>"; empty: there is none now.
  std::uint64_t incarnation = 0;
  std::int64_t until_ms = 0;   // By Redis' clock.
  std::int64_t length_ms = 0;  // Of the last renewal.
};

// What hangs on leases. Called on the loop, not inside a call of RedisNodes.
class RedisLeaseHolder {
 public:
  // This node has a lease until then; under another name than before: what was said under that one is to be said again.
  virtual void on_lease(const RedisLease& lease) = 0;
  // It could not be renewed now; it is tried again.
  virtual void on_lease_failure(const Error& error) = 0;
  // To be removed here is what is left under this lease, whose node is gone; then RedisNodes::forget.
  virtual void on_lease_over(const std::string& lease) = 0;
  // This master was away, and is heard again: what was written there may be lost. RedisNodes::check says whether the lease is.
  virtual void on_hearing(std::size_t master) = 0;

 protected:
  ~RedisLeaseHolder() = default;
};

class RedisNodes final : public NodeDirectory, private RedisSubscriber {
 public:
  // Made, started, stopped and ended on the loop, or while it does not run; the client outlives it.
  RedisNodes(Loop& loop, RedisClient& client, const RedisKeys& keys, RedisNodesOptions options);
  ~RedisNodes() override;

  void set_events(NodeEvents& events) override;
  NodeRecord self() const override;
  void describe(std::string address, std::string stats) override;
  void list(UniqueFunction<void(Result<std::vector<NodeRecord>>)> done) override;
  void send(std::string to, std::string message, UniqueFunction<void(Result<std::size_t>)> done) override;

  // Any thread.
  void renew(std::int64_t lease_ms);

  // The rest on the loop.
  void set_holder(RedisLeaseHolder& holder) { holder_ = &holder; }
  // Claims a lease and listens. Once.
  void start();
  // Leaves. `stopped` is called when Redis knows, or cannot be told. With `keep_lease` the lease stays until it is over, for
  // what is left under it.
  struct Leaving {
    bool keep_lease = false;
  };
  void stop(Leaving leaving, Task stopped);
  // Renews for as long as before: asked for by who doubts that the lease is still there.
  void check();
  const std::string& name() const { return options_.name; }
  const RedisLease& lease() const { return lease_; }
  // Names of the leases that are not over.
  void living(UniqueFunction<void(Result<std::vector<std::string>>)> done);
  // Nothing is left under this lease, which is over.
  void forget(const std::string& lease);

 private:
  void on_message(std::size_t master, std::string_view channel, std::string_view message) override;
  void on_deaf(std::size_t) override {}
  void on_hearing(std::size_t master) override;

  enum class Mode { kClaim, kRenew, kLook };
  void run_lease(Mode mode);
  void on_lease_reply(Mode mode, const std::string& lease, const Result<RespValue>& reply);
  void on_lease_held(Mode mode, const std::string& lease, const RespValue::Array& words);
  void fail_lease(Mode mode, const Error& error);
  void publish(const std::string& to, const std::string& message, UniqueFunction<void(Result<std::size_t>)> done);
  std::string record_text() const;

  Loop& loop_;
  RedisClient& client_;
  const RedisKeys keys_;
  const RedisNodesOptions options_;
  RedisLeaseHolder* holder_ = nullptr;

  std::int64_t lease_ms_;
  RedisLease lease_;
  std::uint64_t incarnations_ = 0;  // Claimed, or tried to.
  bool asking_ = false;             // A claim or renewal is under way.
  bool ask_again_ = false;          // And is to be repeated then.
  bool stopped_ = false;
  CallbackTimer look_timer_;   // When the next lease of another should be over.
  CallbackTimer retry_timer_;  // After a failure.
  LogLimit log_limit_{Millis{10'000}};

  mutable std::mutex mutex_;
  NodeRecord record_;             // Under the mutex, as the next.
  NodeEvents* events_ = nullptr;  // Called without it.

  RedisInbox inbox_;
  RedisGuard guard_;
};

}  // namespace carillon
