#include "client/load/masked_frame.h"

#include <gtest/gtest.h>

namespace carillon {
namespace {

std::string unmasked(std::string_view frame, std::size_t header) {
  std::string payload(frame.substr(header));
  for (std::size_t i = 0; i < payload.size(); ++i) payload[i] = static_cast<char>(payload[i] ^ frame[header - 4 + (i & 3)]);
  return payload;
}

TEST(MaskedFrame, WritesEachFormOfTheLength) {
  struct Case {
    std::size_t length;
    std::string header;  // Without the mask.
  };
  for (const auto& [length, header] :
       {Case{0, std::string("\x81\x80", 2)}, Case{125, "\x81\xfd"}, Case{126, std::string("\x81\xfe\x00\x7e", 4)},
        Case{65535, "\x81\xfe\xff\xff"}, Case{65536, std::string("\x81\xff\0\0\0\0\0\x01\0\0", 10)}}) {
    std::string frame;
    const std::string payload(length, 'a');
    append_masked_frame(frame, kTextOpcode, payload);
    EXPECT_EQ(frame.substr(0, header.size()), header);
    EXPECT_EQ(unmasked(frame, header.size() + 4), payload);
  }
}

TEST(MaskedFrame, MasksForEarnest) {
  std::string frame = "before";
  append_masked_frame(frame, kPongOpcode, "hello");
  EXPECT_TRUE(frame.starts_with("before\x8a\x85"));
  EXPECT_FALSE(frame.ends_with("hello"));
}

}  // namespace
}  // namespace carillon
