// What `carillon log` does with a log that no server uses: check it, repair it, write it as text, make one of text. Blocks.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "carillon/result.h"

namespace carillon {

// Told often while something long is done: what, how much of it is done, and how much there is; 0: nobody knows.
using LogToolProgress = std::function<void(std::string_view what, std::uint64_t done, std::uint64_t total)>;

struct LogVerdict {
  bool sound = false;
  std::vector<std::string> lines;  // What there is, what is wrong, what was done: for people.
};

// Errors of all four: kNotFound (there is no log), kConflict (a server uses it; something is there already), kForbidden,
// kUnavailable (the disk fails), kLimit (it is full).

Result<LogVerdict> check_log_directory(const std::string& directory, const LogToolProgress& progress);
// Checks, and where something is wrong keeps what is whole; the verdict is that of the log afterwards.
Result<LogVerdict> repair_log_directory(const std::string& directory, const LogToolProgress& progress);

// A line at a time, without its end; false ends it. `channel`: only that one; empty: everything.
Result<void> export_log_directory(const std::string& directory, const std::string& channel,
                                  const std::function<bool(std::string_view)>& sink, const LogToolProgress& progress);
// Lines until there is none. kInvalid names the number of the line that is wrong; nothing is left of the log then. Answers how
// many events there were.
Result<std::uint64_t> import_log_directory(const std::string& directory,
                                           const std::function<std::optional<std::string>()>& next_line,
                                           const LogToolProgress& progress);

}  // namespace carillon
