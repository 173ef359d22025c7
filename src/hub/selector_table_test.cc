#include "hub/selector_table.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <vector>

#include "engine/memory/hub_double.h"

namespace carillon {
namespace {

TEST(SelectorTable, FindsWhatWasPutInAndForgetsWhatWasErased) {
  SelectorTable<int> table;
  const Selector one{Selector::Kind::kExact, "a"}, other{Selector::Kind::kTree, "a"};
  table[one] = 1;
  table[other] = 2;
  EXPECT_EQ(*table.find(one), 1);
  EXPECT_EQ(*table.find(other), 2);
  EXPECT_EQ(table.size(), 2u);
  table.erase(one);
  EXPECT_EQ(table.find(one), nullptr);
  EXPECT_EQ(*table.find(other), 2);
}

// The table and Selector::matches are one rule.
TEST(SelectorTable, MatchesExactlyWhatEachSelectorMatches) {
  Dice random(7);
  const auto name = [&random] {
    std::string text;
    for (unsigned length = 1 + random() % 7; length > 0; --length) text += "ab:/"[random() % 4];
    return text;
  };
  for (int round = 0; round < 200; ++round) {
    SelectorTable<int> table;
    std::vector<Selector> selectors;
    for (int i = 0; i < 30; ++i) {
      Selector selector{static_cast<Selector::Kind>(random() % 4), random() % 8 == 0 ? "" : name()};
      if (table.find(selector) != nullptr) continue;
      table[selector] = static_cast<int>(selectors.size());
      selectors.push_back(selector);
    }
    for (int i = 0; i < 30; ++i) {
      const std::string channel = name();
      std::vector<int> expected, found;
      for (std::size_t s = 0; s < selectors.size(); ++s) {
        if (selectors[s].matches(channel)) expected.push_back(static_cast<int>(s));
      }
      table.for_each_match(channel, [&found](int value) { found.push_back(value); });
      std::sort(found.begin(), found.end());
      ASSERT_EQ(found, expected) << channel;
    }
  }
}

}  // namespace
}  // namespace carillon
