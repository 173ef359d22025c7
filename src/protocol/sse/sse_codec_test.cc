#include "protocol/sse/sse_codec.h"

#include <gtest/gtest.h>

#include "hub/epoch_text.h"

namespace carillon {
namespace {

using Positions = std::vector<ChannelPosition>;

TEST(SseCodec, ACursorComesBackAsItWas) {
  const Positions positions = {{"repo:alice/app/prs", {0x1f, 42}},
                               {"room:a;b=c%d e", {UINT64_MAX, UINT64_MAX}},
                               {"raum:\xC3\xBC", {1, 0}},
                               {std::string(255, '%'), {1, 1}}};
  const std::string text = sse_cursor(positions);
  EXPECT_TRUE(text.starts_with("repo:alice/app/prs=" + epoch_text(0x1f) + ":42;room:a%3bb%3dc%25d%20e="));
  EXPECT_NE(text.find("raum:%c3%bc="), std::string::npos);
  EXPECT_EQ(parse_sse_cursor(text), positions);
  EXPECT_EQ(sse_cursor({}), "");
}

TEST(SseCodec, WhatIsNoCursorOfOursIsNone) {
  for (const std::string text : {"",
                                 "-",
                                 "a",
                                 "a=",
                                 "a=1",
                                 "a=1:",
                                 "a=:1",
                                 "=1:1",
                                 "a=x:1",
                                 "a=1:x",
                                 "a=1:-1",
                                 "a=1:+1",
                                 "a=1:1.0",
                                 "a=1:01",
                                 "a=1:1e1",
                                 "a=1:18446744073709551616",
                                 "a=11111111111111111:1",
                                 "a:1=1",
                                 ";a=1:1",
                                 "a=1:1;;b=1:1",
                                 "%=1:1",
                                 "%4=1:1",
                                 "%4g=1:1",
                                 "%0a=1:1",
                                 "%ff=1:1",
                                 "%00=1:1",
                                 "a=1:1;b",
                                 "a=1:1 ",
                                 "a=1:1;b=1:1:1",
                                 "a==1:1"}) {
    EXPECT_FALSE(parse_sse_cursor(text)) << text;
  }
  EXPECT_FALSE(parse_sse_cursor(std::string(256, 'a') + "=1:1"));
  EXPECT_FALSE(parse_sse_cursor(kSseLostCursor));
}

// Encoded, at a position or without one.
std::string encoded(const Encoding& encoding, std::string_view payload, std::optional<Position> position) {
  Publication made;
  made.channel = "room:1";
  made.event = "e";
  made.payload = Bytes::copy_of(payload);
  made.position = position;
  std::string out;
  encoding.encode(made, out);
  return out;
}

TEST(SseCodec, AnEventIsOneBlockWithItsPositionAsId) {
  const std::string out = encoded(SseEncoding(EventNames::kUnderscore), "{\r\n\"a\":\n1,\"b\":\"\\n\"}", Position{1, 2});
  EXPECT_TRUE(out.starts_with("id: room:1=" + epoch_text(1) + ":2\ndata: {\"type\":\"event\",\"channel\":\"room:1\"")) << out;
  EXPECT_NE(out.find("{  \"a\": 1,\"b\":\"\\n\"}"), std::string::npos) << out;
  EXPECT_EQ(out.find_first_of("\r\n", out.find("data: ")), out.size() - 2);
  EXPECT_TRUE(encoded(SseEncoding(EventNames::kDotted), "1", std::nullopt).starts_with("data: "));
}

TEST(SseCodec, NoticesAndCheckpoints) {
  std::string out;
  append_sse_checkpoint(out, "c");
  append_sse_notice(out, "gap", "{}");
  EXPECT_EQ(out, "id: c\n\nevent: gap\ndata: {}\n\n");
}

}  // namespace
}  // namespace carillon
