#include "engine/redis/presence_removal.h"

#include <algorithm>
#include <utility>

#include "engine/redis/presence_scripts.h"
#include "engine/redis/redis_failure.h"

namespace carillon {

void PresenceRemoval::remove(const std::string& lease) {
  const std::string key = keys_.lease_channels(lease);
  client_.send(key, RespCommand{"SMEMBERS", key}, guard_.wrap([this, lease](const Result<RespValue>& reply) {
    const RespValue::Array* const names = reply ? reply->array() : nullptr;
    if (names == nullptr) return;  // The lease is still there: somebody tries again.
    auto work = std::make_shared<Work>(Work{.lease = lease, .channels = {}});
    for (const RespValue& name : *names) {
      if (const std::string* const channel = name.text()) work->channels.push_back(*channel);
    }
    go_on(work);
  }));
}

void PresenceRemoval::go_on(const std::shared_ptr<Work>& work) {
  while (!work->failed && work->next < work->channels.size() && work->under_way < kAtOnce) {
    ++work->under_way;
    run(work->channels[work->next++], work->lease, guard_.wrap([this, work](const Result<RespValue>& reply) {
      --work->under_way;
      work->failed = work->failed || redis_failure(reply).has_value();
      go_on(work);
    }));
  }
  if (work->under_way == 0 && work->next == work->channels.size() && !work->failed) end(*work);
}

void PresenceRemoval::end(const Work& work) {
  const std::string key = keys_.lease_channels(work.lease);
  client_.send(key, RespCommand{"DEL", key}, guard_.wrap([this, lease = work.lease](const Result<RespValue>& reply) {
    if (!redis_failure(reply)) nodes_.forget(lease);
  }));
}

void PresenceRemoval::run(std::string_view channel, std::string_view lease, RedisClient::Replied done) {
  const std::size_t dot = lease.rfind('.');
  const std::vector<std::string> keys{keys_.members(channel), keys_.users(channel), keys_.presence_version(channel)};
  client_.run(presence_removal_script(), keys,
              {std::string(lease.substr(0, dot)) + '/', std::string(lease.substr(dot + 1)), "0", keys_.presence_diffs(channel)},
              std::move(done));
}

void PresenceRemoval::suspect(std::string channel, std::string lease) {
  if (living_.contains(lease)) return;
  suspects_.push_back({.channel = std::move(channel), .lease = std::move(lease)});
  try_again();
}

void PresenceRemoval::doubt() {
  ++doubts_;
  living_.clear();
}

// What was written before the question under a lease that the answer does not name, is left over: leases are never taken up
// again.
void PresenceRemoval::try_again() {
  if (asking_ || suspects_.empty()) return;
  asking_ = true;
  nodes_.living(guard_.wrap([this, doubts = doubts_, count = suspects_.size()](const Result<std::vector<std::string>>& living) {
    asking_ = false;
    if (!living) return;  // Asked again with the next suspect or lease.
    if (doubts != doubts_) return try_again();
    std::vector<Suspect> suspects(suspects_.begin(), suspects_.begin() + static_cast<std::ptrdiff_t>(count));
    suspects_.erase(suspects_.begin(), suspects_.begin() + static_cast<std::ptrdiff_t>(count));
    living_ = {living->begin(), living->end()};
    for (Suspect& one : suspects) {
      if (!living_.contains(one.lease)) remove_from(std::move(one));
    }
    try_again();
  }));
}

void PresenceRemoval::remove_from(Suspect suspect) {
  const std::string channel = suspect.channel;
  const std::string lease = suspect.lease;
  run(channel, lease, guard_.wrap([this, suspect = std::move(suspect)](const Result<RespValue>& reply) {
    if (redis_failure(reply)) suspects_.push_back(suspect);
  }));
}

}  // namespace carillon
