#include "engine/redis/presence_scripts.h"

#include <string>

namespace carillon {
namespace {

// What both have in common. A version is the time in microseconds, or one more than the last where that is not more: so it also
// grows when Redis had forgotten it.
constexpr const char* kCommon = R"(
local members, users, version_key = KEYS[1], KEYS[2], KEYS[3]
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local last = tonumber(redis.call('GET', version_key) or '0')
local version = 0
local leaves, joins = {}, {}
local function whole(number) return string.format('%.0f', number) end
local function begin(floor)
  version = math.max(time[1] * 1000000 + time[2], last + 1, floor + 1)
end
local function count(key, by)
  if redis.call('HINCRBY', users, key, by) <= 0 then redis.call('HDEL', users, key) end
end
-- "<place> <ref before> <incarnation> <online since> <ref> <length of the key> <key><meta>"
local function read(value)
  local place, before, incarnation, ref, size, at = string.match(value, '^(%S+) (%S+) (%d+) %d+ (%S+) (%d+) ()')
  if not place then return {place = '0-0', before = '-', incarnation = 0, ref = '', key = ''} end
  return {place = place, before = before, incarnation = tonumber(incarnation), ref = ref,
          key = string.sub(value, at, at + tonumber(size) - 1)}
end
local function leave(member)
  local value = redis.call('HGET', members, member)
  if not value then return end
  redis.call('HDEL', members, member)
  count(read(value).key, -1)
  leaves[#leaves + 1] = #member .. ' ' .. #value .. ' ' .. member .. value
end
local function set(member, record)
  local incarnation, ref, size, at = string.match(record, '^(%d+) %d+ (%S+) (%d+) ()')
  local key = string.sub(record, at, at + tonumber(size) - 1)
  local place, before = whole(version) .. '-' .. #joins, '-'
  local value = redis.call('HGET', members, member)
  if value then
    local old = read(value)
    if old.ref == ref then
      if old.incarnation < tonumber(incarnation) then
        redis.call('HSET', members, member, old.place .. ' ' .. old.before .. ' ' .. record)
      end
      return
    end
    leaves[#leaves + 1] = #member .. ' ' .. #value .. ' ' .. member .. value
    before = old.ref
    if old.key == key then
      place = old.place
    else
      count(old.key, -1)
      count(key, 1)
    end
  else
    count(key, 1)
  end
  value = place .. ' ' .. before .. ' ' .. record
  redis.call('HSET', members, member, value)
  joins[#joins + 1] = #member .. ' ' .. #value .. ' ' .. member .. value
end
-- An empty channel is forgotten after a while; until then its version goes on.
local function tell(channel)
  if #leaves + #joins == 0 then return 'same' end
  local present = redis.call('HLEN', members)
  if present == 0 then
    redis.call('SET', version_key, whole(version), 'PX', 600000)
  else
    redis.call('SET', version_key, whole(version))
  end
  local head = {whole(version), whole(last), whole(redis.call('HLEN', users)), whole(present), whole(#leaves), whole(#joins), ''}
  redis.call('PUBLISH', channel, table.concat(head, ' ') .. table.concat(leaves) .. table.concat(joins))
  return whole(version)
end
)";

constexpr const char* kChange = R"(
local own, ends, channel = ARGV[1], tonumber(ARGV[2]), ARGV[4]
if ends > 0 and now >= ends then return 'late' end
begin(tonumber(ARGV[3]))
if ARGV[5] == 'all' then
  local named = {}
  for i = 6, #ARGV, 2 do named[ARGV[i]] = true end
  for _, member in ipairs(redis.call('HKEYS', members)) do
    if string.sub(member, 1, #own) == own and not named[member] then leave(member) end
  end
end
for i = 6, #ARGV, 2 do
  if ARGV[i + 1] == '' then leave(ARGV[i]) else set(ARGV[i], ARGV[i + 1]) end
end
return tell(channel)
)";

constexpr const char* kRemoval = R"(
local own, incarnation, channel = ARGV[1], tonumber(ARGV[2]), ARGV[4]
begin(tonumber(ARGV[3]))
for _, member in ipairs(redis.call('HKEYS', members)) do
  if string.sub(member, 1, #own) == own and read(redis.call('HGET', members, member)).incarnation <= incarnation then
    leave(member)
  end
end
return tell(channel)
)";

}  // namespace

const RedisScript& presence_change_script() {
  static const RedisScript script(std::string(kCommon) + kChange);
  return script;
}

const RedisScript& presence_removal_script() {
  static const RedisScript script(std::string(kCommon) + kRemoval);
  return script;
}

}  // namespace carillon
