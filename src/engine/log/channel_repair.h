// Puts the channels of a log in order from which something was lost: the third step of log_repair.h.
#pragma once

#include <set>
#include <string>

#include "engine/log/log_repair.h"
#include "engine/log/log_store.h"

namespace carillon {

// Longer than any receipt is old, and short enough to be added to a time.
inline constexpr std::int64_t kReceiptsForEver = std::int64_t{1} << 60;

// Whose newest position is known for certain.
struct ChannelTrust {
  bool positions_known = true;  // What the records of channels say was the last that was written of them, but for:
  bool damaged = false;  // write-ahead logs were damaged. Then it is so only of these, that were written behind the damage.
  std::set<std::string> known;

  bool knows(const std::string& channel) const { return positions_known && (!damaged || known.contains(channel)); }
};

Result<void> repair_channels(LogStore& store, Random& random, const ChannelTrust& trust, const LogProgress& progress,
                             LogRepair& report);

}  // namespace carillon
