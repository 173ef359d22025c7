#include "feature/health/health_room.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "wire/json/json_writer.h"

namespace carillon {

// One line of the report, in guts' words.
struct HealthRoom::Check {
  const char* status = "up";  // "up", "down" or "unknown".
  std::int64_t latency_ms = 0;
  std::string fault;  // Why it is down.

  bool up() const { return std::string_view(status) == "up"; }
};

// One question to the engine and the request that waits for it; given up when its timer fires.
class HealthRoom::Probe final : public Timer {
 public:
  Probe(HealthRoom& room, std::uint64_t ticket, ExchangePtr exchange, Report report)
      : room_(room), ticket_(ticket), exchange_(std::move(exchange)), report_(report), started_(room.loop_.now()) {}

  void answer(const Check& storage) { exchange_->reply((room_.*report_)(storage)); }
  Millis started() const { return started_; }

 private:
  void on_timer() override {
    const auto waited = room_.options_.probe_time.count();
    room_.finish(ticket_, {.status = "down", .latency_ms = waited, .fault = "the engine does not answer"});
  }

  HealthRoom& room_;
  const std::uint64_t ticket_;
  ExchangePtr exchange_;
  const Report report_;
  const Millis started_;
};

namespace {

const char* phase_name(Phase phase) {
  switch (phase) {
    case Phase::kStarting: return "starting";
    case Phase::kRunning: return "running";
    case Phase::kDraining: return "draining";
  }
  return "unknown";
}

HttpResponse short_report(bool up, std::string_view reason) {
  std::string body;
  JsonWriter writer(body);
  writer.begin_object().key("status").string(up ? "up" : "down");
  if (!up) writer.key("reason").string(reason);
  writer.end_object();
  HttpResponse response = HttpResponse::json(up ? 200 : 503, std::move(body));
  response.headers.add("Cache-Control", "no-store");
  return response;
}

}  // namespace

HealthRoom::HealthRoom(Hub& hub, Loop& loop, const ServerPhase& phase, HealthOptions options, MetricsSources sources)
    : hub_(hub), loop_(loop), phase_(phase), options_(std::move(options)), sources_(std::move(sources)) {}

HealthRoom::~HealthRoom() = default;

void HealthRoom::add_routes(Routes& routes) {
  const std::string& health = options_.health_path;
  routes.add("GET", health, [this](ExchangePtr exchange) { probe_storage(std::move(exchange), &HealthRoom::report_health); });
  routes.add("GET", health + "/ready",
             [this](ExchangePtr exchange) { probe_storage(std::move(exchange), &HealthRoom::report_ready); });
  routes.add("GET", health + "/live", [](ExchangePtr exchange) { exchange->reply(short_report(true, "")); });
  routes.add("GET", health + "/startup", [this](ExchangePtr exchange) { exchange->reply(report_startup()); });
  routes.add("GET", options_.metrics_path, [this](ExchangePtr exchange) { exchange->reply(report_metrics()); });
}

void HealthRoom::probe_storage(ExchangePtr exchange, Report report) {
  const std::uint64_t ticket = ++last_ticket_;
  auto probe = std::make_unique<Probe>(*this, ticket, std::move(exchange), report);
  loop_.schedule(*probe, options_.probe_time);
  const Millis started = probe->started();
  probes_.emplace(ticket, std::move(probe));
  hub_.engine().channels("", "", 1, [this, ticket, started](Result<std::vector<ChannelRecord>> outcome) {
    Check storage;
    if (!outcome) storage = {.status = "down", .fault = outcome.error().text};
    auto finish_here = [this, ticket, started, storage = std::move(storage)]() mutable {
      storage.latency_ms = (loop_.now() - started).count();
      finish(ticket, storage);
    };
    if (loop_.in_loop_thread()) return finish_here();
    loop_.post(std::move(finish_here));
  });
}

// An answer that comes after the probe was given up finds it gone.
void HealthRoom::finish(std::uint64_t ticket, const Check& storage) {
  const auto found = probes_.find(ticket);
  if (found == probes_.end()) return;
  const std::unique_ptr<Probe> probe = std::move(found->second);
  probes_.erase(found);
  probe->answer(storage);
}

std::int64_t HealthRoom::uptime_seconds() const {
  return std::max<std::int64_t>(0, hub_.clock().unix_ms() - options_.started_unix_ms) / 1000;
}

HttpResponse HealthRoom::report_health(const Check& storage) const {
  const Phase phase = phase_.get();
  const char* const realtime = phase == Phase::kRunning ? "up" : phase == Phase::kStarting ? "unknown" : "down";
  const bool up = storage.up() && phase == Phase::kRunning;
  std::string body;
  JsonWriter writer(body);
  writer.begin_object().key("status").string(up ? "up" : "down").key("version").string(options_.version);
  writer.key("uptime_seconds").number(uptime_seconds());
  writer.key("checks").begin_object();
  writer.key("storage").begin_object().key("status").string(storage.status).key("latency_ms").number(storage.latency_ms);
  if (!storage.fault.empty()) writer.key("details").begin_object().key("error").string(storage.fault).end_object();
  writer.end_object();
  writer.key("realtime").begin_object().key("status").string(realtime);
  writer.key("details").begin_object().key("connections").number(hub_.stats().sessions).end_object().end_object();
  writer.end_object().end_object();
  HttpResponse response = HttpResponse::json(up ? 200 : 503, std::move(body));
  response.headers.add("Cache-Control", "no-store");
  return response;
}

HttpResponse HealthRoom::report_ready(const Check& storage) const {
  const Phase phase = phase_.get();
  if (phase != Phase::kRunning) return short_report(false, phase_name(phase));
  return short_report(storage.up(), "storage: " + storage.fault);
}

HttpResponse HealthRoom::report_startup() const {
  return short_report(phase_.get() != Phase::kStarting, phase_name(Phase::kStarting));
}

HttpResponse HealthRoom::report_metrics() const {
  HttpResponse response;
  response.headers.add("Content-Type", MetricsWriter::kContentType);
  MetricsWriter writer(response.body);
  writer.family("carillon_build_info", MetricsWriter::Type::kGauge, "Always 1; the version is in the label.")
      .sample(1, {{"version", options_.version}});
  write_hub_metrics(writer);
  if (sources_.history_bytes) {
    writer.gauge("carillon_history_bytes", "Bytes that the engine keeps as history.", sources_.history_bytes());
  }
  if (sources_.presence_members) {
    writer.gauge("carillon_presence_members", "Clients present in channels, once a channel.", sources_.presence_members());
  }
  if (sources_.process) write_process_metrics(writer);
  if (sources_.more) sources_.more(writer);
  return response;
}

void HealthRoom::write_hub_metrics(MetricsWriter& writer) const {
  const HubStats stats = hub_.stats();
  writer.gauge("guts_websocket_connections", "Open WebSocket connections.",
               sources_.websocket_connections ? sources_.websocket_connections() : stats.sessions);
  writer.gauge("carillon_sessions", "Clients connected, on every protocol.", stats.sessions);
  writer.counter("carillon_sessions_started_total", "Clients that ever connected.", stats.connections_total);
  writer.gauge("carillon_subscriptions", "Subscriptions of connected clients.", stats.subscriptions);
  writer.counter("carillon_subscriptions_made_total", "Subscriptions ever made; repeated ones are not counted.",
                 stats.subscriptions_total);
  writer.counter("carillon_publications_total", "Publications taken for publishing on this node.", stats.publications_total);
  writer.counter("carillon_deliveries_total", "Publications queued for clients, once a client.", stats.deliveries_total);
  writer.counter("carillon_dropped_publications_total", "Publications dropped because a client read too slowly.",
                 stats.dropped_total);
  writer.counter("carillon_slow_consumer_closes_total", "Clients disconnected because they read too slowly.",
                 stats.slow_closed_total);
  writer.counter("carillon_presence_states_total", "How often a client was told who is present in a channel.",
                 stats.presence_states_total);
  writer.counter("carillon_presence_news_total",
                 "Diffs of presence, and counts of crowded channels, queued for clients, once a client.",
                 stats.presence_news_total);
  write_group_metrics(writer);
  writer.gauge("carillon_outbox_bytes", "Bytes waiting for clients, those shared by several counted once a loop.",
               stats.outbox_bytes);
  writer.gauge("carillon_outbox_limit_bytes", "Bytes that may wait for all clients together.",
               hub_.options().outbox_memory_bytes);
  writer.gauge("carillon_ready", "1 while running, 0 while starting or draining.", phase_.get() == Phase::kRunning ? 1 : 0);
}

void HealthRoom::write_group_metrics(MetricsWriter& writer) const {
  const GroupStats stats = hub_.groups().stats();
  writer.gauge("carillon_group_groups", "Queue groups in use.", stats.groups);
  writer.gauge("carillon_group_members", "Members of queue groups, and takes that wait.", stats.members);
  writer.gauge("carillon_group_in_flight", "Deliveries of queue groups that are not settled.", stats.in_flight);
  writer.counter("carillon_group_deliveries_total", "First deliveries of queue groups.", stats.deliveries_total);
  writer.counter("carillon_group_redeliveries_total", "Further deliveries of what was not acknowledged.",
                 stats.redeliveries_total);
  writer.counter("carillon_group_acks_total", "Publications acknowledged.", stats.acks_total);
  writer.counter("carillon_group_dead_letters_total", "Publications moved to a dead-letter channel.", stats.dead_total);
  writer.counter("carillon_group_lost_total",
                 "Publications that the channel's retention, or a removal, took before a queue group had handled them.",
                 stats.lost_total);
}

void HealthRoom::write_process_metrics(MetricsWriter& writer) const {
  const ProcessUsage usage = sources_.process();
  writer.counter("process_cpu_seconds_total", "User and system CPU time.", usage.cpu_seconds);
  writer.gauge("process_resident_memory_bytes", "Resident memory.", usage.resident_bytes);
  writer.gauge("process_virtual_memory_bytes", "Virtual memory.", usage.virtual_bytes);
  writer.gauge("process_open_fds", "Open file descriptors.", usage.open_fds);
  writer.gauge("process_max_fds", "Most file descriptors that may be open.", usage.max_fds);
  writer.gauge("process_start_time_seconds", "When the server started, in Unix time.",
               static_cast<double>(options_.started_unix_ms) / 1000);
}

}  // namespace carillon
