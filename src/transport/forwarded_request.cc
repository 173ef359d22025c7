#include "transport/forwarded_request.h"

#include <algorithm>
#include <charconv>

#include "protocol/node_forward.h"
#include "wire/http/http_syntax.h"

namespace carillon {
namespace {

// Of one connection (RFC 9110 section 7.6.1), or written anew.
constexpr std::string_view kOfConnection[] = {"Connection",        "Keep-Alive", "Proxy-Connection", "TE",     "Trailer",
                                              "Transfer-Encoding", "Upgrade",    "Content-Length",   "Expect", "Date"};
// Said by every connection of this server.
constexpr std::string_view kOfEveryAnswer[] = {"x-request-id", "Access-Control-Expose-Headers"};

template <class Names>
bool is_one_of(const Names& names, std::string_view name) {
  return std::ranges::any_of(names, [name](std::string_view one) { return equal_ignoring_case(one, name); });
}

void append_field(std::string& out, std::string_view name, std::string_view value) {
  out += name;
  out += ": ";
  out += value;
  out += "\r\n";
}

}  // namespace

std::string forwarded_request(const HttpRequest& request, const PeerAddress& client) {
  std::string out = request.method + ' ' + request.target + " HTTP/1.1\r\n";
  if (!request.headers.has("Host")) append_field(out, "Host", "node");  // HTTP/1.0 has none.
  for (const auto& [name, value] : request.headers.fields()) {
    if (is_one_of(kOfConnection, name) || request.headers.has_token("Connection", name)) continue;
    if (!equal_ignoring_case(name, kForwardedMark)) append_field(out, name, value);
  }
  append_field(out, kForwardedMark, client.text);
  append_field(out, "Content-Length", std::to_string(request.body.size()));
  out += "\r\n";
  return out += request.body;
}

HttpResponse forwarded_answer(HttpResponse answer) {
  HttpResponse out{.status = answer.status};
  for (const auto& [name, value] : answer.headers.fields()) {
    if (is_one_of(kOfConnection, name) || is_one_of(kOfEveryAnswer, name)) continue;
    if (equal_ignoring_case(name, "Vary") && equal_ignoring_case(value, "Origin")) continue;
    out.headers.add(name, value);
  }
  out.body = std::move(answer.body);
  return out;
}

std::optional<DialTarget> read_node_address(std::string_view address) {
  DialTarget target;
  if (address.starts_with("https://")) target.tls.emplace();
  if (!target.tls && !address.starts_with("http://")) return std::nullopt;
  address.remove_prefix(target.tls ? 8 : 7);
  if (address.ends_with('/')) address.remove_suffix(1);
  target.port = target.tls ? 443 : 80;
  const std::size_t bracket = address.starts_with('[') ? address.find(']') : std::string_view::npos;
  const std::size_t colon = address.find(':', bracket == std::string_view::npos ? 0 : bracket);
  if (colon != std::string_view::npos) {
    const std::string_view port = address.substr(colon + 1);
    const auto [end, error] = std::from_chars(port.data(), port.data() + port.size(), target.port);
    if (error != std::errc() || end != port.data() + port.size() || target.port == 0) return std::nullopt;
    address = address.substr(0, colon);
  }
  if (bracket != std::string_view::npos) {
    if (address.size() != bracket + 1) return std::nullopt;
    address = address.substr(1, bracket - 1);
  }
  const bool named = address.find_first_of("/?#@[] \t\r\n") == std::string_view::npos;
  if (address.empty() || !named || (bracket == std::string_view::npos && address.find(':') != std::string_view::npos)) {
    return std::nullopt;
  }
  target.host = address;
  return target;
}

}  // namespace carillon
