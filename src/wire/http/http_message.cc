#include "wire/http/http_message.h"

#include <utility>

#include "wire/http/http_syntax.h"

namespace carillon {
namespace {

// What a request that is reset keeps, of its fields and of its body each.
constexpr std::size_t kBytesKept = 2048;
constexpr std::size_t kShortBytesKept = 64;  // Of the texts of the request line.

bool named(const HttpHeaders::FieldView& field, std::string_view name) {
  return equal_ignoring_case(field.first, name);
}

// application/x-www-form-urlencoded. A '%' that begins no escape stands for itself, as in the URL standard; the request
// parser lets none through.
std::string form_decode(std::string_view text) {
  std::string decoded;
  decoded.reserve(text.size());
  for (std::size_t i = 0; i < text.size(); ++i) {
    const int high = text[i] == '%' && i + 2 < text.size() ? hex_digit_value(text[i + 1]) : -1;
    const int low = high >= 0 ? hex_digit_value(text[i + 2]) : -1;
    if (low >= 0) {
      decoded += static_cast<char>(high * 16 + low);
      i += 2;
    } else {
      decoded += text[i] == '+' ? ' ' : text[i];
    }
  }
  return decoded;
}

// Calls `visit` with each value of the name until it returns false.
template <class Visit>
void each_query_value(std::string_view query, std::string_view name, Visit visit) {
  while (!query.empty()) {
    const std::size_t end = query.find('&');
    const std::string_view pair = query.substr(0, end);
    query = end == std::string_view::npos ? std::string_view() : query.substr(end + 1);
    const std::size_t equals = pair.find('=');
    if (pair.empty() || form_decode(pair.substr(0, equals)) != name) continue;
    if (!visit(equals == std::string_view::npos ? std::string() : form_decode(pair.substr(equals + 1)))) return;
  }
}

void append_json_string(std::string& out, std::string_view text) {
  out += '"';
  for (const char c : text) {
    if (c == '"' || c == '\\') {
      out += '\\';
      out += c;
    } else if (static_cast<unsigned char>(c) < 0x20) {
      constexpr char kHex[] = "0123456789abcdef";
      out += "\\u00";
      out += kHex[c >> 4];
      out += kHex[c & 15];
    } else {
      out += c;
    }
  }
  out += '"';
}

}  // namespace

void HttpHeaders::add(std::string_view name, std::string_view value) {
  const Sizes sizes{.name = static_cast<std::uint32_t>(name.size()), .value = static_cast<std::uint32_t>(value.size())};
  const std::size_t begin = text_.size();
  text_.resize(begin + sizeof sizes + name.size() + value.size());
  char* const at = text_.data() + begin;
  std::memcpy(at, &sizes, sizeof sizes);
  name.copy(at + sizeof sizes, name.size());
  value.copy(at + sizeof sizes + name.size(), value.size());
}

void HttpHeaders::set(std::string_view name, std::string_view value) {
  HttpHeaders changed;
  bool is_set = false;
  for (const FieldView field : fields()) {
    if (!named(field, name)) {
      changed.add(field.first, field.second);
    } else if (!std::exchange(is_set, true)) {
      changed.add(field.first, value);
    }
  }
  if (!is_set) changed.add(name, value);
  *this = std::move(changed);
}

void HttpHeaders::clear(std::size_t bytes_kept) {
  if (text_.capacity() > bytes_kept) text_ = {};
  text_.clear();
}

std::optional<std::string_view> HttpHeaders::find(std::string_view name) const {
  for (const FieldView field : fields()) {
    if (named(field, name)) return field.second;
  }
  return std::nullopt;
}

std::size_t HttpHeaders::count(std::string_view name) const {
  std::size_t found = 0;
  for (const FieldView field : fields()) {
    if (named(field, name)) ++found;
  }
  return found;
}

bool HttpHeaders::has_token(std::string_view name, std::string_view token) const {
  for (const FieldView field : fields()) {
    if (!named(field, name)) continue;
    std::string_view list = field.second;
    while (!list.empty()) {
      if (equal_ignoring_case(take_list_element(list), token)) return true;
    }
  }
  return false;
}

std::size_t HttpHeaders::Fields::size() const {
  std::size_t count = 0;
  for (Iterator at = begin(); at != end(); ++at) ++count;
  return count;
}

std::vector<HttpHeaders::Field> HttpHeaders::Fields::copy() const {
  std::vector<Field> fields;
  for (const auto& [name, value] : *this) fields.emplace_back(name, value);
  return fields;
}

bool HttpRequest::is_large() const {
  return method.capacity() > kShortBytesKept || target.capacity() > kShortBytesKept || path.capacity() > kShortBytesKept ||
         query.capacity() > kShortBytesKept || headers.capacity() > kBytesKept || body.capacity() > kBytesKept;
}

void HttpRequest::reset() {
  const auto empty = [](std::string& text, std::size_t bytes_kept) {
    if (text.capacity() > bytes_kept) text = {};
    text.clear();
  };
  for (std::string* const text : {&method, &target, &path, &query}) empty(*text, kShortBytesKept);
  headers.clear(kBytesKept);
  empty(body, kBytesKept);
  minor_version = 1;
  keep_alive = true;
}

void HttpRequest::swap(HttpRequest& other) {
  method.swap(other.method);
  target.swap(other.target);
  path.swap(other.path);
  query.swap(other.query);
  std::swap(headers, other.headers);
  body.swap(other.body);
  std::swap(minor_version, other.minor_version);
  std::swap(keep_alive, other.keep_alive);
}

std::optional<std::string> HttpRequest::query_value(std::string_view name) const {
  std::optional<std::string> found;
  each_query_value(query, name, [&](std::string value) {
    found = std::move(value);
    return false;
  });
  return found;
}

std::vector<std::string> HttpRequest::query_values(std::string_view name) const {
  std::vector<std::string> found;
  each_query_value(query, name, [&](std::string value) {
    found.push_back(std::move(value));
    return true;
  });
  return found;
}

HttpResponse HttpResponse::json(int status, std::string body) {
  HttpResponse response{.status = status, .body = std::move(body)};
  response.headers.add("Content-Type", "application/json");
  return response;
}

HttpResponse HttpResponse::text(int status, std::string body) {
  HttpResponse response{.status = status, .body = std::move(body)};
  response.headers.add("Content-Type", "text/plain; charset=utf-8");
  return response;
}

HttpResponse HttpResponse::error(int status, std::string_view code, std::string_view message) {
  std::string body = R"({"error":{"code":)";
  append_json_string(body, code);
  body += R"(,"message":)";
  append_json_string(body, message);
  body += "}}";
  return json(status, std::move(body));
}

std::string_view http_reason(int status) {
  switch (status) {
    case 100: return "Continue";
    case 101: return "Switching Protocols";
    case 103: return "Early Hints";
    case 200: return "OK";
    case 201: return "Created";
    case 202: return "Accepted";
    case 203: return "Non-Authoritative Information";
    case 204: return "No Content";
    case 205: return "Reset Content";
    case 206: return "Partial Content";
    case 300: return "Multiple Choices";
    case 301: return "Moved Permanently";
    case 302: return "Found";
    case 303: return "See Other";
    case 304: return "Not Modified";
    case 307: return "Temporary Redirect";
    case 308: return "Permanent Redirect";
    case 400: return "Bad Request";
    case 401: return "Unauthorized";
    case 402: return "Payment Required";
    case 403: return "Forbidden";
    case 404: return "Not Found";
    case 405: return "Method Not Allowed";
    case 406: return "Not Acceptable";
    case 407: return "Proxy Authentication Required";
    case 408: return "Request Timeout";
    case 409: return "Conflict";
    case 410: return "Gone";
    case 411: return "Length Required";
    case 412: return "Precondition Failed";
    case 413: return "Content Too Large";
    case 414: return "URI Too Long";
    case 415: return "Unsupported Media Type";
    case 416: return "Range Not Satisfiable";
    case 417: return "Expectation Failed";
    case 421: return "Misdirected Request";
    case 422: return "Unprocessable Content";
    case 425: return "Too Early";
    case 426: return "Upgrade Required";
    case 428: return "Precondition Required";
    case 429: return "Too Many Requests";
    case 431: return "Request Header Fields Too Large";
    case 500: return "Internal Server Error";
    case 501: return "Not Implemented";
    case 502: return "Bad Gateway";
    case 503: return "Service Unavailable";
    case 504: return "Gateway Timeout";
    case 505: return "HTTP Version Not Supported";
    case 507: return "Insufficient Storage";
    default: return "Unknown";
  }
}

}  // namespace carillon
