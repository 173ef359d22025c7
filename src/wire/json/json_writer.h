// Writing JSON (RFC 8259): every answer of the server is made with this.
//
// The writer appends to a string it borrows and keeps no state of its own: whether a comma is due is seen from the last byte
// written, for no complete JSON value ends in `{`, `[`, `,` or `:`. The caller opens and closes in the right order.
#pragma once

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace carillon {

// Appends the text as a JSON string, quotes included. Only what must be escaped is (`"`, `\`, U+0000 to U+001F); each
// maximal piece of invalid UTF-8 becomes one U+FFFD, so that the output is always valid.
void append_json_string(std::string& out, std::string_view text);

class JsonWriter {
 public:
  explicit JsonWriter(std::string& out) : out_(out), start_(out.size()) {}

  JsonWriter& begin_object();
  JsonWriter& end_object();
  JsonWriter& begin_array();
  JsonWriter& end_array();
  JsonWriter& key(std::string_view name);

  JsonWriter& string(std::string_view text);
  template <std::integral T>
  requires(!std::same_as<T, bool>) JsonWriter& number(T value) {
    if constexpr (std::signed_integral<T>) {
      return signed_number(value);
    } else {
      return unsigned_number(value);
    }
  }
  // The shortest text that reads back as the same number; null when it is not finite, for JSON has no word for that.
  JsonWriter& number(double value);
  JsonWriter& boolean(bool value);
  JsonWriter& null();
  // A complete JSON value, written as it is.
  JsonWriter& raw(std::string_view json);
  // The members of a complete JSON object (`{…}` without outer blanks), written into the object that is open.
  JsonWriter& members(std::string_view object);

 private:
  void separate();
  JsonWriter& signed_number(std::int64_t value);
  JsonWriter& unsigned_number(std::uint64_t value);

  std::string& out_;
  std::size_t start_;
};

}  // namespace carillon
