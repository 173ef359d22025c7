#include "wire/websocket/websocket_frame.h"

#include <random>

#include "base/utf8.h"

namespace carillon {
namespace {

using namespace std::string_literals;

std::uint32_t wire_key(const char (&bytes)[5]) {
  std::uint32_t key;
  std::memcpy(&key, bytes, sizeof key);
  return key;
}

std::string framed(WebSocketOpcode opcode, std::string_view payload, WebSocketFrameFlags flags = {}) {
  std::string out = "before";
  append_frame(out, opcode, payload, flags);
  return out.substr(6);
}

TEST(WebSocketFrame, WritesTheExamplesOfTheStandard) {  // RFC 6455, section 5.7.
  EXPECT_EQ(framed(WebSocketOpcode::kText, "Hello"), "\x81\x05Hello");
  EXPECT_EQ(framed(WebSocketOpcode::kText, "Hel", {.fin = false}), "\x01\x03Hel");
  EXPECT_EQ(framed(WebSocketOpcode::kContinuation, "lo"), "\x80\x02lo");
  EXPECT_EQ(framed(WebSocketOpcode::kPing, "Hello"), "\x89\x05Hello");
  EXPECT_EQ(framed(WebSocketOpcode::kBinary, std::string(256, 'x')), "\x82\x7E\x01\x00"s + std::string(256, 'x'));
  EXPECT_EQ(framed(WebSocketOpcode::kBinary, std::string(65536, 'x')),
            "\x82\x7F\x00\x00\x00\x00\x00\x01\x00\x00"s + std::string(65536, 'x'));
  std::string masked;
  append_masked_frame(masked, WebSocketOpcode::kText, "Hello", wire_key("\x37\xFA\x21\x3D"));
  EXPECT_EQ(masked, "\x81\x85\x37\xFA\x21\x3D\x7F\x9F\x4D\x51\x58");
}

TEST(WebSocketFrame, WritesEachLengthInItsShortestForm) {
  char header[kFrameHeaderMax];
  const auto size_for = [&](std::uint64_t length) { return write_frame_header(header, WebSocketOpcode::kBinary, {}, length); };
  EXPECT_EQ(size_for(0), 2u);
  EXPECT_EQ(size_for(125), 2u);
  EXPECT_EQ(size_for(126), 4u);
  EXPECT_EQ(size_for(65535), 4u);
  EXPECT_EQ(size_for(65536), 10u);
  EXPECT_EQ(size_for(0x0102030405060708), 10u);
  EXPECT_EQ(std::string_view(header, 10), "\x82\x7F\x01\x02\x03\x04\x05\x06\x07\x08"s);
}

TEST(WebSocketFrame, MarksCompressedMessages) {
  EXPECT_EQ(framed(WebSocketOpcode::kText, "x", {.compressed = true}), "\xC1\x01x");
  EXPECT_EQ(framed(WebSocketOpcode::kText, "x", {.fin = false, .compressed = true}), "\x41\x01x");
}

TEST(WebSocketFrame, MasksAlikeHoweverTheBytesAreCut) {
  std::mt19937 random(53);
  for (std::size_t size = 0; size < 100; ++size) {
    std::string clear(size, '\0');
    for (char& byte : clear) byte = static_cast<char>(random());
    const auto key = static_cast<std::uint32_t>(random());
    std::string expected = clear;
    for (std::size_t i = 0; i < size; ++i) {
      char key_bytes[4];
      std::memcpy(key_bytes, &key, 4);
      expected[i] = static_cast<char>(expected[i] ^ key_bytes[i % 4]);
    }
    for (std::size_t cut = 0; cut <= size; ++cut) {
      std::string bytes = clear;
      unmask({bytes.data(), cut}, key);
      unmask({bytes.data() + cut, size - cut}, key, cut);
      ASSERT_EQ(bytes, expected) << size << " cut at " << cut;
    }
  }
}

TEST(WebSocketFrame, KnowsWhichCloseCodesMayBeSent) {
  for (int code : {1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 1014, 3000, 3999, 4000, 4999}) {
    EXPECT_TRUE(may_be_sent(static_cast<std::uint16_t>(code))) << code;
  }
  for (int code : {0, 1, 999, 1004, 1005, 1006, 1015, 1016, 1100, 2000, 2999, 5000, 65535}) {
    EXPECT_FALSE(may_be_sent(static_cast<std::uint16_t>(code))) << code;
  }
}

TEST(WebSocketFrame, WritesCloseFrames) {
  std::string out;
  append_close_frame(out, kCloseNormal, "bye");
  EXPECT_EQ(out, "\x88\x05\x03\xE8"s + "bye");
  out.clear();
  append_close_frame(out, kCloseNoStatus, "nobody may hear this");
  EXPECT_EQ(out, "\x88\x00"s);
}

TEST(WebSocketFrame, CutsACloseReasonBetweenCharacters) {
  EXPECT_EQ(close_payload(kCloseNormal, std::string(200, 'x')).size(), kControlPayloadMax);
  EXPECT_EQ(close_payload(kCloseNormal, std::string(123, 'x')).size(), kControlPayloadMax);
  for (std::string character : {"\xC3\xA9", "\xE2\x82\xAC", "\xF0\x9F\x94\x94"}) {
    for (std::size_t before = 118; before <= 123; ++before) {
      std::string reason(before, 'x');
      for (int i = 0; i < 5; ++i) reason += character;
      const std::string payload = close_payload(kCloseNormal, reason);
      EXPECT_LE(payload.size(), kControlPayloadMax);
      EXPECT_GT(payload.size(), kControlPayloadMax - character.size());
      EXPECT_TRUE(is_utf8(std::string_view(payload).substr(2)));
    }
  }
}

}  // namespace
}  // namespace carillon
