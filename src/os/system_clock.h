// The ports of the world that need no loop, for real: the system's clock and its random generator.
#pragma once

#include "base/clock.h"
#include "base/random.h"

namespace carillon {

class SystemClock final : public Clock {
 public:
  std::int64_t unix_ms() const override;
};

// getrandom(2): bits nobody can guess.
class SystemRandom final : public Random {
 public:
  void fill(std::span<std::uint8_t> bytes) override;
};

}  // namespace carillon
