// UTF-8 (RFC 3629), checked whole or piece by piece, and written. No overlong forms, no surrogates, nothing above U+10FFFF.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace carillon {

bool is_utf8(std::string_view text);

// Of a code point that is none of the above.
void append_utf8(std::string& out, std::uint32_t code);

// The text for people: each maximal piece of it that begins no character becomes one U+FFFD.
std::string readable_utf8(std::string_view text);

// For a text that arrives in pieces: says at the first byte that cannot be, wherever the pieces are cut.
class Utf8Checker {
 public:
  // False: the text so far cannot begin any valid text. The checker must not be fed again.
  bool feed(std::string_view piece);
  // True when no sequence is cut off in the middle.
  bool complete() const { return left_ == 0; }

 private:
  std::uint8_t left_ = 0;         // Continuation bytes still to come.
  std::uint8_t next_low_ = 0x80;  // The range of the next one.
  std::uint8_t next_high_ = 0xBF;
};

}  // namespace carillon
