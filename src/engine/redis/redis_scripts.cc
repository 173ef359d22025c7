#include "engine/redis/redis_scripts.h"

#include <string>

namespace carillon::redis_scripts {
namespace {

// Numbers are exact up to 2^53: microseconds until the year 2255. `text` writes them without an exponent.
constexpr const char* kCommon = R"lua(
local call, pcall = redis.call, redis.pcall
local function text(number) return string.format('%.0f', number) end
local function id(epoch, offset) return text(epoch) .. '-' .. text(offset) end
local function split(position)
  local epoch, offset = string.match(position, '^(%d+)%-(%d+)$')
  return tonumber(epoch), tonumber(offset)
end
local function micros()
  local now = call('TIME')
  return now[1] * 1000000 + now[2]
end
local function millis()
  local now = call('TIME')
  return now[1] * 1000 + math.floor(now[2] / 1000)
end
-- The time that an entry says; nothing if it is not one of ours.
local function time_of(entry)
  if entry[2] and entry[2][1] == 'time' then return tonumber(entry[2][2]) end
end
local function last_id(key)
  local info = pcall('XINFO', 'STREAM', key)
  if info.err then
    if string.find(info.err, 'no such key', 1, true) then return nil end
    return nil, info
  end
  for i = 1, #info, 2 do
    if info[i] == 'last-generated-id' then return info[i + 1] end
  end
end
-- Epoch, offset and time of the newest; nothing if there is no stream, else an error as the fourth. An epoch whose newest
-- entry is not one of ours has ended: its fifth is true. The sixth is the newest entry's id. `last`: what was read already.
local function top(key, last)
  last = last or pcall('XREVRANGE', key, '+', '-', 'COUNT', 1)
  if last.err then return nil, nil, nil, last end
  if last[1] then
    local epoch, offset = split(last[1][1])
    if epoch > 9007199254740000 then
      return nil, nil, nil, redis.error_reply('WRONGTYPE the stream holds entries of another program')
    end
    local time = time_of(last[1])
    return epoch, offset, time or 0, nil, time == nil, last[1][2][4]
  end
  local newest, err = last_id(key)
  if not newest then return nil, nil, nil, err end
  local epoch, offset = split(newest)
  return epoch, offset, 0, nil, epoch == 0
end
-- The stream as it is when it begins: without entries, at offset 0 of the epoch. Also makes it.
local function begin(key, epoch, expire_ms)
  local made = pcall('XADD', key, 'MAXLEN', 0, id(epoch, 0), 'time', '0')
  if type(made) == 'table' and made.err then return made end
  if expire_ms > 0 then call('PEXPIRE', key, text(expire_ms)) end
end
-- The first offset in [from, to) that is not older.
local function offset_at(key, epoch, from, to, time)
  local middle = from
  while from < to do
    local entry = call('XRANGE', key, id(epoch, middle), '+', 'COUNT', 1)[1]
    local there = entry and time_of(entry)
    if not there or there >= time then to = middle else from = middle + 1 end
    middle = from + math.floor((to - from) / 2)
  end
  return from
end
-- Whether another entry is there than the one with this id: what was there is lost, and its offset was given out again.
-- `found`: the id of the entry there, if it is known.
local function is_another(key, epoch, offset, wanted, found)
  if wanted == '' or offset == 0 or found == wanted then return false end
  local there = call('XRANGE', key, id(epoch, offset), id(epoch, offset))[1]
  return there and there[2][4] ~= wanted and tonumber(there[2][4] or '', 16) ~= tonumber(wanted, 16)
end
local function oldest_of(key, epoch, offset)
  local first = call('XRANGE', key, id(epoch, 0), '+', 'COUNT', 1)[1]
  if not first then return offset + 1 end
  local _, oldest = split(first[1])
  return oldest
end
-- The oldest that is to be shown.
local function shown(key, epoch, offset, count_max, age_max_ms)
  local oldest = oldest_of(key, epoch, offset)
  if count_max > 0 then oldest = math.max(oldest, offset - count_max + 1) end
  if age_max_ms > 0 then oldest = offset_at(key, epoch, oldest, offset + 1, millis() - age_max_ms) end
  return oldest
end
local function trim(key, epoch, offset, age_max_ms, bytes_max)
  if age_max_ms > 0 then
    local oldest = oldest_of(key, epoch, offset)
    local young = offset_at(key, epoch, oldest, offset + 1, millis() - age_max_ms)
    if young > oldest then call('XTRIM', key, 'MINID', id(epoch, young)) end
  end
  if bytes_max == 0 then return end
  local used = call('MEMORY', 'USAGE', key)
  if used and used > bytes_max then
    call('XTRIM', key, 'MAXLEN', math.max(1, math.floor(call('XLEN', key) * bytes_max / used)))
  end
end
)lua";

// What most publishes are: one, without a key, to the stream as this node knows it. Ahead of everything that it does not need.
constexpr const char* kPublishOne = R"lua(
local last
if ARGV[7] ~= '' and ARGV[4] == '0' then
  last = redis.pcall('XREVRANGE', KEYS[1], '+', '-', 'COUNT', 1)
  local newest = last[1]
  if newest and newest[1] == ARGV[6] and newest[2][1] == 'time' and newest[2][4] == ARGV[7] then
    local item, second = cmsgpack.unpack(ARGV[10])
    if not second and (item[4] or '') == '' then
      local clock = redis.call('TIME')
      local millis = clock[1] * 1000 + math.floor(clock[2] / 1000)
      local now = string.format('%.0f', math.max(millis, tonumber(newest[2][2]), tonumber(ARGV[8])))
      local added = redis.pcall('XADD', KEYS[1], 'MAXLEN', '~', ARGV[2], string.match(ARGV[6], '^%d+') .. '-*', 'time', now,
                                'id', item[1], 'event', item[2], 'data', item[3], unpack(item, 5))
      if type(added) == 'string' then
        redis.call('PUBLISH', ARGV[1], cmsgpack.pack('2', added, now) .. ARGV[10])
        return {'', added, now}
      end
    end
  end
end
)lua";

