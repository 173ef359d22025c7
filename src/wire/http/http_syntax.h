// The small grammar that every part of this room shares: tokens, list elements, texts without regard to case.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace carillon {

// RFC 9110 section 5.6.2: what methods, field names and codings are made of.
bool is_http_token_char(char c);
bool is_http_token(std::string_view text);

inline bool is_http_space(char c) {
  return c == ' ' || c == '\t';
}
inline bool is_ascii_digit(char c) {
  return c >= '0' && c <= '9';
}
// 0 to 15, or -1 for what is no hexadecimal digit.
int hex_digit_value(char c);

bool equal_ignoring_case(std::string_view a, std::string_view b);
std::string_view trim_http_space(std::string_view text);
// Takes the text up to the next comma off the front of `list`, trimmed; empty elements come out as they are.
std::string_view take_list_element(std::string_view& list);

// Digits and nothing else, no sign, at most 2^64 - 1 (RFC 9110 section 8.6).
std::optional<std::uint64_t> read_content_length(std::string_view text);

}  // namespace carillon
