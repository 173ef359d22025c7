#include "hub/frame.h"

#include <gtest/gtest.h>

namespace carillon {
namespace {

TEST(Frame, IsCountedOnceHoweverManyShareItAndNoLongerThanItLives) {
  FrameMemory memory;
  {
    const FramePtr first = Frame::make(memory, "abc", {});
    const std::size_t one = memory.bytes;
    EXPECT_GE(one, 3u);
    const FramePtr shared = first, another = first;
    EXPECT_EQ(memory.bytes, one);
    const FramePtr second = Frame::make(memory, "abc", {});
    EXPECT_EQ(memory.bytes, 2 * one);
  }
  EXPECT_EQ(memory.bytes, 0u);
}

TEST(Frame, KnowsWhatItHolds) {
  FrameMemory memory;
  const FramePtr answer = Frame::make(memory, "", {});
  EXPECT_EQ(answer->bytes(), "");
  EXPECT_FALSE(answer->droppable());
  const FramePtr run = Frame::make(memory, "xy", {.messages = 2, .channel = std::make_shared<const std::string>("room:1")});
  EXPECT_EQ(run->bytes(), "xy");
  EXPECT_EQ(run->messages(), 2u);
  EXPECT_TRUE(run->droppable());
  EXPECT_EQ(run->channel(), "room:1");
}

}  // namespace
}  // namespace carillon
