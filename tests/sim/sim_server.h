// SimServer: the parts of a whole server in the simulated world: engine, hub, and on each of several loops an edge and rooms.
#pragma once

#include <memory>
#include <vector>

#include "base/simulated_disk.h"
#include "carillon/server_options.h"
#include "engine/log/log_engine.h"
#include "engine/memory/memory_engine.h"
#include "feature/api/api_room.h"
#include "hub/durable_subscriptions.h"
#include "hub/hub.h"
#include "hub/shard.h"
#include "hub/topic_directory.h"
#include "protocol/bayeux/bayeux.h"
#include "protocol/native/native.h"
#include "protocol/phoenix/phoenix.h"
#include "protocol/routes/routes.h"
#include "protocol/sse/sse.h"
#include "server/channel_policy.h"
#include "server/identifier.h"
#include "sim/sim_network.h"
#include "transport/edge.h"

namespace carillon {

// What all loops share.
struct SimCore {
  SimCore(SimWorld& world, const ServerOptions& server_options, std::size_t loops);

  const ServerOptions options;
  SimRandom random;
  const ChannelRules rules;
  const ChannelPolicy policy;
  SimulatedDisk disk;
  MemoryEngine memory;
  std::unique_ptr<LogEngine> log;  // On the disk, without threads; null unless the options want it.
  Hub hub;
  DurableSubscriptions durable_subscriptions;
  TopicDirectory topics;
  PhoenixSiblings phoenix_siblings;
  BayeuxCommon bayeux;
  RoutesCommon routes;
};

// The protocols and the HTTP API on one loop. Everybody is trusted, as on a machine of one's own, unless the options have
// secrets for tokens.
class SimRooms {
 public:
  SimRooms(SimCore& core, Shard& shard, Routes& routes);

 private:
  Identify identify();

  const ApiAccess access_;
  const Identifier identifier_;
  NativeRoom native_;
  SseRoom sse_;
  PhoenixRoom phoenix_;
  BayeuxRoom bayeux_;
  RoutesRoom routes_;
  ApiRoom api_;
};

class SimServer {
 public:
  struct Connected {
    std::shared_ptr<SimConnection> connection;
    std::unique_ptr<Stream> stream;  // The client's end.
  };

  SimServer(SimWorld& world, const ServerOptions& options, std::size_t loops);
  ~SimServer();

  // To a loop chosen by chance. A server that stops takes the connection and ends it.
  Connected connect(const SimNetworkOptions& network);

  // What the embedding program does: on a loop chosen by chance.
  void post(Task task) { lanes_[world_.random().below(lanes_.size())].loop->post(std::move(task)); }

  // As Runtime::stop, without waiting.
  void drain();
  bool drained() const { return drained_ == lanes_.size(); }

  Hub& hub() { return core_.hub; }
  SimWorld& world() { return world_; }
  // Of all loops, now.
  std::size_t connections() const { return shared_.connections; }
  std::size_t frame_bytes() const;
  std::uint64_t timeouts() const;

 private:
  struct Lane {
    ManualLoop* loop = nullptr;
    Shard* shard = nullptr;
    std::unique_ptr<SimRooms> rooms;
    std::unique_ptr<Edge> edge;
  };

  void expire();

  SimWorld& world_;
  SimCore core_;
  EdgeShared shared_;
  std::vector<Lane> lanes_;
  std::unique_ptr<CallbackTimer> expire_timer_;
  std::size_t connection_count_ = 0;
  std::size_t drained_ = 0;
  bool draining_ = false;
};

}  // namespace carillon
