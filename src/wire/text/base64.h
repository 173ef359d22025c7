// Base64 (RFC 4648, section 4): the standard alphabet, with padding.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace carillon {

std::string base64_encode(std::string_view bytes);
void append_base64(std::string& out, std::string_view bytes);

// Strict: no white space, padding exactly as needed, unused bits zero. So each value has one text, and only that one is read.
std::optional<std::string> base64_decode(std::string_view text);

}  // namespace carillon
