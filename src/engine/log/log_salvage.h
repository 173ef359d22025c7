// What can still be read of a log's write-ahead logs when there is damage among them.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "base/file.h"

namespace carillon {

// A place where records are lost: bytes that are none with whole ones behind them, or numbers that are missing.
struct LogDamage {
  std::string file;
  std::uint64_t offset = 0;
  std::string what;
};

struct LogSalvage {
  std::vector<LogDamage> damage;
  // Of each log that is needed, how much lies before the first damage, and is whole. By path.
  std::map<std::string, std::uint64_t> sound_bytes;
};

// Reads all needed logs, the oldest first, and gives each whole record to `visitor`, with the number of damages before it.
// Errors: those of Files, and of `visitor`.
Result<LogSalvage> salvage_logs(Files& files, const std::string& directory,
                                const std::function<Result<void>(std::size_t damages, std::string_view record)>& visitor);

}  // namespace carillon
