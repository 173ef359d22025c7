// Makes a log of what is whole in a damaged one. The damaged files are kept beside it, in a directory of their own.
//
// 1. In DIR/repairing a copy is made: tables linked, but for those that are damaged, write-ahead logs as far as they are sound.
// 2. What their records say behind the damage is written to it again. When a table is lost, or the manifest, a new database is
//    filled from the tables that are whole, and with what all records say.
// 3. Each channel is put in order. Where something is missing between what is kept, or where nobody knows what the newest
//    position was, it begins a new epoch: its publications keep their order, times and texts, and get new offsets and ids.
//    Where only the oldest are gone, positions stay.
// 4. All files of DIR move to DIR/damaged-N, then the copy's to DIR. A repair that is interrupted here goes on when it is asked
//    for again; a server refuses the directory meanwhile.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "engine/log/log_check.h"

namespace carillon {

struct LogRepair {
  std::string kept_in;            // Where the damaged files are.
  std::vector<std::string> lost;  // What is not there any more, and which channels have a new epoch; at most kLinesMax lines.
  std::uint64_t lost_lines = 0;   // How many there were.
  std::uint64_t channels = 0;
  std::uint64_t publications = 0;  // That are kept.

  static constexpr std::size_t kLinesMax = 1000;
  void add_lost(std::string line);
};

// Errors: as of check_log, and kLimit when there is no room for the copy; nothing was changed then.
Result<LogRepair> repair_log(Files& files, const Clock& clock, Random& random, const std::string& directory,
                             const LogProgress& progress);
// Whether a repair of this directory was interrupted.
bool repair_is_unfinished(Files& files, const std::string& directory);

}  // namespace carillon
