// The Lua scripts of publications: what must be one step in Redis. Each works on the keys of one channel. Their arguments and
// answers stand here; positions are "<epoch>-<offset>", times are Unix milliseconds by Redis' clock, all are texts.
#pragma once

#include "engine/redis/resp.h"

namespace carillon::redis_scripts {

// Publishes to a channel that keeps history.
//   KEYS  stream
//   ARGV  pub/sub channel, count_max, idle_ms, "1" when the expiry is to be renewed, idempotency_ms, what this node knows the
//         channel to have reached (append_mark), and the time ("0": none), the prefix of the receipts' keys, the entries as
//         append_packed makes them, one behind the other
//   ->    {"", first position, time} when all were published, one behind the other; else {"each", "", time, one text for
//         each}: "+<position>", "=<position> <time> <id>" (its key was used before), "-<error>"
//         A stream that begins with it has offset 1.
const RedisScript& publish();

// Tells of publications that commands have added to the stream just before, in the same transaction; the next command publishes
// them, as append_packed makes them. Only if they were added to the epoch and go on where this node knows the channel to have
// reached; else, where another epoch is to begin, it begins.
//   KEYS  stream
//   ARGV  pub/sub channel, what this node knows the channel to have reached (append_mark), how many were added, what they have
//         as `time`, `id` of the last, idle_ms
//   ->    {first position, time now}, or {"", time now}: what was added, if anything was, is nowhere to be seen
const RedisScript& announce();

// Publishes one publication with an idempotency key to a channel that keeps no history.
//   KEYS  receipt's key
//   ARGV  pub/sub channel, message, idempotency_ms, receipt
//   ->    "+", or "=<receipt>"
const RedisScript& publish_once();

// A page. What is older than age_max_ms or beyond count_max is not shown; with bytes_max what is too much is dropped first.
//   KEYS  stream
//   ARGV  count_max, age_max_ms, bytes_max, made_ms (0: a stream that is not there is not made; else it is, for so long),
//         since ("": absent), from_time ("": absent), count, "1" for reverse
//   ->    nothing: there is no stream; else {top, oldest offset, from, to, entries}: wanted are the offsets [from, to), of
//   which
//         the first `count` entries (from the end, when reverse) follow
const RedisScript& page();

// What was published after a position.
//   KEYS  stream
//   ARGV  what this node has heard (append_mark; none: tell the top only), count, idle_ms
//   ->    nothing: there is no stream; else {top, entries}: of the top's epoch, after the position if that is of this epoch.
//   When
//         the stream does not reach as far as the position, or has another entry there, it has lost what it had: another epoch
//         begins.
const RedisScript& missed();

// Entries by their offsets.
//   KEYS  stream
//   ARGV  count_max, age_max_ms, epoch, offsets ...
//   ->    nothing: there is no stream; else {epoch, an entry or nothing for each offset}; without entries if the epoch is
//         another
const RedisScript& find();

// Drops what is too old, and as many of the oldest as it takes to need about bytes_max.
//   KEYS  stream
//   ARGV  age_max_ms, bytes_max
//   ->    how many entries are left
const RedisScript& trim();

// Forgets everything; what is published next begins a new epoch.
//   KEYS  stream
//   ARGV  made_ms: for how long that epoch is kept without a publication
//   ->    "1" if there was a stream
const RedisScript& remove();

}  // namespace carillon::redis_scripts