// Each publication is a table: id, event, data, idempotency key or nothing, then names and values (README.md). What was all
// published, one behind the other, is told as it came; else it is packed anew.
constexpr const char* kPublish = R"lua(
local key, channel, count_max = KEYS[1], ARGV[1], ARGV[2]
local idle_ms, receipts, packed = tonumber(ARGV[3]), ARGV[9], ARGV[10]
local epoch, offset, floor, err, ended, newest_id = top(key, last)
if err then return err end
local now = math.max(millis(), floor or 0, tonumber(ARGV[8]))
local known_epoch, known_offset
if ARGV[6] ~= '' then known_epoch, known_offset = split(ARGV[6]) end
local lost = epoch and known_epoch and (known_epoch > epoch or (known_epoch == epoch and
             (known_offset > offset or is_another(key, epoch, known_offset, ARGV[7], known_offset == offset and newest_id))))
if not epoch or ended or lost then
  local after = math.max(epoch or 0, known_epoch or 0)
  if epoch then
    local newest = last_id(key)
    after = math.max(after, (split(newest)))
  end
  epoch, offset = math.max(micros(), after + 1), 0
  local failed = begin(key, epoch, idle_ms)
  if failed then return failed end
elseif idle_ms > 0 then
  if ARGV[4] == '1' or offset == 0 then call('PEXPIRE', key, idle_ms) end
elseif offset == 0 then
  call('PERSIST', key)
end
now = text(now)
local any = text(epoch) .. '-*'
local items = {cmsgpack.unpack(packed)}
local count = #items
-- Until something is not as usual, all were published, one behind the other.
local first, done, results = nil, 0, nil
local function each()
  if results then return end
  results = {'each', '', now}
  if not first then return end
  local e, o = split(first)
  for i = 1, done do results[i + 3] = '+' .. id(e, o + i - 1) end
end
local run, run_id
local function tell(to)
  if run then
    local whole = run == 1 and to == count
    call('PUBLISH', channel, cmsgpack.pack('2', run_id, now) .. (whole and packed or cmsgpack.pack(unpack(items, run, to))))
  end
  run = nil
