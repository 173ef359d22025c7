#include "wire/signing/jwt.h"

#include <algorithm>
#include <array>
#include <optional>
#include <utility>

#include "base/utf8.h"
#include "wire/json/json_slicer.h"
#include "wire/signing/hmac_sha256.h"
#include "wire/text/base64.h"

namespace carillon {
namespace {

// As far as numbers of JSON are exact everywhere; later is as good as never.
constexpr double kSecondsMax = 9.0e12;

Error refused(std::string text) {
  return {ErrorKind::kUnauthorized, std::move(text)};
}

Error malformed(std::string_view why) {
  return refused("the token is malformed: " + std::string(why));
}

std::optional<std::array<std::string_view, 3>> split(std::string_view token) {
  const std::size_t first = token.find('.');
  if (first == std::string_view::npos) return std::nullopt;
  const std::size_t second = token.find('.', first + 1);
  if (second == std::string_view::npos || token.find('.', second + 1) != std::string_view::npos) return std::nullopt;
  return std::array{token.substr(0, first), token.substr(first + 1, second - first - 1), token.substr(second + 1)};
}

// A name that stands twice means one thing to us and maybe another to who checked the token before (RFC 7519, section 4).
bool names_differ(const JsonDocument& document) {
  std::vector<std::string_view> names;
  for (const JsonMember& member : document.members) names.push_back(member.key);
  std::sort(names.begin(), names.end());
  return std::adjacent_find(names.begin(), names.end()) == names.end();
}

std::optional<std::string> text_of(const JsonSpan* value) {
  if (value == nullptr || value->type != JsonType::kString) return std::nullopt;
  return decode_json_string(value->text);
}

Result<void> check_header(std::string_view encoded) {
  const std::optional<std::string> text = base64url_decode(encoded);
  if (!text) return malformed("its header is no base64url");
  JsonSlicer slicer;
  const Result<JsonDocument> header = slicer.slice(*text);
  if (!header || header->root.type != JsonType::kObject) return malformed("its header is no JSON object");
  if (!names_differ(*header)) return malformed("a name stands twice in its header");
  if (text_of(header->find("alg")) != "HS256") return refused("the token's `alg` is not HS256");
  // Extensions that must be understood, and are not (RFC 7515, section 4.1.11).
  if (header->find("crit") != nullptr) return refused("the token's `crit` asks for what is not supported");
  return {};
}

// A NumericDate in seconds, maybe with a fraction (RFC 7519, section 2), as milliseconds.
Result<std::optional<std::int64_t>> read_date(const JsonDocument& claims, std::string_view name) {
  const JsonSpan* const value = claims.find(name);
  if (value == nullptr) return std::optional<std::int64_t>();
  const std::optional<double> seconds = value->type == JsonType::kNumber ? json_double(value->text) : std::nullopt;
  if (!seconds) return malformed("its `" + std::string(name) + "` is no number of seconds");
  return std::optional(static_cast<std::int64_t>(std::clamp(*seconds, -kSecondsMax, kSecondsMax) * 1000));
}

std::string seconds_text(std::int64_t ms) {
  return std::to_string((ms + 999) / 1000) + " s";
}

Result<std::int64_t> check_dates(const JsonDocument& claims, std::int64_t leeway_ms, std::int64_t now) {
  const Result<std::optional<std::int64_t>> expires = read_date(claims, "exp");
  if (!expires) return expires.error();
  const Result<std::optional<std::int64_t>> begins = read_date(claims, "nbf");
  if (!begins) return begins.error();
  if (*expires && now >= **expires + leeway_ms) return refused("the token expired " + seconds_text(now - **expires) + " ago");
  if (*begins && now + leeway_ms < **begins)
    return refused("the token is not valid for " + seconds_text(**begins - now) + " yet");
  return *expires ? **expires + leeway_ms : 0;
}

// One text, or a list of which one is ours (RFC 7519, section 4.1.3).
bool is_for(const JsonSpan* audience, std::string_view wanted) {
  if (audience == nullptr) return false;
  if (audience->type != JsonType::kArray) return text_of(audience) == wanted;
  JsonSlicer slicer;
  const Result<JsonDocument> list = slicer.slice(audience->text);
  return list && std::any_of(list->items.begin(), list->items.end(),
                             [wanted](const JsonSpan& item) { return text_of(&item) == wanted; });
}

}  // namespace

Result<std::string> open_jws(std::string_view token, std::span<const std::string> secrets) {
  if (token.size() > kJwtBytesMax) return malformed("it is longer than " + std::to_string(kJwtBytesMax) + " bytes");
  const auto parts = split(token);
  if (!parts) return malformed("it has not three parts with a `.` between them");
  const auto& [header, payload, signature] = *parts;
  if (Result<void> checked = check_header(header); !checked) return checked.error();
  const std::optional<std::string> bytes = base64url_decode(signature);
  HmacDigest digest{};
  if (!bytes || bytes->size() != digest.size()) return malformed("its signature is not 32 bytes of base64url");
  std::copy(bytes->begin(), bytes->end(), digest.begin());
  if (!any_hmac_sha256(secrets, token.substr(0, header.size() + 1 + payload.size()), digest)) {
    return refused("the token's signature is wrong");
  }
  std::optional<std::string> opened = base64url_decode(payload);
  if (!opened) return malformed("its claims are no base64url");
  return *std::move(opened);
}

Result<Jwt> read_jwt(std::string_view token, const JwtRules& rules, std::int64_t now_unix_ms) {
  Result<std::string> payload = open_jws(token, rules.secrets);
  if (!payload) return payload.error();
  JsonSlicer slicer;
  const Result<JsonDocument> claims = slicer.slice(*payload);
  if (!claims || claims->root.type != JsonType::kObject) return malformed("its claims are no JSON object");
  if (!names_differ(*claims)) return malformed("a name stands twice in its claims");
  const Result<std::int64_t> expires = check_dates(*claims, rules.leeway_ms, now_unix_ms);
  if (!expires) return expires.error();
  if (!rules.issuer.empty() && text_of(claims->find("iss")) != rules.issuer) return refused("the token is of another issuer");
  if (!rules.audience.empty() && !is_for(claims->find("aud"), rules.audience)) {
    return refused("the token is for another audience");
  }
  const std::optional<std::string> user = text_of(claims->find("sub"));
  if (!user) return refused("the token names no user: it has no `sub`");
  if (const Result<void> checked = check_user_name(*user); !checked) {
    return refused("the token's `sub` is no user: " + checked.error().text);
  }
  return Jwt{.user = *user, .claims = std::string(claims->root.text), .expires_at_ms = *expires};
}

std::string sign_jwt(std::string_view claims, std::string_view secret) {
  std::string token = base64url_encode(R"({"alg":"HS256","typ":"JWT"})") + "." + base64url_encode(claims);
  const HmacDigest digest = hmac_sha256(secret, token);
  return token + "." + base64url_encode({reinterpret_cast<const char*>(digest.data()), digest.size()});
}

Result<void> check_user_name(std::string_view user) {
  const auto is_control = [](char character) { return static_cast<unsigned char>(character) < 0x20 || character == 0x7F; };
  if (user.empty() || user.size() > kUserBytesMax || !is_utf8(user) || std::any_of(user.begin(), user.end(), is_control)) {
    return Error{ErrorKind::kInvalid,
                 "a user is 1 to " + std::to_string(kUserBytesMax) + " bytes of UTF-8 without control characters"};
  }
  return {};
}

}  // namespace carillon
