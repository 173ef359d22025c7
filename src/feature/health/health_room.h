// Health reports in guts' shape, and Prometheus metrics. Open to everybody: they hold figures, no names.
//
// One room per loop; loop, hub, phase and sources outlive it, and it outlives the loop's last turn.
#pragma once

#include <boost/unordered/unordered_flat_map.hpp>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "base/loop.h"
#include "base/process_usage.h"
#include "feature/health/server_phase.h"
#include "hub/hub.h"
#include "protocol/exchange.h"
#include "wire/text/metrics_writer.h"

namespace carillon {

struct HealthOptions {
  std::string health_path = "/health";
  std::string metrics_path = "/metrics";
  std::string version;
  std::int64_t started_unix_ms = 0;
  // How long the engine may take to answer a check; then its storage is reported down.
  Millis probe_time{2000};
};

// Figures that this room cannot know. Called on any loop, at every request for metrics. A missing one is left out.
struct MetricsSources {
  std::function<ProcessUsage()> process;
  // Open WebSocket connections. Missing: the hub's sessions.
  std::function<std::uint64_t()> websocket_connections;
  // Bytes that the engine keeps as history.
  std::function<std::uint64_t()> history_bytes;
  // Members present in channels, of this process.
  std::function<std::uint64_t()> presence_members;
  // Whatever else: transport's families.
  std::function<void(MetricsWriter&)> more;
};

class HealthRoom {
 public:
  HealthRoom(Hub& hub, Loop& loop, const ServerPhase& phase, HealthOptions options, MetricsSources sources);
  ~HealthRoom();
  HealthRoom(const HealthRoom&) = delete;
  HealthRoom& operator=(const HealthRoom&) = delete;

  void add_routes(Routes& routes);

 private:
  struct Check;
  class Probe;
  using Report = HttpResponse (HealthRoom::*)(const Check& storage) const;

  // Asks the engine for something small, then answers with the report.
  void probe_storage(ExchangePtr exchange, Report report);
  void finish(std::uint64_t ticket, const Check& storage);
  HttpResponse report_health(const Check& storage) const;
  HttpResponse report_ready(const Check& storage) const;
  HttpResponse report_startup() const;
  HttpResponse report_metrics() const;
  void write_hub_metrics(MetricsWriter& writer) const;
  void write_group_metrics(MetricsWriter& writer) const;
  void write_process_metrics(MetricsWriter& writer) const;
  std::int64_t uptime_seconds() const;

  Hub& hub_;
  Loop& loop_;
  const ServerPhase& phase_;
  const HealthOptions options_;
  const MetricsSources sources_;
  boost::unordered_flat_map<std::uint64_t, std::unique_ptr<Probe>> probes_;
  std::uint64_t last_ticket_ = 0;
};

}  // namespace carillon
