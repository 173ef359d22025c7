// The figures of all loops and their edges, as metric families.
#pragma once

#include "wire/text/metrics_writer.h"

namespace carillon {

class Runtime;

// Any thread.
void write_loop_metrics(Runtime& runtime, MetricsWriter& writer);

}  // namespace carillon
