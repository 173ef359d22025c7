#include "protocol/routes/routes.h"

#include <utility>

#include "protocol/http_error.h"
#include "wire/http/http_syntax.h"

namespace carillon {
namespace {

constexpr std::string_view kBearer = "Bearer ";
// The payload of pings.
constexpr std::string_view kPingPayload = "\x01";

// The whole header stands for a token too.
std::string header_token(const HttpRequest& request) {
  const std::string_view header = trim_http_space(request.headers.get("Authorization"));
  const bool bearer = header.size() > kBearer.size() && equal_ignoring_case(header.substr(0, kBearer.size()), kBearer);
  return std::string(bearer ? trim_http_space(header.substr(kBearer.size())) : header);
}

bool wants_websocket(const HttpRequest& request) {
  return request.headers.has_token("Upgrade", "websocket");
}

// Browsers show the page nothing of a refused handshake; other clients read why in these headers.
HttpResponse refused(const Error& error, const HttpRequest& request, bool shown) {
  if (!wants_websocket(request)) return error_response(error);
  HttpResponse response{.status = 401};
  response.headers.set("Sec-WebSocket-Protocol", "close");
  response.headers.set("Sec-WebSocket-Close-Code", "4001");
  response.headers.set("Sec-WebSocket-Close-Reason", shown ? "invalid jwt" : "No token found");
  return response;
}

std::string claim(const JsonDocument& claims, std::string_view name) {
  const JsonSpan* const value = claims.find(name);
  if (value == nullptr) return {};
  return decode_json_string(value->text).value_or("");
}

}  // namespace

RouteUser routes_user(const Identity* identity) {
  RouteUser user;
  if (identity == nullptr) return user;
  user.id = identity->user;
  user.verified = identity->verified;
  user.trusted = identity->trusted;
  if (identity->claims != nullptr) user.claims = *identity->claims;
  JsonSlicer slicer;
  const Result<JsonDocument> claims = slicer.slice(user.claims);
  if (claims) {
    user.email = claim(*claims, "email");
    user.name = claim(*claims, "name");
    user.avatar_url = claim(*claims, "avatar_url");
  }
  if (user.name.empty()) user.name = user.email.empty() ? user.id : user.email;
  return user;
}

void RoutesRoom::add_routes(Routes& routes) {
  for (const std::string& path : {desk_.common().options.path, desk_.common().options.path + "/"}) {
    routes.add("GET", path, [this](ExchangePtr exchange) { accept(std::move(exchange)); });
  }
}

Result<IdentityPtr> RoutesRoom::identify(const Exchange& exchange, const ShownToken& shown, RouteUser& user) {
  const RoutesCommon& common = desk_.common();
  if (shown.text.empty() && common.options.require_token) {
    return Error{ErrorKind::kUnauthorized, "this needs a token: Authorization, or the parameter `authentication`"};
  }
  if (common.hooks.find_user && !shown.text.empty()) {
    if (std::optional<RouteUser> found = common.hooks.find_user(shown.text)) {
      if (found->id.empty()) return Error{ErrorKind::kUnauthorized, "the token is nobody's"};
      user = *std::move(found);
      user.verified = true;
      if (user.name.empty()) user.name = user.email.empty() ? user.id : user.email;
      return std::make_shared<const Identity>(Identity{.user = user.id, .verified = true});
    }
  }
  Result<IdentityPtr> identity = identify_(exchange, shown.in_query ? std::string_view() : std::string_view(shown.text));
  if (identity) user = routes_user(identity->get());
  return identity;
}

void RoutesRoom::accept(ExchangePtr exchange) {
  const HttpRequest& request = exchange->request();
  const ShownToken shown = shown_token(request, header_token(request));
  RoutesStart start;
  start.positions = !request.query.empty() && request.query_value("positions") == "1";
  Result<IdentityPtr> identity = identify(*exchange, shown, start.user);
  if (!identity) return exchange->reply(refused(identity.error(), request, !shown.text.empty()));
  start.identity = *std::move(identity);
  open(std::move(exchange), std::move(start));
}

void RoutesRoom::open(ExchangePtr exchange, RoutesStart start) {
  RoutesCommon& common = desk_.common();
  const HttpRequest& request = exchange->request();
  if (common.hooks.may_connect) {
    const PeerAddress peer = exchange->peer();
    const std::vector<HttpHeaders::Field> headers = request.headers.fields().copy();
    RouteWelcome welcome = common.hooks.may_connect({.user = start.user, .peer = peer.text, .headers = headers});
    if (welcome.refused_status == 401) {
      return exchange->reply(refused({ErrorKind::kUnauthorized, welcome.reason}, request, true));
    }
    if (welcome.refused_status == 402) {
      return exchange->reply(HttpResponse::error(402, "payment_required", welcome.reason));
    }
    if (welcome.refused_status != 0) return exchange->reply(error_response({ErrorKind::kForbidden, welcome.reason}));
    if (welcome.user) {
      // Who it is was decided by what it showed; the hook says more of it.
      welcome.user->id = start.user.id;
      welcome.user->verified = start.user.verified;
      welcome.user->trusted = start.user.trusted;
      start.user = *std::move(welcome.user);
    }
  }
  const std::string user_agent(request.headers.get("User-Agent"));
  start.user_agent = user_agent;
  const RoutesOptions& options = common.options;
  const WebSocketAcceptance acceptance{.message_bytes_max = common.message_bytes_max(),
                                       .heartbeat = WebSocketHeartbeat{.interval = Millis(options.ping_interval),
                                                                       .payload = std::string(kPingPayload),
                                                                       .pong_time = Millis(options.pong_time),
                                                                       .message_time = Millis(options.idle_time)}};
  exchange->accept_websocket(acceptance, [this, &start](Link& link) -> std::unique_ptr<Dialog> {
    auto dialog = std::make_unique<RoutesDialog>(desk_, link, std::move(start));
    desk_.loop().post([this, serial = dialog->serial()] {
      if (RoutesDialog* const there = desk_.find(serial)) there->start();
    });
    return dialog;
  });
}

}  // namespace carillon
