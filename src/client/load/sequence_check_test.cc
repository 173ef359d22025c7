#include "client/load/sequence_check.h"

#include <gtest/gtest.h>

namespace carillon {
namespace {

using Verdict = SequenceCheck::Verdict;

TEST(SequenceCheck, KnowsOrderGapAndDuplicate) {
  SequenceCheck check(2, 1, 1);
  EXPECT_EQ(check.on_delivered(0, 0), Verdict::kInOrder);
  EXPECT_EQ(check.on_delivered(0, 1), Verdict::kInOrder);
  EXPECT_EQ(check.on_delivered(0, 1), Verdict::kDuplicate);
  EXPECT_EQ(check.on_delivered(0, 3), Verdict::kGap);
  EXPECT_EQ(check.on_delivered(0, 2), Verdict::kDuplicate) << "too late";
  EXPECT_EQ(check.on_delivered(0, 4), Verdict::kInOrder);
  EXPECT_EQ(check.on_delivered(1, 0), Verdict::kInOrder) << "each subscriber by itself";
}

TEST(SequenceCheck, MissesTheFirstOneToo) {
  SequenceCheck check(1, 1, 1);
  EXPECT_EQ(check.on_delivered(0, 1), Verdict::kGap);
}

TEST(SequenceCheck, ExpectsOfAChannelItsOwn) {
  SequenceCheck check(6, 3, 1);
  EXPECT_EQ(check.on_delivered(4, 1), Verdict::kInOrder);
  EXPECT_EQ(check.on_delivered(4, 4), Verdict::kInOrder);
  EXPECT_EQ(check.on_delivered(4, 10), Verdict::kGap);
  EXPECT_EQ(check.on_delivered(2, 2), Verdict::kInOrder);
}

TEST(SequenceCheck, LetsPublishersOfOneChannelOvertakeEachOther) {
  SequenceCheck check(1, 1, 2);
  EXPECT_EQ(check.on_delivered(0, 1), Verdict::kInOrder);
  EXPECT_EQ(check.on_delivered(0, 3), Verdict::kInOrder);
  EXPECT_EQ(check.on_delivered(0, 0), Verdict::kInOrder);
  EXPECT_EQ(check.on_delivered(0, 4), Verdict::kGap);
  EXPECT_EQ(check.on_delivered(0, 2), Verdict::kDuplicate);
}

}  // namespace
}  // namespace carillon
