// The Lua scripts of queue groups (redis_groups.h): each is one step in Redis, on the keys of one channel. All of them take as
// KEYS the stream, the group's hash, its members' hash; as ARGV first the consumer group's name and the consumer of this node.
// Where the group does not exist the answer is {"gone", …}; numbers are answered as texts.
#pragma once

#include "engine/redis/resp.h"

namespace carillon::redis_group_scripts {

//   ARGV  …, lease of members in ms, position to begin after ("": it is not made), visibility_ms, deliveries_max, dead letter
//         channel
//   ->    {"ok" or "created", generation, epoch, cursor's offset, lag, in flight, members, visibility_ms, deliveries_max,
//         dead letter channel, delivered, redelivered, acked, dead, lost}
const RedisScript& open();

//   ARGV  …, lease of members in ms, members ("": not told), room, "1" to look for what came back, epoch and offset that this
//         node has heard of, "1" if the channel may count anew
//   ->    {"ok", generation, epoch, visibility_ms, deliveries_max, dead letter channel, lost now, "1" if more came back than is
//         given, "1" if new ones wait until some are settled, {entry, attempt, …}, {entry, attempt, reason, …}: the dead};
//         {"gone", "removed" or "forgotten"}
const RedisScript& fetch();

//   ARGV  …, verb ("ack", "nack", "extend", "left", "undo", "bury", "lose"), time in ms (negative: the visibility time),
//   pub/sub channel, then for each delivery
//         generation, offset, attempt
//   ->    {"ok", "1" or "0" for each: whether it counted}
const RedisScript& settle();

//   ARGV  …, pub/sub channel
//   ->    {"ok"}
const RedisScript& remove();

}  // namespace carillon::redis_group_scripts
