#include "protocol/http_error.h"

#include <utility>

#include "wire/json/json_writer.h"

namespace carillon {

int http_status(ErrorKind kind) {
  switch (kind) {
    case ErrorKind::kInvalid: return 400;
    case ErrorKind::kUnauthorized: return 401;
    case ErrorKind::kForbidden: return 403;
    case ErrorKind::kNotFound: return 404;
    case ErrorKind::kConflict: return 409;
    case ErrorKind::kTooLarge: return 413;
    case ErrorKind::kLimit: return 429;
    case ErrorKind::kUnavailable: return 503;
    case ErrorKind::kCorrupt:
    case ErrorKind::kInternal: break;
  }
  return 500;
}

HttpResponse error_response(const Error& error) {
  std::string body = R"({"error":)";
  append_error_json(body, error);
  body += '}';
  HttpResponse response = HttpResponse::json(http_status(error.kind), std::move(body));
  if (error.kind == ErrorKind::kUnauthorized) response.headers.add("WWW-Authenticate", "Bearer");
  if (error.kind == ErrorKind::kUnavailable) response.headers.add("Retry-After", "1");
  return response;
}

void append_error_json(std::string& out, const Error& error) {
  JsonWriter writer(out);
  writer.begin_object().key("code").string(error_kind_name(error.kind)).key("message").string(error.text).end_object();
}

}  // namespace carillon
