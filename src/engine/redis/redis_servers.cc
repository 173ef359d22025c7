#include "engine/redis/redis_servers.h"

#include <fmt/format.h>

#include <algorithm>

namespace carillon {
namespace {

// Before what Redis gave back is sent again, unless it is known where to.
constexpr Millis kRetryPause{25};
// What came back so often at once comes back with pauses.
constexpr std::uint16_t kReturnsAtOnce = 4;
// How often a script is loaded for one command.
constexpr std::uint16_t kReloadsMax = 3;
// A master without slots is kept so long after a redirection named it.
constexpr Millis kNamedFor{10'000};
// What a request takes beside its bytes.
constexpr std::size_t kRequestOverhead = 128;

Error unavailable(std::string text) {
  return {ErrorKind::kUnavailable, std::move(text)};
}

bool starts_with_any(std::string_view text, std::initializer_list<std::string_view> words) {
  return std::any_of(words.begin(), words.end(), [text](std::string_view word) { return text.starts_with(word); });
}

// Of a transaction: Redis has lost the script that it called.
bool lacks_script(const RespValue& value) {
  const auto says_so = [](const RespValue& each) {
    return each.error() != nullptr && each.error()->text.starts_with("NOSCRIPT");
  };
  return value.array() != nullptr && std::ranges::any_of(*value.array(), says_so);
}

}  // namespace

RedisServers::RedisServers(Loop& loop, Dialer& dialer, Random& random, RedisOptions options)
    : loop_(loop),
      options_(std::move(options)),
      random_(random),
      world_{.loop = loop, .dialer = dialer, .options = options_, .random = random_},
      owners_(options_.cluster ? kRedisSlots : 1, -1),
      on_their_way_(owners_.size(), 0) {
  if (options_.cluster) {
    map_ = std::make_unique<RedisClusterMap>(world_, static_cast<RedisClusterMapOwner&>(*this));
    map_->read();
  } else {
    Master& master = add_master({});
    set_owner(0, master);
    master.pipe->link().start(options_.servers);
  }
}

RedisServers::~RedisServers() {
  *self_ = nullptr;
}

// ---- commands ----

void RedisServers::send(std::string_view key, RespCommand command, Replied done) {
  RedisRequest request = make_request(slot_of(key), std::move(done));
  request.command = std::move(command);
  accept(std::move(request));
}

void RedisServers::transact(std::string_view key, RespTransaction commands, Replied done) {
  RedisRequest request = make_request(slot_of(key), std::move(done));
  request.answers = static_cast<std::uint32_t>(commands.size() + 2);
  request.script = commands.script();
  request.transaction = commands.take();
  accept(std::move(request));
}

void RedisServers::run(const RedisScript& script, std::span<const std::string> keys, std::vector<std::string> arguments,
                       Replied done) {
  RedisRequest request = make_request(keys.empty() ? std::uint16_t{0} : slot_of(keys.front()), std::move(done));
  request.script = &script;
  request.command.add("EVALSHA").add(std::string_view(script.sha1())).add(static_cast<std::int64_t>(keys.size()));
  for (const std::string& key : keys) request.command.add(std::string_view(key));
  for (const std::string& argument : arguments) request.command.add(std::string_view(argument));
  accept(std::move(request));
}

RedisRequest RedisServers::make_request(std::uint16_t slot, Replied done) {
  RedisRequest request;
  request.slot = slot;
  request.number = ++numbers_;
  request.asked = loop_.now();
  request.done = std::move(done);
  return request;
}

void RedisServers::accept(RedisRequest request) {
  const std::size_t bytes = request.bytes() + kRequestOverhead;
  if (waiting_ >= options_.waiting_max || waiting_bytes_ + bytes > options_.waiting_bytes_max) {
    if (!request.done) return;
    return answer_later([done = std::move(request.done)]() mutable {
      done(Error{ErrorKind::kLimit, "too much waits for Redis already"});
    });
  }
  ++waiting_;
  waiting_bytes_ += bytes;
  dispatch(std::move(request));
}

void RedisServers::dispatch(RedisRequest request) {
  const std::uint16_t slot = request.slot;
  Master* const owner = owner_of(slot);
  const bool flows =
      owner != nullptr && owner->pipe->link().is_up() && !owner->leaving && (gates_.empty() || !gates_.contains(slot));
  if (flows) return transmit(*owner, std::move(request));
  gates_[slot].waiting.push_back(std::move(request));
  keep_watch();
}

void RedisServers::transmit(Master& master, RedisRequest request) {
  ++on_their_way_[request.slot];
  master.pipe->send(std::move(request));
  ask_for_work();
}

void RedisServers::finish(RedisRequest request, Result<RespValue> result) {
  --waiting_;
  waiting_bytes_ -= request.bytes() + kRequestOverhead;
  if (request.done) request.done(std::move(result));
}

void RedisServers::on_pipe_up(RedisPipe& pipe) {
  Master& master = master_with(pipe);
  if (!options_.cluster) start_hearing(master);
  gates_may_open_ = true;
  ask_for_work();
}

void RedisServers::on_pipe_answer(RedisPipe& pipe, RedisRequest request, RespValue value) {
  const std::uint16_t slot = request.slot;
  Master& master = master_with(pipe);
  --on_their_way_[slot];
  const RespValue::Error* const error = value.error();
  if (request.script != nullptr && lacks_script(value)) pipe.forget_script(*request.script);
  const std::optional<Millis> pause = error == nullptr ? std::nullopt : pause_before_retry(master, request, error->text);
  if (pause) {
    failure_ = unavailable(fmt::format("Redis at {} answered: {}", describe_server(pipe.link().server()), error->text));
    put_back(std::move(request), *pause);
  } else {
    finish(std::move(request), std::move(value));
  }
  if (!gates_.empty() && on_their_way_[slot] == 0) {
    gates_may_open_ = true;
    ask_for_work();
  }
  if (master.leaving && pipe.unanswered() == 0) pipe.link().give_up(unavailable("it takes no writes any more"));
}

// Of an answer that says that the command was not executed, and may be elsewhere or later. Absent: it is the command's answer.
std::optional<Millis> RedisServers::pause_before_retry(Master& master, RedisRequest& request, const std::string& error) {
  request.asks.reset();
  ++request.returns;
  if (request.script != nullptr && error.starts_with("NOSCRIPT")) {
    master.pipe->forget_script(*request.script);
    return request.returns <= kReloadsMax ? std::optional(Millis{0}) : std::nullopt;
  }
  if (error.starts_with("LOADING")) return kRetryPause;
  if (!options_.cluster) {
    if (!error.starts_with("READONLY")) return std::nullopt;
    master.leaving = true;
    return kRetryPause;
  }
  if (const std::optional<RedisRedirection> redirection = read_redirection(error, master.server)) {
    return follow(*redirection, request);
  }
  if (!starts_with_any(error, {"TRYAGAIN", "CLUSTERDOWN", "MASTERDOWN", "READONLY"})) return std::nullopt;
  map_->read();
  return kRetryPause;
}

Millis RedisServers::follow(const RedisRedirection& redirection, RedisRequest& request) {
  Master& to = master_at(redirection.to);
  to.named = loop_.now();
  if (redirection.for_good) {
    set_owner(redirection.slot, to);
    map_->read();
  } else {
    request.asks = to.index;
  }
  const RedisLink& link = to.pipe->link();
  return request.returns <= kReturnsAtOnce && (link.is_up() || link.is_new()) ? Millis{0} : kRetryPause;
}

void RedisServers::set_owner(std::uint16_t slot, Master& master) {
  const auto index = static_cast<std::int32_t>(master.index);
  if (owners_[slot] == index) return;
  owners_[slot] = index;
  if (!master.first_slot || slot < *master.first_slot) master.first_slot = slot;
  slots_moved_ = true;
  if (std::find(gained_.begin(), gained_.end(), master.index) == gained_.end()) gained_.push_back(master.index);
  ask_for_work();
}

void RedisServers::on_pipe_down(RedisPipe& pipe, std::deque<RedisRequest> unanswered, std::deque<RedisRequest> unsent,
                                const Error& why) {
  failure_ = why;
  Master& master = master_with(pipe);
  master.leaving = false;
  for (const RedisRequest& request : unanswered) --on_their_way_[request.slot];
  for (RedisRequest& request : unsent) {
    --on_their_way_[request.slot];
    put_back(std::move(request), Millis{0});
  }
  gates_may_open_ = true;
  ask_for_work();
  if (map_) {
    map_->read();
  } else if (!master.hearing->link().is_up() && !pipe.link().is_new()) {
    master.hearing->fail(why);
  }
  for (RedisRequest& request : unanswered) {
    finish(std::move(request), unavailable(why.text + "; the command may have been executed"));
  }
}

// ---- gates ----

void RedisServers::put_back(RedisRequest request, Millis pause) {
  Gate& gate = gates_[request.slot];
  if (pause.count() > 0) gate.opens = std::max(gate.opens, loop_.now() + pause);
  const auto place = std::lower_bound(gate.waiting.begin(), gate.waiting.end(), request.number,
                                      [](const RedisRequest& each, std::uint64_t number) { return each.number < number; });
  gate.waiting.insert(place, std::move(request));
  gates_may_open_ = true;
  ask_for_work();
  keep_watch();
}

void RedisServers::open_gates() {
  gates_may_open_ = false;
  for (auto gate = gates_.begin(); gate != gates_.end();) {
    gate = open_gate(gate->first, gate->second) ? gates_.erase(gate) : std::next(gate);
  }
}

// True: nothing waits there any more.
bool RedisServers::open_gate(std::uint16_t slot, Gate& gate) {
  if (on_their_way_[slot] > 0 || loop_.now() < gate.opens) return false;
  while (!gate.waiting.empty()) {
    Master* const to = master_for(gate.waiting.front());
    if (to == nullptr || !to->pipe->link().is_up() || to->leaving) return false;
    RedisRequest request = std::move(gate.waiting.front());
    gate.waiting.pop_front();
    transmit(*to, std::move(request));
  }
  return true;
}

RedisServers::Master* RedisServers::master_for(RedisRequest& request) {
  if (request.asks) {
    Master* const asked = masters_[*request.asks].get();
    if (asked != nullptr && (asked->pipe->link().is_up() || asked->pipe->link().is_new())) return asked;
    request.asks.reset();
  }
  return owner_of(request.slot);
}

void RedisServers::expire_gates(Millis now) {
  std::vector<RedisRequest> expired;
  for (auto& [slot, gate] : gates_) {
    while (!gate.waiting.empty() && now - gate.waiting.front().asked >= options_.wait_max) {
      expired.push_back(std::move(gate.waiting.front()));
      gate.waiting.pop_front();
    }
  }
  for (RedisRequest& request : expired) {
    finish(std::move(request),
           unavailable(fmt::format("Redis took no command within {} ms: {}", options_.wait_max.count(), failure_.text)));
  }
}

// ---- every master ----

struct RedisServers::Everywhere {
  std::vector<RespValue> values;
  std::size_t left;
  std::optional<Error> failed;
  AllReplied done;
};

void RedisServers::send_all(RespCommand command, AllReplied done) {
  if (knows_masters()) return spread(std::move(command), std::move(done));
  everywhere_later_.push_back({.command = std::move(command), .done = std::move(done), .asked = loop_.now()});
  keep_watch();
}

// A master is asked by way of a slot it has.
void RedisServers::spread(RespCommand command, AllReplied done) {
  std::vector<std::uint16_t> slots;
  for (const std::unique_ptr<Master>& master : masters_) {
    if (master && master->first_slot) slots.push_back(*master->first_slot);
  }
  const auto everywhere = std::make_shared<Everywhere>(
      Everywhere{.values = std::vector<RespValue>(slots.size()), .left = slots.size(), .failed = {}, .done = std::move(done)});
  for (std::size_t i = 0; i < slots.size(); ++i) {
    RedisRequest request = make_request(slots[i], [everywhere, i](Result<RespValue> value) {
      if (value) {
        everywhere->values[i] = std::move(*value);
      } else if (!everywhere->failed) {
        everywhere->failed = value.error();
      }
      if (--everywhere->left > 0) return;
      if (everywhere->failed) return everywhere->done(std::move(*everywhere->failed));
      everywhere->done(std::move(everywhere->values));
    });
    request.command = command;
    accept(std::move(request));
  }
}

bool RedisServers::knows_masters() const {
  return std::any_of(masters_.begin(), masters_.end(), [](const auto& each) { return each && each->first_slot; });
}

void RedisServers::spread_later_ones() {
  if (!knows_masters()) return;
  for (EverywhereLater& each : std::exchange(everywhere_later_, {})) send_all(std::move(each.command), std::move(each.done));
}

// ---- subscriptions ----

void RedisServers::subscribe(std::string channel, RedisSubscriber& subscriber, Subscribed subscribed) {
  add_name(RedisNameKind::kChannel, channel, subscriber, std::move(subscribed));
}
void RedisServers::unsubscribe(const std::string& channel, RedisSubscriber& subscriber) {
  remove_name(RedisNameKind::kChannel, channel, subscriber);
}
void RedisServers::subscribe_pattern(std::string pattern, RedisSubscriber& subscriber, Subscribed subscribed) {
  add_name(RedisNameKind::kPattern, pattern, subscriber, std::move(subscribed));
}
void RedisServers::unsubscribe_pattern(const std::string& pattern, RedisSubscriber& subscriber) {
  remove_name(RedisNameKind::kPattern, pattern, subscriber);
}

void RedisServers::add_name(RedisNameKind kind, const std::string& name, RedisSubscriber& subscriber, Subscribed subscribed) {
  const bool newcomer = !subscribers_.knows(subscriber);
  const bool first = subscribers_.add(kind, name, subscriber);
  RedisSubscribers::Wanted& wanted = *subscribers_.find(kind, name);
  if (first) want(kind, name, wanted);
  if (newcomer) introduce(subscriber);
  if (!subscribed) return;
  if (is_subscribed(kind, name, wanted)) {
    return answer_later([subscribed = std::move(subscribed)]() mutable { subscribed({}); });
  }
  if (!may_become_subscribed(kind, wanted)) {
    return answer_later([subscribed = std::move(subscribed), why = failure_]() mutable { subscribed(std::move(why)); });
  }
  wanted.waiters.push_back({.subscribed = std::move(subscribed), .since = loop_.now()});
  waits_.push_back({.since = loop_.now(), .kind = kind, .name = name});
  keep_watch();
}

// Tells it of the masters that are heard already, behind what it subscribes to in this turn.
void RedisServers::introduce(RedisSubscriber& subscriber) {
  for (const std::unique_ptr<Master>& master : masters_) {
    if (!master || !master->hearing->is_hearing()) continue;
    const Newcomer newcomer{.subscriber = &subscriber, .master = master->index};
    newcomers_.push_back(newcomer);
    Heard heard = [this, newcomer](const Result<void>& heard_so_far) {
      if (std::erase(newcomers_, newcomer) > 0 && heard_so_far) newcomer.subscriber->on_hearing(newcomer.master);
    };
    master->hearing->after_heard(heard);
    ask_for_work();
  }
}

void RedisServers::remove_name(RedisNameKind kind, const std::string& name, RedisSubscriber& subscriber) {
  RedisSubscribers::Wanted* const wanted = subscribers_.find(kind, name);
  if (wanted == nullptr) return;
  const std::optional<std::size_t> home = wanted->home;
  std::vector<RedisSubscribers::Waiter> left;
  const bool unwanted = subscribers_.remove(kind, name, subscriber, left);
  if (!subscribers_.knows(subscriber))
    std::erase_if(newcomers_, [&](const Newcomer& each) { return each.subscriber == &subscriber; });
  if (!unwanted) return;
  for (const std::unique_ptr<Master>& master : masters_) {
    if (master && (kind == RedisNameKind::kPattern || home == master->index)) master->hearing->leave(kind, name);
  }
  for (RedisSubscribers::Waiter& waiter : left) {
    answer_later([subscribed = std::move(waiter.subscribed)]() mutable { subscribed(unavailable("it is wanted no more")); });
  }
  ask_for_work();
}

void RedisServers::want(RedisNameKind kind, const std::string& name, RedisSubscribers::Wanted& wanted) {
  if (kind == RedisNameKind::kChannel) {
    Master* const owner = owner_of(slot_of(name));
    if (owner == nullptr) return;
    wanted.home = owner->index;
    owner->hearing->want(kind, name);
  } else {
    for (const std::unique_ptr<Master>& master : masters_) {
      if (master) master->hearing->want(kind, name);
    }
  }
  ask_for_work();
}

bool RedisServers::is_subscribed(RedisNameKind kind, std::string_view name, const RedisSubscribers::Wanted& wanted) const {
  if (kind == RedisNameKind::kChannel) return wanted.home && masters_[*wanted.home]->hearing->is_subscribed(kind, name);
  bool any = false;
  for (const std::unique_ptr<Master>& master : masters_) {
    if (!master || !master->first_slot) continue;
    if (!master->hearing->is_subscribed(kind, name)) return false;
    any = true;
  }
  return any;
}

// It is, or its masters are being connected to for the first time, or are still to be found.
bool RedisServers::may_become_subscribed(RedisNameKind kind, const RedisSubscribers::Wanted& wanted) const {
  bool any = false;
  for (const std::unique_ptr<Master>& master : masters_) {
    if (!master || !master->first_slot) continue;
    if (kind == RedisNameKind::kChannel && wanted.home != master->index) continue;
    any = true;
    if (!may_hear(*master)) return false;
  }
  return any || (map_ && !map_failed_);
}

bool RedisServers::may_hear(const Master& master) const {
  const RedisLink& link = master.hearing->link();
  if (link.is_up()) return true;
  const RedisLink& pipe = master.pipe->link();
  return link.is_new() && (options_.cluster || pipe.is_up() || pipe.is_new());
}

void RedisServers::settle_waiters(RedisNameKind kind, std::string_view name) {
  RedisSubscribers::Wanted* const wanted = subscribers_.find(kind, name);
  if (wanted == nullptr || wanted->waiters.empty() || !is_subscribed(kind, name, *wanted)) return;
  for (RedisSubscribers::Waiter& waiter : std::exchange(wanted->waiters, {})) waiter.subscribed({});
}

// Those of channels at this home, or of channels without one; and those of all patterns.
void RedisServers::fail_waiters(const Error& why, std::optional<std::size_t> home) {
  std::vector<RedisSubscribers::Waiter> failed;
  const auto take = [&failed](RedisSubscribers::Wanted& wanted) {
    for (RedisSubscribers::Waiter& waiter : std::exchange(wanted.waiters, {})) failed.push_back(std::move(waiter));
  };
  for (auto& [name, wanted] : subscribers_.names(RedisNameKind::kChannel)) {
    if (wanted.home == home) take(wanted);
  }
  for (auto& [name, wanted] : subscribers_.names(RedisNameKind::kPattern)) take(wanted);
  for (RedisSubscribers::Waiter& waiter : failed) waiter.subscribed(why);
}

void RedisServers::expire_waiters(Millis now) {
  while (!waits_.empty() && now - waits_.front().since >= options_.wait_max) {
    const Wait wait = std::move(waits_.front());
    waits_.pop_front();
    RedisSubscribers::Wanted* const wanted = subscribers_.find(wait.kind, wait.name);
    if (wanted == nullptr || wanted->waiters.empty() || wanted->waiters.front().since > wait.since) continue;
    Subscribed late = std::move(wanted->waiters.front().subscribed);
    wanted->waiters.erase(wanted->waiters.begin());
    late(failure_);
  }
}

void RedisServers::on_heard(RedisHearing& hearing, RedisNameKind kind, std::string_view name, const std::string& channel,
                            const std::string& message) {
  const Master& master = master_with(hearing);
  // In a cluster every master tells its subscribers of every message; that of the slot is the one whose order counts.
  if (options_.cluster && owner_of(slot_of(channel)) != &master) return;
  subscribers_.hand_on(master.index, kind, name, channel, message);
}

void RedisServers::on_subscribed(RedisHearing&, RedisNameKind kind, std::string_view name) {
  subscribers_.forget_last();
  settle_waiters(kind, name);
}

void RedisServers::on_hearing(RedisHearing& hearing) {
  const std::size_t index = master_with(hearing).index;
  std::erase_if(newcomers_, [index](const Newcomer& each) { return each.master == index; });
  subscribers_.tell_all([index](RedisSubscriber& subscriber) { subscriber.on_hearing(index); });
}

void RedisServers::on_hearing_failed(RedisHearing& hearing, bool was_hearing, const Error& why) {
  failure_ = why;
  const std::size_t index = master_with(hearing).index;
  if (was_hearing) subscribers_.tell_all([index](RedisSubscriber& subscriber) { subscriber.on_deaf(index); });
  fail_waiters(why, index);
  if (map_) map_->read();
}

// Channels move to the masters that have their slots now; those masters are deaf until that is confirmed.
void RedisServers::rehome() {
  slots_moved_ = false;
  for (auto& [name, wanted] : subscribers_.names(RedisNameKind::kChannel)) {
    Master* const owner = owner_of(slot_of(name));
    const std::optional<std::size_t> home = owner == nullptr ? std::nullopt : std::optional(owner->index);
    if (home == wanted.home) continue;
    if (wanted.home && masters_[*wanted.home]) masters_[*wanted.home]->hearing->leave(RedisNameKind::kChannel, name);
    wanted.home = home;
    if (owner != nullptr) owner->hearing->want(RedisNameKind::kChannel, name);
  }
  for (const std::size_t index : std::exchange(gained_, {})) {
    Master* const master = masters_[index].get();
    if (master == nullptr || !master->hearing->link().is_up() || !master->hearing->rehear()) continue;
    subscribers_.tell_all([index](RedisSubscriber& subscriber) { subscriber.on_deaf(index); });
  }
}

void RedisServers::after_heard(std::string_view key, Heard heard) {
  barriers_.push_back({.slot = slot_of(key), .heard = std::move(heard), .asked = loop_.now()});
  ask_for_work();
}

void RedisServers::ask_barriers() {
  for (Barrier& barrier : std::exchange(barriers_, {})) {
    Master* const owner = owner_of(barrier.slot);
    if (owner == nullptr && !map_failed_) {
      barriers_.push_back(std::move(barrier));  // The masters are still to be found.
      keep_watch();
    } else if (owner == nullptr || !may_hear(*owner) || !owner->hearing->after_heard(barrier.heard)) {
      barrier.heard(failure_);
    }
  }
}

void RedisServers::expire_barriers(Millis now) {
  std::vector<Barrier> late;
  while (!barriers_.empty() && now - barriers_.front().asked >= options_.wait_max) {
    late.push_back(std::move(barriers_.front()));
    barriers_.erase(barriers_.begin());
  }
  for (Barrier& barrier : late) barrier.heard(failure_);
}

// ---- masters ----

RedisServers::Master& RedisServers::add_master(const RedisOptions::Server& server) {
  const auto free = std::find(masters_.begin(), masters_.end(), nullptr);
  const auto index = static_cast<std::size_t>(free - masters_.begin());
  if (free == masters_.end()) masters_.emplace_back();
  masters_[index] = std::make_unique<Master>();
  Master& master = *masters_[index];
  master.index = index;
  master.server = server;
  master.pipe =
      std::make_unique<RedisPipe>(world_, static_cast<RedisPipeOwner&>(*this), RedisLink::Needs{.master = !options_.cluster});
  master.hearing = std::make_unique<RedisHearing>(world_, static_cast<RedisHearingOwner&>(*this));
  for (const auto& [pattern, wanted] : subscribers_.names(RedisNameKind::kPattern)) {
    master.hearing->want(RedisNameKind::kPattern, pattern);
  }
  return master;
}

RedisServers::Master& RedisServers::master_at(const RedisOptions::Server& server) {
  for (const std::unique_ptr<Master>& master : masters_) {
    if (master && master->server == server) return *master;
  }
  Master& master = add_master(server);
  master.pipe->link().start({server});
  master.hearing->start(server);
  return master;
}

// Without a cluster: where the pipe has found a master. That may be another one behind the same address.
void RedisServers::start_hearing(Master& master) {
  const RedisOptions::Server server = master.pipe->link().server();
  const RedisLink& hearing = master.hearing->link();
  const bool same = master.server == server && (!hearing.is_up() || hearing.run_id() == master.pipe->link().run_id());
  if (hearing.is_started() && same) return;
  master.server = server;
  master.hearing->start(server);
}

void RedisServers::on_map(const std::vector<RedisSlotRange>& ranges) {
  map_failed_ = false;
  std::vector<std::int32_t> owners(kRedisSlots, -1);
  for (const RedisSlotRange& range : ranges) {
    const auto index = static_cast<std::int32_t>(master_at(range.master).index);
    std::fill(owners.begin() + range.first, owners.begin() + range.last + 1, index);
  }
  for (const std::unique_ptr<Master>& master : masters_) {
    if (master) master->first_slot.reset();
  }
  for (std::size_t slot = kRedisSlots; slot-- > 0;) {
    if (owners[slot] < 0) {
      slots_moved_ = slots_moved_ || owners_[slot] >= 0;
      owners_[slot] = -1;
      continue;
    }
    Master& master = *masters_[static_cast<std::size_t>(owners[slot])];
    set_owner(static_cast<std::uint16_t>(slot), master);
    master.first_slot = static_cast<std::uint16_t>(slot);
  }
  remove_idle_masters();
  gates_may_open_ = true;
  ask_for_work();
  spread_later_ones();
}

void RedisServers::on_map_failed(const Error& why) {
  failure_ = why;
  map_failed_ = true;
  fail_waiters(why, std::nullopt);
  ask_for_work();
}

void RedisServers::remove_idle_masters() {
  for (const std::unique_ptr<Master>& master : masters_) {
    if (master && is_idle(*master)) remove(*master);
  }
}

bool RedisServers::is_idle(const Master& master) const {
  return !master.first_slot && master.pipe->unanswered() == 0 && loop_.now() - master.named >= kNamedFor;
}

void RedisServers::remove(Master& master) {
  const std::size_t index = master.index;
  for (auto& [slot, gate] : gates_) {
    for (RedisRequest& request : gate.waiting) {
      if (request.asks == index) request.asks.reset();
    }
  }
  for (auto& [name, wanted] : subscribers_.names(RedisNameKind::kChannel)) {
    if (wanted.home == index) wanted.home.reset();
  }
  slots_moved_ = true;
  master.pipe->link().stop();
  master.hearing->link().stop();
  master.hearing->fail(unavailable("this master is none any more"));
  loop_.dispose(std::move(master.pipe));
  loop_.dispose(std::move(master.hearing));
  masters_[index].reset();
}

RedisServers::Master* RedisServers::owner_of(std::uint16_t slot) {
  const std::int32_t index = owners_[slot];
  return index < 0 ? nullptr : masters_[static_cast<std::size_t>(index)].get();
}

const RedisServers::Master* RedisServers::owner_of(std::uint16_t slot) const {
  return const_cast<RedisServers*>(this)->owner_of(slot);
}

RedisServers::Master& RedisServers::master_with(const RedisPipe& pipe) {
  return **std::find_if(masters_.begin(), masters_.end(), [&](const auto& each) { return each && each->pipe.get() == &pipe; });
}
RedisServers::Master& RedisServers::master_with(const RedisHearing& hearing) {
  return **std::find_if(masters_.begin(), masters_.end(),
                        [&](const auto& each) { return each && each->hearing.get() == &hearing; });
}

std::uint16_t RedisServers::slot_of(std::string_view key) const {
  return options_.cluster ? redis_slot_of(key) : std::uint16_t{0};
}

std::size_t RedisServers::master_of(std::string_view key) const {
  const Master* const owner = owner_of(slot_of(key));
  return owner == nullptr ? 0 : owner->index;
}

bool RedisServers::is_hearing(std::size_t master) const {
  return master < masters_.size() && masters_[master] && masters_[master]->hearing->is_hearing();
}

// ---- turns ----

void RedisServers::answer_later(Task answer) {
  answers_.push_back(std::move(answer));
  ask_for_work();
}

void RedisServers::ask_for_work() {
  if (std::exchange(work_posted_, true)) return;
  loop_.post([self = self_] {
    if (*self != nullptr) (*self)->work();
  });
}

void RedisServers::work() {
  work_posted_ = false;
  for (Task& answer : std::exchange(answers_, {})) answer();
  if (slots_moved_) rehome();
  if (gates_may_open_) open_gates();
  if (!barriers_.empty()) ask_barriers();
  flush();
}

void RedisServers::flush() {
  for (const std::unique_ptr<Master>& master : masters_) {
    if (!master) continue;
    master->pipe->link().flush();
    master->hearing->flush();
  }
}

// As long as something waits that must not wait for ever.
void RedisServers::keep_watch() {
  if (armed()) return;
  if (!gates_.empty() || !waits_.empty() || !barriers_.empty() || !everywhere_later_.empty())
    loop_.schedule(*this, kRetryPause);
}

void RedisServers::on_timer() {
  const Millis now = loop_.now();
  expire_gates(now);
  expire_waiters(now);
  expire_barriers(now);
  while (!everywhere_later_.empty() && now - everywhere_later_.front().asked >= options_.wait_max) {
    AllReplied done = std::move(everywhere_later_.front().done);
    everywhere_later_.erase(everywhere_later_.begin());
    done(failure_);
  }
  if (!gates_.empty()) {
    gates_may_open_ = true;
    if (map_) map_->read();
    ask_for_work();
  }
  keep_watch();
}

}  // namespace carillon
