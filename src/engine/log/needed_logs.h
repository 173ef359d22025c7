// Which write-ahead logs a RocksDB database still needs, read out of its manifest.
//
// A log whose records all lie in tables is removed, but after a loss of power it may be there again, with any end: it was never
// synced, and need not be.
#pragma once

#include <string>

#include "base/file.h"

namespace carillon {

// The smallest number of a log that RocksDB would read. 0, so all of them, when there is no manifest or not all of it is
// understood: that errs on the side of looking at too many. An error only when the disk has one.
Result<std::uint64_t> first_needed_log(Files& files, const std::string& directory);

}  // namespace carillon
