// What this process takes of the machine, as the operating system counts it. A value.
#pragma once

#include <cstdint>

namespace carillon {

struct ProcessUsage {
  double cpu_seconds = 0;  // User and system, all threads.
  std::uint64_t resident_bytes = 0;
  std::uint64_t virtual_bytes = 0;
  std::uint64_t open_fds = 0;
  std::uint64_t max_fds = 0;
};

}  // namespace carillon
