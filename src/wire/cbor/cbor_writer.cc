#include "wire/cbor/cbor_writer.h"

#include <bit>
#include <cmath>
#include <limits>
#include <optional>

#include "base/check.h"

namespace carillon {

namespace {

// The major types, in place.
constexpr std::uint8_t kUnsigned = 0x00;
constexpr std::uint8_t kNegative = 0x20;
constexpr std::uint8_t kBytes = 0x40;
constexpr std::uint8_t kText = 0x60;
constexpr std::uint8_t kArray = 0x80;
constexpr std::uint8_t kMap = 0xA0;
constexpr std::uint8_t kTag = 0xC0;
constexpr std::uint8_t kSimple = 0xE0;

constexpr std::uint16_t kHalfInfinity = 0x7C00;
constexpr std::uint16_t kHalfNan = 0x7E00;

void append_number(std::string& out, std::uint64_t value, int size) {
  for (int shift = 8 * (size - 1); shift >= 0; shift -= 8) out += static_cast<char>(value >> shift & 255);
}

void append_head(std::string& out, std::uint8_t major, std::uint64_t value) {
  if (value < 24) {
    out += static_cast<char>(major | value);
    return;
  }
  const int log_size = value <= 0xFF ? 0 : value <= 0xFFFF ? 1 : value <= 0xFFFFFFFF ? 2 : 3;
  out += static_cast<char>(major | (24 + log_size));
  append_number(out, value, 1 << log_size);
}

// The half of exactly that value, of a number that is finite.
std::optional<std::uint16_t> exact_half(float value) {
  const auto bits = std::bit_cast<std::uint32_t>(value);
  const auto sign = static_cast<std::uint16_t>(bits >> 16 & 0x8000);
  const std::uint32_t fraction = bits & 0x7FFFFF;
  const int exponent = static_cast<int>(bits >> 23 & 255) - 127;
  if (value == 0) return sign;
  if (exponent > 15 || exponent < -24) return std::nullopt;
  if (exponent >= -14) {
    if ((fraction & 0x1FFF) != 0) return std::nullopt;
    return static_cast<std::uint16_t>(sign | (exponent + 15) << 10 | fraction >> 13);
  }
  // Below the smallest normal half: a multiple of 2^-24.
  const std::uint32_t whole = fraction | 0x800000;
  const int shift = -exponent - 1;
  if ((whole & ((1u << shift) - 1)) != 0) return std::nullopt;
  return static_cast<std::uint16_t>(sign | whole >> shift);
}

void append_half(std::string& out, std::uint16_t half) {
  out += static_cast<char>(kSimple | 25);
  append_number(out, half, 2);
}

}  // namespace

CborWriter& CborWriter::array(std::size_t items) {
  append_head(out_, kArray, items);
  return *this;
}

CborWriter& CborWriter::map(std::size_t pairs) {
  append_head(out_, kMap, pairs);
  return *this;
}

CborWriter& CborWriter::tag(std::uint64_t number) {
  append_head(out_, kTag, number);
  return *this;
}

CborWriter& CborWriter::bytes(std::string_view bytes) {
  append_head(out_, kBytes, bytes.size());
  return raw(bytes);
}

CborWriter& CborWriter::text(std::string_view text) {
  append_head(out_, kText, text.size());
  return raw(text);
}

CborWriter& CborWriter::unsigned_number(std::uint64_t value) {
  append_head(out_, kUnsigned, value);
  return *this;
}

CborWriter& CborWriter::negative(std::uint64_t n) {
  append_head(out_, kNegative, n);
  return *this;
}

CborWriter& CborWriter::number(double value) {
  if (std::isnan(value)) {
    append_half(out_, kHalfNan);
    return *this;
  }
  if (std::isinf(value)) {
    append_half(out_, static_cast<std::uint16_t>(value < 0 ? 0x8000 | kHalfInfinity : kHalfInfinity));
    return *this;
  }
  const bool in_single_range = std::abs(value) <= std::numeric_limits<float>::max();
  const float single = in_single_range ? static_cast<float>(value) : 0;
  if (!in_single_range || static_cast<double>(single) != value) {
    out_ += static_cast<char>(kSimple | 27);
    append_number(out_, std::bit_cast<std::uint64_t>(value), 8);
  } else if (const auto half = exact_half(single)) {
    append_half(out_, *half);
  } else {
    out_ += static_cast<char>(kSimple | 26);
    append_number(out_, std::bit_cast<std::uint32_t>(single), 4);
  }
  return *this;
}

CborWriter& CborWriter::boolean(bool value) {
  return simple(value ? 21 : 20);
}

CborWriter& CborWriter::null() {
  return simple(22);
}

CborWriter& CborWriter::undefined() {
  return simple(23);
}

CborWriter& CborWriter::simple(std::uint8_t value) {
  CHECK(value < 24 || value >= 32);
  append_head(out_, kSimple, value);
  return *this;
}

CborWriter& CborWriter::raw(std::string_view cbor) {
  out_ += cbor;
  return *this;
}

}  // namespace carillon
