// RedisPresence: who is present, kept in Redis and shared by all nodes: this node's door to it.
//
// Its parts: PresenceWriter says what this node's members do, PresenceFeeds hears what all do, PresenceRemoval takes away what
// dead nodes have left; RedisNodes has the lease that they hang on. presence_record.h says what lies in Redis.
#pragma once

#include "base/clock.h"
#include "base/loop.h"
#include "engine/redis/presence_feeds.h"
#include "engine/redis/presence_removal.h"
#include "engine/redis/presence_writer.h"
#include "engine/redis/redis_client.h"
#include "engine/redis/redis_inbox.h"
#include "engine/redis/redis_keys.h"
#include "engine/redis/redis_nodes.h"
#include "hub/presence_store.h"
#include "hub/selector.h"

namespace carillon {

class RedisPresence final : public PresenceStore, private RedisLeaseHolder {
 public:
  // Made, stopped and ended on the loop, or while it does not run; client and nodes outlive it. Made before nodes.start().
  RedisPresence(Loop& loop, RedisClient& client, const RedisKeys& keys, const Clock& clock, RedisNodes& nodes);

  void set_events(PresenceEvents& events) override;
  void change(std::string channel, std::vector<PresenceChange> changes) override;
  void crash(std::string channel, std::string reason) override;
  std::string name_of(std::string_view member) const override { return (nodes_.name() + '/').append(member); }
  void state(std::string channel, UniqueFunction<void(Result<PresenceStatePtr>)> done) override;
  void counts(std::string channel, UniqueFunction<void(Result<PresenceCounts>)> done) override;
  void renew(std::int64_t lease_ms) override;

  // Which channels' diffs are handed out. Any thread; counted. Presence is watched by a channel's exact name, so wider
  // selectors want none.
  void add_interest(const Selector& selector);
  void remove_interest(const Selector& selector);

  // On the loop. This node's members leave; `left` hears whether Redis knows. What was asked is answered kUnavailable, but for
  // what is on its way to Redis, which the client answers.
  void stop(UniqueFunction<void(bool)> left);

 private:
  void on_lease(const RedisLease& lease) override;
  void on_lease_failure(const Error& error) override { writer_.on_lease_failure(error); }
  void on_lease_over(const std::string& lease) override { removal_.remove(lease); }
  void on_hearing(std::size_t master) override;
  void read_counts(const std::string& channel, RedisAnswer<PresenceCounts> answer);
  void see_lease(const std::string& channel, std::string_view node, std::uint64_t incarnation);

  RedisClient& client_;
  const RedisKeys keys_;
  RedisNodes& nodes_;
  PresenceRemoval removal_;
  PresenceFeeds feeds_;
  PresenceWriter writer_;
  bool stopped_ = false;
  RedisInbox inbox_;
  RedisGuard guard_;
};

}  // namespace carillon
