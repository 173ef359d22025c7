#include "server/make_token.h"

#include <fmt/core.h>

#include <algorithm>
#include <set>
#include <string_view>

#include "wire/json/json_slicer.h"
#include "wire/json/json_writer.h"
#include "wire/signing/jwt.h"

namespace carillon {
namespace {

Error invalid(std::string text) {
  return {ErrorKind::kInvalid, std::move(text)};
}

Result<void> check_claims(const TokenCall& call) {
  JsonSlicer slicer;
  std::set<std::string_view> seen = {"sub", "iat", "exp"};
  for (const auto& [name, json] : call.claims) {
    if (name.empty()) return invalid("--claim needs a name: NAME=JSON");
    if (!seen.insert(name).second) return invalid(fmt::format("--claim {}: the token has it already", name));
    const Result<JsonSpan> checked = slicer.check(json);
    if (!checked) {
      return invalid(fmt::format("--claim {}: the value is no JSON ({}); a text is written \"…\", quotes included", name,
                                 checked.error().text));
    }
  }
  return {};
}

std::string claims_json(const AuthOptions& options, const TokenCall& call, std::int64_t now_seconds) {
  const auto has = [&](std::string_view name) {
    return std::any_of(call.claims.begin(), call.claims.end(), [name](const auto& claim) { return claim.first == name; });
  };
  std::string json;
  JsonWriter writer(json);
  writer.begin_object().key("sub").string(call.user).key("iat").number(now_seconds);
  writer.key("exp").number(now_seconds + std::chrono::duration_cast<std::chrono::seconds>(call.lifetime).count());
  if (!options.jwt_issuer.empty() && !has("iss")) writer.key("iss").string(options.jwt_issuer);
  if (!options.jwt_audience.empty() && !has("aud")) writer.key("aud").string(options.jwt_audience);
  for (const auto& [name, value] : call.claims) writer.key(name).raw(value);
  writer.end_object();
  return json;
}

}  // namespace

Result<std::string> make_token(const AuthOptions& options, const TokenCall& call, std::int64_t now_unix_ms) {
  if (options.jwt_secrets.empty()) {
    return invalid("there is no secret to sign with; give auth.jwt_secrets by CARILLON_AUTH_JWT_SECRETS, --config or --secret");
  }
  const std::string& secret = options.jwt_secrets.front();
  if (secret.size() < kJwtSecretBytesMin) {
    return invalid(fmt::format("the secret has {} bytes; HS256 takes {} at least", secret.size(), kJwtSecretBytesMin));
  }
  if (call.lifetime < std::chrono::seconds(1)) return invalid("a token holds for 1s at least");
  if (const Result<void> checked = check_user_name(call.user); !checked) return checked.error();
  if (const Result<void> checked = check_claims(call); !checked) return checked.error();
  std::string token = sign_jwt(claims_json(options, call, now_unix_ms / 1000), secret);
  const JwtRules rules{.secrets = {secret},
                       .leeway_ms = options.jwt_leeway.count(),
                       .issuer = options.jwt_issuer,
                       .audience = options.jwt_audience};
  if (const Result<Jwt> read = read_jwt(token, rules, now_unix_ms); !read) {
    return invalid("the server would refuse it: " + read.error().text);
  }
  return token;
}

}  // namespace carillon
