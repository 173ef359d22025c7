#include "base/id.h"

namespace carillon {
namespace {
constexpr char kHex[] = "0123456789abcdef";
}

Uuid Uuid::from_random(std::array<std::uint8_t, 16> random) {
  Uuid id{random};
  id.bytes[6] = static_cast<std::uint8_t>((id.bytes[6] & 0x0f) | 0x40);
  id.bytes[8] = static_cast<std::uint8_t>((id.bytes[8] & 0x3f) | 0x80);
  return id;
}

Uuid Uuid::random_v4(Random& random) {
  std::array<std::uint8_t, 16> bytes;
  random.fill(bytes);
  return from_random(bytes);
}

void Uuid::write_text(char* out) const {
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    if (i == 4 || i == 6 || i == 8 || i == 10) *out++ = '-';
    *out++ = kHex[bytes[i] >> 4];
    *out++ = kHex[bytes[i] & 15];
  }
}

std::string Uuid::text() const {
  std::string text(kTextSize, '\0');
  write_text(text.data());
  return text;
}

void write_hex(std::uint64_t value, char* out, int count) {
  for (int i = count - 1; i >= 0; --i, value >>= 4) out[i] = kHex[value & 15];
}

std::string hex_text(std::uint64_t value, int count) {
  std::string text(static_cast<std::size_t>(count), '0');
  write_hex(value, text.data(), count);
  return text;
}

}  // namespace carillon
