// What the system grants this process.
#pragma once

#include <cstddef>

namespace carillon {

// Raises the limit on open files as far as the system permits; returns what it is then.
std::size_t raise_file_limit();
// Cores this process may run on; at least 1.
std::size_t usable_cores();

}  // namespace carillon
