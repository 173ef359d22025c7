#include "engine/redis/redis_group_scripts.h"

#include <string>

namespace carillon::redis_group_scripts {
namespace {

// A pending entry is due when it has been idle for DUE, the longest time there is: whoever is to have it for t has it said to
// be idle for DUE - t already. What waits belongs to consumers that are nobody: ~nacked, ~member_left, ~undone; the dead that
// are being buried to ~dead.<reason>.
constexpr const char* kCommon = R"lua(
local call, pcall = redis.call, redis.pcall
local key, hash, members_key = KEYS[1], KEYS[2], KEYS[3]
local group, consumer = ARGV[1], ARGV[2]
local DUE, UNSETTLED_MAX, BURIAL_MS = 43200000, 10000, 30000
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
local function millis() return math.floor(micros() / 1000) end
-- The newest position of the stream; nothing if there is none, else an error as the third.
local function newest()
  local info = pcall('XINFO', 'STREAM', key)
  if info.err then
    if string.find(info.err, 'no such key', 1, true) then return nil end
    return nil, nil, info
  end
  for i = 1, #info, 2 do
    if info[i] == 'last-generated-id' then return split(info[i + 1]) end
  end
end
local numbers = {'epoch', 'last', 'open', 'visibility', 'deliveries_max', 'delivered', 'redelivered', 'acked', 'dead', 'lost'}
-- `last`: the offset up to which everything was delivered once. `open`: how many are delivered and not settled.
local function load()
  local values = call('HMGET', hash, 'made', 'dead_letter', unpack(numbers))
  if not values[1] and call('EXISTS', hash) == 0 then return nil end
  local g = {made = values[1], dead_letter = values[2]}
  local fine = g.made and string.match(g.made, '^%d+$') and g.dead_letter
  for i, name in ipairs(numbers) do
    g[name] = tonumber(values[i + 2] or '')
    fine = fine and g[name]
  end
  if not fine then return nil, redis.error_reply('CORRUPT the stored state of the queue group is damaged') end
  return g
end
local function save(g)
  local words = {'made', g.made, 'dead_letter', g.dead_letter}
  for _, name in ipairs(numbers) do
    words[#words + 1] = name
    words[#words + 1] = text(g[name])
  end
  call('HSET', hash, unpack(words))
end
-- The channel counts anew, or Redis' own group is gone: what was open is lost, and what was heard of and not read.
local function follow(g, epoch, heard_epoch, heard)
  local unread = 0
  if epoch ~= g.epoch then
    if heard_epoch == g.epoch then unread = math.max(heard - g.last, 0) end
    g.epoch, g.last = epoch, 0
  end
  g.lost, g.open = g.lost + g.open + unread, 0
  g.made = text(math.max(micros(), tonumber(g.made) + 1))
  pcall('XGROUP', 'DESTROY', key, group)
  call('XGROUP', 'CREATE', key, group, id(g.epoch, g.last))
end
-- What XPENDING sums up; false if there is no stream; an error as the second.
local function pending_of(g, heard_epoch, heard)
  local pending = pcall('XPENDING', key, group)
  if not pending.err then return pending end
  if not string.find(pending.err, 'NOGROUP', 1, true) then return nil, pending end
  local epoch, _, err = newest()
  if err then return nil, err end
  if not epoch then return false end
  follow(g, epoch, heard_epoch, heard)
  return {0}
end
)lua";

constexpr const char* kOpen = R"lua(
local lease = tonumber(ARGV[3])
local g, err = load()
if err then return err end
local status = 'ok'
if not g then
  if ARGV[4] == '' then return {'gone'} end
  local made = pcall('XGROUP', 'CREATE', key, group, ARGV[4])
  if made.err and string.find(made.err, 'BUSYGROUP', 1, true) then
    call('XGROUP', 'DESTROY', key, group)
    made = pcall('XGROUP', 'CREATE', key, group, ARGV[4])
  end
  if made.err then return made end
  local epoch, offset = split(ARGV[4])
  g = {made = text(micros()), epoch = epoch, last = offset, open = 0, visibility = tonumber(ARGV[5]),
       deliveries_max = tonumber(ARGV[6]), dead_letter = ARGV[7], delivered = 0, redelivered = 0, acked = 0, dead = 0, lost = 0}
  save(g)
  status = 'created'
end
local made = g.made
local pending, failed = pending_of(g, 0, 0)
if failed then return failed end
local epoch, top = newest()
if epoch and epoch ~= g.epoch then
  follow(g, epoch, 0, 0)
  pending = {0}
end
if g.made ~= made then save(g) end
local cursor, in_flight = g.last, 0
if pending and pending[1] > 0 then
  local oldest_epoch, oldest = split(pending[2])
  if oldest_epoch == g.epoch then cursor = oldest - 1 end
  for _, one in ipairs(pending[4]) do
    if string.sub(one[1], 1, 1) ~= '~' then in_flight = in_flight + one[2] end
  end
end
-- Consumers of nodes that are no more.
if pending then
  for _, one in ipairs(call('XINFO', 'CONSUMERS', key, group)) do
    local about = {}
    for i = 1, #one, 2 do about[one[i]] = one[i + 1] end
    if about.pending == 0 and about.idle > 3600000 then call('XGROUP', 'DELCONSUMER', key, group, about.name) end
  end
end
local members, told, now = 0, call('HGETALL', members_key), millis()
for i = 1, #told, 2 do
  local count, at = string.match(told[i + 1], '^(%d+) (%d+)$')
  if count and now - tonumber(at) < lease then
    members = members + tonumber(count)
  else
    call('HDEL', members_key, told[i])
  end
end
local answer = {status, g.made, text(g.epoch), text(cursor), text(g.open + math.max((top or g.last) - g.last, 0)),
                text(in_flight), text(members), text(g.visibility), text(g.deliveries_max), g.dead_letter}
for _, name in ipairs({'delivered', 'redelivered', 'acked', 'dead', 'lost'}) do answer[#answer + 1] = text(g[name]) end
return answer
)lua";

constexpr const char* kFetch = R"lua(
local lease, members, room, look = ARGV[3], ARGV[4], tonumber(ARGV[5]), ARGV[6] == '1'
local heard_epoch, heard = tonumber(ARGV[7]), tonumber(ARGV[8])
local g, err = load()
if err then return err end
if not g then
  local epoch, _, failed = newest()
  if failed then return failed end
  return {'gone', epoch == heard_epoch and 'removed' or 'forgotten'}
end
if members == '0' then
  call('HDEL', members_key, consumer)
elseif members ~= '' then
  call('HSET', members_key, consumer, members .. ' ' .. text(millis()))
  call('PEXPIRE', members_key, lease)
end
local made, lost, delivered = g.made, g.lost, g.delivered + g.redelivered
local pending, failed = pending_of(g, heard_epoch, heard)
if failed then return failed end
if pending and ARGV[9] == '1' then
  local epoch = newest()
  if epoch and epoch ~= g.epoch then
    follow(g, epoch, heard_epoch, heard)
    pending = {0}
  end
end
local given, dead, left, full = {}, {}, '0', '0'
local function hide(ids, owner, time, more)
  local words = {'XCLAIM', key, group, owner, 0}
  for _, one in ipairs(ids) do words[#words + 1] = one end
  words[#words + 1], words[#words + 2] = 'IDLE', text(DUE - time)
  for _, one in ipairs(more) do words[#words + 1] = one end
  words[#words + 1] = 'JUSTID'
  call(unpack(words))
end
-- What came back, the oldest first.
local due = look and pending and pending[1] > 0 and call('XPENDING', key, group, 'IDLE', DUE, '-', '+', 128) or {}
if #due == 128 then left = '1' end
for _, one in ipairs(due) do
  local place, owner, times = one[1], one[2], one[4]
  local over = g.deliveries_max > 0 and times >= g.deliveries_max
  if (over and #dead >= 96) or (not over and room == 0) then
    left = '1'
  else
    local reason = string.match(owner, '^~dead%.(.*)$') or string.match(owner, '^~(.*)$') or 'timed_out'
    local to = over and '~dead.' .. reason or consumer
    local entry = call('XAUTOCLAIM', key, group, to, DUE, place, 'COUNT', 1)[2][1]
    if not entry then
      g.open, g.lost = g.open - 1, g.lost + 1
    elseif over then
      hide({place}, to, BURIAL_MS, {'RETRYCOUNT', times})
      dead[#dead + 1], dead[#dead + 2], dead[#dead + 3] = entry, text(times), reason
    else
      hide({place}, to, g.visibility, {'RETRYCOUNT', times + 1})
      given[#given + 1], given[#given + 2] = entry, text(times + 1)
      if times == 0 then g.delivered = g.delivered + 1 else g.redelivered = g.redelivered + 1 end
      room = room - 1
    end
  end
end
-- What is new.
local want = math.min(room, UNSETTLED_MAX - g.open)
if room > 0 and want <= 0 then full = '1' end
while pending and want > 0 do
  local read = call('XREADGROUP', 'GROUP', group, consumer, 'COUNT', want, 'STREAMS', key, '>')
  local entries = read and read[1][2] or {}
  if #entries == 0 then break end
  local epoch, offset = split(entries[#entries][1])
  if epoch == g.epoch then
    local ids = {}
    for i, entry in ipairs(entries) do
      ids[i] = entry[1]
      given[#given + 1], given[#given + 2] = entry, '1'
    end
    hide(ids, consumer, g.visibility, {})
    g.lost = g.lost + math.max(offset - g.last - #entries, 0)
    g.last, g.open, g.delivered = offset, g.open + #entries, g.delivered + #entries
    break
  end
  given, dead = {}, {}
  follow(g, epoch, heard_epoch, heard)
end
if g.made ~= made or g.lost ~= lost or g.delivered + g.redelivered ~= delivered then save(g) end
return {'ok', g.made, text(g.epoch), text(g.visibility), text(g.deliveries_max), g.dead_letter, text(g.lost - lost), left, full,
        given, dead}
)lua";

constexpr const char* kSettle = R"lua(
local verb, time, channel = ARGV[3], tonumber(ARGV[4]), ARGV[5]
local g, err = load()
if err then return err end
if not g then return {'gone'} end
local within
local function hide(place, owner, delay, more)
  local words = {'XCLAIM', key, group, owner, 0, place, 'IDLE', text(DUE - delay)}
  for _, one in ipairs(more or {}) do words[#words + 1] = one end
  words[#words + 1] = 'JUSTID'
  if #call(unpack(words)) == 0 then g.open, g.lost = g.open - 1, g.lost + 1 end
end
local function done(place, what)
  call('XACK', key, group, place)
  g.open, g[what] = g.open - 1, g[what] + 1
end
local function give(place, owner, delay, more)
  hide(place, owner, delay, more)
  within = math.min(within or delay, delay)
end
local function settle(offset, attempt)
  local place = id(g.epoch, tonumber(offset))
  local pending = pcall('XPENDING', key, group, place, place, 1)
  if pending.err or not pending[1] or text(pending[1][4]) ~= attempt then return '0' end
  local owner, idle, times = pending[1][2], pending[1][3], pending[1][4]
  local dying = string.sub(owner, 1, 6) == '~dead.'
  if verb == 'bury' then
    if not dying then return '0' end
    done(place, 'dead')
  elseif verb == 'lose' then
    done(place, 'lost')
  elseif dying then
    return '0'
  elseif verb == 'ack' then
    done(place, 'acked')
  elseif string.sub(owner, 1, 1) == '~' or idle >= DUE then
    return '0'
  elseif verb == 'extend' then
    hide(place, owner, time < 0 and g.visibility or time)
  elseif verb == 'undo' then
    local which = times == 1 and 'delivered' or 'redelivered'
    g[which] = g[which] - 1
    give(place, '~undone', 0, {'RETRYCOUNT', times - 1})
  else
    local over = g.deliveries_max > 0 and times >= g.deliveries_max
    give(place, verb == 'left' and '~member_left' or '~nacked', over and 0 or time)
  end
  if owner ~= consumer and string.sub(owner, 1, 1) ~= '~' and verb ~= 'extend' then
    call('PUBLISH', channel, 'settled ' .. g.made .. ' ' .. offset .. ' ' .. attempt .. ' ' .. group)
  end
  return '1'
end
local results = {}
for i = 6, #ARGV, 3 do
  results[#results + 1] = ARGV[i] == g.made and settle(ARGV[i + 1], ARGV[i + 2]) or '0'
end
results = table.concat(results)
if string.find(results, '1', 1, true) then save(g) end
if within then call('PUBLISH', channel, 'return ' .. text(within) .. ' ' .. group) end
return {'ok', results}
)lua";

constexpr const char* kRemove = R"lua(
if call('EXISTS', hash) == 0 then return {'gone'} end
local made = pcall('HGET', hash, 'made')
call('DEL', hash, members_key)
pcall('XGROUP', 'DESTROY', key, group)
if type(made) == 'string' then call('PUBLISH', ARGV[3], 'removed ' .. made .. ' ' .. group) end
return {'ok'}
)lua";

RedisScript with_common(const char* text) {
  return RedisScript(std::string(kCommon) + text);
}

}  // namespace

const RedisScript& open() {
  static const RedisScript script = with_common(kOpen);
  return script;
}

const RedisScript& fetch() {
  static const RedisScript script = with_common(kFetch);
  return script;
}

const RedisScript& settle() {
  static const RedisScript script = with_common(kSettle);
  return script;
}

const RedisScript& remove() {
  static const RedisScript script = with_common(kRemove);
  return script;
}

}  // namespace carillon::redis_group_scripts
