// Uuid: 128 bits shown as RFC 9562 text. Version 4: random.
#pragma once

#include <array>
#include <compare>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/random.h"

namespace carillon {

struct Uuid {
  std::array<std::uint8_t, 16> bytes{};

  static constexpr std::size_t kTextSize = 36;

  // Made from 16 random bytes, with the version and variant bits of a v4 set over them.
  static Uuid from_random(std::array<std::uint8_t, 16> random);
  static Uuid random_v4(Random& random);

  // Lower case, hyphenated; writes exactly kTextSize characters.
  void write_text(char* out) const;
  std::string text() const;

  friend auto operator<=>(const Uuid&, const Uuid&) = default;  // NOLINT(modernize-use-nullptr): the 0 of a rewritten one.
};

// Writes `count` lower-case hexadecimal digits of the value, most significant first.
void write_hex(std::uint64_t value, char* out, int count);
// `count` lower-case hexadecimal digits of the value, most significant first.
std::string hex_text(std::uint64_t value, int count = 16);

}  // namespace carillon
