// Writing CBOR (RFC 8949): lengths are always given, heads and floating-point numbers are the shortest that keep the value
// (sections 4.1 and 4.2.1), so equal calls give equal bytes. The order of a map's keys is the caller's: deterministic encoding
// wants them sorted by their bytes.
//
// The writer appends to a string it borrows and keeps no state. The caller gives each array and map as many items as it said,
// each tag one, and each map a key in front of every value.
#pragma once

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace carillon {

class CborWriter {
 public:
  explicit CborWriter(std::string& out) : out_(out) {}

  CborWriter& array(std::size_t items);
  CborWriter& map(std::size_t pairs);
  CborWriter& tag(std::uint64_t number);

  CborWriter& bytes(std::string_view bytes);
  // Must be UTF-8; it is not looked at.
  CborWriter& text(std::string_view text);
  template <std::integral T>
  requires(!std::same_as<T, bool>) CborWriter& number(T value) {
    if constexpr (std::signed_integral<T>) {
      if (value < 0) return negative(static_cast<std::uint64_t>(-1 - static_cast<std::int64_t>(value)));
    }
    return unsigned_number(static_cast<std::uint64_t>(value));
  }
  // -1-n: every negative whole number down to -2^64.
  CborWriter& negative(std::uint64_t n);
  // Always as a floating-point number, whole or not; every NaN is written as the same one.
  CborWriter& number(double value);
  CborWriter& boolean(bool value);
  CborWriter& null();
  CborWriter& undefined();
  // 24 to 31 are no simple values.
  CborWriter& simple(std::uint8_t value);
  // A complete item, written as it is.
  CborWriter& raw(std::string_view cbor);

 private:
  CborWriter& unsigned_number(std::uint64_t value);

  std::string& out_;
};

}  // namespace carillon
