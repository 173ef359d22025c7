#include "hub/epoch_text.h"

#include <gtest/gtest.h>

namespace carillon {
namespace {

TEST(EpochText, GoesRound) {
  for (const std::uint64_t epoch : {std::uint64_t{0}, std::uint64_t{1}, std::uint64_t{0xDEADBEEF}, ~std::uint64_t{0}}) {
    EXPECT_EQ(epoch_text(epoch).size(), kEpochTextSize);
    EXPECT_EQ(parse_epoch(epoch_text(epoch)), epoch);
  }
  EXPECT_EQ(epoch_text(0xab12), "000000000000ab12");
  EXPECT_EQ(parse_epoch("AB12"), 0xab12u);
}

TEST(EpochText, RefusesWhatIsNoEpoch) {
  for (const char* text : {"", "0x1", "-1", "+1", " 1", "1 ", "g", "00000000000000001"}) {
    EXPECT_EQ(parse_epoch(text), std::nullopt) << text;
  }
}

}  // namespace
}  // namespace carillon
