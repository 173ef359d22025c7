// What the parts of the Redis engine share. All of it outlives them.
#pragma once

#include "base/clock.h"
#include "base/loop.h"
#include "engine/redis/redis_client.h"
#include "engine/redis/redis_entry.h"
#include "engine/redis/redis_keys.h"
#include "engine/redis/redis_options.h"

namespace carillon {

struct RedisParts {
  Loop& loop;
  RedisClient& client;
  const Clock& clock;
  const RedisOptions& options;
  const RedisKeys& keys;
  const RedisWriter& writer;
};

}  // namespace carillon
