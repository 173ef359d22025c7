// RedisState: the state of queue groups, durable subscriptions and topics, in Redis, where all nodes read and change it.
//
// A value is a key of its own, under its expiry; a sorted set holds the names for listing. Both lie in one slot, so the changes
// of one call are one script. Names whose values have expired are taken out of the set when a list meets them, and a few by
// chance with each change. What Redis answered is as durable as its own settings make it: `synced` asks for nothing more.
// Keys and values may hold any bytes.
#pragma once

#include "base/loop.h"
#include "engine/redis/redis_client.h"
#include "engine/redis/redis_inbox.h"
#include "engine/redis/redis_keys.h"
#include "hub/state_store.h"

namespace carillon {

class RedisState final : public StateStore {
 public:
  // Made and ended on the loop, or while it does not run; the client outlives it.
  RedisState(Loop& loop, RedisClient& client, const RedisKeys& keys);

  // On the loop: what has not been sent is answered kUnavailable, as is what comes later.
  void stop() { inbox_.close(); }

  void change(std::vector<StateChange> changes, bool synced, UniqueFunction<void(Result<void>)> done) override;
  void read(std::string key, UniqueFunction<void(Result<std::optional<std::string>>)> done) override;
  void list(std::string prefix, std::string after, std::size_t count_max,
            UniqueFunction<void(Result<std::vector<StateRecord>>)> done) override;

 private:
  RedisClient& client_;
  const RedisKeys keys_;
  RedisInbox inbox_;
};

}  // namespace carillon
