#include "hub/interest.h"

#include <gtest/gtest.h>

namespace carillon {
namespace {

TEST(Interest, NamesTheLoopsThatHearAChannel) {
  Interest interest;
  const Selector room{Selector::Kind::kExact, "room:1"}, all_rooms{Selector::Kind::kTree, "room"};
  EXPECT_EQ(interest.loops_hearing("room:1"), 0u);
  interest.add(room, 0);
  interest.add(room, 3);
  interest.add(all_rooms, 63);
  EXPECT_EQ(interest.loops_hearing("room:1"), 1u | 8u | std::uint64_t{1} << 63);
  EXPECT_EQ(interest.loops_hearing("room:2"), std::uint64_t{1} << 63);
  EXPECT_EQ(interest.loops_hearing("lobby"), 0u);
}

TEST(Interest, ForgetsALoopThatHearsNoMore) {
  Interest interest;
  const Selector room{Selector::Kind::kExact, "room:1"}, all{Selector::Kind::kBelow, ""};
  interest.add(room, 1);
  interest.add(room, 2);
  interest.add(all, 1);
  interest.remove(room, 1);
  EXPECT_EQ(interest.loops_hearing("room:1"), 4u | 2u);
  interest.remove(all, 1);
  EXPECT_EQ(interest.loops_hearing("room:1"), 4u);
  interest.remove(room, 2);
  interest.remove(room, 2);
  EXPECT_EQ(interest.loops_hearing("room:1"), 0u);
}

}  // namespace
}  // namespace carillon
