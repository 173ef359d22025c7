#include "engine/redis/redis_state.h"

#include <fmt/core.h>

#include <charconv>
#include <utility>

#include "engine/redis/redis_answer.h"
#include "engine/redis/redis_failure.h"

namespace carillon {
namespace {

// KEYS: the index, then each value's. ARGV: for each value its name, "set" or "remove", the value, the Unix time in
// milliseconds at which it is gone (0: never). Names that chance picks are dropped where their value has expired.
const RedisScript& change_script() {
  static const RedisScript script(R"(
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
for i = 2, #KEYS do
  local at = (i - 2) * 4
  local name, what, value, ends = ARGV[at + 1], ARGV[at + 2], ARGV[at + 3], tonumber(ARGV[at + 4])
  if what == 'remove' or (ends > 0 and ends <= now) then
    redis.call('DEL', KEYS[i])
    redis.call('ZREM', KEYS[1], name)
  else
    if ends > 0 then
      redis.call('SET', KEYS[i], value, 'PXAT', ARGV[at + 4])
    else
      redis.call('SET', KEYS[i], value)
    end
    redis.call('ZADD', KEYS[1], 0, name)
  end
end
local begin = string.sub(KEYS[2], 1, #KEYS[2] - #ARGV[1])
for _, name in ipairs(redis.call('ZRANDMEMBER', KEYS[1], 3)) do
  if redis.call('EXISTS', begin .. name) == 0 then redis.call('ZREM', KEYS[1], name) end
end
return 1
)");
  return script;
}

// KEYS: the index, the begin of the values' keys. ARGV: from where (as ZRANGEBYLEX wants it), the prefix, how many.
// Answers name, value and expiry of each.
const RedisScript& list_script() {
  static const RedisScript script(R"(
local from, prefix, most = ARGV[1], ARGV[2], tonumber(ARGV[3])
local found = {}
while #found < most * 3 do
  local names = redis.call('ZRANGEBYLEX', KEYS[1], from, '+', 'LIMIT', 0, most)
  for _, name in ipairs(names) do
    if string.sub(name, 1, #prefix) ~= prefix then return found end
    local key = KEYS[2] .. name
    local value = redis.call('GET', key)
    if value then
      local ends = redis.call('PEXPIRETIME', key)
      found[#found + 1] = name
      found[#found + 1] = value
      found[#found + 1] = string.format('%.0f', math.max(ends, 0))
      if #found >= most * 3 then return found end
    else
      redis.call('ZREM', KEYS[1], name)
    end
    from = '(' .. name
  end
  if #names < most then return found end
end
return found
)");
  return script;
}

Result<std::vector<StateRecord>> records_in(const RespValue& reply) {
  const Error unreadable{ErrorKind::kCorrupt, "Redis answered a list of state with something else"};
  const RespValue::Array* const words = reply.array();
  if (words == nullptr || words->size() % 3 != 0) return unreadable;
  std::vector<StateRecord> records;
  for (std::size_t i = 0; i < words->size(); i += 3) {
    const std::string* const key = (*words)[i].text();
    const std::string* const value = (*words)[i + 1].text();
    const std::string* const ends = (*words)[i + 2].text();
    if (key == nullptr || value == nullptr || ends == nullptr) return unreadable;
    StateRecord& record = records.emplace_back(StateRecord{.key = *key, .value = *value, .expires_at_ms = 0});
    std::from_chars(ends->data(), ends->data() + ends->size(), record.expires_at_ms);
  }
  return records;
}

}  // namespace

RedisState::RedisState(Loop& loop, RedisClient& client, const RedisKeys& keys) : client_(client), keys_(keys), inbox_(loop) {}

void RedisState::change(std::vector<StateChange> changes, bool, UniqueFunction<void(Result<void>)> done) {
  if (changes.empty()) return done({});
  inbox_.put([this, changes = std::move(changes), answer = RedisAnswer<void>(std::move(done))]() mutable {
    std::vector<std::string> keys{keys_.state_index()};
    std::vector<std::string> arguments;
    for (StateChange& change : changes) {
      keys.push_back(keys_.state_value(change.key));
      arguments.push_back(std::move(change.key));
      arguments.push_back(change.value ? "set" : "remove");
      arguments.push_back(change.value ? *std::move(change.value) : std::string());
      arguments.push_back(std::to_string(change.expires_at_ms));
    }
    client_.run(change_script(), keys, std::move(arguments), [answer = std::move(answer)](Result<RespValue> reply) mutable {
      if (const auto failure = redis_failure(reply)) return answer(*failure);
      answer({});
    });
  });
}

void RedisState::read(std::string key, UniqueFunction<void(Result<std::optional<std::string>>)> done) {
  inbox_.put(
      [this, name = keys_.state_value(key), answer = RedisAnswer<std::optional<std::string>>(std::move(done))]() mutable {
        client_.send(name, RespCommand{"GET", name}, [answer = std::move(answer)](Result<RespValue> reply) mutable {
          if (const auto failure = redis_failure(reply)) return answer(*failure);
          const std::string* const value = reply->text();
          answer(value == nullptr ? std::nullopt : std::optional(*value));
        });
      });
}

void RedisState::list(std::string prefix, std::string after, std::size_t count_max,
                      UniqueFunction<void(Result<std::vector<StateRecord>>)> done) {
  if (count_max == 0) return done(std::vector<StateRecord>());
  inbox_.put([this, prefix = std::move(prefix), after = std::move(after), count_max,
              answer = RedisAnswer<std::vector<StateRecord>>(std::move(done))]() mutable {
    const std::vector<std::string> keys{keys_.state_index(), keys_.state_value("")};
    std::string from = after < prefix ? '[' + prefix : '(' + after;
    client_.run(list_script(), keys, {std::move(from), std::move(prefix), std::to_string(count_max)},
                [answer = std::move(answer)](Result<RespValue> reply) mutable {
                  if (const auto failure = redis_failure(reply)) return answer(*failure);
                  answer(records_in(*reply));
                });
  });
}

}  // namespace carillon
