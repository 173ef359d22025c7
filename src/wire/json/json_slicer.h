// The JSON reader of the message path: one pass that validates a whole document (RFC 8259, strictly) and gives spans of
// it, so that a payload is forwarded as it came, without being written again.
//
// A slicer is used on one thread and by one caller at a time; steady use allocates nothing. The text belongs to the
// caller and must outlive the spans; what the slicer itself lends (the lists, keys that had escapes) lives until its
// next call. A nested value is sliced by giving its text to a second slicer.
//
// Strict means: UTF-8 checked inside strings (RFC 3629), no byte order mark, no control characters in strings, escaped
// surrogates only in pairs, the number grammar exact but of any size and precision, nothing but whitespace around the
// value. Names of an object need not differ (RFC 8259, section 4): all members are given in their order and the caller
// judges.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "carillon/result.h"

namespace carillon {

enum class JsonType : std::uint8_t { kNull, kFalse, kTrue, kNumber, kString, kArray, kObject };

struct JsonSpan {
  JsonType type = JsonType::kNull;
  std::string_view text;  // The value's bytes as they came, quotes or brackets included, whitespace around them not.
};

struct JsonMember {
  std::string_view key;  // Decoded.
  JsonSpan value;
};

// The root and what is directly inside it.
struct JsonDocument {
  JsonSpan root;
  std::span<const JsonMember> members;  // Of a root that is an object.
  std::span<const JsonSpan> items;      // Of a root that is an array.

  // The first member of that name; null when there is none.
  const JsonSpan* find(std::string_view key) const;
};

// What is wrong with a document and where. Texts and positions are those of serde_json where it has one for the case,
// because the clients of guts have seen them: line and column say how far one had to read, so they name the byte that
// cannot be, counted in bytes from 1, and at an early end the last byte there is (column 0 if that ended a line).
struct JsonFault {
  std::string text;
  std::size_t offset = 0;  // Of the byte that cannot be; the document's size at an early end.
  std::size_t line = 1;
  std::size_t column = 0;

  std::string describe() const;  // "expected value at line 1 column 5"
};

// For callers who find their own fault at a place of a valid document (a member that may not be there, say).
JsonFault json_fault(std::string text, std::string_view document, std::size_t offset);

struct JsonKey;
struct JsonScan;

class JsonSlicer {
 public:
  struct Options {
    // Arrays and objects open at once; one more is a fault ("recursion limit exceeded"). Costs a byte each.
    std::size_t depth_max = 128;
    // Members or items of the root; one more is a fault ("too many members or items"). Bounds the lists, which are up
    // to twelve times as large as the text. `check` keeps no lists and has no such limit.
    std::size_t entries_max = 65536;
  };

  JsonSlicer() : JsonSlicer(Options{}) {}
  explicit JsonSlicer(Options options);
  JsonSlicer(const JsonSlicer&) = delete;
  JsonSlicer& operator=(const JsonSlicer&) = delete;

  // Validates all of the text and gives the root's members or items. The error is kInvalid with the fault described.
  Result<JsonDocument> slice(std::string_view text);
  // Validates only, and gives the root.
  Result<JsonSpan> check(std::string_view text);
  // The fault behind the last error.
  const JsonFault& fault() const { return fault_; }

 private:
  bool walk(JsonScan scan, JsonSpan& root);
  const char* read_root(JsonScan& scan, JsonSpan& root);
  const char* read_list(JsonScan& scan, const char* at);
  bool keep_entry(JsonScan& scan, JsonKey key, JsonSpan value);
  void decode_keys();
  void forget();

  Options options_;
  std::vector<char> open_;  // The opening brackets of what is open, outermost first.
  std::vector<JsonMember> members_;
  std::vector<JsonSpan> items_;
  std::vector<std::size_t> escaped_keys_;  // Indices of the members whose key must be decoded.
  std::string key_text_;                   // The decoded keys.
  JsonFault fault_;
};

// Each takes the text of one value and gives nothing when it is not what is asked for.

// The characters of a string: inside `raw` when it has no escapes, else decoded into `scratch`. Quotes are part of `raw`.
std::optional<std::string_view> json_string(std::string_view raw, std::string& scratch);
std::optional<std::string> decode_json_string(std::string_view raw);
// Whole numbers without fraction or exponent that fit.
std::optional<std::uint64_t> json_u64(std::string_view text);
std::optional<std::int64_t> json_i64(std::string_view text);
// The nearest double; nothing when that would be infinite, or zero for a number that is not.
std::optional<double> json_double(std::string_view text);

}  // namespace carillon
