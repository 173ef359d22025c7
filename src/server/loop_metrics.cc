#include "server/loop_metrics.h"

#include "server/runtime.h"
#include "transport/edge_metrics.h"

namespace carillon {

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
}

}  // namespace carillon
