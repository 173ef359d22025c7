// Which write-ahead logs a RocksDB database still needs, read out of its manifest.
//
// A log whose records all lie in tables is removed, but after a loss of power it may be there again, with any end: it was never
// synced, and need not be.
#pragma once

#include <cstdint>
#include <limits>
#include <string>

#include "base/file.h"

namespace carillon {

struct NeededLogs {
  std::string manifest;     // Its path; empty if there is none.
  std::uint64_t first = 0;  // The smallest number of a log that RocksDB would read.
  // No record of a table has a higher sequence number; so the needed logs begin with the next one or before.
  std::uint64_t last_sequence = std::numeric_limits<std::uint64_t>::max();
};

// Without a manifest, or when not all of it is understood, nothing is ruled out: every log is needed, with any numbers. A
// manifest is read as far as its records are whole. An error only when the disk has one.
Result<NeededLogs> read_needed_logs(Files& files, const std::string& directory);

}  // namespace carillon
