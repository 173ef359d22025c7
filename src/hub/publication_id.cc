#include "hub/publication_id.h"

namespace carillon {
namespace {

constexpr std::uint64_t kRandomBits = (std::uint64_t{1} << 58) - 1;

// splitmix64's last step (public domain, Vigna): every bit of the input reaches every bit of the result.
std::uint64_t mix(std::uint64_t value) {
  value = (value ^ value >> 30) * 0xbf58476d1ce4e5b9;
  value = (value ^ value >> 27) * 0x94d049bb133111eb;
  return value ^ value >> 31;
}

std::uint64_t mask_of(std::uint64_t random, std::uint64_t epoch) {
  return mix(random + mix(epoch));
}

void write_word(std::uint8_t* out, std::uint64_t word) {
  for (int i = 7; i >= 0; --i, word >>= 8) out[i] = static_cast<std::uint8_t>(word);
}

std::uint64_t read_word(const std::uint8_t* in) {
  std::uint64_t word = 0;
  for (int i = 0; i < 8; ++i) word = word << 8 | in[i];
  return word;
}

}  // namespace

// The words, from the top: 48 bits, the version, 12 bits; the variant, 4 bits: the hidden offset's 64. Then the 58 random ones.
Uuid publication_id(const Position& position, std::uint64_t random) {
  random &= kRandomBits;
  const std::uint64_t hidden = position.offset ^ mask_of(random, position.epoch);
  Uuid id;
  write_word(&id.bytes[0], (hidden & ~std::uint64_t{0xffff}) | 0x4000 | (hidden >> 4 & 0xfff));
  write_word(&id.bytes[8], std::uint64_t{2} << 62 | (hidden & 0xf) << 58 | random);
  return id;
}

std::uint64_t offset_in(const Uuid& id, std::uint64_t epoch) {
  const std::uint64_t high = read_word(&id.bytes[0]), low = read_word(&id.bytes[8]);
  const std::uint64_t hidden = (high & ~std::uint64_t{0xffff}) | (high & 0xfff) << 4 | (low >> 58 & 0xf);
  return hidden ^ mask_of(low & kRandomBits, epoch);
}

std::uint64_t random_in(const Uuid& id) {
  return read_word(&id.bytes[8]) & kRandomBits;
}

}  // namespace carillon
