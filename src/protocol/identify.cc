#include "protocol/identify.h"

#include "protocol/http_error.h"
#include "wire/http/http_syntax.h"

namespace carillon {
namespace {

constexpr std::string_view kBearer = "Bearer ";

}  // namespace

ShownToken shown_token(const HttpRequest& request, std::string_view token) {
  if (!token.empty()) return {.text = std::string(token)};
  const std::string_view shown = request.headers.get("Authorization");
  if (shown.size() > kBearer.size() && equal_ignoring_case(shown.substr(0, kBearer.size()), kBearer)) {
    return {.text = std::string(trim_http_space(shown.substr(kBearer.size())))};
  }
  if (request.query.empty()) return {};
  for (const char* const name : {"token", "access_token", "authentication"}) {
    auto value = request.query_value(name);
    if (value && !value->empty()) return {.text = *std::move(value), .in_query = true};
  }
  return {};
}

HttpResponse refused_identity(const Error& error, const HttpRequest& request, std::string_view token) {
  HttpResponse response = error_response(error);
  const bool invalid_token = error.kind == ErrorKind::kUnauthorized && !shown_token(request, token).text.empty();
  if (invalid_token) response.headers.set("WWW-Authenticate", R"(Bearer error="invalid_token")");
  return response;
}

}  // namespace carillon
