#include "base/hash.h"

#include <cstdint>
#include <cstring>
#include <random>

namespace carillon {
namespace {

std::uint64_t random_word() {
  return (std::uint64_t{std::random_device{}()} << 32) | std::random_device{}();
}

// Both factors of each multiplication are masked with bits nobody knows: with a known mask a name could be chosen that makes
// one factor zero, and with it the hash of every such name the same.
std::uint64_t first_mask = random_word();
std::uint64_t second_mask = random_word();

// One multiplication to 128 bits, folded: the mixing step of wyhash (public domain, Wang Yi).
std::uint64_t fold(std::uint64_t a, std::uint64_t b) {
  __extension__ using Wide = unsigned __int128;
  const Wide product = static_cast<Wide>(a) * b;
  return static_cast<std::uint64_t>(product) ^ static_cast<std::uint64_t>(product >> 64);
}

std::uint64_t load(const char* at, std::size_t count) {
  std::uint64_t word = 0;
  if (count > 0) std::memcpy(&word, at, count);
  return word;
}

}  // namespace

std::size_t hash_name(std::string_view name) {
  std::uint64_t state = first_mask;
  const char* at = name.data();
  std::size_t left = name.size();
  for (; left > 16; at += 16, left -= 16) state = fold(load(at, 8) ^ state, load(at + 8, 8) ^ second_mask);
  const std::uint64_t low = left >= 8 ? load(at, 8) : load(at, left);
  const std::uint64_t high = left > 8 ? load(at + 8, left - 8) : 0;
  constexpr std::uint64_t kOdd = 0xa0761d6478bd642fu;
  return fold(fold(low ^ state, high ^ second_mask) ^ first_mask, kOdd ^ name.size());
}

void set_name_hash_seed(std::uint64_t seed) {
  first_mask = fold(seed ^ 0xe7037ed1a0b428dbu, 0x8ebc6af09c88c6e3u);
  second_mask = fold(seed ^ 0x589965cc75374cc3u, 0x1d8e4e27c47d124fu);
}

}  // namespace carillon
