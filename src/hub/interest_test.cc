#include "hub/interest.h"

#include <gtest/gtest.h>

#include <random>
#include <set>
#include <tuple>

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

// Against every selector asked one by one.
TEST(Interest, HearsWhatTheSelectorsMatch) {
  std::mt19937 random(7);
  const std::vector<std::string> bases = {"", "a", "b", "a:b", "a:b/c", "a:b/c/d", "a:d", "b:"};
  const std::vector<std::string> channels = {"a", "b", "c", "a:b", "a:d", "a:b/c", "a:b/c/d", "a:b/c/d/e", "b:", "b:/", "c:a"};
  Interest interest;
  std::set<std::tuple<Selector::Kind, std::string, unsigned>> there;
  for (int step = 0; step < 5000; ++step) {
    const auto kind = static_cast<Selector::Kind>(random() % 4);
    const std::string base = bases[random() % bases.size()];
    const unsigned loop = static_cast<unsigned>(random() % 3) * 20;
    if (random() % 2 == 0) {
      interest.add({kind, base}, loop);
      there.insert({kind, base, loop});
    } else {
      interest.remove({kind, base}, loop);
      there.erase({kind, base, loop});
    }
    for (const std::string& channel : channels) {
      std::uint64_t expected = 0;
      for (const auto& [k, b, l] : there) {
        if (Selector{k, b}.matches(channel)) expected |= std::uint64_t{1} << l;
      }
      ASSERT_EQ(interest.loops_hearing(channel), expected) << channel << " at step " << step;
    }
  }
}

}  // namespace
}  // namespace carillon
