// Clock: what the calendar says. Durations are measured by Loop::now(), which never jumps.
#pragma once

#include <cstdint>

namespace carillon {

class Clock {
 public:
  virtual ~Clock() = default;
  // Milliseconds since 1970-01-01 UTC. May jump either way. Any thread.
  virtual std::int64_t unix_ms() const = 0;
};

}  // namespace carillon
