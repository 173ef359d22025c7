// FastRandom: xoshiro256** (public domain, Blackman and Vigna), seeded by a Random: for what must be unique or spread evenly,
// never for what must be secret. One thread at a time.
#pragma once

#include <cstdint>

#include "base/random.h"

namespace carillon {

class FastRandom {
 public:
  explicit FastRandom(Random& seed) {
    for (std::uint64_t& word : state_) word = seed.next_u64();
  }

  std::uint64_t next_u64() {
    const std::uint64_t result = rotate(state_[1] * 5, 7) * 9;
    const std::uint64_t shifted = state_[1] << 17;
    state_[2] ^= state_[0];
    state_[3] ^= state_[1];
    state_[1] ^= state_[2];
    state_[0] ^= state_[3];
    state_[2] ^= shifted;
    state_[3] = rotate(state_[3], 45);
    return result;
  }

 private:
  static std::uint64_t rotate(std::uint64_t value, int by) { return value << by | value >> (64 - by); }

  std::uint64_t state_[4];
};

}  // namespace carillon