end
-- The last one cuts the stream to its length for all of them.
local function add(item, is_last)
  if is_last then
    return pcall('XADD', key, 'MAXLEN', '~', count_max, any, 'time', now, 'id', item[1], 'event', item[2], 'data', item[3],
                 unpack(item, 5))
  end
  return pcall('XADD', key, any, 'time', now, 'id', item[1], 'event', item[2], 'data', item[3], unpack(item, 5))
end
for i = 1, count do
  local item, receipt, used, added = items[i], nil, nil, nil
  if item[4] and item[4] ~= '' then
    receipt = receipts .. item[4]
    used = pcall('GET', receipt)
  end
  if used then
    tell(i - 1)
    each()
    results[#results + 1] = type(used) == 'table' and '-' .. used.err or '=' .. used
  else
    added = add(item, i == count)
    if type(added) == 'table' and string.find(added.err, 'equal or smaller', 1, true) then
      -- The newest entries were deleted by another program: their offsets are not given out again.
      tell(i - 1)
      each()
      epoch = split(last_id(key))
      any = text(epoch) .. '-*'
      added = add(item, i == count)
    end
    if type(added) == 'table' then
      tell(i - 1)
      each()
      results[#results + 1] = '-' .. added.err
    else
      if not run then run, run_id = i, added end
      if receipt then pcall('SET', receipt, added .. ' ' .. now .. ' ' .. item[1], 'PX', ARGV[5]) end
      if results then
        results[#results + 1] = '+' .. added
      else
        first, done = first or added, done + 1
      end
    end
  end
end
tell(count)
return results or {'', first or '', now}
)lua";

constexpr const char* kAnnounce = R"lua(
local key, count = KEYS[1], tonumber(ARGV[4])
local now = text(millis())
local epoch, known = split(ARGV[2])
local last = pcall('XREVRANGE', key, '+', '-', 'COUNT', 1)
if last.err or not last[1] or last[1][2][4] ~= ARGV[6] then return {'', now} end
local _, offset = split(last[1][1])
local first = offset - count + 1
local ended = first <= known or is_another(key, epoch, known, ARGV[3])
if not ended and first > known + 1 then
  local before = call('XRANGE', key, id(epoch, first - 1), id(epoch, first - 1))[1]
  ended = before and not time_of(before)
end
if ended then
  begin(key, math.max(micros(), epoch + 1), tonumber(ARGV[7]))
  return {'', now}
end
call('PUBLISH', ARGV[1], cmsgpack.pack('2', id(epoch, first), ARGV[5], ARGV[4]))
return {id(epoch, first), now}
)lua";

constexpr const char* kPublishOnce = R"lua(
local used = redis.call('GET', KEYS[1])
if used then return '=' .. used end
redis.call('SET', KEYS[1], ARGV[4], 'PX', ARGV[3])
redis.call('PUBLISH', ARGV[1], ARGV[2])
return '+'
)lua";

constexpr const char* kPage = R"lua(
local key, count_max, age_max_ms = KEYS[1], tonumber(ARGV[1]), tonumber(ARGV[2])
local bytes_max, made_ms = tonumber(ARGV[3]), tonumber(ARGV[4])
local count, reverse = tonumber(ARGV[7]), ARGV[8] == '1'
local epoch, offset, time, err = top(key)
if err then return err end
if not epoch or epoch == 0 then
  if made_ms == 0 then return false end
  epoch = micros()
  -- Where that is refused, what is published first has another epoch, as whoever comes back then is told.
  begin(key, epoch, made_ms)
  return {id(epoch, 0), '1', '1', '1', {}}
end
if bytes_max > 0 then trim(key, epoch, offset, 0, bytes_max) end
local oldest = shown(key, epoch, offset, count_max, age_max_ms)
local from, to = oldest, offset + 1
if ARGV[5] ~= '' then
  local since_epoch, since = split(ARGV[5])
  local same = since_epoch == epoch and since <= offset
  if reverse then
    if same then to = math.min(math.max(since, oldest), to) end
  else
    if same then from = math.max(since + 1, oldest) end
    if since_epoch == epoch and since > offset then from = to end
  end
