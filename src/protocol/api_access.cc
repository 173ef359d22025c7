#include "protocol/api_access.h"

#include <openssl/crypto.h>

#include <algorithm>

#include "protocol/identify.h"
#include "wire/http/http_syntax.h"

namespace carillon {
namespace {

// "localhost:8080" → "localhost", "[::1]:8080" → "[::1]".
std::string_view without_port(std::string_view host) {
  const std::size_t bracket = host.find(']');
  if (bracket != std::string_view::npos) return host.substr(0, bracket + 1);
  return host.substr(0, host.find(':'));
}

// By its name alone. 127.0.0.0/8 as an address only: 127.example.com may be anybody.
bool is_loopback_host(std::string_view host) {
  host = without_port(host);
  if (host == "[::1]") return true;
  if (equal_ignoring_case(host, "localhost")) return true;
  constexpr std::string_view kBelow = ".localhost";
  if (host.size() > kBelow.size() && equal_ignoring_case(host.substr(host.size() - kBelow.size()), kBelow)) return true;
  return host.starts_with("127.") &&
         std::all_of(host.begin(), host.end(), [](char c) { return is_ascii_digit(c) || c == '.'; });
}

Error forbidden(std::string_view why) {
  return {ErrorKind::kForbidden,
          std::string(why) + "; without a configured API key only clients on this machine are answered (set auth.api_key)"};
}

}  // namespace

Result<void> ApiAccess::check(const Exchange& exchange) const {
  const HttpRequest& request = exchange.request();
  if (has_key()) {
    if (shows_key(request)) return {};
    if (!request.headers.has("Authorization")) {
      return Error{ErrorKind::kUnauthorized, "this needs the API key: Authorization: Bearer <key>"};
    }
    return Error{ErrorKind::kUnauthorized, "the API key is wrong"};
  }
  if (!exchange.peer().loopback) return forbidden("the request comes from another machine");
  // A proxy on this machine speaks for clients that are not.
  if (request.headers.has("Forwarded") || request.headers.has("X-Forwarded-For")) {
    return forbidden("the request came through a proxy");
  }
  const std::string_view host = request.headers.get("Host");
  if (!host.empty() && !is_loopback_host(host)) return forbidden("the request's Host is not a name of this machine's own");
  const std::optional<std::string_view> origin = request.headers.find("Origin");
  if (origin && !is_allowed_origin(*origin)) return forbidden("the request's Origin is not allowed");
  return {};
}

bool ApiAccess::shows_key(const HttpRequest& request) const {
  const ShownToken shown = shown_token(request);
  return !shown.in_query && is_key(shown.text);
}

bool ApiAccess::is_key(std::string_view shown) const {
  return has_key() && shown.size() == api_key_.size() && CRYPTO_memcmp(shown.data(), api_key_.data(), shown.size()) == 0;
}

bool ApiAccess::is_allowed_origin(std::string_view origin) const {
  const bool listed = std::any_of(origins_.begin(), origins_.end(), [origin](const std::string& allowed) {
    return allowed == "*" || equal_ignoring_case(allowed, origin);
  });
  const std::size_t scheme_end = origin.find("://");
  return listed || (scheme_end != std::string_view::npos && is_loopback_host(origin.substr(scheme_end + 3)));
}

}  // namespace carillon
