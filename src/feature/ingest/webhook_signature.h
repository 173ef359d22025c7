// Is a delivery's body really from who knows the secret? HMAC-SHA256 (RFC 2104), compared in constant time. Any thread.
#pragma once

#include <span>
#include <string>
#include <string_view>

namespace carillon {

// The hexadecimal HMAC-SHA256 of the body, in lower case.
std::string webhook_signature(std::string_view secret, std::string_view body);

// `signature` is a header's value: GitHub's "sha256=<64 hexadecimal digits>" (X-Hub-Signature-256) or Gitea's bare digits
// (X-Gitea-Signature), in either case. Anything else is no signature. True when any secret made it: there are several while
// one is being replaced by another.
bool verify_webhook_signature(std::span<const std::string> secrets, std::string_view body, std::string_view signature);

}  // namespace carillon
