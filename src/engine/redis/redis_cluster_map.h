// RedisClusterMap: reads which master has which slots, from the first server that answers, over a connection that is made for
// each reading.
#pragma once

#include <vector>

#include "engine/redis/redis_link.h"
#include "engine/redis/redis_slots.h"

namespace carillon {

class RedisClusterMapOwner {
 public:
  virtual void on_map(const std::vector<RedisSlotRange>& ranges) = 0;
  // None could tell; they are asked again.
  virtual void on_map_failed(const Error& why) = 0;

 protected:
  ~RedisClusterMapOwner() = default;
};

class RedisClusterMap final : private RedisLinkOwner, private Timer {
 public:
  // Readings are at least so far apart, and at most so far: masters come and go without a word.
  static constexpr Millis kPauseMin{100};
  static constexpr Millis kPauseMax{30'000};

  RedisClusterMap(const RedisLink::World& world, RedisClusterMapOwner& owner);

  // Reads the map soon, if that is not under way.
  void read();

 private:
  void on_timer() override;
  void on_link_up(RedisLink& link) override;
  void on_link_value(RedisLink& link, RespValue value) override;
  void on_link_down(RedisLink& link, const Error& why) override;
  std::optional<Millis> waits_since() const override { return asked_; }
  void on_link_idle(RedisLink&) override {}
  void note_servers(const std::vector<RedisSlotRange>& ranges);

  const RedisLink::World world_;
  RedisClusterMapOwner& owner_;
  std::vector<RedisOptions::Server> servers_;  // Known ones, then those of the options.
  std::optional<Millis> asked_;
  std::optional<Millis> last_;  // When a reading ended.
  bool reading_ = false;
  RedisLink link_;
};

}  // namespace carillon
