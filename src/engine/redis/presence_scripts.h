// The Lua scripts that change presence in Redis: each one step, which publishes its own diff. Any thread.
//
// KEYS of all: the channel's members, users, version. What they answer: `late` (the lease is over; nothing was done), `same`
// (nothing changed), or the diff's version.
#pragma once

#include "engine/redis/resp.h"

namespace carillon {

// ARGV: what the node's members begin with, when its lease ends (Redis' time in milliseconds; 0: do not ask), a version that
// the diff is to be above, what to publish on, "some" or "all"; then for each member its name and its record
// (presence_record.h), or nothing where it leaves. With "all", what the node has in the channel and is not named leaves.
const RedisScript& presence_change_script();

// ARGV: what the node's members begin with, the incarnation up to which they are removed, a version to be above, what to
// publish on.
const RedisScript& presence_removal_script();

}  // namespace carillon
