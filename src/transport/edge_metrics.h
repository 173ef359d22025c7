// What the edges of all loops counted, as metrics. Any thread.
#pragma once

#include <span>

#include "transport/edge.h"
#include "wire/text/metrics_writer.h"

namespace carillon {

void write_edge_metrics(MetricsWriter& writer, std::span<const EdgeCounters* const> edges);

}  // namespace carillon
