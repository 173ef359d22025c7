#include "base/utf8.h"

#include <algorithm>

#include <cstring>

namespace carillon {

bool Utf8Checker::feed(std::string_view piece) {
  const auto* at = reinterpret_cast<const unsigned char*>(piece.data());
  const auto* const end = at + piece.size();
  while (at < end) {
    if (left_ > 0) {
      if (*at < next_low_ || *at > next_high_) return false;
      next_low_ = 0x80;
      next_high_ = 0xBF;
      --left_;
      ++at;
      continue;
    }
    std::uint64_t eight;
    while (end - at >= 8 && (std::memcpy(&eight, at, 8), (eight & 0x8080808080808080u) == 0)) at += 8;
    if (at == end) break;
    const unsigned char lead = *at++;
    if (lead < 0x80) continue;
    if (lead < 0xC2 || lead > 0xF4) return false;
    left_ = lead < 0xE0 ? 1 : lead < 0xF0 ? 2 : 3;
    // RFC 3629, section 4: these leads narrow the second byte (overlong forms, surrogates, the end of Unicode).
    if (lead == 0xE0) next_low_ = 0xA0;
    if (lead == 0xED) next_high_ = 0x9F;
    if (lead == 0xF0) next_low_ = 0x90;
    if (lead == 0xF4) next_high_ = 0x8F;
  }
  return true;
}

bool is_utf8(std::string_view text) {
  Utf8Checker checker;
  return checker.feed(text) && checker.complete();
}

void append_utf8(std::string& out, std::uint32_t code) {
  const auto push = [&out](std::uint32_t byte) { out += static_cast<char>(byte); };
  if (code < 0x80) return push(code);
  if (code < 0x800) {
    push(0xC0 | code >> 6);
  } else {
    if (code < 0x10000) {
      push(0xE0 | code >> 12);
    } else {
      push(0xF0 | code >> 18);
      push(0x80 | (code >> 12 & 0x3F));
    }
    push(0x80 | (code >> 6 & 0x3F));
  }
  push(0x80 | (code & 0x3F));
}

std::string readable_utf8(std::string_view text) {
  std::string out;
  while (!text.empty()) {
    Utf8Checker checker;
    std::size_t size = 0;
    bool whole = false;
    while (!whole && size < text.size() && checker.feed(text.substr(size, 1))) {
      ++size;
      whole = checker.complete();
    }
    out += whole ? text.substr(0, size) : "\xEF\xBF\xBD";
    text.remove_prefix(whole ? size : std::max<std::size_t>(1, size));
  }
  return out;
}

}  // namespace carillon
