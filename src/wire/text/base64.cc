#include "wire/text/base64.h"

#include <algorithm>
#include <array>
#include <cstdint>

namespace carillon {
namespace {

constexpr std::string_view kAlphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
constexpr std::string_view kUrlAlphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
constexpr std::uint8_t kNotInAlphabet = 0xFF;

using Values = std::array<std::uint8_t, 256>;

constexpr Values make_values(std::string_view alphabet) {
  Values values{};
  for (auto& value : values) value = kNotInAlphabet;
  for (std::size_t i = 0; i < alphabet.size(); ++i) {
    values[static_cast<unsigned char>(alphabet[i])] = static_cast<std::uint8_t>(i);
  }
  return values;
}

constexpr Values kValues = make_values(kAlphabet);
constexpr Values kUrlValues = make_values(kUrlAlphabet);

// Pads to whole groups of four.
void append_letters(std::string& out, std::string_view bytes, std::string_view alphabet) {
  std::size_t at = out.size();
  out.resize(at + (bytes.size() + 2) / 3 * 4, '=');
  for (; !bytes.empty(); at += 4) {
    // Three bytes are four letters; one or two at the end are two or three, and '=' keeps the place of the rest.
    const std::size_t count = std::min<std::size_t>(bytes.size(), 3);
    std::uint32_t bits = 0;
    for (std::size_t i = 0; i < 3; ++i) bits = bits << 8 | (i < count ? static_cast<unsigned char>(bytes[i]) : 0u);
    for (std::size_t i = 0; i <= count; ++i) out[at + i] = alphabet[bits >> (18 - 6 * i) & 63];
    bytes.remove_prefix(count);
  }
}

// `text` without padding.
std::optional<std::string> read_letters(std::string_view text, const Values& values) {
  std::string bytes;
  bytes.reserve(text.size() * 3 / 4);
  std::uint32_t bits = 0;
  int bit_count = 0;
  for (char letter : text) {
    const std::uint8_t value = values[static_cast<unsigned char>(letter)];
    if (value == kNotInAlphabet) return std::nullopt;
    bits = bits << 6 | value;
    bit_count += 6;
    if (bit_count >= 8) {
      bit_count -= 8;
      bytes.push_back(static_cast<char>(bits >> bit_count & 0xFF));
    }
  }
  // Whole bytes leave 0, 2 or 4 bits over, all zero. Six are a lone letter.
  if (bit_count == 6 || (bits & ((1u << bit_count) - 1)) != 0) return std::nullopt;
  return bytes;
}

}  // namespace

std::string base64_encode(std::string_view bytes) {
  std::string text;
  append_base64(text, bytes);
  return text;
}

void append_base64(std::string& out, std::string_view bytes) {
  append_letters(out, bytes, kAlphabet);
}

std::optional<std::string> base64_decode(std::string_view text) {
  if (text.size() % 4 != 0) return std::nullopt;
  for (int padding = 0; padding < 2 && text.ends_with('='); ++padding) text.remove_suffix(1);
  return read_letters(text, kValues);
}

std::string base64url_encode(std::string_view bytes) {
  std::string text;
  append_letters(text, bytes, kUrlAlphabet);
  while (text.ends_with('=')) text.pop_back();
  return text;
}

std::optional<std::string> base64url_decode(std::string_view text) {
  return read_letters(text, kUrlValues);
}

}  // namespace carillon
