#include "wire/json/json_slicer.h"

#include <fmt/core.h>

#include <algorithm>
#include <bit>
#include <charconv>
#include <cstring>
#include <utility>

#include "base/utf8.h"

#if defined(__SSE2__)
#include <emmintrin.h>
#endif

namespace carillon {

struct JsonKey {
  std::string_view raw;  // Without the quotes.
  bool escaped = false;
};

// The text being read, and the fault if there is one. The functions on it take a place and give the place behind what they
// read, or null with the fault noted.
struct JsonScan {
  struct Options {
    bool keep_entries = false;
  };
  explicit JsonScan(std::string_view text) : JsonScan(text, Options{}) {}
  JsonScan(std::string_view text, Options options)
      : begin(text.data()), end(begin + text.size()), keeps_entries(options.keep_entries) {}

  const char* const begin;
  const char* const end;
  const bool keeps_entries;
  const char* fault_at = nullptr;
  const char* fault_text = nullptr;

  const char* fail(const char* at, const char* text) {
    fault_at = at;
    fault_text = text;
    return nullptr;
  }

  const char* skip_space(const char* at) const;
  const char* read_scalar(const char* at, JsonType& type);
  const char* read_literal(const char* at, std::string_view literal);
  const char* read_number(const char* at);
  const char* read_string(const char* at, bool& escaped);
  const char* read_escape(const char* at);
  const char* read_key(const char* at, JsonKey& key);
};

namespace {

// What a slicer keeps for the next call; beyond it a rare large document would hold its memory for ever.
constexpr std::size_t kEntriesKept = 1024;
constexpr std::size_t kKeyBytesKept = 16384;

bool is_digit(char c) {
  return c >= '0' && c <= '9';
}

std::uint32_t hex_digit(char c) {
  if (is_digit(c)) return static_cast<std::uint32_t>(c - '0');
  const char lower = static_cast<char>(c | 0x20);
  return lower >= 'a' && lower <= 'f' ? static_cast<std::uint32_t>(lower - 'a' + 10) : 16;
}

// The four digits must be valid.
std::uint32_t hex_four(const char* at) {
  return hex_digit(at[0]) << 12 | hex_digit(at[1]) << 8 | hex_digit(at[2]) << 4 | hex_digit(at[3]);
}

bool is_leading_surrogate(std::uint32_t unit) {
  return unit >= 0xD800 && unit <= 0xDBFF;
}
bool is_trailing_surrogate(std::uint32_t unit) {
  return unit >= 0xDC00 && unit <= 0xDFFF;
}

// A byte of a string that needs a look: the quote, the backslash, control characters, anything but ASCII. As a signed
// number both of the latter are below the space.
bool is_special(char c) {
  return c == '"' || c == '\\' || static_cast<signed char>(c) < 0x20;
}

// Whether one of eight bytes is special; exact, whatever the order of bytes in a word. (Bit tricks as in "Bit Twiddling
// Hacks": the high bit of each byte says that the byte was zero, or below 0x20. They are right for ASCII bytes as long as
// any borrow comes from a byte that is itself special.)
bool any_special(std::uint64_t eight) {
  constexpr std::uint64_t kOnes = 0x0101010101010101u;
  constexpr std::uint64_t kHighs = 0x8080808080808080u;
  const std::uint64_t quote = eight ^ kOnes * '"';
  const std::uint64_t backslash = eight ^ kOnes * '\\';
  return ((eight | (eight - kOnes * 0x20) | (quote - kOnes) | (backslash - kOnes)) & kHighs) != 0;
}

const char* find_special(const char* at, const char* end) {
#if defined(__SSE2__)
  const __m128i quote = _mm_set1_epi8('"');
  const __m128i backslash = _mm_set1_epi8('\\');
  const __m128i space = _mm_set1_epi8(0x20);
  for (; end - at >= 16; at += 16) {
    const __m128i sixteen = _mm_loadu_si128(reinterpret_cast<const __m128i*>(at));
    const __m128i ends = _mm_or_si128(_mm_cmpeq_epi8(sixteen, quote), _mm_cmpeq_epi8(sixteen, backslash));
    const int special = _mm_movemask_epi8(_mm_or_si128(ends, _mm_cmplt_epi8(sixteen, space)));
    if (special != 0) return at + std::countr_zero(static_cast<unsigned>(special));
  }
#endif
  std::uint64_t eight;
  while (end - at >= 8 && (std::memcpy(&eight, at, 8), !any_special(eight))) at += 8;
  while (at < end && !is_special(*at)) ++at;
  return at;
}

// How long the sequence at a byte that is not ASCII is; 0 if there can be none (RFC 3629, section 4).
std::size_t sequence_length(const char* text, const char* end) {
  const auto* at = reinterpret_cast<const unsigned char*>(text);
  const auto left = static_cast<std::size_t>(end - text);
  const auto continues = [at](std::size_t i) { return (at[i] & 0xC0) == 0x80; };
  const unsigned char lead = at[0];
  if (lead < 0xE0) return lead >= 0xC2 && left >= 2 && continues(1) ? 2 : 0;
  if (lead < 0xF0) {
    if (left < 3 || !continues(1) || !continues(2)) return 0;
    if (lead == 0xE0 && at[1] < 0xA0) return 0;  // Overlong.
    if (lead == 0xED && at[1] > 0x9F) return 0;  // Surrogates.
    return 3;
  }
  if (lead > 0xF4 || left < 4 || !continues(1) || !continues(2) || !continues(3)) return 0;
  if (lead == 0xF0 && at[1] < 0x90) return 0;  // Overlong.
  if (lead == 0xF4 && at[1] > 0x8F) return 0;  // Above U+10FFFF.
  return 4;
}

char unescaped(char escape) {
  switch (escape) {
    case 'b': return '\b';
    case 'f': return '\f';
    case 'n': return '\n';
    case 'r': return '\r';
    case 't': return '\t';
    default: return escape;
  }
}

// The inside of a string that is known to be valid.
void append_decoded(std::string_view inside, std::string& out) {
  for (;;) {
    const std::size_t backslash = inside.find('\\');
    out.append(inside.substr(0, backslash));
    if (backslash == std::string_view::npos) return;
    const char* at = inside.data() + backslash + 1;
    std::size_t used = backslash + 2;
    if (*at != 'u') {
      out.push_back(unescaped(*at));
    } else {
      std::uint32_t code = hex_four(at + 1);
      used += 4;
      if (is_leading_surrogate(code)) {  // Its pair follows: RFC 8259, section 7.
        code = 0x10000 + ((code - 0xD800) << 10) + (hex_four(at + 7) - 0xDC00);
        used += 6;
      }
      append_utf8(out, code);
    }
    inside.remove_prefix(used);
  }
}

// Arrays and objects together are called lists here, and told apart by their opening bracket.
char closing(char opening) {
  return opening == '{' ? '}' : ']';
}
JsonType list_type(char opening) {
  return opening == '{' ? JsonType::kObject : JsonType::kArray;
}
const char* list_cut_off(char opening) {
  return opening == '{' ? "EOF while parsing an object" : "EOF while parsing a list";
}

std::string_view between(const char* begin, const char* end) {
  return {begin, static_cast<std::size_t>(end - begin)};
}

template <class T>
std::optional<T> whole_number(std::string_view text) {
  const std::string_view digits = text.substr(text.starts_with('-') ? 1 : 0);
  if (digits.empty() || !is_digit(digits[0]) || (digits[0] == '0' && digits.size() > 1)) return std::nullopt;
  T value{};
  const auto read = std::from_chars(text.data(), text.data() + text.size(), value);
  if (read.ec != std::errc() || read.ptr != text.data() + text.size()) return std::nullopt;
  return value;
}

}  // namespace

const char* JsonScan::skip_space(const char* at) const {
  while (at < end && (*at == ' ' || *at == '\n' || *at == '\r' || *at == '\t')) ++at;
  return at;
}

const char* JsonScan::read_literal(const char* at, std::string_view literal) {
  if (static_cast<std::size_t>(end - at) >= literal.size() && std::memcmp(at, literal.data(), literal.size()) == 0) {
    return at + literal.size();
  }
  for (const char expected : literal) {
    if (at == end) return fail(at, "EOF while parsing a value");
    if (*at != expected) break;
    ++at;
  }
  return fail(at, "expected ident");
}

const char* JsonScan::read_number(const char* at) {
  const auto no_digit = [this](const char* place) {
    return fail(place, place == end ? "EOF while parsing a value" : "invalid number");
  };
  if (*at == '-') ++at;
  if (at == end || !is_digit(*at)) return no_digit(at);
  if (*at++ == '0') {
    if (at < end && is_digit(*at)) return fail(at, "invalid number");
  } else {
    while (at < end && is_digit(*at)) ++at;
  }
  if (at < end && *at == '.') {
    if (++at == end || !is_digit(*at)) return no_digit(at);
    while (at < end && is_digit(*at)) ++at;
  }
  if (at < end && (*at == 'e' || *at == 'E')) {
    if (++at < end && (*at == '+' || *at == '-')) ++at;
    if (at == end || !is_digit(*at)) return no_digit(at);
    while (at < end && is_digit(*at)) ++at;
  }
  return at;
}

// From a backslash.
const char* JsonScan::read_escape(const char* at) {
  if (++at == end) return fail(at, "EOF while parsing a string");
  switch (*at) {
    case '"':
    case '\\':
    case '/':
    case 'b':
    case 'f':
    case 'n':
    case 'r':
    case 't': return at + 1;
    case 'u': break;
    default: return fail(at, "invalid escape");
  }
  const auto read_four = [this](const char* digits) -> const char* {
    for (int i = 0; i < 4; ++i, ++digits) {
      if (digits == end) return fail(digits, "EOF while parsing a string");
      if (hex_digit(*digits) > 15) return fail(digits, "invalid escape");
    }
    return digits;
  };
  const char* const first = at + 1;
  at = read_four(first);
  if (at == nullptr) return nullptr;
  const std::uint32_t unit = hex_four(first);
  if (is_trailing_surrogate(unit)) return fail(at - 1, "lone trailing surrogate in hex escape");
  if (!is_leading_surrogate(unit)) return at;

  if (at == end || (*at == '\\' && at + 1 == end)) return fail(end, "EOF while parsing a string");
  if (*at != '\\') return fail(at, "lone leading surrogate in hex escape");
  if (*++at != 'u') return fail(at, "lone leading surrogate in hex escape");
  const char* const second = at + 1;
  at = read_four(second);
  if (at == nullptr) return nullptr;
  if (!is_trailing_surrogate(hex_four(second))) return fail(at - 1, "lone leading surrogate in hex escape");
  return at;
}

// From behind the opening quote to behind the closing one.
const char* JsonScan::read_string(const char* at, bool& escaped) {
  for (;;) {
    at = find_special(at, end);
    if (at == end) return fail(at, "EOF while parsing a string");
    if (*at == '"') return at + 1;
    if (*at == '\\') {
      escaped = true;
      at = read_escape(at);
      if (at == nullptr) return nullptr;
      continue;
    }
    if (static_cast<unsigned char>(*at) < 0x20) {
      return fail(at, "control character (\\u0000-\\u001F) found while parsing a string");
    }
    // Most scripts put several such characters in a row, so they are not searched for one by one.
    do {
      const std::size_t length = sequence_length(at, end);
      if (length == 0) return fail(at, "invalid unicode code point");
      at += length;
    } while (at < end && static_cast<unsigned char>(*at) >= 0x80);
  }
}

// From where a key must be to where its value begins.
const char* JsonScan::read_key(const char* at, JsonKey& key) {
  if (*at != '"') return fail(at, "key must be a string");
  const char* const inside = at + 1;
  at = read_string(inside, key.escaped);
  if (at == nullptr) return nullptr;
  key.raw = between(inside, at - 1);
  at = skip_space(at);
  if (at == end) return fail(at, list_cut_off('{'));
  if (*at != ':') return fail(at, "expected `:`");
  at = skip_space(at + 1);
  return at == end ? fail(at, "EOF while parsing a value") : at;
}

// Anything but an array or an object.
const char* JsonScan::read_scalar(const char* at, JsonType& type) {
  bool escaped = false;
  switch (*at) {
    case '"': type = JsonType::kString; return read_string(at + 1, escaped);
    case 'n': type = JsonType::kNull; return read_literal(at, "null");
    case 'f': type = JsonType::kFalse; return read_literal(at, "false");
    case 't': type = JsonType::kTrue; return read_literal(at, "true");
    case '-':
    case '0':
    case '1':
    case '2':
    case '3':
    case '4':
    case '5':
    case '6':
    case '7':
    case '8':
    case '9': type = JsonType::kNumber; return read_number(at);
    default: return fail(at, "expected value");
  }
}

JsonSlicer::JsonSlicer(Options options) : options_(options), open_(options.depth_max) {}

// From an opening bracket to behind its closing one. Not recursive, so that the peer's nesting costs bytes of `open_`
// and no stack. Two places alternate: where a member or item begins (or the end of an empty list), and behind a value,
// where a comma or any number of closing brackets stand.
const char* JsonSlicer::read_list(JsonScan& scan, const char* at) {
  std::size_t depth = 0;
  char opening = 0;
  bool first = true;  // Nothing has been read yet in the innermost list.
  JsonKey entry_key;  // Of the entry of the root that is being read.
  const char* entry_begin = nullptr;

  const auto open = [&](char bracket) {
    if (depth == options_.depth_max) return false;
    opening = open_[depth++] = bracket;
    first = true;
    return true;
  };

  if (!open(*at)) return scan.fail(at, "recursion limit exceeded");
  ++at;
  for (;;) {
    JsonType type = JsonType::kNull;
    at = scan.skip_space(at);
    if (at == scan.end) return scan.fail(at, first ? list_cut_off(opening) : "EOF while parsing a value");
    if (*at == closing(opening)) {
      if (!first) return scan.fail(at, "trailing comma");
    } else {
      if (opening == '{') {
        JsonKey key;
        at = scan.read_key(at, key);
        if (at == nullptr) return nullptr;
        if (depth == 1) entry_key = key;
      }
      if (depth == 1) entry_begin = at;
      if (*at == '{' || *at == '[') {
        if (!open(*at)) return scan.fail(at, "recursion limit exceeded");
        ++at;
        continue;
      }
      at = scan.read_scalar(at, type);
      if (at == nullptr) return nullptr;
      if (depth == 1 && !keep_entry(scan, entry_key, {type, between(entry_begin, at)})) return nullptr;
    }
    for (;;) {
      at = scan.skip_space(at);
      if (at == scan.end) return scan.fail(at, list_cut_off(opening));
      if (*at == ',') {
        first = false;
        ++at;
        break;
      }
      if (*at != closing(opening)) return scan.fail(at, opening == '{' ? "expected `,` or `}`" : "expected `,` or `]`");
      type = list_type(opening);
      ++at;
      if (--depth == 0) return at;
      opening = open_[depth - 1];
      if (depth == 1 && !keep_entry(scan, entry_key, {type, between(entry_begin, at)})) return nullptr;
    }
  }
}

bool JsonSlicer::keep_entry(JsonScan& scan, JsonKey key, JsonSpan value) {
  if (!scan.keeps_entries) return true;
  if (members_.size() + items_.size() == options_.entries_max) {
    scan.fail(value.text.data(), "too many members or items");
    return false;
  }
  if (open_[0] == '[') {
    items_.push_back(value);
  } else {
    if (key.escaped) escaped_keys_.push_back(members_.size());
    members_.push_back({key.raw, value});
  }
  return true;
}

bool JsonSlicer::walk(JsonScan scan, JsonSpan& root) {
  if (read_root(scan, root) != nullptr) return true;
  fault_ = json_fault(scan.fault_text, between(scan.begin, scan.end), static_cast<std::size_t>(scan.fault_at - scan.begin));
  return false;
}

const char* JsonSlicer::read_root(JsonScan& scan, JsonSpan& root) {
  const char* const begin = scan.skip_space(scan.begin);
  if (begin == scan.end) return scan.fail(begin, "EOF while parsing a value");
  const char* at = nullptr;
  if (*begin == '{' || *begin == '[') {
    root.type = list_type(*begin);
    at = read_list(scan, begin);
  } else {
    at = scan.read_scalar(begin, root.type);
  }
  if (at == nullptr) return nullptr;
  root.text = between(begin, at);
  at = scan.skip_space(at);
  return at == scan.end ? at : scan.fail(at, "trailing characters");
}

void JsonSlicer::forget() {
  if (members_.capacity() > kEntriesKept) members_ = {};
  if (items_.capacity() > kEntriesKept) items_ = {};
  if (escaped_keys_.capacity() > kEntriesKept) escaped_keys_ = {};
  if (key_text_.capacity() > kKeyBytesKept) key_text_ = {};
  members_.clear();
  items_.clear();
  escaped_keys_.clear();
  key_text_.clear();
}

// Decoding never lengthens, so the room is taken first and the keys' views stay true while it fills.
void JsonSlicer::decode_keys() {
  std::size_t room = 0;
  for (const std::size_t index : escaped_keys_) room += members_[index].key.size();
  key_text_.reserve(room);
  for (const std::size_t index : escaped_keys_) {
    const std::size_t begin = key_text_.size();
    append_decoded(members_[index].key, key_text_);
    members_[index].key = std::string_view(key_text_).substr(begin);
  }
}

Result<JsonDocument> JsonSlicer::slice(std::string_view text) {
  forget();
  JsonSpan root;
  if (!walk(JsonScan(text, {.keep_entries = true}), root)) return Error{ErrorKind::kInvalid, fault_.describe()};
  if (!escaped_keys_.empty()) decode_keys();
  return JsonDocument{root, members_, items_};
}

Result<JsonSpan> JsonSlicer::check(std::string_view text) {
  JsonSpan root;
  if (!walk(JsonScan(text), root)) return Error{ErrorKind::kInvalid, fault_.describe()};
  return root;
}

const JsonSpan* JsonDocument::find(std::string_view key) const {
  for (const JsonMember& member : members) {
    if (member.key == key) return &member.value;
  }
  return nullptr;
}

std::string JsonFault::describe() const {
  return fmt::format("{} at line {} column {}", text, line, column);
}

JsonFault json_fault(std::string text, std::string_view document, std::size_t offset) {
  const std::string_view read = document.substr(0, offset + 1);
  const auto lines = static_cast<std::size_t>(std::count(read.begin(), read.end(), '\n'));
  const std::size_t line_begin = lines == 0 ? 0 : read.rfind('\n') + 1;
  return {.text = std::move(text), .offset = offset, .line = lines + 1, .column = read.size() - line_begin};
}

std::optional<std::string_view> json_string(std::string_view raw, std::string& scratch) {
  if (raw.size() < 2 || raw.front() != '"') return std::nullopt;
  const char* const end = raw.data() + raw.size();
  JsonScan scan(raw);
  bool escaped = false;
  if (scan.read_string(raw.data() + 1, escaped) != end) return std::nullopt;
  const std::string_view inside = raw.substr(1, raw.size() - 2);
  if (!escaped) return inside;
  scratch.clear();
  append_decoded(inside, scratch);
  return scratch;
}

std::optional<std::string> decode_json_string(std::string_view raw) {
  std::string scratch;
  const auto text = json_string(raw, scratch);
  if (!text) return std::nullopt;
  return std::string(*text);
}

std::optional<std::uint64_t> json_u64(std::string_view text) {
  return whole_number<std::uint64_t>(text);
}
std::optional<std::int64_t> json_i64(std::string_view text) {
  return whole_number<std::int64_t>(text);
}

std::optional<double> json_double(std::string_view text) {
  if (text.empty() || (text[0] != '-' && !is_digit(text[0]))) return std::nullopt;
  const char* const end = text.data() + text.size();
  JsonScan scan(text);
  if (scan.read_number(text.data()) != end) return std::nullopt;
  double value = 0;
  if (std::from_chars(text.data(), end, value).ec != std::errc()) return std::nullopt;
  return value;
}

}  // namespace carillon
