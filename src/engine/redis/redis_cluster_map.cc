#include "engine/redis/redis_cluster_map.h"

#include <algorithm>

namespace carillon {

RedisClusterMap::RedisClusterMap(const RedisLink::World& world, RedisClusterMapOwner& owner)
    : world_(world), owner_(owner), servers_(world.options.servers), link_(world, *this, {}) {}

void RedisClusterMap::read() {
  if (reading_) return;
  const Millis now = world_.loop.now();
  const Millis at = last_ ? *last_ + kPauseMin : now;
  world_.loop.schedule(*this, std::max(at - now, Millis{0}));
}

void RedisClusterMap::on_timer() {
  reading_ = true;
  link_.start(servers_);
}

void RedisClusterMap::on_link_up(RedisLink& link) {
  asked_ = world_.loop.now();
  RespCommand{"CLUSTER", "SLOTS"}.append_to(link.out());
  link.flush();
}

void RedisClusterMap::on_link_value(RedisLink& link, RespValue value) {
  asked_.reset();
  const std::optional<std::vector<RedisSlotRange>> ranges = read_cluster_slots(value, link.server());
  if (!ranges) {
    const RespValue::Error* const error = value.error();
    return link.give_up({ErrorKind::kUnavailable, error == nullptr ? "it told of no slots" : error->text});
  }
  note_servers(*ranges);
  link.stop();
  reading_ = false;
  last_ = world_.loop.now();
  world_.loop.schedule(*this, kPauseMax);
  owner_.on_map(*ranges);
}

// Who is asked the next time: another one first, so that one that is cut off from the rest is not asked for ever.
void RedisClusterMap::note_servers(const std::vector<RedisSlotRange>& ranges) {
  const RedisOptions::Server asked = link_.server();
  servers_.clear();
  const auto note = [this](const RedisOptions::Server& server) {
    if (std::find(servers_.begin(), servers_.end(), server) == servers_.end()) servers_.push_back(server);
  };
  for (const RedisSlotRange& range : ranges) note(range.master);
  for (const RedisSlotRange& range : ranges) {
    for (const RedisOptions::Server& replica : range.replicas) note(replica);
  }
  for (const RedisOptions::Server& server : world_.options.servers) note(server);
  const auto at = std::find(servers_.begin(), servers_.end(), asked);
  if (at != servers_.end()) std::rotate(servers_.begin(), at + 1, servers_.end());
}

void RedisClusterMap::on_link_down(RedisLink&, const Error& why) {
  asked_.reset();
  if (!link_.is_new()) owner_.on_map_failed(why);
}

}  // namespace carillon
