#include "carillon/lightspeed_frame.h"

#include <fmt/core.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <optional>
#include <vector>

namespace carillon {
namespace {

using lightspeed::Ack;
using lightspeed::DecodeError;
using lightspeed::Diff;
using lightspeed::Event;
using lightspeed::Failure;
using lightspeed::Hello;
using Decoded = std::variant<LightspeedFrame, DecodeError>;

struct Tag {
  std::string_view name;
  std::size_t fields;
};

// In the order of LightspeedFrame.
constexpr std::array<Tag, std::variant_size_v<LightspeedFrame>> kTags = {
    {{"hello", 2}, {"event", 3}, {"diff", 2}, {"ack", 1}, {"failure", 2}}};

constexpr std::string_view kPlain = "|\n\r\\";
constexpr std::string_view kEscaped = "pnr\\";

void append_field(std::string& line, std::string_view field) {
  line += '|';
  for (const char c : field) {
    const std::size_t at = kPlain.find(c);
    if (at == std::string_view::npos) {
      line += c;
    } else {
      line += '\\';
      line += kEscaped[at];
    }
  }
}

std::optional<std::string> unescaped(std::string_view field) {
  std::string text;
  for (std::size_t i = 0; i < field.size(); ++i) {
    if (field[i] == '\n' || field[i] == '\r') return std::nullopt;  // Would be a second line, and a second way to write it.
    if (field[i] != '\\') {
      text += field[i];
      continue;
    }
    const std::size_t at = ++i < field.size() ? kEscaped.find(field[i]) : std::string_view::npos;
    if (at == std::string_view::npos) return std::nullopt;
    text += kPlain[at];
  }
  return text;
}

std::vector<std::string_view> split(std::string_view line) {
  std::vector<std::string_view> parts;
  for (std::size_t bar = line.find('|'); bar != std::string_view::npos; bar = line.find('|')) {
    parts.push_back(line.substr(0, bar));
    line.remove_prefix(bar + 1);
  }
  parts.push_back(line);
  return parts;
}

Decoded hello_of(std::string protocol, const std::string& version) {
  constexpr std::size_t kDigitsMax = 9;
  const bool is_number = !version.empty() && version.size() <= kDigitsMax &&
                         version.find_first_not_of("0123456789") == std::string::npos && (version[0] != '0' || version == "0");
  if (!is_number) return DecodeError{.kind = DecodeError::Kind::invalid_version, .text = version};
  int number = 0;
  std::from_chars(version.data(), version.data() + version.size(), number);
  if (protocol != kLightspeedProtocol) {
    return DecodeError{.kind = DecodeError::Kind::unsupported_protocol, .text = std::move(protocol)};
  }
  if (number != kLightspeedVersion) return DecodeError{.kind = DecodeError::Kind::unsupported_version, .version = number};
  return Hello{.protocol = std::move(protocol), .version = number};
}

Decoded frame_of(std::string_view tag, std::vector<std::string> fields) {
  if (tag == "hello") return hello_of(std::move(fields[0]), fields[1]);
  if (tag == "event") return Event{std::move(fields[0]), std::move(fields[1]), std::move(fields[2])};
  if (tag == "diff") return Diff{std::move(fields[0]), std::move(fields[1])};
  if (tag == "ack") return Ack{std::move(fields[0])};
  return Failure{std::move(fields[0]), std::move(fields[1])};
}

void append_fields(std::string& line, const Hello& hello) {
  append_field(line, hello.protocol);
  append_field(line, std::to_string(hello.version));
}
void append_fields(std::string& line, const Event& event) {
  append_field(line, event.ref);
  append_field(line, event.name);
  append_field(line, event.payload);
}
void append_fields(std::string& line, const Diff& diff) {
  append_field(line, diff.ref);
  append_field(line, diff.payload);
}
void append_fields(std::string& line, const Ack& ack) {
  append_field(line, ack.ref);
}
void append_fields(std::string& line, const Failure& failure) {
  append_field(line, failure.ref);
  append_field(line, failure.reason);
}

std::string_view ref_of(const Hello&) {
  return {};
}
template <class Frame>
std::string_view ref_of(const Frame& frame) {
  return frame.ref;
}

}  // namespace

std::string_view lightspeed_ref(const LightspeedFrame& frame) {
  return std::visit([](const auto& one) { return ref_of(one); }, frame);
}

bool is_current_hello(const LightspeedFrame& frame) {
  const auto* const hello = std::get_if<Hello>(&frame);
  return hello != nullptr && hello->protocol == kLightspeedProtocol && hello->version == kLightspeedVersion;
}

std::string encode_lightspeed(const LightspeedFrame& frame) {
  std::string line(kTags[frame.index()].name);
  std::visit([&line](const auto& one) { append_fields(line, one); }, frame);
  return line;
}

Decoded decode_lightspeed(std::string_view line) {
  if (line.empty()) return DecodeError{.kind = DecodeError::Kind::empty_frame};
  const std::vector<std::string_view> parts = split(line);
  const std::string_view name = parts.front();
  const auto tag = std::find_if(kTags.begin(), kTags.end(), [name](const Tag& known) { return known.name == name; });
  if (tag == kTags.end()) return DecodeError{.kind = DecodeError::Kind::unknown_tag, .text = std::string(name)};
  const std::size_t given = parts.size() - 1;
  if (given != tag->fields) {
    return DecodeError{
        .kind = DecodeError::Kind::bad_field_count, .text = std::string(name), .expected = tag->fields, .actual = given};
  }
  std::vector<std::string> fields;
  for (std::size_t i = 1; i < parts.size(); ++i) {
    std::optional<std::string> field = unescaped(parts[i]);
    if (!field) return DecodeError{.kind = DecodeError::Kind::invalid_escape};
    fields.push_back(*std::move(field));
  }
  return frame_of(name, std::move(fields));
}

std::string decode_error_text(const DecodeError& error) {
  switch (error.kind) {
    case DecodeError::Kind::empty_frame: return "empty frame";
    case DecodeError::Kind::unknown_tag: return fmt::format("unknown frame tag `{}`", error.text);
    case DecodeError::Kind::bad_field_count:
      return fmt::format("bad field count for `{}`: {} expected, {} given", error.text, error.expected, error.actual);
    case DecodeError::Kind::invalid_version: return fmt::format("invalid version `{}`", error.text);
    case DecodeError::Kind::unsupported_version: return fmt::format("unsupported version {}", error.version);
    case DecodeError::Kind::unsupported_protocol: return fmt::format("unsupported protocol `{}`", error.text);
    case DecodeError::Kind::invalid_escape: return "invalid escape sequence";
  }
  return {};
}

}  // namespace carillon
