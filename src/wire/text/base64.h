// Base64 (RFC 4648): with the standard alphabet and padding (section 4), or for URLs and without (section 5).
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace carillon {

std::string base64_encode(std::string_view bytes);
void append_base64(std::string& out, std::string_view bytes);

// Strict: no white space, padding exactly as needed, unused bits zero. So each value has one text, and only that one is read.
std::optional<std::string> base64_decode(std::string_view text);

// With `-` and `_` for `+` and `/`, and no padding: what JOSE calls base64url (RFC 7515, section 2). As strict.
std::string base64url_encode(std::string_view bytes);
std::optional<std::string> base64url_decode(std::string_view text);

}  // namespace carillon
