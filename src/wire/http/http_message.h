// HTTP/1.1 requests and responses as values (RFC 9110, RFC 9112).
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace carillon {

// Field lines in their order. Names compare without regard to ASCII case. All of them lie in one piece of memory, one behind
// the other; what is given out are views of it, valid until something is added or set.
class HttpHeaders {
 public:
  using Field = std::pair<std::string, std::string>;  // For lists of fields that somebody keeps.
  using FieldView = std::pair<std::string_view, std::string_view>;
  class Fields;

  // Room for so many bytes of names and values together.
  void reserve(std::size_t fields, std::size_t bytes) { text_.reserve(bytes + fields * sizeof(Sizes)); }
  // Neither text may lie in these headers.
  void add(std::string_view name, std::string_view value);
  // Replaces all fields of the name by one.
  void set(std::string_view name, std::string_view value);
  // Leaves none, and keeps the memory if it is no more than that.
  void clear(std::size_t bytes_kept);
  std::size_t capacity() const { return text_.capacity(); }  // Bytes.
  // The first field of the name.
  std::optional<std::string_view> find(std::string_view name) const;
  bool has(std::string_view name) const { return find(name).has_value(); }
  // The first field's value, or an empty text.
  std::string_view get(std::string_view name) const { return find(name).value_or(std::string_view()); }
  std::size_t count(std::string_view name) const;
  // Whether a comma-separated field (`Connection`, `Upgrade`) holds the token; all fields of the name count.
  bool has_token(std::string_view name, std::string_view token) const;
  // To be walked: a range of FieldView.
  Fields fields() const;

 private:
  // Ahead of each name and value.
  struct Sizes {
    std::uint32_t name;
    std::uint32_t value;
  };

  std::string text_;
};

class HttpHeaders::Fields {
 public:
  class Iterator {
   public:
    explicit Iterator(const char* at) : at_(at) {}
    FieldView operator*() const {
      const Sizes sizes = here();
      const char* const name = at_ + sizeof(Sizes);
      return {{name, sizes.name}, {name + sizes.name, sizes.value}};
    }
    Iterator& operator++() {
      const Sizes sizes = here();
      at_ += sizeof(Sizes) + sizes.name + sizes.value;
      return *this;
    }
    bool operator==(const Iterator&) const = default;

   private:
    Sizes here() const {
      Sizes sizes;
      std::memcpy(&sizes, at_, sizeof sizes);
      return sizes;
    }

    const char* at_;
  };

  explicit Fields(std::string_view text) : text_(text) {}
  Iterator begin() const { return Iterator(text_.data()); }
  Iterator end() const { return Iterator(text_.data() + text_.size()); }
  std::size_t size() const;
  // Of its own, for who keeps it.
  std::vector<Field> copy() const;

 private:
  std::string_view text_;
};

inline HttpHeaders::Fields HttpHeaders::fields() const {
  return Fields(text_);
}

struct HttpRequest {
  std::string method;  // As sent: "GET".
  std::string target;  // As sent: "/api/events?channel=a".
  std::string path;    // Percent-decoded, without the query; begins with '/', or is "*" (OPTIONS only).
  std::string query;   // As sent, without '?'.
  int minor_version = 1;
  HttpHeaders headers;
  std::string body;        // Whole, transfer coding removed.
  bool keep_alive = true;  // What the client wants, by version and Connection.

  // As a new one, but that the longer texts keep the memory that they have, a few kilobytes at most, for the next request.
  void reset();
  // Whether that gives memory back.
  bool is_large() const;
  void swap(HttpRequest& other);

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
