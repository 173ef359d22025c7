#include "server/runtime.h"

#include <fmt/format.h>

#include <algorithm>
#include <latch>
#include <utility>

#include "base/log.h"
#include "feature/api/api_answers.h"
#include "os/process_limits.h"
#include "protocol/bayeux/bayeux_sessions.h"
#include "protocol/topic_json.h"
#include "server/check_bayeux.h"
#include "server/check_options.h"
#include "server/part_options.h"
#include "server/rooms.h"

namespace carillon {
namespace {

constexpr Millis kExpirePeriod{5'000};
// Descriptors that are no connections: listeners, loops, the log, files.
constexpr std::size_t kDescriptorsKept = 64;

// Connections that the limit on open files leaves room for, after raising it.
std::size_t possible_connections() {
  const std::size_t files = raise_file_limit();
  return files > 2 * kDescriptorsKept ? files - kDescriptorsKept : files / 2;
}

// No other machine can be told to connect there.
bool is_every_address(std::string_view address) {
  return address.starts_with("0.0.0.0:") || address.starts_with("[::]:");
}

}  // namespace

Runtime::Lane::~Lane() {
  loop->stop();
  if (thread.joinable()) thread.join();
}

Runtime::Runtime(const ServerOptions& options, BayeuxHooks bayeux, RouteHooks routes)
    : options_(options),
      rules_(options.channels),
      policy_(rules_),
      bayeux_hooks_(std::move(bayeux)),
      route_hooks_(std::move(routes)),
      started_ms_(clock_.unix_ms()) {
  edge_shared_.options = edge_options(options, possible_connections());
}

Runtime::~Runtime() {
  stop();
  if (engines_ != nullptr) engines_->stop();
  // What was handed over from one loop to another posts to both to its end: so all that lives on loops goes before any loop.
  for (const auto& lane : lanes_) {
    lane->listener.reset();
    lane->edge.reset();
  }
  for (const auto& lane : lanes_) lane->rooms.reset();
}

Result<std::unique_ptr<Runtime>> Runtime::start(const ServerOptions& options, Reach reach, BayeuxHooks bayeux,
                                                RouteHooks routes) {
  if (Result<void> checked = check_options(options); !checked) return checked.error();
  if (Result<void> checked = check_bayeux_hooks(bayeux, options.bayeux); !checked) return checked.error();
  if (Result<void> checked = check_route_hooks(routes); !checked) return checked.error();
  set_log_level(options.log_level);
  std::unique_ptr<Runtime> runtime(new Runtime(options, std::move(bayeux), std::move(routes)));
  if (Result<void> opened = runtime->open(reach); !opened) return opened.error();
  return runtime;
}

Result<void> Runtime::open(Reach reach) {
  ListeningSockets listening;
  if (reach == Reach::kListening) {
    const std::size_t loops = options_.loops == 0 ? std::min<std::size_t>(usable_cores(), Interest::kLoopsMax) : options_.loops;
    Result<ListeningSockets> opened = listen_on(options_.listen, loops);
    if (!opened) return opened.error();
    listening = *std::move(opened);
    address_ = listening.address;
    if (!address_.loopback && options_.api_key.empty() && !options_.insecure) {
      return Error{
          ErrorKind::kForbidden,
          fmt::format("{} can be reached from other machines, and no API key is configured: everybody could subscribe. "
                      "Set an API key (--api-key, auth.api_key), listen on 127.0.0.1, or say --insecure if that is meant",
                      address_.text)};
    }
    edge_shared_.origins = Origins(options_.origins, address_.loopback);
  } else {
    listening.sockets.emplace_back();
    address_ = {.text = "", .loopback = true};
  }
  Result<std::unique_ptr<Engines>> engines = Engines::open(options_, rules_, clock_, random_);
  if (!engines) return engines.error();
  engines_ = *std::move(engines);
  make_hub();
  loop_count_ = listening.sockets.size();
  bayeux_ = std::make_unique<BayeuxCommon>(options_.bayeux, std::move(bayeux_hooks_), loop_count_);
  make_routes();
  for (FileDescriptor& socket : listening.sockets) {
    if (Result<void> added = add_lane(std::move(socket)); !added) return added;
  }
  if (Result<void> started = engines_->start(); !started) return started;
  describe_node();
  expire_timer_ = std::make_unique<CallbackTimer>([this] { expire(); });
  lanes_.front()->loop->schedule(*expire_timer_, kExpirePeriod);
  stopped_ = false;
  phase_.set(Phase::kRunning);
  for (const auto& lane : lanes_) lane->thread = std::thread([&loop = *lane->loop] { loop.run(); });
  if (reach == Reach::kListening) say_how_safe();
  return {};
}

void Runtime::make_hub() {
  Engine& engine = engines_->engine();
  hub_ = std::make_unique<Hub>(engine, clock_, policy_, hub_options(options_, rules_));
  durable_subscriptions_ = std::make_unique<DurableSubscriptions>(
      engine.state(), clock_, DurableSubscriptions::Options{.channels_max = options_.limits.subscriptions_per_client});
  topics_ = std::make_unique<TopicDirectory>(*hub_, *durable_subscriptions_, topic_change_json);
  infotainer_ = std::make_unique<InfotainerCommon>(
      options_.infotainer,
      InfotainerCommon::Parts{
          .state = engine.state(), .clock = clock_, .durable = *durable_subscriptions_, .topics = *topics_, .random = random_});
}

void Runtime::make_routes() {
  route_backend_ = std::make_shared<RouteBackend>(*hub_, engines_->engine().state(), clock_, options_.limits.message_bytes);
  RoutesCommon::Parts parts{.state = engines_->engine().state(),
                            .clock = clock_,
                            .message_bytes_max = options_.limits.message_bytes,
                            .presence_list_max = options_.presence.list_max,
                            .launch = [](RoutesJobPtr) { return false; }};
  const bool has_handlers =
      std::ranges::any_of(route_hooks_.routes, [](const RouteEntry& entry) { return entry.handle || entry.pure; });
  if (has_handlers) {
    route_workers_ = std::make_unique<WorkerPool>(options_.routes.workers, options_.routes.calls_waiting);
    parts.launch = route_launcher(
        *route_workers_, [this] { return routes_->door; }, route_backend_);
  }
  routes_ = std::make_unique<RoutesCommon>(options_.routes, std::move(route_hooks_), std::move(parts));
}

Result<void> Runtime::add_lane(FileDescriptor socket) {
  Result<std::unique_ptr<EpollLoop>> loop = EpollLoop::create();
  if (!loop) return loop.error();
  auto lane = std::make_unique<Lane>();
  lane->loop = *std::move(loop);
  lane->shard = &hub_->add_shard(*lane->loop);
  lane->edge = std::make_unique<Edge>(edge_shared_, *lane->loop, clock_, random_, lane->shard->frame_memory());
  if (socket) {
    if (NodeDirectory* const nodes = hub_->engine().nodes()) {
      lane->dialer = std::make_unique<TcpDialer>(*lane->loop);
      lane->forwarder = std::make_unique<NodeForwarder>(*lane->loop, *lane->dialer, *nodes, node_caller_options(options_));
    }
    lane->rooms = std::make_unique<Rooms>(*this, *lane->loop, *lane->shard, lane->edge->router(), lane->forwarder.get());
    lane->listener = std::make_unique<TcpListener>(*lane->loop, std::move(socket), *lane->edge);
    if (Result<void> started = lane->listener->start(); !started) return started;
  }
  lane->edge->start();
  lanes_.push_back(std::move(lane));
  return {};
}

void Runtime::say_how_safe() const {
  log_info("listening address={} loops={} engine={} connections_max={}", address_.text, lanes_.size(), options_.engine.kind,
           edge_shared_.options.connections_max);
  if (!options_.api_key.empty()) return;
  if (address_.loopback && !options_.auth.jwt_secrets.empty()) {
    log_info(
        "no API key is configured, so the HTTP API is for programs on this machine; every other client is who its token says, "
        "and "
        "nobody by being here");
  } else if (address_.loopback) {
    log_info(
        "development mode: no API key is configured, so programs on this machine may publish, subscribe and use the HTTP API; "
        "nobody else can reach this address");
  } else {
    log_warning(
        "insecure: no API key is configured, and {} can be reached from other machines: everybody may subscribe; publishing "
        "and the HTTP API are for programs on this machine",
        address_.text);
  }
}

bool Runtime::on_a_loop() const {
  return std::any_of(lanes_.begin(), lanes_.end(), [](const auto& lane) { return lane->loop->in_loop_thread(); });
}

std::uint64_t Runtime::websocket_connections() const {
  std::uint64_t total = 0;
  for (const auto& lane : lanes_) total += lane->edge->counters().websockets.get();
  return total;
}

void Runtime::expire() {
  engines_->expire();
  describe_node();
  lanes_.front()->loop->schedule(*expire_timer_, kExpirePeriod);
}

void Runtime::describe_node() {
  NodeDirectory* const nodes = hub_->engine().nodes();
  if (nodes == nullptr) return;
  std::string address = options_.redis.advertise;
  if (address.empty() && !is_every_address(address_.text)) address = "http://" + address_.text;
  nodes->describe(std::move(address), stats_json(hub_->stats()));
}

// Sessions outlive their connections: whoever listens hears that they end too. Waits for all loops.
void Runtime::end_bayeux_sessions() {
  std::latch ended(static_cast<std::ptrdiff_t>(bayeux_->siblings.count()));
  for (std::size_t place = 0; place < bayeux_->siblings.count(); ++place) {
    bayeux_->siblings.post(place, [&ended](BayeuxSessions& sessions) {
      sessions.remove_all(bayeux_event::RemovalReason::kShutdown);
      ended.count_down();
    });
  }
  ended.wait();
}

void Runtime::stop() {
  if (stopped_.exchange(true)) return;
  phase_.set(Phase::kDraining);
  for (Task& hook : stop_hooks_) hook();
  std::latch drained(static_cast<std::ptrdiff_t>(lanes_.size()));
  for (const auto& lane : lanes_) {
    lane->loop->post([&lane = *lane, &drained, time = Millis(options_.drain_time)] {
      if (lane.listener != nullptr) lane.listener->stop();
      lane.edge->drain(time, [&drained] { drained.count_down(); });
    });
  }
  drained.wait();
  end_bayeux_sessions();
  lanes_.front()->loop->post([this] { expire_timer_->cancel(); });
  for (const auto& lane : lanes_) lane->loop->stop();
  for (const auto& lane : lanes_) lane->thread.join();
  if (route_workers_ != nullptr) route_workers_->stop();
  route_backend_->close();
  engines_->stop();
  bayeux_->events.close();  // Behind the ends of the last sessions.
  if (!address_.text.empty()) log_info("stopped");
  flush_log();
}

}  // namespace carillon
