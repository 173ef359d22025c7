// RocksDB's write-ahead logs as files: which there are, and how their records number the changes of the database.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/file.h"

namespace carillon {

struct WriteAheadLog {
  std::uint64_t number = 0;
  std::string path;
};

// Those from number `first` on, the oldest first.
Result<std::vector<WriteAheadLog>> write_ahead_logs(Files& files, const std::string& directory, std::uint64_t first);

// The sequence numbers of records that follow each other.
struct LogSequences {
  std::uint64_t first = 0;
  std::uint64_t end = 0;  // That of the change after the last; 0 when there is no record.

  void add(std::string_view record);
};

}  // namespace carillon
