#include "base/uuid_text.h"

#include <cstddef>

namespace carillon {
namespace {

constexpr std::string_view kUrn = "urn:uuid:";
constexpr std::size_t kSimpleSize = 32;

int digit_value(char digit) {
  if (digit >= '0' && digit <= '9') return digit - '0';
  if (digit >= 'a' && digit <= 'f') return digit - 'a' + 10;
  if (digit >= 'A' && digit <= 'F') return digit - 'A' + 10;
  return -1;
}

}  // namespace

std::optional<Uuid> parse_uuid(std::string_view text) {
  if (text.starts_with(kUrn)) {
    text.remove_prefix(kUrn.size());
    if (text.size() != Uuid::kTextSize) return std::nullopt;
  } else if (text.size() >= 2 && text.front() == '{' && text.back() == '}') {
    text = text.substr(1, text.size() - 2);
  }
  const bool hyphenated = text.size() == Uuid::kTextSize;
  if (!hyphenated && text.size() != kSimpleSize) return std::nullopt;

  Uuid id;
  std::size_t at = 0;
  for (std::size_t i = 0; i < id.bytes.size(); ++i) {
    if (hyphenated && (i == 4 || i == 6 || i == 8 || i == 10) && text[at++] != '-') return std::nullopt;
    const int high = digit_value(text[at]), low = digit_value(text[at + 1]);
    if (high < 0 || low < 0) return std::nullopt;
    id.bytes[i] = static_cast<std::uint8_t>(high << 4 | low);
    at += 2;
  }
  return id;
}

}  // namespace carillon
