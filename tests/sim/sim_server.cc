#include "sim/sim_server.h"

#include "base/check.h"
#include "protocol/topic_json.h"
#include "server/part_options.h"

namespace carillon {
namespace {

constexpr Millis kExpirePeriod{5'000};

ApiOptions api_options(const ServerOptions& options) {
  return {.path = options.http.api_path,
          .publish = {.payload_bytes_max = options.limits.message_bytes, .batch_max = options.limits.batch_max},
          .event_names = options.native.event_names,
          .history_page_max = options.limits.history_page_max};
}

}  // namespace

SimRooms::SimRooms(SimCore& core, Shard& shard, Routes& routes)
    : identifier_(identifier_options(core.options, true), access_, core.hub.clock()),
      native_(shard, core.durable_subscriptions, identify(), core.options.native, core.options.limits,
              "carillon/" CARILLON_VERSION),
      sse_(shard, core.random, identify(), core.options.sse, core.options.native.event_names,
           {.refuse_unknown_types = core.options.native.refuse_unknown_types}),
      phoenix_({.shard = shard,
                .random = core.random,
                .identify = identify(),
                .rule_for = phoenix_topic_rules(core.rules),
                .may_use_origin =
                    [origins = Origins(core.options.origins, true)](const HttpRequest& request) {
                      return origins.may_use(request.headers.get("Origin"), request.headers.get("Host"));
                    },
                .text_options = {.refuse_unknown_types = core.options.native.refuse_unknown_types},
                .message_bytes_max = core.options.limits.message_bytes,
                .siblings = core.phoenix_siblings},
               core.options.phoenix),
      bayeux_({.shard = shard,
               .random = core.random,
               .identify = identify(),
               .may_use_origin = [origins = Origins(core.options.origins, true)](
                                     std::string_view origin, std::string_view host) { return origins.may_use(origin, host); },
               .text_options = {.refuse_unknown_types = core.options.native.refuse_unknown_types},
               .message_bytes_max = core.options.limits.message_bytes,
               .common = core.bayeux}),
      routes_(shard, identify(), core.routes),
      api_(core.hub, shard.loop(), access_, identify(),
           {.directory = core.topics, .subscriptions = core.durable_subscriptions, .random = core.random},
           api_options(core.options), {.version = CARILLON_VERSION, .limits = core.options.limits}) {
  native_.add_routes(routes);
  sse_.add_routes(routes);
  phoenix_.add_routes(routes);
  bayeux_.add_routes(routes);
  routes_.add_routes(routes);
  api_.add_routes(routes);
}

Identify SimRooms::identify() {
  return [this](const Exchange& exchange, std::string_view token) { return identifier_.identify(exchange, token); };
}

namespace {

std::unique_ptr<LogEngine> open_log(SimCore& core, SimWorld& world) {
  if (core.options.engine.kind != "log") return nullptr;
  LogEngineOptions options = log_engine_options(core.options, core.rules);
  options.readers = 0;
  auto log = LogEngine::open(core.disk, world.clock(), core.random, core.memory, options);
  CHECK(log);
  return *std::move(log);
}

}  // namespace

SimCore::SimCore(SimWorld& world, const ServerOptions& server_options, std::size_t loops)
    : options(server_options),
      random(world.random().next_u64()),
      rules(options.channels),
      policy(rules),
      disk(world.random().next_u64()),
      memory(world.clock(), random, memory_engine_options(options, rules)),
      log(open_log(*this, world)),
      hub(log == nullptr ? static_cast<Engine&>(memory) : *log, world.clock(), policy, hub_options(options, rules)),
      durable_subscriptions(hub.engine().state(), world.clock(), {}),
      topics(hub, durable_subscriptions, topic_change_json),
      bayeux(options.bayeux, {}, loops),
      routes(options.routes, {},
             {.state = hub.engine().state(),
              .clock = world.clock(),
              .message_bytes_max = options.limits.message_bytes,
              .presence_list_max = options.presence.list_max,
              .launch = [](RoutesJobPtr) { return false; }}) {}

SimServer::SimServer(SimWorld& world, const ServerOptions& options, std::size_t loops)
    : world_(world), core_(world, options, loops) {
  shared_.options = edge_options(options, 10'000);
  shared_.origins = Origins(options.origins, true);
  for (std::size_t i = 0; i < loops; ++i) {
    Lane lane;
    lane.loop = &world.add_loop();
    lane.shard = &hub().add_shard(*lane.loop);
    lane.edge = std::make_unique<Edge>(shared_, *lane.loop, world.clock(), core_.random, lane.shard->frame_memory());
    lane.rooms = std::make_unique<SimRooms>(core_, *lane.shard, lane.edge->router());
    lane.edge->start();
    lanes_.push_back(std::move(lane));
  }
  expire_timer_ = std::make_unique<CallbackTimer>([this] { expire(); });
  lanes_.front().loop->schedule(*expire_timer_, kExpirePeriod);
}

// Nothing may be left for the loops that speaks of what goes now.
SimServer::~SimServer() {
  world_.settle();
}

void SimServer::expire() {
  core_.memory.expire();
  if (core_.log != nullptr) core_.log->tick();
  lanes_.front().loop->schedule(*expire_timer_, kExpirePeriod);
}

SimServer::Connected SimServer::connect(const SimNetworkOptions& network) {
  Lane& lane = lanes_[world_.random().below(lanes_.size())];
  auto connection = std::make_shared<SimConnection>(world_, network, *lane.loop, connection_count_++);
  const Millis way = world_.random().between(network.delay_min, network.delay_max);
  connection->arrive_after(world_.now() + way);
  auto stream = connection->open(SimConnection::Side::kServer);
  world_.after(way, [this, &lane, stream = std::move(stream)]() mutable {
    if (draining_) return stream->close();
    lane.loop->post([&lane, stream = std::move(stream)]() mutable { lane.edge->on_stream(std::move(stream)); });
  });
  return {connection, connection->open(SimConnection::Side::kClient)};
}

void SimServer::drain() {
  draining_ = true;
  for (Lane& lane : lanes_) {
    lane.loop->post([this, &lane] { lane.edge->drain(Millis(core_.options.drain_time), [this] { ++drained_; }); });
  }
}

std::size_t SimServer::frame_bytes() const {
  std::size_t bytes = 0;
  for (const Lane& lane : lanes_) bytes += lane.shard->frame_memory().bytes;
  return bytes;
}

std::uint64_t SimServer::timeouts() const {
  std::uint64_t total = 0;
  for (const Lane& lane : lanes_) total += lane.edge->counters().timeouts_total.get();
  return total;
}

}  // namespace carillon
