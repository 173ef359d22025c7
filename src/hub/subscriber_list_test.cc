#include "hub/subscriber_list.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace carillon {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

SubscriberList of(const std::vector<std::string>& names) {
  SubscriberList list;
  for (const std::string& name : names) list.add(name);
  return list;
}

std::string numbered(int number) {
  return "client-" + std::to_string(number);
}

TEST(SubscriberList, KeepsTheOrderOfComing) {
  SubscriberList list = of({"carol", "alice", "bob"});
  EXPECT_FALSE(list.add("alice"));
  EXPECT_THAT(list.all().to_list(), ElementsAre("carol", "alice", "bob"));
  EXPECT_TRUE(list.remove("carol"));
  EXPECT_FALSE(list.remove("carol"));
  EXPECT_TRUE(list.add("carol"));
  EXPECT_THAT(list.all().to_list(), ElementsAre("alice", "bob", "carol"));
  EXPECT_EQ(list.all().size(), 3u);
}

TEST(SubscriberList, RecipientsStayAsTheyWere) {
  SubscriberList list = of({"a", "b", "c"});
  const Recipients before = list.all();
  list.remove("b");
  const Recipients between = list.all();
  list.add("b");
  list.remove("a");
  EXPECT_THAT(before.to_list(), ElementsAre("a", "b", "c"));
  EXPECT_THAT(between.to_list(), ElementsAre("a", "c"));
  EXPECT_THAT(list.all().to_list(), ElementsAre("c", "b"));
  EXPECT_EQ(before.size(), 3u);
  EXPECT_EQ(between.size(), 2u);
}

TEST(SubscriberList, RecipientsOutliveTheListAndEveryMove) {
  Recipients early, late;
  {
    SubscriberList list;
    for (int i = 0; i < 100; ++i) list.add(numbered(i));
    early = list.all();
    for (int i = 0; i < 97; ++i) list.remove(numbered(i));
    late = list.all();
    EXPECT_GT(list.moved(), 0u);
  }
  EXPECT_EQ(early.to_list().size(), 100u);
  EXPECT_EQ(early.to_list()[42], numbered(42));
  EXPECT_THAT(late.to_list(), ElementsAre(numbered(97), numbered(98), numbered(99)));
}

TEST(SubscriberList, LeavesOutOne) {
  SubscriberList list = of({"a", "b", "c"});
  const Recipients others = list.without("b");
  EXPECT_EQ(others.size(), 2u);
  list.remove("a");
  EXPECT_THAT(others.to_list(), ElementsAre("a", "c"));
  EXPECT_THAT(list.without("stranger").to_list(), ElementsAre("b", "c"));
}

TEST(SubscriberList, NobodyIsEmpty) {
  EXPECT_TRUE(Recipients().empty());
  EXPECT_THAT(Recipients().to_list(), IsEmpty());
  SubscriberList list = of({"a"});
  EXPECT_TRUE(list.without("a").empty());
  EXPECT_THAT(list.without("a").to_list(), IsEmpty());
}

TEST(SubscriberList, AVisitorMayLetOthersComeAndGo) {
  SubscriberList list = of({"a", "b", "c"});
  std::vector<std::string> visited;
  const Recipients recipients = list.all();
  recipients.for_each([&](const std::string& subscriber) {
    for (int i = 0; i < 200; ++i) list.add(subscriber + numbered(i));
    for (int i = 0; i < 200; ++i) list.remove(subscriber + numbered(i));
    list.remove(subscriber);
    visited.push_back(subscriber);
  });
  EXPECT_THAT(visited, ElementsAre("a", "b", "c"));
  EXPECT_EQ(list.size(), 0u);
}

// The trap of a list copied on each change: broadcast, join, broadcast, join, and nobody flushes.
TEST(SubscriberList, JoinsBetweenRecipientsThatAreHeldCopyNothing) {
  SubscriberList list;
  std::vector<Recipients> held;
  for (int i = 0; i < 20'000; ++i) {
    list.add(numbered(i));
    held.push_back(list.all());
  }
  EXPECT_EQ(list.moved(), 0u);
  EXPECT_EQ(list.places(), 20'000u);
  for (const std::size_t i : {0u, 1u, 19'999u}) EXPECT_EQ(held[i].size(), i + 1);
  EXPECT_EQ(held[2].to_list(), (std::vector{numbered(0), numbered(1), numbered(2)}));
}

TEST(SubscriberList, LeavesBetweenRecipientsThatAreHeldPayForTheirMoves) {
  SubscriberList list;
  std::vector<Recipients> held;
  for (int i = 0; i < 1000; ++i) list.add(numbered(i));
  constexpr std::uint64_t kLeaves = 50'000;
  for (std::uint64_t i = 0; i < kLeaves; ++i) {
    list.remove(numbered(static_cast<int>(i)));
    held.push_back(list.all());
    list.add(numbered(static_cast<int>(i) + 1000));
    ASSERT_LE(list.places(), 2 * list.size() + 5);  // So a walk costs what it finds.
  }
  EXPECT_LE(list.moved(), kLeaves);
  EXPECT_EQ(held.front().to_list().front(), numbered(1));
  EXPECT_EQ(held.back().size(), 999u);
}

}  // namespace
}  // namespace carillon
