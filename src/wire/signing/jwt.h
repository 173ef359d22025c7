// JSON Web Tokens (RFC 7519) in the compact form (RFC 7515, section 3.1), signed with HMAC-SHA256 ("HS256", RFC 7518, section
// 3.2). No other algorithm is read, least of all "none": a token never chooses how it is checked. Pure functions; any thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "carillon/result.h"

namespace carillon {

// A longer token is refused unread.
inline constexpr std::size_t kJwtBytesMax = 8 * 1024;
// RFC 7518, section 3.2: a key is at least as long as the digest.
inline constexpr std::size_t kJwtSecretBytesMin = 32;
// Of `sub`; a longer one is refused.
inline constexpr std::size_t kUserBytesMax = 255;

// What is asked of a token.
struct JwtRules {
  std::vector<std::string> secrets;  // Signed with any of them: several while one is being replaced.
  std::int64_t leeway_ms = 0;        // How far the clock of who made the token may be off.
  std::string issuer;                // What `iss` must be; empty: not looked at.
  std::string audience;              // What `aud` must be or hold; empty: not looked at.
};

struct Jwt {
  std::string user;                // `sub`.
  std::string claims;              // All claims, the JSON object as it was signed.
  std::int64_t expires_at_ms = 0;  // Unix time from which the token is refused, the leeway counted in; 0: never.
};

// Every error is kUnauthorized; its text says which fault it was, in the order of the checks: malformed, another algorithm,
// signed with another secret, expired, not valid yet, from another issuer, for another audience, without a user. Nothing of a
// token that is not signed is read but its header.
Result<Jwt> read_jwt(std::string_view token, const JwtRules& rules, std::int64_t now_unix_ms);

// The payload of a signed token, whatever it is. Errors as above, up to the signature.
Result<std::string> open_jws(std::string_view token, std::span<const std::string> secrets);

// The token of these claims, one JSON object.
std::string sign_jwt(std::string_view claims, std::string_view secret);

// Says what is wrong with a user's name, or nothing: 1 to kUserBytesMax bytes of UTF-8 without control characters.
Result<void> check_user_name(std::string_view user);

}  // namespace carillon