elseif ARGV[6] ~= '' then
  local at = offset_at(key, epoch, oldest, offset + 1, tonumber(ARGV[6]))
  if reverse then to = at else from = at end
end
local entries = {}
if from < to and count > 0 then
  if reverse then
    entries = call('XREVRANGE', key, id(epoch, to - 1), id(epoch, from), 'COUNT', count)
  else
    entries = call('XRANGE', key, id(epoch, from), id(epoch, to - 1), 'COUNT', count)
  end
end
return {id(epoch, offset), text(oldest), text(from), text(to), entries}
)lua";

constexpr const char* kMissed = R"lua(
local key, idle_ms = KEYS[1], tonumber(ARGV[4])
local epoch, offset, time, err = top(key)
if err then return err end
if not epoch then return false end
if ARGV[1] == '' then return {id(epoch, offset), {}} end
local known_epoch, known = split(ARGV[1])
local beyond = known_epoch == epoch and known > offset
if beyond or (known_epoch == epoch and is_another(key, epoch, known, ARGV[2])) then
  local newest_epoch, newest = split(last_id(key))
  -- Entries that were deleted at the end still count.
  if beyond and newest_epoch == epoch and newest >= known then return {id(newest_epoch, newest), {}} end
  epoch = math.max(micros(), newest_epoch + 1)
  local failed = begin(key, epoch, idle_ms)
  if failed then return failed end
  return {id(epoch, 0), {}}
end
local from = known_epoch == epoch and known + 1 or 1
return {id(epoch, offset), call('XRANGE', key, id(epoch, from), id(epoch, offset), 'COUNT', ARGV[3])}
)lua";

constexpr const char* kFind = R"lua(
local key = KEYS[1]
local epoch, offset, time, err = top(key)
if err then return err end
if not epoch then return false end
local found = {text(epoch)}
if tonumber(ARGV[3]) ~= epoch then return found end
local oldest = shown(key, epoch, offset, tonumber(ARGV[1]), tonumber(ARGV[2]))
for i = 4, #ARGV do
  local wanted = tonumber(ARGV[i])
  found[i - 2] = wanted >= oldest and wanted <= offset
    and call('XRANGE', key, id(epoch, wanted), id(epoch, wanted))[1] or false
end
return found
)lua";

constexpr const char* kTrim = R"lua(
local key = KEYS[1]
local epoch, offset, time, err = top(key)
if err then return err end
if epoch then trim(key, epoch, offset, tonumber(ARGV[1]), tonumber(ARGV[2])) end
return call('XLEN', key)
)lua";

constexpr const char* kRemove = R"lua(
local key = KEYS[1]
local newest, err = last_id(key)
if err then return err end
if not newest then return '0' end
local epoch = split(newest)
if begin(key, math.max(micros(), epoch + 1), tonumber(ARGV[1])) then call('DEL', key) end
return '1'
)lua";

RedisScript with_common(const char* text) {
  return RedisScript(std::string(kCommon) + text);
}

}  // namespace

const RedisScript& publish() {
  static const RedisScript script{std::string(kPublishOne) + kCommon + kPublish};
  return script;
}

const RedisScript& announce() {
  static const RedisScript script = with_common(kAnnounce);
  return script;
}

const RedisScript& publish_once() {
  static const RedisScript script{kPublishOnce};
  return script;
}

const RedisScript& page() {
  static const RedisScript script = with_common(kPage);
  return script;
}

const RedisScript& missed() {
  static const RedisScript script = with_common(kMissed);
  return script;
}

const RedisScript& find() {
  static const RedisScript script = with_common(kFind);
  return script;
}

const RedisScript& trim() {
  static const RedisScript script = with_common(kTrim);
  return script;
}

const RedisScript& remove() {
  static const RedisScript script = with_common(kRemove);
  return script;
}

}  // namespace carillon::redis_scripts
