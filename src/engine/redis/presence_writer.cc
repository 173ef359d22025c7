#include "engine/redis/presence_writer.h"

#include <algorithm>
#include <utility>

#include "engine/redis/presence_record.h"
#include "engine/redis/presence_scripts.h"
#include "engine/redis/redis_failure.h"

namespace carillon {
namespace {

constexpr Millis kRetryPause{500};
constexpr Millis kLatePause{50};

std::string base36(std::uint64_t number) {
  std::string digits;
  do digits.insert(digits.begin(), "0123456789abcdefghijklmnopqrstuvwxyz"[number % 36]);
  while ((number /= 36) != 0);
  return digits;
}

bool was_late(const Result<RespValue>& reply) {
  const std::string* const word = reply ? reply->text() : nullptr;
  return word != nullptr && *word == "late";
}

}  // namespace

PresenceWriter::PresenceWriter(Loop& loop, RedisClient& client, const RedisKeys& keys, const Clock& clock, RedisNodes& nodes,
                               std::function<std::uint64_t(std::string_view)> version_of)
    : loop_(loop),
      client_(client),
      keys_(keys),
      clock_(clock),
      nodes_(nodes),
      version_of_(std::move(version_of)),
      retry_timer_([this] { say_uncertain(); }) {}

// --- What changes

void PresenceWriter::change(const std::string& name, std::vector<PresenceChange> changes) {
  if (stopped_) return;
  Channel& channel = channels_[name];
  Batch batch = take(channel, std::move(changes));
  if (!batch.empty()) {
    put(name, channel, std::move(batch));
  } else if (channel.stage == Stage::kNew) {
    channels_.erase(name);
  }
}

void PresenceWriter::leave_all(const std::string& name) {
  const auto found = channels_.find(name);
  if (found == channels_.end()) return;
  std::vector<PresenceChange> changes;
  for (const auto& [member, own] : found->second.members) {
    changes.push_back({.kind = PresenceChange::Kind::kLeave, .member = member, .key = {}, .meta = {}});
  }
  change(name, std::move(changes));
}

// What came and went within the changes is in no batch, what changed several times once.
PresenceWriter::Batch PresenceWriter::take(Channel& channel, std::vector<PresenceChange> changes) {
  std::vector<std::string> touched;
  std::map<std::string, bool> was_there;
  for (PresenceChange& change : changes) {
    const auto found = channel.members.find(change.member);
    const bool is_there = found != channel.members.end();
    if (was_there.try_emplace(change.member, is_there).second) touched.push_back(change.member);
    if (change.kind == PresenceChange::Kind::kLeave) {
      if (is_there) channel.members.erase(found);
      continue;
    }
    Own& own = is_there ? found->second : channel.members[change.member];
    if (!is_there) own.order = ++last_order_;
    own.key = std::move(change.key);
    own.meta = std::move(change.meta);
    own.online_at_ms = clock_.unix_ms();
    own.ref.clear();
  }
  Batch batch;
  for (const std::string& member : touched) {
    const auto found = channel.members.find(member);
    if (found != channel.members.end()) {
      if (found->second.ref.empty()) found->second.ref = nodes_.name() + '.' + base36(++last_ref_);
      batch.push_back(member_name(member));
      batch.push_back(record(found->second));
    } else if (was_there[member]) {
      batch.push_back(member_name(member));
      batch.emplace_back();
    }
  }
  return batch;
}

std::string PresenceWriter::record(const Own& own) const {
  return presence_record_text(lease_.incarnation, own.online_at_ms, own.ref, own.key, own.meta);
}

void PresenceWriter::put(const std::string& name, Channel& channel, Batch batch) {
  ++channel.made;
  if (channel.stage == Stage::kNew) {
    if (!may_say()) return make_uncertain(name, channel);
    channel.batches.push_back(std::move(batch));
    return enter(name, channel, Stage::kEntering);
  }
  if (channel.stage == Stage::kUncertain) return;  // It is said with all else.
  channel.batches.push_back(std::move(batch));
  if (channel.stage == Stage::kOpen) send_batches(name, channel);
}

// --- To Redis

void PresenceWriter::enter(const std::string& name, Channel& channel, Stage stage) {
  channel.stage = stage;
  if (channel.entered != lease_.name) channel.entered_before = std::exchange(channel.entered, lease_.name);
  ++channel.under_way;
  const std::string key = keys_.lease_channels(lease_.name);
  client_.send(key, RespCommand{"SADD", key, name},
               guard_.wrap([this, name](const Result<RespValue>& reply) { on_entered(name, reply); }));
}

void PresenceWriter::on_entered(const std::string& name, const Result<RespValue>& reply) {
  const auto found = channels_.find(name);
  if (found == channels_.end()) return;
  Channel& channel = found->second;
  --channel.under_way;
  if (channel.stage == Stage::kUncertain) return say_uncertain();
  if (redis_failure(reply)) return fail(name, channel, reply);
  if (channel.stage == Stage::kSaying) return say_all(name, channel);
  channel.stage = Stage::kOpen;
  send_batches(name, channel);
}

void PresenceWriter::send_batches(const std::string& name, Channel& channel) {
  while (!channel.batches.empty()) {
    const std::uint64_t number = channel.made - channel.batches.size() + 1;
    Batch batch = std::move(channel.batches.front());
    channel.batches.pop_front();
    ++channel.under_way;
    run(name, "some", std::move(batch),
        guard_.wrap([this, name, number](const Result<RespValue>& reply) { on_sent(name, number, reply); }));
  }
}

// The last tenth of a lease is not used: in a cluster it is another server's clock that says when it ends.
void PresenceWriter::run(const std::string& name, const char* what, Batch batch, RedisClient::Replied done) {
  const std::vector<std::string> keys{keys_.members(name), keys_.users(name), keys_.presence_version(name)};
  const std::int64_t until_ms = stopped_ ? 0 : lease_.until_ms - lease_.length_ms / 10;
  std::vector<std::string> arguments{nodes_.name() + '/', std::to_string(until_ms), std::to_string(version_of_(name)),
                                     keys_.presence_diffs(name), what};
  arguments.insert(arguments.end(), std::make_move_iterator(batch.begin()), std::make_move_iterator(batch.end()));
  client_.run(presence_change_script(), keys, std::move(arguments), std::move(done));
}

void PresenceWriter::on_sent(const std::string& name, std::uint64_t number, const Result<RespValue>& reply) {
  const auto found = channels_.find(name);
  if (found == channels_.end()) return;
  Channel& channel = found->second;
  --channel.under_way;
  if (channel.stage == Stage::kUncertain) return say_uncertain();
  if (!accept(name, channel, reply)) return;
  settle(channel, number);
  close_if_empty(name);
}

// --- Saying all again

// In the order the members came.
void PresenceWriter::say_all(const std::string& name, Channel& channel) {
  std::vector<std::pair<std::uint64_t, const std::string*>> order;
  for (const auto& [member, own] : channel.members) order.emplace_back(own.order, &member);
  std::sort(order.begin(), order.end());
  Batch batch;
  for (const auto& [place, member] : order) {
    batch.push_back(member_name(*member));
    batch.push_back(record(channel.members.find(*member)->second));
  }
  channel.batches.clear();
  ++channel.under_way;
  run(name, "all", std::move(batch),
      guard_.wrap([this, name, number = channel.made](const Result<RespValue>& reply) { on_said(name, number, reply); }));
}

void PresenceWriter::on_said(const std::string& name, std::uint64_t number, const Result<RespValue>& reply) {
  const auto found = channels_.find(name);
  if (found == channels_.end()) return;
  Channel& channel = found->second;
  --channel.under_way;
  if (channel.stage == Stage::kUncertain) return say_uncertain();
  if (!accept(name, channel, reply)) return;
  --saying_;
  channel.stage = Stage::kOpen;
  if (const std::string before = std::exchange(channel.entered_before, {}); !before.empty()) {
    const std::string key = keys_.lease_channels(before);
    client_.send(key, RespCommand{"SREM", key, name}, [](const Result<RespValue>&) {});
  }
  settle(channel, number);
  send_batches(name, channel);
  close_if_empty(name);
  say_uncertain();
}

void PresenceWriter::make_uncertain(const std::string& name, Channel& channel) {
  if (channel.stage == Stage::kSaying) --saying_;
  channel.stage = Stage::kUncertain;
  channel.batches.clear();
  uncertain_.insert(name);
}

void PresenceWriter::say_uncertain() {
  for (auto name = uncertain_.begin(); name != uncertain_.end() && may_say() && saying_ < kAtOnce;) {
    Channel& channel = channels_.find(*name)->second;
    if (channel.under_way > 0) {
      ++name;
      continue;
    }
    ++saying_;
    enter(*name, channel, Stage::kSaying);
    name = uncertain_.erase(name);
  }
}

void PresenceWriter::doubt(std::size_t master) {
  doubted_.insert(master);
  nodes_.check();
}

void PresenceWriter::on_lease(const RedisLease& lease) {
  const bool is_new = lease.name != lease_.name;
  lease_ = lease;
  if (is_new || !doubted_.empty()) {
    for (auto& [name, channel] : channels_) {
      if (is_new || doubted_.contains(client_.master_of(keys_.members(name)))) make_uncertain(name, channel);
    }
    if (!is_new) read_entered();
    doubted_.clear();
  }
  say_uncertain();
}

// A Redis that came back as it was before may show members that have left since.
void PresenceWriter::read_entered() {
  const std::string key = keys_.lease_channels(lease_.name);
  client_.send(key, RespCommand{"SMEMBERS", key}, guard_.wrap([this](const Result<RespValue>& reply) {
    const RespValue::Array* const names = reply ? reply->array() : nullptr;
    if (names == nullptr || stopped_) return;
    for (const RespValue& one : *names) {
      const std::string* const name = one.text();
      if (name != nullptr && !channels_.contains(*name)) make_uncertain(*name, channels_[*name]);
    }
    say_uncertain();
  }));
}

// --- What goes wrong

bool PresenceWriter::accept(const std::string& name, Channel& channel, const Result<RespValue>& reply) {
  if (!redis_failure(reply) && !was_late(reply)) return true;
  fail(name, channel, reply);
  return false;
}

void PresenceWriter::fail(const std::string& name, Channel& channel, const Result<RespValue>& reply) {
  make_uncertain(name, channel);
  if (was_late(reply)) {
    pause(kLatePause);
    return nodes_.check();
  }
  pause(kRetryPause);
  fail_waiting(channel, redis_failure(reply).value());
}

void PresenceWriter::pause(Millis span) {
  if (!retry_timer_.armed()) loop_.schedule(retry_timer_, span);
}

void PresenceWriter::on_lease_failure(const Error& error) {
  for (const std::string& name : uncertain_) fail_waiting(channels_.find(name)->second, error);
}

void PresenceWriter::fail_waiting(Channel& channel, const Error& error) {
  for (Waiting& one : std::exchange(channel.waiting, {})) one.settled(error);
}

void PresenceWriter::settle(Channel& channel, std::uint64_t number) {
  channel.settled = std::max(channel.settled, number);
  while (!channel.waiting.empty() && channel.waiting.front().after <= channel.settled) {
    UniqueFunction<void(Result<void>)> settled = std::move(channel.waiting.front().settled);
    channel.waiting.pop_front();
    settled({});
  }
}

void PresenceWriter::when_settled(const std::string& name, UniqueFunction<void(Result<void>)> settled) {
  const auto found = channels_.find(name);
  if (found == channels_.end() || found->second.settled == found->second.made) return settled({});
  found->second.waiting.push_back({.after = found->second.made, .settled = std::move(settled)});
}

void PresenceWriter::close_if_empty(const std::string& name) {
  const auto found = channels_.find(name);
  if (found == channels_.end()) return;
  const Channel& channel = found->second;
  if (channel.stage != Stage::kOpen || !channel.members.empty() || channel.under_way > 0) return;
  const std::string key = keys_.lease_channels(lease_.name);
  client_.send(key, RespCommand{"SREM", key, name}, [](const Result<RespValue>&) {});
  channels_.erase(found);
}

// --- The end

void PresenceWriter::stop(UniqueFunction<void(bool)> left) {
  stopped_ = true;
  retry_timer_.cancel();
  const auto leaving = std::make_shared<Leaving>(Leaving{.left = std::move(left)});
  leaving->under_way = channels_.size();
  for (auto& [name, channel] : channels_) {
    fail_waiting(channel, {ErrorKind::kUnavailable, "the server is stopping"});
    run(name, "all", {}, guard_.wrap([this, leaving](const Result<RespValue>& reply) {
      leaving->all = leaving->all && !redis_failure(reply);
      if (--leaving->under_way == 0) end_leaving(leaving);
    }));
  }
  if (channels_.empty()) end_leaving(leaving);
  channels_.clear();
  uncertain_.clear();
}

// The set of channels goes when nobody is left in them: until then it leads others there.
void PresenceWriter::end_leaving(const std::shared_ptr<Leaving>& leaving) {
  if (lease_.name.empty() || !leaving->all) return leaving->left(leaving->all);
  const std::string key = keys_.lease_channels(lease_.name);
  client_.send(key, RespCommand{"DEL", key},
               [leaving](const Result<RespValue>& reply) { leaving->left(!redis_failure(reply)); });
}

}  // namespace carillon
