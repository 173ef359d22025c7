#include "carillon/lightspeed_frame.h"

#include <gtest/gtest.h>

namespace carillon {
namespace {

using namespace lightspeed;
using Kind = DecodeError::Kind;

LightspeedFrame decoded(std::string_view line) {
  auto result = decode_lightspeed(line);
  if (const auto* const error = std::get_if<DecodeError>(&result)) {
    ADD_FAILURE() << line << ": " << decode_error_text(*error);
    return Ack{};
  }
  return std::get<LightspeedFrame>(result);
}

DecodeError refused(std::string_view line) {
  auto result = decode_lightspeed(line);
  if (const auto* const error = std::get_if<DecodeError>(&result)) return *error;
  ADD_FAILURE() << line << " was taken";
  return {};
}

TEST(LightspeedFrame, EachIsALine) {
  const std::vector<std::pair<LightspeedFrame, std::string>> frames = {{Hello{}, "hello|lightspeed|1"},
                                                                       {Event{"r1", "click", "{}"}, "event|r1|click|{}"},
                                                                       {Diff{"r1", "<p>"}, "diff|r1|<p>"},
                                                                       {Ack{"r1"}, "ack|r1"},
                                                                       {Failure{"", "gone"}, "failure||gone"}};
  for (const auto& [frame, line] : frames) {
    EXPECT_EQ(encode_lightspeed(frame), line);
    EXPECT_EQ(decoded(line), frame) << line;
  }
}

TEST(LightspeedFrame, FieldsMayHoldAnything) {
  const LightspeedFrame frame = Event{"a|b", "c\\d\r", "line\nline \\p "};
  EXPECT_EQ(encode_lightspeed(frame), R"(event|a\pb|c\\d\r|line\nline \\p )");
  EXPECT_EQ(decoded(encode_lightspeed(frame)), frame);
  std::string every_byte;
  for (int byte = 0; byte < 256; ++byte) every_byte += static_cast<char>(byte);
  const LightspeedFrame all = Diff{every_byte, every_byte};
  EXPECT_EQ(decoded(encode_lightspeed(all)), all);
}

TEST(LightspeedFrame, KnowsItsRefAndItsHello) {
  EXPECT_EQ(lightspeed_ref(Hello{}), "");
  EXPECT_EQ(lightspeed_ref(Event{"1", "e", "p"}), "1");
  EXPECT_EQ(lightspeed_ref(Diff{"2", "p"}), "2");
  EXPECT_EQ(lightspeed_ref(Ack{"3"}), "3");
  EXPECT_EQ(lightspeed_ref(Failure{"4", "why"}), "4");
  EXPECT_TRUE(is_current_hello(Hello{}));
  EXPECT_FALSE(is_current_hello(Hello{"lightspeed", 2}));
  EXPECT_FALSE(is_current_hello(Hello{"other", 1}));
  EXPECT_FALSE(is_current_hello(Ack{"1"}));
}

TEST(LightspeedFrame, SaysWhyALineIsNone) {
  EXPECT_EQ(refused(""), (DecodeError{.kind = Kind::empty_frame}));
  EXPECT_EQ(refused("bell|1"), (DecodeError{.kind = Kind::unknown_tag, .text = "bell"}));
  EXPECT_EQ(refused("|"), (DecodeError{.kind = Kind::unknown_tag}));
  EXPECT_EQ(refused("ack"), (DecodeError{.kind = Kind::bad_field_count, .text = "ack", .expected = 1, .actual = 0}));
  EXPECT_EQ(refused("ack|1|2|"), (DecodeError{.kind = Kind::bad_field_count, .text = "ack", .expected = 1, .actual = 3}));
  EXPECT_EQ(refused("hello|lightspeed|2"), (DecodeError{.kind = Kind::unsupported_version, .version = 2}));
  EXPECT_EQ(refused("hello|phoenix|1"), (DecodeError{.kind = Kind::unsupported_protocol, .text = "phoenix"}));
  for (const char* version : {"", "one", "+1", "-1", "1 ", "01", "1234567890"}) {
    EXPECT_EQ(refused(std::string("hello|lightspeed|") + version),
              (DecodeError{.kind = Kind::invalid_version, .text = version}));
  }
  for (const char* line : {"ack|\\x", "ack|\\", "event|a\\|b|c", "ack|a\nb", "ack|a\r"}) {
    EXPECT_EQ(refused(line), (DecodeError{.kind = Kind::invalid_escape})) << line;
  }
}

TEST(LightspeedFrame, ErrorsHaveWords) {
  EXPECT_EQ(decode_error_text(refused("")), "empty frame");
  EXPECT_EQ(decode_error_text(refused("bell")), "unknown frame tag `bell`");
  EXPECT_EQ(decode_error_text(refused("ack|1|2")), "bad field count for `ack`: 1 expected, 2 given");
  EXPECT_EQ(decode_error_text(refused("hello|lightspeed|x")), "invalid version `x`");
  EXPECT_EQ(decode_error_text(refused("hello|lightspeed|7")), "unsupported version 7");
  EXPECT_EQ(decode_error_text(refused("hello|x|1")), "unsupported protocol `x`");
  EXPECT_EQ(decode_error_text(refused("ack|\\q")), "invalid escape sequence");
}

}  // namespace
}  // namespace carillon
