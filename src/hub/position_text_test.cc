#include "hub/position_text.h"

#include <gtest/gtest.h>

namespace carillon {
namespace {

TEST(PositionText, ReadsBackWhatItWrote) {
  for (const Position position : {Position{0xff, 7}, Position{0, 0}, Position{UINT64_MAX, UINT64_MAX}}) {
    EXPECT_EQ(parse_position_text(position_text(position)), position);
  }
  EXPECT_EQ(position_text({.epoch = 0xff, .offset = 7}), "00000000000000ff:7");
  EXPECT_EQ(parse_position_text("FF:7"), (Position{.epoch = 0xff, .offset = 7}));
}

TEST(PositionText, TakesNothingElse) {
  for (const char* const text : {"", ":", "ff", "ff:", ":7", "ff:7:7", "ff:+7", "ff:-7", "ff:07", "ff: 7", "ff:7 ", "xx:7",
                                 "ff:7.0", "ff:18446744073709551616", "10000000000000000:7"}) {
    EXPECT_FALSE(parse_position_text(text)) << text;
  }
}

}  // namespace
}  // namespace carillon
