#include "protocol/phoenix/closing_delay.h"

#include <gtest/gtest.h>

#include <string>

#include "base/manual_loop.h"

namespace carillon {
namespace {

struct Guest final : ClosingDelay::Held {
  Guest(std::string of, std::string& said) : name(std::move(of)), told(said) {}
  void on_held_long_enough() override { told += name; }
  std::string name;
  std::string& told;
};

class ClosingDelayTest : public testing::Test {
 protected:
  Millis in(int ms) { return loop_.now() + Millis{ms}; }

  ManualLoop loop_;
  std::string told_;
  Guest a_{"a", told_}, b_{"b", told_}, c_{"c", told_};
  ClosingDelay delay_{loop_, 2};
};

TEST_F(ClosingDelayTest, EachIsToldAtItsTime) {
  const Millis soon = in(100), later = in(500);
  EXPECT_TRUE(delay_.hold(a_, later));
  EXPECT_TRUE(delay_.hold(b_, soon));
  loop_.advance(Millis{100} + TimerWheel::kTick);
  EXPECT_EQ(told_, "b");
  loop_.advance(Millis{400});
  EXPECT_EQ(told_, "ba");
  EXPECT_EQ(delay_.size(), 0u);
}

TEST_F(ClosingDelayTest, WhoHasGoneIsNotTold) {
  const Millis soon = in(100);
  EXPECT_TRUE(delay_.hold(a_, soon));
  EXPECT_TRUE(delay_.hold(b_, soon));
  delay_.forget(a_, soon);
  loop_.advance(Millis{200});
  EXPECT_EQ(told_, "b");
}

TEST_F(ClosingDelayTest, NobodyIsHeldWithoutNeedOrRoom) {
  EXPECT_FALSE(delay_.hold(a_, loop_.now()));
  EXPECT_TRUE(delay_.hold(a_, in(100)));
  EXPECT_TRUE(delay_.hold(b_, in(100)));
  EXPECT_FALSE(delay_.hold(c_, in(100)));
  EXPECT_EQ(delay_.size(), 2u);
}

}  // namespace
}  // namespace carillon
