// Runtime: from options to running parts: clock, engine, hub, and one Lane a loop with its edge and rooms.
//
// Made and stopped by its owner's thread. The order of the members is the order of who needs whom.
#pragma once

#include <atomic>
#include <chrono>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "carillon/result.h"
#include "carillon/server_options.h"
#include "feature/health/server_phase.h"
#include "hub/durable_subscriptions.h"
#include "hub/hub.h"
#include "hub/shard.h"
#include "hub/topic_directory.h"
#include "os/epoll_loop.h"
#include "os/system_clock.h"
#include "os/tcp_dialer.h"
#include "os/tcp_listener.h"
#include "protocol/bayeux/bayeux_common.h"
#include "protocol/infotainer/infotainer_common.h"
#include "protocol/phoenix/phoenix_polls.h"
#include "protocol/routes/routes_common.h"
#include "server/channel_policy.h"
#include "server/engines.h"
#include "server/route_handle.h"
#include "server/worker_pool.h"
#include "transport/edge.h"
#include "transport/node_forwarder.h"

namespace carillon {

class Rooms;

class Runtime {
 public:
  enum class Reach { kListening, kLocalOnly };  // Local only: one loop, no sockets, no rooms.

  static Result<std::unique_ptr<Runtime>> start(const ServerOptions& options, Reach reach, BayeuxHooks bayeux = {},
                                                RouteHooks routes = {});
  ~Runtime();

  // Graceful; blocks. Idempotent.
  void stop();
  // Runs on the stopping thread while all loops still run, before anything ends; lives until the loops have ended. The owner's
  // thread, before stop().
  void on_stop(Task hook) { stop_hooks_.push_back(std::move(hook)); }

  Hub& hub() { return *hub_; }
  Shard& shard(std::size_t index) { return *lanes_[index]->shard; }
  Engines& engines() { return *engines_; }
  Clock& clock() { return clock_; }
  Random& random() { return random_; }
  const ChannelRules& rules() const { return rules_; }
  const Origins& origins() const { return edge_shared_.origins; }
  PhoenixSiblings& phoenix_siblings() { return phoenix_siblings_; }
  BayeuxCommon& bayeux() { return *bayeux_; }
  RoutesCommon& routes() { return *routes_; }
  const std::shared_ptr<RouteBackend>& route_backend() const { return route_backend_; }
  InfotainerCommon& infotainer() { return *infotainer_; }
  DurableSubscriptions& durable_subscriptions() { return *durable_subscriptions_; }
  TopicDirectory& topics() { return *topics_; }
  EpollLoop& loop(std::size_t index) { return *lanes_[index]->loop; }
  const Edge& edge(std::size_t index) const { return *lanes_[index]->edge; }
  // Null: there is one node.
  const NodeForwarder* forwarder(std::size_t index) const { return lanes_[index]->forwarder.get(); }
  std::size_t lane_count() const { return lanes_.size(); }
  const ServerOptions& options() const { return options_; }
  const std::string& address() const { return address_.text; }
  // Only this machine can reach the address.
  bool on_loopback() const { return address_.loopback; }
  const ServerPhase& phase() const { return phase_; }
  bool running() const { return phase_.get() == Phase::kRunning; }
  std::int64_t started_ms() const { return started_ms_; }
  // How many loops there are or will be.
  std::size_t loop_count() const { return loop_count_; }
  // Whether this is the thread of one of the loops. Any thread.
  bool on_a_loop() const;
  // Open now, on all loops. Any thread.
  std::uint64_t websocket_connections() const;

 private:
  // One loop, its thread and what lives on it.
  struct Lane {
    std::unique_ptr<EpollLoop> loop;
    Shard* shard = nullptr;
    std::unique_ptr<TcpDialer> dialer;
    std::unique_ptr<NodeForwarder> forwarder;  // Null: there is one node.
    std::unique_ptr<Rooms> rooms;
    std::unique_ptr<Edge> edge;
    std::unique_ptr<TcpListener> listener;
    std::thread thread;
    ~Lane();
  };

  Runtime(const ServerOptions& options, BayeuxHooks bayeux, RouteHooks routes);

  Result<void> open(Reach reach);
  void make_hub();
  void make_routes();
  Result<void> add_lane(FileDescriptor socket);
  void say_how_safe() const;
  void expire();
  void describe_node();
  void end_bayeux_sessions();

  const ServerOptions options_;
  SystemClock clock_;
  SystemRandom random_;
  const ChannelRules rules_;
  const ChannelPolicy policy_;
  std::unique_ptr<Engines> engines_;
  std::unique_ptr<Hub> hub_;
  std::unique_ptr<DurableSubscriptions> durable_subscriptions_;
  std::unique_ptr<TopicDirectory> topics_;
  EdgeShared edge_shared_;
  PeerAddress address_;
  std::vector<Task> stop_hooks_;
  std::vector<std::unique_ptr<Lane>> lanes_;
  PhoenixSiblings phoenix_siblings_;              // Ends between the rooms and the loops.
  std::unique_ptr<InfotainerCommon> infotainer_;  // Likewise.
  BayeuxHooks bayeux_hooks_;                      // Until the common part is made.
  std::unique_ptr<BayeuxCommon> bayeux_;
  RouteHooks route_hooks_;  // Likewise.
  std::shared_ptr<RouteBackend> route_backend_;
  std::unique_ptr<RoutesCommon> routes_;
  std::unique_ptr<WorkerPool> route_workers_;  // Null where no handler is to be called.
  std::unique_ptr<CallbackTimer> expire_timer_;
  std::size_t loop_count_ = 1;
  const std::int64_t started_ms_;
  ServerPhase phase_;
  std::atomic<bool> stopped_{true};  // No thread runs.
};

}  // namespace carillon
