// Request targets (RFC 9112 section 3.2) and hosts (RFC 9110 section 7.2).
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace carillon {

struct HttpTarget {
  std::string_view authority;  // Of the absolute form only.
  std::string path;            // Percent-decoded; "*" for the asterisk form.
  std::string_view query;      // As sent.
};

// Takes the origin form, the absolute form of http and https, and `*` for OPTIONS; nothing for any other text. Refused too:
// a byte that is no visible ASCII, a fragment, user information, a '%' without two hexadecimal digits, and a path with NUL.
// The views lie in `target`.
std::optional<HttpTarget> read_http_target(std::string_view method, std::string_view target);

// uri-host [":" port], not empty. Two things a reg-name may hold are refused: a comma, as it is how two Host fields look when
// someone on the way has joined them, and percent-encoding, as nobody agrees on what it names.
bool is_http_host(std::string_view host);

}  // namespace carillon
