#include "hub/member_log.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <deque>
#include <map>
#include <random>

namespace carillon {
namespace {

using testing::ElementsAre;

struct Place {
  int member;
  std::uint64_t left_at = 0;

  bool left() const { return left_at != 0; }
  void leave(std::uint64_t moment) { left_at = moment; }
};

template <class Places>
class MemberLogTest : public testing::Test {
 protected:
  void join(int member) { place_of[member] = log.join({.member = member}); }
  void leave(int member) {
    log.leave(place_of.at(member));
    place_of.erase(member);
  }
  void compact() {
    log.compact([this](const Place& place, std::size_t at) { place_of[place.member] = at; });
  }
  static std::vector<int> members_of(const MemberLog<Place, Places>& of) {
    std::vector<int> members;
    of.for_each([&](const Place& place) { members.push_back(place.member); });
    return members;
  }
  std::vector<int> members() const { return members_of(log); }

  MemberLog<Place, Places> log;
  std::map<int, std::size_t> place_of;
};

using Storages = testing::Types<std::vector<Place>, std::deque<Place>>;
TYPED_TEST_SUITE(MemberLogTest, Storages);

TYPED_TEST(MemberLogTest, KeepsTheOrderOfJoining) {
  for (const int member : {3, 1, 2}) this->join(member);
  this->leave(3);
  this->join(3);
  EXPECT_THAT(this->members(), ElementsAre(1, 2, 3));
  EXPECT_EQ(this->log.size(), 3u);
  EXPECT_EQ(this->log.reach(), 4u);
}

TYPED_TEST(MemberLogTest, EveryLeaveIsANewMoment) {
  for (const int member : {1, 2}) this->join(member);
  this->leave(1);
  const std::uint64_t first = this->log.moment();
  this->leave(2);
  EXPECT_GT(this->log.moment(), first);
  EXPECT_EQ(this->log[0].left_at, first);
  EXPECT_TRUE(this->log.empty());
}

// The visitor adds enough for the places to move, and takes away who is behind, before and under it.
TYPED_TEST(MemberLogTest, AWalkIsNotDisturbedByWhoComesAndGoes) {
  for (int member = 0; member < 10; ++member) this->join(member);
  std::vector<int> visited;
  this->log.for_each([&](const Place& place) {
    visited.push_back(place.member);
    for (int i = 0; i < 50; ++i) this->join(100 * (place.member + 1) + i);
    if (place.member == 4) {
      for (const int member : {1, 4, 5, 8}) this->leave(member);
    }
  });
  EXPECT_THAT(visited, ElementsAre(0, 1, 2, 3, 4, 6, 7, 9));
  EXPECT_EQ(this->log.size(), 10u - 4 + 8 * 50);
}

TYPED_TEST(MemberLogTest, CompactingKeepsTheOrderAndTellsTheNewPlaces) {
  for (int member = 0; member < 20; ++member) this->join(member);
  EXPECT_FALSE(this->log.sparse());
  for (int member = 0; member < 20; ++member) {
    if (member % 4 != 1) this->leave(member);
  }
  EXPECT_TRUE(this->log.sparse());
  std::map<int, std::size_t> elsewhere;
  const auto other = this->log.compacted([&](const Place& place, std::size_t at) { elsewhere[place.member] = at; });
  EXPECT_EQ(this->log.reach(), 20u);
  this->compact();
  EXPECT_THAT(this->members(), ElementsAre(1, 5, 9, 13, 17));
  EXPECT_EQ(this->members_of(other), this->members());
  EXPECT_EQ(this->place_of, elsewhere);
  EXPECT_EQ(this->log.reach(), 5u);
  EXPECT_EQ(other.moment(), this->log.moment());
  for (const auto& [member, place] : this->place_of) EXPECT_EQ(this->log[place].member, member);
}

TYPED_TEST(MemberLogTest, LeavesPayForCompacting) {
  std::mt19937 random(1);
  std::vector<int> expected;
  int next = 0;
  std::size_t moved = 0, leaves = 0;
  for (int step = 0; step < 20'000; ++step) {
    if (expected.empty() || random() % 1000 < (step / 5000 % 2 == 0 ? 700u : 300u)) {
      this->join(next);
      expected.push_back(next++);
    } else {
      const auto leaving = expected.begin() + static_cast<std::ptrdiff_t>(random() % expected.size());
      this->leave(*leaving);
      expected.erase(leaving);
      ++leaves;
    }
    if (this->log.sparse()) {
      moved += this->log.size();
      this->compact();
    }
    ASSERT_EQ(this->log.size(), expected.size());
    ASSERT_LE(this->log.reach(), 2 * expected.size() + this->log.kSparePlaces);
    if (step % 100 == 0) {
      ASSERT_EQ(this->members(), expected);
    }
  }
  EXPECT_GT(moved, 0u);
  EXPECT_LE(moved, leaves);
}

}  // namespace
}  // namespace carillon
