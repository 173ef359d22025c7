#include "hub/selector.h"

#include <gtest/gtest.h>

#include "engine/memory/hub_double.h"

namespace carillon {
namespace {

TEST(Selector, ExactHearsItsChannelOnly) {
  EXPECT_TRUE(exact("a:b").matches("a:b"));
  EXPECT_FALSE(exact("a:b").matches("a:b/c"));
  EXPECT_FALSE(exact("a:b").matches("a:bc"));
}

TEST(Selector, TreeHearsItselfAndAllBelow) {
  EXPECT_TRUE(tree("repo:alice/app").matches("repo:alice/app"));
  EXPECT_TRUE(tree("repo:alice/app").matches("repo:alice/app/prs"));
  EXPECT_TRUE(tree("repo").matches("repo:alice/app/prs"));
  EXPECT_FALSE(tree("repo:alice/app").matches("repo:alice/app2"));
  EXPECT_FALSE(tree("repo:alice/app").matches("repo:alice"));
}

TEST(Selector, ChildrenHearOneSegmentBelowOnly) {
  EXPECT_TRUE(children("a:b").matches("a:b/c"));
  EXPECT_FALSE(children("a:b").matches("a:b"));
  EXPECT_FALSE(children("a:b").matches("a:b/c/d"));
  EXPECT_TRUE(children("a").matches("a:b"));
}

TEST(Selector, BelowHearsAnyDepthButNotItself) {
  EXPECT_TRUE(below("a").matches("a:b"));
  EXPECT_TRUE(below("a").matches("a:b/c/d"));
  EXPECT_FALSE(below("a").matches("a"));
}

TEST(Selector, AnEmptyBaseIsAboveEverything) {
  EXPECT_TRUE(tree("").matches("lobby"));
  EXPECT_TRUE(tree("").matches("a:b/c"));
  EXPECT_TRUE(below("").matches("lobby"));
  EXPECT_TRUE(children("").matches("lobby"));
  EXPECT_FALSE(children("").matches("a:b"));
}

}  // namespace
}  // namespace carillon
