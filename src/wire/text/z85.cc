#include "wire/text/z85.h"

#include <array>
#include <cstdint>
#include <limits>

namespace carillon {
namespace {

constexpr std::string_view kAlphabet = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ.-:+=^!/*?&<>()[]{}@%$#";
constexpr std::uint32_t kBase = 85;
static_assert(kAlphabet.size() == kBase);
constexpr std::uint8_t kNotInAlphabet = 0xFF;

constexpr std::array<std::uint8_t, 256> kValues = [] {
  std::array<std::uint8_t, 256> values{};
  for (auto& value : values) value = kNotInAlphabet;
  for (std::size_t i = 0; i < kAlphabet.size(); ++i) {
    values[static_cast<unsigned char>(kAlphabet[i])] = static_cast<std::uint8_t>(i);
  }
  return values;
}();

// One to four bytes: one character more than that.
void append_group(std::string& out, std::string_view bytes) {
  std::uint32_t value = 0;
  for (std::size_t i = 0; i < 4; ++i) value = value << 8 | (i < bytes.size() ? static_cast<unsigned char>(bytes[i]) : 0u);
  std::array<char, 5> letters{};
  for (std::size_t i = letters.size(); i-- > 0; value /= kBase) letters[i] = kAlphabet[value % kBase];
  out.append(letters.data(), bytes.size() + 1);
}

// Two to five characters: one byte less than that. What is not there is taken as the last letter of the alphabet: the largest
// value that the characters can begin, which is the one whose upper bytes are those that were written.
bool read_group(std::string& out, std::string_view letters) {
  std::uint64_t value = 0;
  for (std::size_t i = 0; i < 5; ++i) {
    const std::uint8_t digit = i < letters.size() ? kValues[static_cast<unsigned char>(letters[i])] : kBase - 1;
    if (digit == kNotInAlphabet) return false;
    value = value * kBase + digit;
  }
  if (value > std::numeric_limits<std::uint32_t>::max()) return false;
  for (std::size_t i = 0; i + 1 < letters.size(); ++i) out += static_cast<char>(value >> (24 - 8 * i) & 0xFF);
  return true;
}

}  // namespace

std::string z85_encode(std::string_view bytes) {
  std::string text;
  text.reserve((bytes.size() + 3) / 4 * 5);
  for (std::size_t i = 0; i < bytes.size(); i += 4) append_group(text, bytes.substr(i, 4));
  return text;
}

std::optional<std::string> z85_decode(std::string_view text) {
  if (text.size() % 5 == 1) return std::nullopt;
  std::string bytes;
  bytes.reserve((text.size() + 4) / 5 * 4);
  for (std::size_t i = 0; i < text.size(); i += 5) {
    if (!read_group(bytes, text.substr(i, 5))) return std::nullopt;
  }
  return bytes;
}

}  // namespace carillon
