#include "client/client_url.h"

#include <fmt/core.h>

#include <charconv>

#include "wire/http/http_target.h"

namespace carillon {

std::string ClientUrl::authority() const {
  return host.find(':') == std::string::npos ? fmt::format("{}:{}", host, port) : fmt::format("[{}]:{}", host, port);
}

Result<ClientUrl> parse_client_url(std::string_view text) {
  const auto wrong = [&](std::string_view why) {
    return Error{ErrorKind::kInvalid, fmt::format("`{}` {}; write a URL such as http://127.0.0.1:8080", text, why)};
  };
  const std::size_t scheme_end = text.find("://");
  if (scheme_end == std::string_view::npos) return wrong("has no http://");
  const std::string_view scheme = text.substr(0, scheme_end);
  if (scheme == "https" || scheme == "wss") return wrong("asks for TLS, which this program does not speak");
  if (scheme != "http" && scheme != "ws") return wrong("begins with neither http:// nor ws://");

  std::string_view rest = text.substr(scheme_end + 3);
  if (rest.find_first_of("?#") != std::string_view::npos) return wrong("holds a query or a fragment");
  const std::string_view authority = rest.substr(0, rest.find('/'));
  if (!is_http_host(authority)) return wrong("names no host");

  ClientUrl url;
  rest.remove_prefix(authority.size());
  while (rest.ends_with('/')) rest.remove_suffix(1);
  for (const char character : rest) {
    if (character <= 0x20 || character >= 0x7F) return wrong("holds what no path may");
  }
  url.base_path = std::string(rest);

  std::string_view host = authority;
  std::string_view port;
  if (host.starts_with('[')) {
    const std::size_t close = host.find(']');
    port = host.substr(close + 1);
    host = host.substr(1, close - 1);
  } else if (const std::size_t colon = host.find(':'); colon != std::string_view::npos) {
    port = host.substr(colon);
    host = host.substr(0, colon);
  }
  if (host.empty()) return wrong("names no host");
  url.host = std::string(host);
  if (port.empty()) return url;
  port.remove_prefix(1);
  const auto [end, error] = std::from_chars(port.data(), port.data() + port.size(), url.port);
  if (error != std::errc() || end != port.data() + port.size() || url.port == 0) return wrong("has no port from 1 to 65535");
  return url;
}

std::string percent_encoded(std::string_view text) {
  constexpr std::string_view kPlain = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~";
  std::string out;
  for (const char character : text) {
    if (kPlain.find(character) != std::string_view::npos) {
      out += character;
    } else {
      out += fmt::format("%{:02X}", static_cast<unsigned char>(character));
    }
  }
  return out;
}

}  // namespace carillon
