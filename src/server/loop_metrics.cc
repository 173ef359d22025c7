#include "server/loop_metrics.h"

#include "server/runtime.h"
#include "transport/edge_metrics.h"

namespace carillon {
namespace {

void write_log_metrics(LogEngine& log, MetricsWriter& writer) {
  const LogEngineStats stats = log.stats();
  writer.gauge("carillon_log_writable", "Whether the log takes writes: 0 while its disk is full or fails.",
               stats.writable ? 1 : 0);
  writer.gauge("carillon_log_waiting", "Publishes that wait for the disk.", stats.waiting);
  writer.counter("carillon_log_failed_total", "Publishes that the disk refused.", stats.failed_total);
  writer.counter("carillon_log_batches_total", "Batches written to the log.", stats.batches_total);
  writer.counter("carillon_log_syncs_total", "How often the disk was asked to keep what was written.", stats.syncs_total);
  writer.gauge("carillon_log_disk_bytes", "Bytes of the log, about.", stats.disk_bytes);
  writer.gauge("carillon_log_memory_bytes", "Bytes of the log's buffers and cache.", stats.memory_bytes);
}

void write_redis_metrics(Runtime& runtime, MetricsWriter& writer) {
  const RedisEngineStats stats = runtime.engines().redis()->stats();
  writer.gauge("carillon_continuity", "Whether this server hears what others publish: 0 while Redis is away.",
               runtime.hub().continuity() == Continuity::kDegraded ? 0 : 1);
  writer.gauge("carillon_redis_waiting", "Publishes that Redis has not answered.", stats.waiting);
  writer.gauge("carillon_redis_waiting_bytes", "Bytes that these hold, about.", stats.waiting_bytes);
  std::uint64_t waiting = 0, forwarded = 0, unanswered = 0;
  for (std::size_t i = 0; i < runtime.lane_count(); ++i) {
    const NodeForwarder* const forwarder = runtime.forwarder(i);
    if (forwarder == nullptr) continue;
    waiting += forwarder->counters().waiting.get();
    forwarded += forwarder->counters().forwarded_total.get();
    unanswered += forwarder->counters().unanswered_total.get();
  }
  writer.gauge("carillon_forwarded_waiting", "Polls that wait at the server that has their session.", waiting);
  writer.counter("carillon_forwarded_total", "Requests given on to the server that has their session.", forwarded);
  writer.counter("carillon_forwarded_unanswered_total", "Of these, requests whose server was not there, or has gone.",
                 unanswered);
}

}  // namespace

void write_loop_metrics(Runtime& runtime, MetricsWriter& writer) {
  using Type = MetricsWriter::Type;
  std::vector<const EdgeCounters*> edges;
  for (std::size_t i = 0; i < runtime.lane_count(); ++i) edges.push_back(&runtime.edge(i).counters());
  write_edge_metrics(writer, edges);
  writer.family("carillon_loop_turns_total", Type::kCounter, "Turns taken by each event loop.");
  for (std::size_t i = 0; i < runtime.lane_count(); ++i) writer.sample(runtime.loop(i).turns(), {{"loop", std::to_string(i)}});
  writer.family("carillon_loop_longest_turn_seconds", Type::kGauge,
                "The longest turn of each event loop since the last reading.");
  for (std::size_t i = 0; i < runtime.lane_count(); ++i) {
    writer.sample(static_cast<double>(runtime.loop(i).take_longest_turn_us()) / 1e6, {{"loop", std::to_string(i)}});
  }
  const BayeuxCommon& bayeux = runtime.bayeux();
  writer.gauge("carillon_bayeux_sessions", "Bayeux sessions, between their requests too.", bayeux.session_count());
  writer.gauge("carillon_bayeux_polls_held", "Bayeux connects that wait, on every transport.",
               bayeux.held.load(std::memory_order_relaxed));
  writer.counter("carillon_bayeux_handshakes_refused_total", "Bayeux handshakes refused, whatever the reason.",
                 bayeux.handshakes_refused.load(std::memory_order_relaxed));
  writer.counter("carillon_bayeux_sessions_expired_total", "Bayeux sessions that ended because no connect came.",
                 bayeux.expired.load(std::memory_order_relaxed));
  const InfotainerCommon& infotainer = runtime.infotainer();
  writer.gauge("carillon_infotainer_sessions", "Sessions of infotainer's clients that are connected.",
               infotainer.session_count());
  writer.counter("carillon_infotainer_takeovers_total", "Sessions that went on in another connection while one was open.",
                 infotainer.takeovers.load(std::memory_order_relaxed));
  writer.counter("carillon_infotainer_resumed_total", "Subscriptions remembered for a client that came back.",
                 infotainer.resumed.load(std::memory_order_relaxed));
  writer.counter("carillon_infotainer_unknown_total", "Publications dropped because nobody has made their subscription.",
                 infotainer.unknown.load(std::memory_order_relaxed));
  const RoutesCommon& routes = runtime.routes();
  writer.gauge("carillon_routes_connections", "Connections of the routes protocol.",
               routes.connections.load(std::memory_order_relaxed));
  writer.gauge("carillon_routes_calls", "Requests of the routes protocol that the program's handlers have not finished.",
               routes.calls.load(std::memory_order_relaxed));
  writer.counter("carillon_routes_calls_total", "Requests of the routes protocol given to the program's handlers.",
                 routes.calls_total.load(std::memory_order_relaxed));
  writer.counter("carillon_routes_refused_total", "Requests of the routes protocol beyond a limit.",
                 routes.refused_total.load(std::memory_order_relaxed));
  if (runtime.engines().redis() != nullptr) write_redis_metrics(runtime, writer);
  if (LogEngine* const log = runtime.engines().log()) write_log_metrics(*log, writer);
}

}  // namespace carillon
