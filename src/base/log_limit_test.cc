#include "base/log_limit.h"

#include <gtest/gtest.h>

namespace carillon {
namespace {

TEST(LogLimit, WritesOnceAPeriodAndCountsTheRest) {
  LogLimit limit(Millis{1000});
  EXPECT_TRUE(limit.may_write(Millis{0}));
  EXPECT_FALSE(limit.may_write(Millis{1}));
  EXPECT_FALSE(limit.may_write(Millis{999}));
  EXPECT_TRUE(limit.may_write(Millis{1000}));
  EXPECT_EQ(limit.take_left_out(), 2u);
  EXPECT_EQ(limit.take_left_out(), 0u);
}

}  // namespace
}  // namespace carillon
