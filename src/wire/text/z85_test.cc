#include "wire/text/z85.h"

#include <gtest/gtest.h>

#include <random>

namespace carillon {
namespace {

std::string bytes_of(std::initializer_list<int> bytes) {
  std::string out;
  for (const int byte : bytes) out += static_cast<char>(byte);
  return out;
}

// RFC 32, section "Test Case", and the ends of the range.
TEST(Z85, ReadsAndWritesTheExamplesOfTheStandard) {
  const std::pair<std::string, std::string_view> examples[] = {
      {"", ""},
      {bytes_of({0x86, 0x4F, 0xD2, 0x6F, 0xB5, 0x59, 0xF7, 0x5B}), "HelloWorld"},
      {bytes_of({0x8E, 0x0B, 0xDD, 0x69, 0x76, 0x28, 0xB9, 0x1D, 0x8F, 0x24, 0x55, 0x87, 0xEE, 0x95, 0xC5, 0xB0,
                 0x4D, 0x48, 0x96, 0x3F, 0x79, 0x25, 0x98, 0x77, 0xB4, 0x9C, 0xD9, 0x06, 0x3A, 0xEA, 0xD3, 0xB7}),
       "JTKVSB%%)wK0E.X)V>+}o?pNmC{O&4W4b!Ni{Lh6"},
      {bytes_of({0, 0, 0, 0}), "00000"},
      {bytes_of({0xFF, 0xFF, 0xFF, 0xFF}), "%nSc0"},
  };
  for (const auto& [bytes, text] : examples) {
    EXPECT_EQ(z85_encode(bytes), text);
    EXPECT_EQ(z85_decode(text), bytes) << text;
  }
}

TEST(Z85, ALastGroupHasOneCharacterMoreThanBytes) {
  EXPECT_EQ(z85_encode(bytes_of({0x86})), "H5");
  EXPECT_EQ(z85_encode(bytes_of({0x86, 0x4F})), "Hed");
  EXPECT_EQ(z85_encode(bytes_of({0x86, 0x4F, 0xD2})), "Helj");
  EXPECT_EQ(z85_encode(bytes_of({0x86, 0x4F, 0xD2, 0x6F, 0xB5})), "HelloWe");
  EXPECT_EQ(z85_encode(bytes_of({0})), "00");
  EXPECT_EQ(z85_encode(bytes_of({0, 0, 0})), "0000");
  EXPECT_EQ(z85_encode(bytes_of({0xFF})), "@@");
  EXPECT_EQ(z85_encode(bytes_of({0xFF, 0xFF})), "%nJ");
  EXPECT_EQ(z85_encode(bytes_of({0xFF, 0xFF, 0xFF})), "%nS9");
}

TEST(Z85, RoundTripsBytesOfEveryLength) {
  std::mt19937 random(32);
  for (std::size_t size = 0; size < 300; ++size) {
    std::string bytes(size, '\0');
    for (char& byte : bytes) byte = static_cast<char>(random());
    const std::string text = z85_encode(bytes);
    EXPECT_EQ(text.size(), size / 4 * 5 + (size % 4 == 0 ? 0 : size % 4 + 1));
    EXPECT_EQ(z85_decode(text), bytes);
  }
}

TEST(Z85, RoundTripsEveryLastGroup) {
  for (unsigned value = 0; value < 1 << 16; ++value) {
    const std::string two = bytes_of({static_cast<int>(value >> 8), static_cast<int>(value & 0xFF)});
    ASSERT_EQ(z85_decode(z85_encode(two)), two);
    const std::string three = two + static_cast<char>(value * 7);
    ASSERT_EQ(z85_decode(z85_encode(three)), three);
    if (value < 256) ASSERT_EQ(z85_decode(z85_encode(two.substr(1))), two.substr(1));
  }
}

TEST(Z85, RefusesWhatNoBytesAreWrittenAs) {
  for (const char* lone : {"H", "HelloW"}) EXPECT_FALSE(z85_decode(lone)) << lone;
  for (const char* foreign :
       {"Hell~", "Hello World", "Hell\"", "Hell\\", "Hello,H", "He'lo", "H\xC3\xA9lo", "Hello\n\n", " Hello ", "Hell;o"}) {
    EXPECT_FALSE(z85_decode(foreign)) << foreign;
  }
  for (const char* beyond_32_bits : {"%nSc1", "#####", "Hello%nSd0", "##", "%n", "%nS", "%nSc", "###", "####"}) {
    EXPECT_FALSE(z85_decode(beyond_32_bits)) << beyond_32_bits;
  }
  EXPECT_FALSE(z85_decode(std::string_view("Hell\0", 5)));
}

}  // namespace
}  // namespace carillon
