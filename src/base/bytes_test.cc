#include "base/bytes.h"

#include <gtest/gtest.h>

#include <string>

namespace carillon {
namespace {

TEST(Bytes, HoldsItsOwnCopy) {
  std::string text = "carillon";
  const Bytes bytes = Bytes::copy_of(text);
  text[0] = 'X';
  EXPECT_EQ(bytes.view(), "carillon");
  EXPECT_EQ(bytes.size(), 8u);
}

TEST(Bytes, EmptyNeedsNothing) {
  EXPECT_TRUE(Bytes().empty());
  EXPECT_TRUE(Bytes::copy_of("").empty());
  EXPECT_EQ(Bytes::copy_of("").slice(0, 0).view(), "");
}

TEST(Bytes, CopiesAndSlicesShareTheSameMemory) {
  const Bytes bytes = Bytes::copy_of("one two three");
  const Bytes copy = bytes;
  const Bytes two = copy.slice(4, 3);
  EXPECT_EQ(copy.view().data(), bytes.view().data());
  EXPECT_EQ(two.view(), "two");
  EXPECT_EQ(two.view().data(), bytes.view().data() + 4);
  EXPECT_EQ(two.slice(1, 2).view(), "wo");
}

TEST(Bytes, ASliceKeepsTheWholeAlive) {
  Bytes part;
  {
    const Bytes whole = Bytes::copy_of(std::string(1000, 'a') + "tail");
    part = whole.slice(1000, 4);
  }
  EXPECT_EQ(part.view(), "tail");
}

TEST(Bytes, AMovedFromOneIsEmpty) {
  Bytes from = Bytes::copy_of("x");
  const Bytes to = std::move(from);
  EXPECT_TRUE(from.empty());  // NOLINT(bugprone-use-after-move): that is what is tested.
  EXPECT_EQ(to.view(), "x");
}

TEST(Bytes, AssigningToItselfChangesNothing) {
  Bytes bytes = Bytes::copy_of("same");
  const Bytes& alias = bytes;
  bytes = alias;
  EXPECT_EQ(bytes.view(), "same");
}

TEST(BytesDeathTest, ASliceOutsideStopsTheProcess) {
  const Bytes bytes = Bytes::copy_of("abc");
  EXPECT_DEATH(static_cast<void>(bytes.slice(1, 3)), "CHECK");
  EXPECT_DEATH(static_cast<void>(bytes.slice(4, 0)), "CHECK");
}

}  // namespace
}  // namespace carillon
