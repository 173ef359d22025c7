#include "client/load/publish_window.h"

#include <gtest/gtest.h>

namespace carillon {
namespace {

TEST(PublishWindow, HoldsNoMoreThanItsSize) {
  PublishWindow window(2);
  window.on_published(1);
  EXPECT_TRUE(window.may_publish());
  window.on_published(1);
  EXPECT_FALSE(window.may_publish());
}

TEST(PublishWindow, WaitsUntilEverybodyHeard) {
  PublishWindow window(1);
  window.on_published(3);
  window.on_delivered(0);
  window.on_delivered(0);
  EXPECT_FALSE(window.may_publish());
  window.on_delivered(0);
  EXPECT_TRUE(window.may_publish());
  EXPECT_TRUE(window.empty());
}

TEST(PublishWindow, KeepsALaterOneUntilTheOldestIsThrough) {
  PublishWindow window(2);
  window.on_published(1);
  window.on_published(1);
  window.on_delivered(1);
  EXPECT_FALSE(window.may_publish());
  window.on_delivered(0);
  EXPECT_TRUE(window.empty());
}

TEST(PublishWindow, NeedsNobodyToHear) {
  PublishWindow window(1);
  window.on_published(0);
  EXPECT_TRUE(window.may_publish());
}

TEST(PublishWindow, IgnoresWhatItGaveUp) {
  PublishWindow window(2);
  window.on_published(1);
  window.on_published(1);
  window.give_up();
  EXPECT_TRUE(window.empty());
  window.on_published(1);  // Sequence 2, in the slot that 0 had.
  window.on_delivered(0);
  EXPECT_FALSE(window.empty());
  window.on_delivered(2);
  EXPECT_TRUE(window.empty());
}

}  // namespace
}  // namespace carillon
