// PresenceRemoval: removes from channels what a node that is gone has left, in one diff a channel. Doing it twice does nothing
// the second time, so a removal that was broken off is begun again by whichever node comes to it. On the engine's loop.
#pragma once

#include <cstdint>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "engine/redis/redis_client.h"
#include "engine/redis/redis_guard.h"
#include "engine/redis/redis_keys.h"
#include "engine/redis/redis_nodes.h"

namespace carillon {

class PresenceRemoval {
 public:
  PresenceRemoval(RedisClient& client, const RedisKeys& keys, RedisNodes& nodes)
      : client_(client), keys_(keys), nodes_(nodes) {}

  // All that is left under the lease, which is over; it is forgotten then.
  void remove(const std::string& lease);
  // Members of this lease are in the channel: unless it lives, they are removed. A Redis that came back empty may be told of
  // members before it knows their node's lease, and the node may die between.
  void suspect(std::string channel, std::string lease);
  // What was known of leases is doubtful: Redis was away.
  void doubt();
  // Asks again what had no answer.
  void try_again();

 private:
  struct Work {
    std::string lease;
    std::vector<std::string> channels;
    std::size_t next = 0;
    std::size_t under_way = 0;
    bool failed = false;
  };
  struct Suspect {
    std::string channel;
    std::string lease;
  };
  static constexpr std::size_t kAtOnce = 64;

  void go_on(const std::shared_ptr<Work>& work);
  void end(const Work& work);
  void remove_from(Suspect suspect);
  void run(std::string_view channel, std::string_view lease, RedisClient::Replied done);

  RedisClient& client_;
  const RedisKeys keys_;
  RedisNodes& nodes_;
  std::vector<Suspect> suspects_;  // Without an answer.
  bool asking_ = false;
  std::uint64_t doubts_ = 0;
  std::set<std::string> living_;  // Leases that Redis knew since the last doubt: their end is told by RedisNodes.
  RedisGuard guard_;
};

}  // namespace carillon
