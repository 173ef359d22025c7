#include "base/id.h"

#include <gtest/gtest.h>

namespace carillon {
namespace {

class FixedRandom final : public Random {
 public:
  explicit FixedRandom(std::uint8_t byte) : byte_(byte) {}
  void fill(std::span<std::uint8_t> bytes) override {
    for (std::uint8_t& byte : bytes) byte = byte_;
  }

 private:
  std::uint8_t byte_;
};

TEST(Uuid, SetsVersionAndVariantWhateverTheBitsWere) {
  FixedRandom ones(0xff), zeros(0x00);
  EXPECT_EQ(Uuid::random_v4(ones).text(), "ffffffff-ffff-4fff-bfff-ffffffffffff");
  EXPECT_EQ(Uuid::random_v4(zeros).text(), "00000000-0000-4000-8000-000000000000");
}

TEST(Uuid, WritesBytesInTheirOrder) {
  Uuid id;
  for (std::size_t i = 0; i < id.bytes.size(); ++i) id.bytes[i] = static_cast<std::uint8_t>(i * 0x11);
  EXPECT_EQ(id.text(), "00112233-4455-6677-8899-aabbccddeeff");
}

TEST(Uuid, WriteTextTouchesExactlyItsSize) {
  char room[Uuid::kTextSize + 2];
  std::fill(std::begin(room), std::end(room), '#');
  Uuid{}.write_text(room + 1);
  EXPECT_EQ(room[0], '#');
  EXPECT_EQ(room[Uuid::kTextSize + 1], '#');
  EXPECT_EQ(room[Uuid::kTextSize], '0');
}

TEST(HexText, KeepsLeadingZerosAndCutsWhatDoesNotFit) {
  EXPECT_EQ(hex_text(0), "0000000000000000");
  EXPECT_EQ(hex_text(0xdeadbeef), "00000000deadbeef");
  EXPECT_EQ(hex_text(UINT64_MAX), "ffffffffffffffff");
  EXPECT_EQ(hex_text(0xabc, 2), "bc");
}

}  // namespace
}  // namespace carillon
