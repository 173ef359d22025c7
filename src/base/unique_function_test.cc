#include "base/unique_function.h"

#include <gtest/gtest.h>

#include <array>
#include <memory>
#include <string>

namespace carillon {
namespace {

// Counts how many of it live.
struct Counted {
  explicit Counted(int& live) : count(&live) { ++*count; }
  Counted(const Counted& other) : count(other.count) { ++*count; }
  Counted(Counted&& other) noexcept : count(other.count) { ++*count; }
  ~Counted() { --*count; }
  int* count;
};

TEST(UniqueFunction, IsFalseWhenEmptyAndAfterBeingMovedFrom) {
  Task empty;
  EXPECT_FALSE(empty);
  Task full = [] {};
  EXPECT_TRUE(full);
  Task taken = std::move(full);
  EXPECT_TRUE(taken);
  EXPECT_FALSE(full);  // NOLINT(bugprone-use-after-move): that is what is tested.
}

TEST(UniqueFunction, HoldsWhatCannotBeCopied) {
  UniqueFunction<int()> function = [value = std::make_unique<int>(7)] { return *value; };
  UniqueFunction<int()> moved = std::move(function);
  EXPECT_EQ(moved(), 7);
}

TEST(UniqueFunction, DestroysSmallAndLargeCapturesOnce) {
  int live = 0;
  {
    Task small = [counted = Counted(live)] {};
    Task large = [counted = Counted(live), room = std::array<char, 200>{}] { static_cast<void>(room); };
    EXPECT_EQ(live, 2);
    Task other = std::move(large);
    EXPECT_EQ(live, 2);
    other = std::move(small);
    EXPECT_EQ(live, 1);
    other = {};
    EXPECT_EQ(live, 0);
  }
  EXPECT_EQ(live, 0);
}

TEST(UniqueFunction, KeepsStateBetweenCallsInPlaceAndOnTheHeap) {
  UniqueFunction<int()> small = [count = 0]() mutable { return ++count; };
  UniqueFunction<int()> large = [count = 0, room = std::array<int, 40>{}]() mutable { return ++count + room[0]; };
  small();
  large();
  UniqueFunction<int()> small_moved = std::move(small), large_moved = std::move(large);
  EXPECT_EQ(small_moved(), 2);
  EXPECT_EQ(large_moved(), 2);
}

TEST(UniqueFunction, PassesArgumentsAsTheyAre) {
  UniqueFunction<std::size_t(std::unique_ptr<std::string>, std::string&)> function = [](std::unique_ptr<std::string> owned,
                                                                                        std::string& lent) {
    lent += *owned;
    return lent.size();
  };
  std::string text = "ab";
  EXPECT_EQ(function(std::make_unique<std::string>("cd"), text), 4u);
  EXPECT_EQ(text, "abcd");
}

TEST(UniqueFunction, LeavesAsideAResultThatNobodyWants) {
  int called = 0;
  Task task = [&called] { return ++called; };
  task();
  EXPECT_EQ(called, 1);
}

TEST(UniqueFunction, AlignsWhatAsksForMore) {
  struct alignas(64) Wide {
    char bytes[64] = {};
  };
  UniqueFunction<bool()> function = [wide = Wide{}] { return reinterpret_cast<std::uintptr_t>(&wide) % 64 == 0; };
  UniqueFunction<bool()> moved = std::move(function);
  EXPECT_TRUE(moved());
}

TEST(UniqueFunctionDeathTest, StopsTheProcessWhenCalledEmpty) {
  Task empty;
  EXPECT_DEATH(empty(), "CHECK");
}

}  // namespace
}  // namespace carillon
