#include "transport/edge_metrics.h"

#include <iterator>

namespace carillon {
namespace {

std::uint64_t sum(std::span<const EdgeCounters* const> edges, Counter EdgeCounters::*counter) {
  std::uint64_t total = 0;
  for (const EdgeCounters* edge : edges) total += (edge->*counter).get();
  return total;
}

}  // namespace

void write_edge_metrics(MetricsWriter& writer, std::span<const EdgeCounters* const> edges) {
  const std::uint64_t connections = sum(edges, &EdgeCounters::connections);
  const std::uint64_t websockets = sum(edges, &EdgeCounters::websockets);
  const std::uint64_t event_streams = sum(edges, &EdgeCounters::event_streams);
  // Counted one after the other while the loops go on: the parts may briefly be more than the whole.
  const std::uint64_t special = websockets + event_streams;
  writer.family("carillon_connections", MetricsWriter::Type::kGauge, "Open connections by what they carry.")
      .sample(connections > special ? connections - special : 0, {{"kind", "http"}})
      .sample(websockets, {{"kind", "websocket"}})
      .sample(event_streams, {{"kind", "sse"}});
  writer.counter("carillon_connections_accepted_total", "Connections ever accepted.",
                 sum(edges, &EdgeCounters::accepted_total));
  writer.counter("carillon_connections_refused_total", "Connections answered 503 because connections_max was reached.",
                 sum(edges, &EdgeCounters::refused_total));
  writer.counter("carillon_websocket_handshakes_total", "WebSocket handshakes completed.",
                 sum(edges, &EdgeCounters::handshakes_total));
  writer.family("carillon_http_responses_total", MetricsWriter::Type::kCounter, "HTTP responses by class of status.");
  constexpr std::string_view kClasses[] = {"1xx", "2xx", "3xx", "4xx", "5xx"};
  for (std::size_t i = 0; i < std::size(kClasses); ++i) {
    std::uint64_t count = 0;
    for (const EdgeCounters* edge : edges) count += edge->requests_total[i + 1].get();
    writer.sample(count, {{"class", kClasses[i]}});
  }
  writer.counter("carillon_http_faults_total", "Requests that were no HTTP, too large or too slow.",
                 sum(edges, &EdgeCounters::faults_total));
  writer.counter("carillon_websocket_faults_total", "WebSocket connections failed for what the peer sent.",
                 sum(edges, &EdgeCounters::protocol_errors_total));
  writer.counter("carillon_timeouts_total", "Peers disconnected because they went silent or stalled.",
                 sum(edges, &EdgeCounters::timeouts_total));
}

}  // namespace carillon
