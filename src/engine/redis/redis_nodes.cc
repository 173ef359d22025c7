#include "engine/redis/redis_nodes.h"

#include <algorithm>
#include <charconv>
#include <utility>

#include "base/check.h"
#include "base/log.h"
#include "engine/redis/redis_answer.h"
#include "engine/redis/redis_failure.h"

namespace carillon {
namespace {

constexpr Millis kRetryPause{500};
// A node that was chosen to remove a lease's remains has so long before another is chosen too; what both do is done once.
constexpr std::int64_t kRemovalMs = 10'000;
// Timers fire no earlier than this after a lease should be over, so that it is.
constexpr std::int64_t kLookSlackMs = 5;
// Leases are looked at at least so often, whatever is known of them.
constexpr std::int64_t kLookMaxMs = 60'000;

// KEYS: leases, records. ARGV: "claim", "renew" or "look"; the lease; for how long; the number that is wanted; the record
// behind its number; what the keys of removals begin with; how long one is given for a removal.
// Answers "over" (there is no such lease to renew), "full" (no number is free), or "held", when it ends, the number, how many
// milliseconds until the next one of another ends (-1: there is no other), and the leases that are over and to be removed.
const RedisScript& lease_script() {
  static const RedisScript script(R"(
local mode, lease = ARGV[1], ARGV[2]
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local function whole(number) return string.format('%.0f', number) end
local number, ends = tonumber(ARGV[4]), 0
if mode == 'renew' then
  local score = redis.call('ZSCORE', KEYS[1], lease)
  if not score or tonumber(score) <= now then return {'over'} end
elseif mode == 'claim' then
  local taken = {}
  for _, other in ipairs(redis.call('ZRANGEBYSCORE', KEYS[1], '(' .. whole(now), '+inf')) do
    local record = other ~= lease and redis.call('HGET', KEYS[2], other)
    if record then taken[tonumber(string.match(record, '^%d+'))] = true end
  end
  if number == 0 or taken[number] then
    number = 1
    while taken[number] do number = number + 1 end
  end
  if number > 65535 then return {'full'} end
end
if mode ~= 'look' then
  ends = now + tonumber(ARGV[3])
  redis.call('ZADD', KEYS[1], whole(ends), lease)
  redis.call('HSET', KEYS[2], lease, number .. ' ' .. ARGV[5])
end
local next_ms = -1
local following = redis.call('ZRANGEBYSCORE', KEYS[1], '(' .. whole(now), '+inf', 'WITHSCORES', 'LIMIT', 0, 2)
for i = 1, #following, 2 do
  if following[i] ~= lease and next_ms < 0 then next_ms = tonumber(following[i + 1]) - now end
end
local answer = {'held', whole(ends), whole(number), ''}
for _, over in ipairs(redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', whole(now))) do
  if redis.call('SET', ARGV[6] .. over, lease, 'NX', 'PX', ARGV[7]) then
    answer[#answer + 1] = over
  else
    local wait = redis.call('PTTL', ARGV[6] .. over)
    if next_ms < 0 or wait < next_ms then next_ms = math.max(wait, 1) end
  end
end
answer[4] = whole(next_ms)
return answer
)");
  return script;
}

// KEYS: leases, records, the removal. ARGV: the lease. Only one that is over is forgotten.
const RedisScript& forget_script() {
  static const RedisScript script(R"(
local time = redis.call('TIME')
local score = redis.call('ZSCORE', KEYS[1], ARGV[1])
if score and tonumber(score) > time[1] * 1000 + math.floor(time[2] / 1000) then return 0 end
redis.call('ZREM', KEYS[1], ARGV[1])
redis.call('HDEL', KEYS[2], ARGV[1])
redis.call('DEL', KEYS[3])
return 1
)");
  return script;
}

// KEYS: leases, records. Answers each living lease and its record.
const RedisScript& list_script() {
  static const RedisScript script(R"(
local time = redis.call('TIME')
local now = string.format('%.0f', time[1] * 1000 + math.floor(time[2] / 1000))
local answer = {}
for _, lease in ipairs(redis.call('ZRANGEBYSCORE', KEYS[1], '(' .. now, '+inf')) do
  answer[#answer + 1] = lease
  answer[#answer + 1] = redis.call('HGET', KEYS[2], lease) or ''
end
return answer
)");
  return script;
}

template <class Number>
bool take_number(std::string_view& text, Number& number) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc()) return false;
  text.remove_prefix(static_cast<std::size_t>(end - text.data()));
  if (text.starts_with(' ')) text.remove_prefix(1);
  return true;
}

std::string_view node_of_lease(std::string_view lease) {
  return lease.substr(0, lease.rfind('.'));
}

// "<number> <started at> <length of the address> <address><stats>". Absent: it is none.
std::optional<NodeRecord> parse_record(std::string_view lease, std::string_view text) {
  NodeRecord record;
  std::size_t address_size = 0;
  if (!take_number(text, record.number) || !take_number(text, record.started_at_ms) || !take_number(text, address_size) ||
      address_size > text.size()) {
    return std::nullopt;
  }
  record.name = node_of_lease(lease);
  record.address = text.substr(0, address_size);
  record.stats = text.substr(address_size);
  return record;
}

bool is_node_name(std::string_view name) {
  constexpr std::string_view kAllowed = "0123456789-_abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";
  return !name.empty() && name.find_first_not_of(kAllowed) == std::string_view::npos;
}

}  // namespace

RedisNodes::RedisNodes(Loop& loop, RedisClient& client, const RedisKeys& keys, RedisNodesOptions options)
    : loop_(loop),
      client_(client),
      keys_(keys),
      options_(std::move(options)),
      lease_ms_(options_.lease_ms),
      look_timer_([this] { run_lease(Mode::kLook); }),
      retry_timer_([this] { check(); }),
      inbox_(loop) {
  CHECK(is_node_name(options_.name));
  record_.name = options_.name;
  record_.started_at_ms = options_.started_at_ms;
}

RedisNodes::~RedisNodes() = default;

void RedisNodes::set_events(NodeEvents& events) {
  const std::lock_guard lock(mutex_);
  events_ = &events;
}

NodeRecord RedisNodes::self() const {
  const std::lock_guard lock(mutex_);
  return record_;
}

void RedisNodes::describe(std::string address, std::string stats) {
  {
    const std::lock_guard lock(mutex_);
    record_.address = std::move(address);
    record_.stats = std::move(stats);
  }
  inbox_.put([this] {
    if (!lease_.name.empty()) check();
  });
}

std::string RedisNodes::record_text() const {
  const std::lock_guard lock(mutex_);
  return std::to_string(record_.started_at_ms) + ' ' + std::to_string(record_.address.size()) + ' ' + record_.address +
         record_.stats;
}

void RedisNodes::start() {
  client_.subscribe(keys_.all_nodes(), *this, [](Result<void>) {});
  client_.subscribe(keys_.node(options_.name), *this, [](Result<void>) {});
  check();
}

void RedisNodes::stop(Leaving leaving, Task stopped) {
  if (stopped_) return stopped();
  stopped_ = true;
  inbox_.close();
  look_timer_.cancel();
  retry_timer_.cancel();
  client_.unsubscribe(keys_.all_nodes(), *this);
  client_.unsubscribe(keys_.node(options_.name), *this);
  if (lease_.name.empty()) return stopped();
  const std::string lease = std::exchange(lease_, {}).name;
  std::vector<RespCommand> commands{RespCommand{"HDEL", keys_.node_records(), lease}};
  if (!leaving.keep_lease) commands.push_back(RespCommand{"ZREM", keys_.leases(), lease});
  client_.transact(keys_.leases(), std::move(commands),
                   [stopped = std::move(stopped)](Result<RespValue>) mutable { stopped(); });
}

// --- The lease

void RedisNodes::renew(std::int64_t lease_ms) {
  inbox_.put([this, lease_ms] {
    lease_ms_ = lease_ms;
    check();
  });
}

void RedisNodes::check() {
  if (stopped_) return;
  if (asking_) {
    ask_again_ = true;
    return;
  }
  run_lease(lease_.name.empty() ? Mode::kClaim : Mode::kRenew);
}

void RedisNodes::run_lease(Mode mode) {
  if (stopped_) return;
  std::string lease = lease_.name;
  if (mode != Mode::kLook) asking_ = true;
  // One that was tried for in vain may have been got after all: it runs out.
  if (mode == Mode::kClaim) lease = options_.name + '.' + std::to_string(++incarnations_);
  const char* const word = mode == Mode::kClaim ? "claim" : mode == Mode::kRenew ? "renew" : "look";
  const std::vector<std::string> keys{keys_.leases(), keys_.node_records()};
  client_.run(lease_script(), keys,
              {word, lease, std::to_string(lease_ms_), std::to_string(self().number), record_text(), keys_.lease_removal(""),
               std::to_string(kRemovalMs)},
              guard_.wrap([this, mode, lease](Result<RespValue> reply) { on_lease_reply(mode, lease, reply); }));
}

void RedisNodes::on_lease_reply(Mode mode, const std::string& lease, const Result<RespValue>& reply) {
  if (mode != Mode::kLook) asking_ = false;
  if (stopped_) return;
  if (const auto failure = redis_failure(reply)) return fail_lease(mode, *failure);
  const RespValue::Array* const words = reply->array();
  const std::string* const word = words == nullptr || words->empty() ? nullptr : words->front().text();
  if (word != nullptr && *word == "over") {
    if (log_limit_.may_write(loop_.now()))
      log_warning("redis: this node's lease had run out: a new one is claimed node={}", name());
    lease_ = {};
    ask_again_ = false;
    return run_lease(Mode::kClaim);
  }
  if (word == nullptr || *word != "held" || words->size() < 4) {
    return fail_lease(mode, {ErrorKind::kUnavailable, "no node number is free, or Redis answered something else"});
  }
  on_lease_held(mode, lease, *words);
}

void RedisNodes::on_lease_held(Mode mode, const std::string& lease, const RespValue::Array& words) {
  std::int64_t numbers[3] = {0, 0, -1};  // When it ends, the node's number, until another ends.
  for (std::size_t i = 0; i < 3; ++i) {
    if (const std::string* const text = words[i + 1].text()) {
      std::string_view rest = *text;
      take_number(rest, numbers[i]);
    }
  }
  const std::int64_t next_ms = numbers[2] < 0 ? kLookMaxMs : std::min(numbers[2] + kLookSlackMs, kLookMaxMs);
  loop_.schedule(look_timer_, Millis{next_ms});
  if (mode != Mode::kLook) {
    retry_timer_.cancel();
    lease_ = {.name = lease, .incarnation = incarnations_, .until_ms = numbers[0], .length_ms = lease_ms_};
    {
      const std::lock_guard lock(mutex_);
      record_.number = static_cast<std::uint16_t>(numbers[1]);
    }
    if (holder_ != nullptr) holder_->on_lease(lease_);
    if (std::exchange(ask_again_, false)) check();
  }
  for (std::size_t i = 4; i < words.size(); ++i) {
    const std::string* const over = words[i].text();
    if (over == nullptr) continue;
    if (holder_ != nullptr) {
      holder_->on_lease_over(*over);
    } else {
      forget(*over);
    }
  }
}

void RedisNodes::fail_lease(Mode mode, const Error& error) {
  if (log_limit_.may_write(loop_.now())) log_warning("redis: the lease of this node is not renewed: {}", error.text);
  if (mode == Mode::kLook) return loop_.schedule(look_timer_, kRetryPause);
  ask_again_ = false;
  loop_.schedule(retry_timer_, kRetryPause);
  if (holder_ != nullptr) holder_->on_lease_failure(error);
}

void RedisNodes::forget(const std::string& lease) {
  if (stopped_) return;
  const std::vector<std::string> keys{keys_.leases(), keys_.node_records(), keys_.lease_removal(lease)};
  // Where this fails, the lease is found again.
  client_.run(forget_script(), keys, {lease}, [](const Result<RespValue>&) {});
}

void RedisNodes::living(UniqueFunction<void(Result<std::vector<std::string>>)> done) {
  const std::vector<std::string> keys{keys_.leases(), keys_.node_records()};
  client_.run(list_script(), keys, {}, [done = std::move(done)](const Result<RespValue>& reply) mutable {
    if (const auto failure = redis_failure(reply)) return done(*failure);
    const RespValue::Array* const words = reply->array();
    std::vector<std::string> leases;
    for (std::size_t i = 0; words != nullptr && i + 1 < words->size(); i += 2) {
      if (const std::string* const lease = (*words)[i].text()) leases.push_back(*lease);
    }
    done(std::move(leases));
  });
}

// --- Who is there

void RedisNodes::list(UniqueFunction<void(Result<std::vector<NodeRecord>>)> done) {
  inbox_.put([this, answer = RedisAnswer<std::vector<NodeRecord>>(std::move(done))]() mutable {
    const std::vector<std::string> keys{keys_.leases(), keys_.node_records()};
    client_.run(list_script(), keys, {}, [answer = std::move(answer)](const Result<RespValue>& reply) mutable {
      if (const auto failure = redis_failure(reply)) return answer(*failure);
      const RespValue::Array* const words = reply->array();
      std::vector<NodeRecord> records;
      for (std::size_t i = 0; words != nullptr && i + 1 < words->size(); i += 2) {
        const std::string* const lease = (*words)[i].text();
        const std::string* const text = (*words)[i + 1].text();
        if (lease == nullptr || text == nullptr) continue;
        if (auto record = parse_record(*lease, *text)) records.push_back(*std::move(record));
      }
      // A node that has just claimed another lease than one that still runs is there once.
      std::sort(records.begin(), records.end(), [](const NodeRecord& a, const NodeRecord& b) {
        return a.name != b.name ? a.name < b.name : a.number < b.number;
      });
      records.erase(std::unique(records.begin(), records.end(),
                                [](const NodeRecord& a, const NodeRecord& b) { return a.name == b.name; }),
                    records.end());
      std::sort(records.begin(), records.end(), [](const NodeRecord& a, const NodeRecord& b) { return a.number < b.number; });
      answer(std::move(records));
    });
  });
}

// --- Messages: "<length of the sender's name> <name><message>"

void RedisNodes::send(std::string to, std::string message, UniqueFunction<void(Result<std::size_t>)> done) {
  inbox_.put(
      [this, to = std::move(to), message = std::move(message), answer = RedisAnswer<std::size_t>(std::move(done))]() mutable {
        publish(to, message, [answer = std::move(answer)](Result<std::size_t> told) mutable { answer(std::move(told)); });
      });
}

void RedisNodes::publish(const std::string& to, const std::string& message, UniqueFunction<void(Result<std::size_t>)> done) {
  const std::string channel = to.empty() ? keys_.all_nodes() : keys_.node(to);
  const std::string text = std::to_string(options_.name.size()) + ' ' + options_.name + message;
  // This node hears what it says to all.
  const bool heard_here = to.empty() && client_.is_hearing(client_.master_of(keys_.all_nodes()));
  client_.send(keys_.all_nodes(), RespCommand{"PUBLISH", channel, text},
               [heard_here, done = std::move(done)](Result<RespValue> reply) mutable {
                 if (const auto failure = redis_failure(reply)) return done(*failure);
                 const std::int64_t* const told = reply->number();
                 const std::int64_t others = told == nullptr ? 0 : *told - (heard_here ? 1 : 0);
                 done(static_cast<std::size_t>(std::max<std::int64_t>(others, 0)));
               });
}

void RedisNodes::on_message(std::size_t, std::string_view channel, std::string_view message) {
  std::size_t name_size = 0;
  if (!take_number(message, name_size) || name_size > message.size()) return;
  const std::string_view from = message.substr(0, name_size);
  if (from == options_.name && channel == keys_.all_nodes()) return;
  NodeEvents* events = nullptr;
  {
    const std::lock_guard lock(mutex_);
    events = events_;
  }
  if (events != nullptr) events->on_node_message(from, message.substr(name_size));
}

// Redis may have been lost and be another now: whether it knows this node's lease shows at once.
void RedisNodes::on_hearing(std::size_t master) {
  if (stopped_) return;
  if (holder_ != nullptr) holder_->on_hearing(master);
  if (master == client_.master_of(keys_.leases())) check();
}

}  // namespace carillon
