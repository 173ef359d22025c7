// HTTP/1.1 requests and responses as values (RFC 9110, RFC 9112).
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace carillon {

// Field lines in their order. Names compare without regard to ASCII case.
class HttpHeaders {
 public:
  using Field = std::pair<std::string, std::string>;

  void reserve(std::size_t count) { fields_.reserve(count); }
  void add(std::string name, std::string value) { fields_.emplace_back(std::move(name), std::move(value)); }
  // Replaces all fields of the name by one.
  void set(std::string_view name, std::string value);
  // The first field of the name; null when there is none.
  const std::string* find(std::string_view name) const;
  // The first field's value, or an empty text.
  std::string_view get(std::string_view name) const;
  std::size_t count(std::string_view name) const;
  // Whether a comma-separated field (`Connection`, `Upgrade`) holds the token; all fields of the name count.
  bool has_token(std::string_view name, std::string_view token) const;
  const std::vector<Field>& fields() const { return fields_; }

 private:
  std::vector<Field> fields_;
};

struct HttpRequest {
  std::string method;  // As sent: "GET".
  std::string target;  // As sent: "/api/events?channel=a".
  std::string path;    // Percent-decoded, without the query; begins with '/', or is "*" (OPTIONS only).
  std::string query;   // As sent, without '?'.
  int minor_version = 1;
  HttpHeaders headers;
  std::string body;        // Whole, transfer coding removed.
  bool keep_alive = true;  // What the client wants, by version and Connection.

  // A query parameter, form-decoded ('+' is a space); the first, or all of that name in their order.
  std::optional<std::string> query_value(std::string_view name) const;
  std::vector<std::string> query_values(std::string_view name) const;
};

struct HttpResponse {
  int status = 200;
  HttpHeaders headers = {};  // Content-Length, Connection and Date are added when it is written.
  std::string body = {};

  static HttpResponse json(int status, std::string body);
  static HttpResponse text(int status, std::string body);
  // {"error":{"code":"…","message":"…"}}, the shape of every error of the HTTP API.
  static HttpResponse error(int status, std::string_view code, std::string_view message);
};

// "Not Found" for 404; "Unknown" for a number that has no phrase.
std::string_view http_reason(int status);

}  // namespace carillon
