#include "hub/group_seating.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace carillon {
namespace {

using ::testing::ElementsAre;

std::vector<GroupMember> serve(GroupSeating& seating, int count) {
  std::vector<GroupMember> served;
  for (int i = 0; i < count; ++i) served.push_back(seating.serve().value_or(0));
  return served;
}

TEST(GroupSeating, WhoHasTheFewestIsNextThenWhoWasServedLongestAgo) {
  GroupSeating seating;
  seating.seat(1, 3);
  seating.seat(2, 1);
  EXPECT_EQ(seating.room(), 4u);
  EXPECT_THAT(serve(seating, 5), ElementsAre(1, 2, 1, 1, 0));
  seating.clear(2);
  seating.clear(1);
  EXPECT_THAT(serve(seating, 1), ElementsAre(2));
  EXPECT_EQ(seating.room(), 1u);
}

TEST(GroupSeating, WhoGoesTakesItsRoomAlongAndWhatItHadIsNobodys) {
  GroupSeating seating;
  seating.seat(1, 2);
  seating.seat(2, 2);
  EXPECT_THAT(serve(seating, 3), ElementsAre(1, 2, 1));
  seating.unseat(1);
  seating.clear(1);
  EXPECT_EQ(seating.room(), 1u);
  EXPECT_EQ(seating.size(), 1u);
  seating.clear_all();
  EXPECT_EQ(seating.room(), 2u);
  seating.clear(2);
  EXPECT_EQ(seating.room(), 2u) << "it has none to clear";
  EXPECT_THAT(serve(seating, 3), ElementsAre(2, 2, 0));
}

}  // namespace
}  // namespace carillon
