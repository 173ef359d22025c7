#include "wire/json/json_writer.h"

#include <fmt/format.h>

#include <array>
#include <cmath>
#include <iterator>

namespace carillon {

namespace {

constexpr std::string_view kReplacement = "\xEF\xBF\xBD";  // U+FFFD.

// What a byte asks for: kPlain is copied, kEscape is written another way, kSequence begins (or breaks) a UTF-8 sequence.
enum ByteClass : unsigned char { kPlain, kEscape, kSequence };

constexpr std::array<ByteClass, 256> make_classes() {
  std::array<ByteClass, 256> classes{};
  for (std::size_t byte = 0; byte < 256; ++byte) {
    classes[byte] = byte < 0x20 || byte == '"' || byte == '\\' ? kEscape : byte < 0x80 ? kPlain : kSequence;
  }
  return classes;
}
constexpr std::array<ByteClass, 256> kClasses = make_classes();

void append_escaped(std::string& out, unsigned char byte) {
  switch (byte) {
    case '"': out += "\\\""; return;
    case '\\': out += "\\\\"; return;
    case '\b': out += "\\b"; return;
    case '\f': out += "\\f"; return;
    case '\n': out += "\\n"; return;
    case '\r': out += "\\r"; return;
    case '\t': out += "\\t"; return;
    default: break;
  }
  constexpr std::string_view kDigits = "0123456789abcdef";
  out += "\\u00";
  out += kDigits[byte >> 4];
  out += kDigits[byte & 15];
}

struct Sequence {
  std::size_t size = 1;
  bool valid = false;
};

// The UTF-8 sequence at the front (RFC 3629, section 4), or the longest piece that could have begun one.
Sequence sequence_at(std::string_view text) {
  const auto byte = [&](std::size_t at) { return static_cast<unsigned char>(text[at]); };
  const unsigned char lead = byte(0);
  if (lead < 0xC2 || lead > 0xF4) return {};
  const std::size_t wanted = lead < 0xE0 ? 2 : lead < 0xF0 ? 3 : 4;
  unsigned char low = lead == 0xE0 ? 0xA0 : lead == 0xF0 ? 0x90 : 0x80;
  unsigned char high = lead == 0xED ? 0x9F : lead == 0xF4 ? 0x8F : 0xBF;
  for (std::size_t at = 1; at < wanted; ++at) {
    if (at == text.size() || byte(at) < low || byte(at) > high) return {.size = at, .valid = false};
    low = 0x80;
    high = 0xBF;
  }
  return {.size = wanted, .valid = true};
}

}  // namespace

void append_json_string(std::string& out, std::string_view text) {
  out += '"';
  std::size_t copied = 0;  // Everything before it has been written.
  std::size_t at = 0;
  const auto copy_run = [&] { out.append(text, copied, at - copied); };
  while (at < text.size()) {
    const auto byte = static_cast<unsigned char>(text[at]);
    if (kClasses[byte] == kPlain) {
      ++at;
    } else if (kClasses[byte] == kEscape) {
      copy_run();
      append_escaped(out, byte);
      copied = ++at;
    } else {
      const Sequence sequence = sequence_at(text.substr(at));
      if (!sequence.valid) {
        copy_run();
        out += kReplacement;
        copied = at + sequence.size;
      }
      at += sequence.size;
    }
  }
  copy_run();
  out += '"';
}

void JsonWriter::separate() {
  if (out_.size() == start_) return;
  const char last = out_.back();
  if (last != '{' && last != '[' && last != ':' && last != ',') out_ += ',';
}

JsonWriter& JsonWriter::begin_object() {
  separate();
  out_ += '{';
  return *this;
}

JsonWriter& JsonWriter::end_object() {
  out_ += '}';
  return *this;
}

JsonWriter& JsonWriter::begin_array() {
  separate();
  out_ += '[';
  return *this;
}

JsonWriter& JsonWriter::end_array() {
  out_ += ']';
  return *this;
}

JsonWriter& JsonWriter::key(std::string_view name) {
  separate();
  append_json_string(out_, name);
  out_ += ':';
  return *this;
}

JsonWriter& JsonWriter::string(std::string_view text) {
  separate();
  append_json_string(out_, text);
  return *this;
}

JsonWriter& JsonWriter::signed_number(std::int64_t value) {
  separate();
  const fmt::format_int text(value);
  out_.append(text.data(), text.size());
  return *this;
}

JsonWriter& JsonWriter::unsigned_number(std::uint64_t value) {
  separate();
  const fmt::format_int text(value);
  out_.append(text.data(), text.size());
  return *this;
}

JsonWriter& JsonWriter::number(double value) {
  if (!std::isfinite(value)) return null();
  separate();
  fmt::format_to(std::back_inserter(out_), "{}", value);
  return *this;
}

JsonWriter& JsonWriter::boolean(bool value) {
  return raw(value ? "true" : "false");
}

JsonWriter& JsonWriter::null() {
  return raw("null");
}

JsonWriter& JsonWriter::raw(std::string_view json) {
  separate();
  out_ += json;
  return *this;
}

JsonWriter& JsonWriter::members(std::string_view object) {
  return object.size() <= 2 ? *this : raw(object.substr(1, object.size() - 2));
}

}  // namespace carillon
