// The frames of the lightspeed framework, version 1, as lines of text and back. Values only; any thread.
//
// A line is the frame's tag and its fields with `|` between them: `event|r1|click|{"x":1}`. In a field `\p` is `|`, `\n` a line
// feed, `\r` a carriage return and `\\` a backslash; nothing else follows a backslash. So a frame is always one line, and every
// frame has exactly one. Lightspeed's own separator and escapes are not published; these are Carillon's.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <variant>

namespace carillon {

inline constexpr std::string_view kLightspeedProtocol = "lightspeed";
inline constexpr int kLightspeedVersion = 1;

namespace lightspeed {

struct Hello {
  std::string protocol = std::string(kLightspeedProtocol);
  int version = kLightspeedVersion;
  friend bool operator==(const Hello&, const Hello&) = default;
};

struct Event {
  std::string ref;
  std::string name;
  std::string payload;
  friend bool operator==(const Event&, const Event&) = default;
};

struct Diff {
  std::string ref;
  std::string payload;
  friend bool operator==(const Diff&, const Diff&) = default;
};

struct Ack {
  std::string ref;
  friend bool operator==(const Ack&, const Ack&) = default;
};

struct Failure {
  std::string ref;
  std::string reason;
  friend bool operator==(const Failure&, const Failure&) = default;
};

// Why a line is no frame. `text` is the tag (unknown_tag, bad_field_count), the version as it stands there (invalid_version),
// or the protocol (unsupported_protocol).
struct DecodeError {
  enum class Kind {
    empty_frame,
    unknown_tag,
    bad_field_count,
    invalid_version,      // No decimal number of at most nine digits.
    unsupported_version,  // Another than 1.
    unsupported_protocol,
    invalid_escape,
  };
  Kind kind = Kind::empty_frame;
  std::string text = {};
  std::size_t expected = 0;  // Fields behind the tag.
  std::size_t actual = 0;
  int version = 0;
  friend bool operator==(const DecodeError&, const DecodeError&) = default;
};

}  // namespace lightspeed

using LightspeedFrame =
    std::variant<lightspeed::Hello, lightspeed::Event, lightspeed::Diff, lightspeed::Ack, lightspeed::Failure>;

// What a frame answers or is answered by; a hello has none: the empty text.
std::string_view lightspeed_ref(const LightspeedFrame& frame);
// Whether a hello is of this protocol and version. Any other frame is not.
bool is_current_hello(const LightspeedFrame& frame);

// Without a line's end.
std::string encode_lightspeed(const LightspeedFrame& frame);
std::variant<LightspeedFrame, lightspeed::DecodeError> decode_lightspeed(std::string_view line);
// "bad field count for `ack`: 1 expected, 3 given", and so on.
std::string decode_error_text(const lightspeed::DecodeError& error);

}  // namespace carillon
