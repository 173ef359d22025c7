#include "transport/framed_encodings.h"

#include <gtest/gtest.h>

#include "wire/deflate/inflater.h"

namespace carillon {
namespace {

class EventEncoding final : public Encoding {
 public:
  void encode(const Publication& publication, std::string& out) const override { out += publication.event; }
};

std::string encoded(const Encoding& encoding, std::string event) {
  Publication publication;
  publication.event = std::move(event);
  std::string out = "before ";
  encoding.encode(publication, out);
  return out;
}

TEST(FramedEncodings, OneObjectForEachPair) {
  FramedEncodings encodings(128);
  EventEncoding one, two;
  const Framing text{.kind = Framing::Kind::kWebSocketText}, deflated{.kind = Framing::Kind::kWebSocketText, .window_bits = 15};
  const Encoding& first = encodings.framed(one, text);
  EXPECT_EQ(&first, &encodings.framed(one, text));
  EXPECT_NE(&first, &encodings.framed(two, text));
  EXPECT_NE(&first, &encodings.framed(one, deflated));
  for (int i = 0; i < 100; ++i) encodings.framed(two, {.kind = Framing::Kind::kChunk});
  EXPECT_EQ(&first, &encodings.framed(one, text));
}

TEST(FramedEncodings, EachFramingInItsForm) {
  FramedEncodings encodings(10);
  EventEncoding event;
  EXPECT_EQ(encoded(encodings.framed(event, {.kind = Framing::Kind::kPlain}), "hi"), "before hi");
  EXPECT_EQ(encoded(encodings.framed(event, {.kind = Framing::Kind::kChunk}), "hi"), "before 2\r\nhi\r\n");
  EXPECT_EQ(encoded(encodings.framed(event, {.kind = Framing::Kind::kWebSocketText}), "hi"), "before \x81\x02hi");
  EXPECT_EQ(encoded(encodings.framed(event, {.kind = Framing::Kind::kWebSocketBinary}), "hi"), "before \x82\x02hi");
  EXPECT_EQ(encoded(encodings.framed(event, {.kind = Framing::Kind::kWebSocketText, .window_bits = 9}), "below 10"),
            "before \x81\x08"
            "below 10");
  // What an encoding leaves out is no empty message.
  for (const auto kind : {Framing::Kind::kPlain, Framing::Kind::kChunk, Framing::Kind::kWebSocketText}) {
    EXPECT_EQ(encoded(encodings.framed(event, {.kind = kind}), ""), "before ");
  }
}

TEST(FramedEncodings, LongMessagesAreCompressed) {
  FramedEncodings encodings(10);
  EventEncoding event;
  const std::string message(5'000, 'm');
  for (const int window : {8, 9, 15}) {
    const auto bits = static_cast<std::uint8_t>(window);
    const std::string out =
        encoded(encodings.framed(event, {.kind = Framing::Kind::kWebSocketText, .window_bits = bits}), message).substr(7);
    ASSERT_LT(out.size(), 126u);
    EXPECT_EQ(static_cast<unsigned char>(out[0]), 0xC1);
    PerMessageInflater inflater;
    EXPECT_EQ(*inflater.inflate(std::string_view(out).substr(2), 10'000), message);
  }
}

}  // namespace
}  // namespace carillon
