#include "protocol/phoenix/phoenix_door.h"

#include <algorithm>

#include "base/log.h"
#include "base/utf8.h"
#include "wire/http/http_syntax.h"
#include "wire/text/base64.h"

namespace carillon {
namespace {

constexpr std::string_view kTokenProtocol = "base64url.bearer.phx.";

std::optional<std::string> decode_any_base64(std::string_view text) {
  std::string standard(text.substr(0, text.find_last_not_of('=') + 1));
  std::ranges::replace(standard, '-', '+');
  std::ranges::replace(standard, '_', '/');
  standard.append((4 - standard.size() % 4) % 4, '=');
  return base64_decode(standard);
}

// The element of a comma-separated field that begins so, without that beginning; empty when there is none.
std::string_view find_element(const HttpHeaders& headers, std::string_view name, std::string_view begins) {
  for (const auto& [field, value] : headers.fields()) {
    if (!equal_ignoring_case(field, name)) continue;
    for (std::string_view list = value; !list.empty();) {
      const std::string_view element = take_list_element(list);
      if (element.starts_with(begins)) return element.substr(begins.size());
    }
  }
  return {};
}

}  // namespace

Result<std::string> phoenix_auth_token(const HttpRequest& request) {
  const std::string_view encoded = find_element(request.headers, "Sec-WebSocket-Protocol", kTokenProtocol);
  if (encoded.empty()) return std::string(request.headers.get("X-Phoenix-AuthToken"));
  std::optional<std::string> token = decode_any_base64(encoded);
  if (!token) return Error{ErrorKind::kUnauthorized, "the subprotocol's token is no Base64"};
  return *std::move(token);
}

Result<PhoenixOpening> PhoenixDoor::open(const Exchange& exchange) {
  Result<PhoenixOpening> opening = look(exchange);
  if (!opening && log_.may_write(loop_.now())) {
    log_info("phoenix connection refused: peer={} reason=\"{}\" others_unlogged={}", exchange.peer().text, opening.error().text,
             log_.take_left_out());
  }
  return opening;
}

Result<PhoenixOpening> PhoenixDoor::look(const Exchange& exchange) const {
  const HttpRequest& request = exchange.request();
  const Result<PhoenixVersion> version = phoenix_version(request.query_value("vsn"));
  if (!version) return version.error();
  const Result<std::string> token = phoenix_auth_token(request);
  if (!token) return token.error();
  Result<IdentityPtr> identity = identify_(exchange, *token);
  if (!identity) return identity.error();
  PhoenixOpening opening;
  opening.form = {.version = *version, .names = names_, .positions = request.query_value("positions") == "true"};
  opening.identity = *std::move(identity);
  opening.user_agent = request.headers.get("User-Agent");
  opening.presence_key = request.query_value("presence_key").value_or("");
  if (!is_utf8(opening.presence_key)) opening.presence_key.clear();
  return opening;
}

}  // namespace carillon
