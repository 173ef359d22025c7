// HMAC-SHA256 (RFC 2104): what webhooks and tokens are signed with. Any thread.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

namespace carillon {

using HmacDigest = std::array<std::uint8_t, 32>;

HmacDigest hmac_sha256(std::string_view secret, std::string_view text);

// Whether any of the secrets made the digest. All are tried, each compared in constant time, so that the time tells neither
// how much was right nor which one it was.
bool any_hmac_sha256(std::span<const std::string> secrets, std::string_view text, const HmacDigest& digest);

}  // namespace carillon
