// Random: bits nobody can guess (the operating system's generator), or repeatable ones in simulation. Any thread.
#pragma once

#include <cstdint>
#include <span>

namespace carillon {

class Random {
 public:
  virtual ~Random() = default;
  virtual void fill(std::span<std::uint8_t> bytes) = 0;

  std::uint64_t next_u64() {
    std::uint8_t bytes[8];
    fill(bytes);
    std::uint64_t value = 0;
    for (std::uint8_t byte : bytes) value = value << 8 | byte;
    return value;
  }
  // Uniform enough for jitter in [0, bound); bound must be positive.
  std::uint64_t below(std::uint64_t bound) { return next_u64() % bound; }
};

}  // namespace carillon
