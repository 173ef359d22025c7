#include "client/load/latency_histogram.h"

#include <gtest/gtest.h>

namespace carillon {
namespace {

TEST(LatencyHistogram, KnowsNothingOfNothing) {
  const LatencyHistogram histogram;
  EXPECT_EQ(histogram.count(), 0u);
  EXPECT_EQ(histogram.quantile(0.5), 0u);
  EXPECT_EQ(histogram.max(), 0u);
}

TEST(LatencyHistogram, IsExactForSmallValues) {
  LatencyHistogram histogram;
  for (std::uint64_t value = 1; value <= 100; ++value) histogram.add(value);
  EXPECT_EQ(histogram.quantile(0), 1u);
  EXPECT_EQ(histogram.quantile(0.5), 50u);
  EXPECT_EQ(histogram.quantile(0.99), 99u);
  EXPECT_EQ(histogram.quantile(1), 100u);
}

TEST(LatencyHistogram, StaysWithinASixtyFourthAnywhere) {
  for (std::uint64_t value = 1; value < std::uint64_t{1} << 62; value = value * 3 + 1) {
    LatencyHistogram histogram;
    histogram.add(value);
    histogram.add(std::uint64_t{1} << 63);
    const std::uint64_t found = histogram.quantile(0.5);
    EXPECT_GE(found, value);
    EXPECT_LE(found - value, value / 64);
  }
}

TEST(LatencyHistogram, HoldsTheLargestValueThereIs) {
  LatencyHistogram histogram;
  histogram.add(UINT64_MAX);
  EXPECT_EQ(histogram.quantile(0.99), UINT64_MAX);
}

TEST(LatencyHistogram, NeverNamesMoreThanTheMaximum) {
  LatencyHistogram histogram;
  histogram.add(1'000'001);
  EXPECT_EQ(histogram.quantile(0.5), 1'000'001u);
  EXPECT_EQ(histogram.max(), 1'000'001u);
}

TEST(LatencyHistogram, ForgetsWhenCleared) {
  LatencyHistogram histogram;
  histogram.add(5);
  histogram.clear();
  EXPECT_EQ(histogram.count(), 0u);
  EXPECT_EQ(histogram.max(), 0u);
  histogram.add(7);
  EXPECT_EQ(histogram.quantile(0.5), 7u);
}

}  // namespace
}  // namespace carillon
