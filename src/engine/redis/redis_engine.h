// The Redis engine: servers that share a Redis share one channel space. Order, positions, history and idempotency are Redis's;
// each server hears by pub/sub what its clients want, and reads from the streams what it missed.
//
// Its parts live on one loop, which may have a thread of its own: RedisServers (the connections), RedisPublisher, RedisFeeds,
// RedisHistory; RedisNodes, RedisPresence, RedisState and RedisGroups. Functions may be called on any thread: what is asked
// while the loop is busy is one burst, and leaves together. Completions are called on the loop.
#pragma once

#include <memory>
#include <mutex>
#include <string>
#include <variant>
#include <vector>

#include "base/dialer.h"
#include "engine/redis/redis_feeds.h"
#include "engine/redis/redis_groups.h"
#include "engine/redis/redis_history.h"
#include "engine/redis/redis_nodes.h"
#include "engine/redis/redis_presence.h"
#include "engine/redis/redis_publisher.h"
#include "engine/redis/redis_servers.h"
#include "engine/redis/redis_state.h"
#include "hub/engine.h"

namespace carillon {

struct RedisEngineStats {
  std::uint64_t waiting = 0;        // Publishes without an answer,
  std::uint64_t waiting_bytes = 0;  // and what they hold, about.
};

class RedisEngine final : public Engine {
 public:
  // Before the loop runs, or on it. All of the arguments outlive the engine. It begins to connect at once.
  RedisEngine(Loop& loop, Dialer& dialer, const Clock& clock, Random& random, RedisOptions options);
  // On the loop, or when it runs no more.
  ~RedisEngine() override;

  // Claims this node's place among the nodes. Once, behind set_events. Any thread.
  void start();
  // What is new is refused from now on; this node leaves, and what is under way is answered: what Redis does not answer in two
  // seconds, kUnavailable. Returns when every completion was called; on the loop, without waiting for Redis. Idempotent.
  void stop();

  void set_events(EngineEvents& events) override { feeds_->set_events(events); }
  bool wants_interest() const override { return true; }
  void add_interest(const Selector& selector) override;
  void remove_interest(const Selector& selector) override;
  void publish(Draft draft, UniqueFunction<void(Result<Receipt>)> done) override;
  void history(HistoryQuery query, UniqueFunction<void(Result<HistoryPage>)> done) override;
  void publications(std::string channel, std::vector<Uuid> ids,
                    UniqueFunction<void(Result<std::vector<PublicationPtr>>)> done) override;
  void remove_history(std::string channel, UniqueFunction<void(Result<void>)> done) override;
  void channels(std::string prefix, std::string after, std::size_t count_max,
                UniqueFunction<void(Result<std::vector<ChannelRecord>>)> done) override;
  PresenceStore& presence() override { return *presence_; }
  StateStore& state() override { return *state_; }
  GroupStore* groups() override { return groups_.get(); }
  NodeDirectory* nodes() override { return nodes_.get(); }

  RedisEngineStats stats() const;

 private:
  using Work = std::variant<RedisPublish, Task>;
  // What was asked and not taken by the loop yet. Outlives the engine in what is posted.
  struct Burst {
    std::mutex mutex;
    std::vector<Work> work;         // Under the mutex, as the next.
    RedisEngine* engine = nullptr;  // Null: it has stopped.
  };

  void ask(Work work);
  static void take(Burst& burst);
  void close();
  void end_now();
  void leave(RedisAnswer<void> left);
  void end_client();

  Loop& loop_;
  const RedisOptions options_;
  const RedisKeys keys_;
  RedisWriter writer_;
  RedisWaitingRoom waiting_room_;
  const std::shared_ptr<Burst> burst_ = std::make_shared<Burst>();

  std::unique_ptr<RedisServers> client_;
  std::unique_ptr<RedisNodes> nodes_;
  std::unique_ptr<RedisPresence> presence_;
  std::unique_ptr<RedisState> state_;
  std::unique_ptr<RedisParts> parts_;
  std::unique_ptr<RedisFeeds> feeds_;
  std::unique_ptr<RedisPublisher> publisher_;
  std::unique_ptr<RedisHistory> history_;
  std::unique_ptr<RedisGroups> groups_;

  bool leaving_ = false;  // On the loop, as the next two.
  std::vector<RedisAnswer<void>> left_;
  CallbackTimer leave_timer_;
  RedisGuard guard_;
};

}  // namespace carillon
