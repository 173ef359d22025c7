#include "server/unit_text.h"

#include <gtest/gtest.h>

namespace carillon {
namespace {

using std::chrono::hours;
using std::chrono::milliseconds;
using std::chrono::minutes;
using std::chrono::seconds;

TEST(Size, ReadsBothFamiliesOfUnits) {
  EXPECT_EQ(*parse_size("0"), 0u);
  EXPECT_EQ(*parse_size("1500"), 1500u);
  EXPECT_EQ(*parse_size("7B"), 7u);
  EXPECT_EQ(*parse_size("64KiB"), 65536u);
  EXPECT_EQ(*parse_size("64kib"), 65536u);
  EXPECT_EQ(*parse_size("32MB"), 32'000'000u);
  EXPECT_EQ(*parse_size("32 MiB"), 33'554'432u);
  EXPECT_EQ(*parse_size("2GiB"), 2'147'483'648u);
  EXPECT_EQ(*parse_size("3GB"), 3'000'000'000u);
}

TEST(Size, RefusesWhatIsNone) {
  for (const char* text :
       {"", "MB", "-1", "+1", "1.5MB", "1TB", "12x", "1MB1", "0x10", "99999999999999999999", "9999999999GiB"}) {
    const auto size = parse_size(text);
    ASSERT_FALSE(size) << text;
    EXPECT_NE(size.error().text.find("is not a size"), std::string::npos) << size.error().text;
  }
}

TEST(Size, ABareLetterIsRefusedWithBothReadings) {
  const auto size = parse_size("32M");
  ASSERT_FALSE(size);
  EXPECT_EQ(size.error().text, "`32M` may mean powers of 1000 or of 1024; write 32MB or 32MiB");
}

TEST(Size, TheTextReadsBackAsTheSame) {
  EXPECT_EQ(size_text(0), "0B");
  EXPECT_EQ(size_text(100), "100B");
  EXPECT_EQ(size_text(65536), "64KiB");
  EXPECT_EQ(size_text(32'000'000), "32MB");
  for (const std::uint64_t bytes : {0ULL, 1ULL, 999ULL, 1000ULL, 1024ULL, 1'000'001ULL, 32'000'000ULL, 1ULL << 40}) {
    EXPECT_EQ(*parse_size(size_text(bytes)), bytes);
  }
}

TEST(Duration, ReadsUnitsFromTheLargestDown) {
  EXPECT_EQ(*parse_duration("15s"), seconds(15));
  EXPECT_EQ(*parse_duration("500ms"), milliseconds(500));
  EXPECT_EQ(*parse_duration("1h"), hours(1));
  EXPECT_EQ(*parse_duration("1h30m"), minutes(90));
  EXPECT_EQ(*parse_duration("1d2h3m4s5ms"), milliseconds(93'784'005));
  EXPECT_EQ(*parse_duration("0s"), seconds(0));
}

TEST(Duration, RefusesWhatIsNone) {
  for (const char* text : {"", "15", "s", "-1s", "1.5s", "30m1h", "1s1s", "1h30", "5 s", "1S", "99999999999999999999s",
                           "9223372036854775807s", "106751991167d1000000000h"}) {
    EXPECT_FALSE(parse_duration(text)) << text;
  }
}

TEST(Duration, TheTextReadsBackAsTheSame) {
  EXPECT_EQ(duration_text(milliseconds(0)), "0s");
  EXPECT_EQ(duration_text(seconds(90)), "90s");
  EXPECT_EQ(duration_text(hours(1)), "1h");
  for (const int ms : {0, 1, 999, 1000, 60'000, 90'000, 3'600'000, 86'400'000, 86'400'001}) {
    EXPECT_EQ(*parse_duration(duration_text(milliseconds(ms))), milliseconds(ms));
  }
}

}  // namespace
}  // namespace carillon
