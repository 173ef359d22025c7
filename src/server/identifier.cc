#include "server/identifier.h"

#include <optional>
#include <string>
#include <utility>

namespace carillon {
namespace {

bool takes_claimed_users(const ServerOptions& options, bool on_loopback) {
  switch (options.auth.claimed_users) {
    case ClaimedUsers::kLoopback: return options.auth.jwt_secrets.empty() && on_loopback;
    case ClaimedUsers::kAlways: return true;
    case ClaimedUsers::kNever: break;
  }
  return false;
}

// `?user=` or `?user_id=`; empty: none.
std::string claimed_user(const HttpRequest& request) {
  if (request.query.empty()) return {};
  for (const char* const name : {"user", "user_id"}) {
    auto value = request.query_value(name);
    if (value && !value->empty()) return *std::move(value);
  }
  return {};
}

}  // namespace

IdentifierOptions identifier_options(const ServerOptions& options, bool on_loopback) {
  const AuthOptions& auth = options.auth;
  return {.jwt = {.secrets = auth.jwt_secrets,
                  .leeway_ms = auth.jwt_leeway.count(),
                  .issuer = auth.jwt_issuer,
                  .audience = auth.jwt_audience},
          .require_token = auth.require_token,
          .take_claimed_users = takes_claimed_users(options, on_loopback),
          .trust_this_machine = options.api_key.empty() && auth.jwt_secrets.empty(),
          .only_this_machine = on_loopback};
}

Identifier::Identifier(IdentifierOptions options, const ApiAccess& access, const Clock& clock)
    : options_(std::move(options)), access_(access), clock_(clock) {}

Result<IdentityPtr> Identifier::identify(const Exchange& exchange, std::string_view token) const {
  const ShownToken shown = shown_token(exchange.request(), token);
  if (!shown.in_query && access_.is_key(shown.text)) return trusted_;
  if (!shown.text.empty() && !options_.jwt.secrets.empty()) return read_token(shown.text);
  return without_token(exchange);
}

Result<IdentityPtr> Identifier::read_token(std::string_view token) const {
  Result<Jwt> read = read_jwt(token, options_.jwt, clock_.unix_ms());
  if (!read) return read.error();
  return std::make_shared<const Identity>(Identity{.user = std::move(read->user),
                                                   .verified = true,
                                                   .expires_at_ms = read->expires_at_ms,
                                                   .claims = std::make_shared<const std::string>(std::move(read->claims))});
}

Result<IdentityPtr> Identifier::without_token(const Exchange& exchange) const {
  if (options_.require_token) {
    return Error{ErrorKind::kUnauthorized, options_.jwt.secrets.empty()
                                               ? "this needs the API key: Authorization: Bearer <key>"
                                               : "this needs a token: Authorization: Bearer <token>, or the parameter `token`"};
  }
  const bool trusted = options_.trust_this_machine && (options_.only_this_machine || exchange.peer().loopback);
  std::string user = options_.take_claimed_users ? claimed_user(exchange.request()) : std::string();
  if (user.empty()) return trusted ? trusted_ : IdentityPtr();
  if (const Result<void> checked = check_user_name(user); !checked) return checked.error();
  return std::make_shared<const Identity>(Identity{.user = std::move(user), .trusted = trusted});
}

}  // namespace carillon
