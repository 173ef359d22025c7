#include "server/nearest_word.h"

#include <gtest/gtest.h>

#include <array>

namespace carillon {
namespace {

TEST(EditDistance, CountsSingleChanges) {
  EXPECT_EQ(edit_distance("", ""), 0u);
  EXPECT_EQ(edit_distance("", "abc"), 3u);
  EXPECT_EQ(edit_distance("abc", ""), 3u);
  EXPECT_EQ(edit_distance("listen", "listen"), 0u);
  EXPECT_EQ(edit_distance("lisen", "listen"), 1u);
  EXPECT_EQ(edit_distance("listenn", "listen"), 1u);
  EXPECT_EQ(edit_distance("lasten", "listen"), 1u);
  EXPECT_EQ(edit_distance("lisetn", "listen"), 1u);
  EXPECT_EQ(edit_distance("LISTEN", "listen"), 0u);
  EXPECT_EQ(edit_distance("kitten", "sitting"), 3u);
}

TEST(NearestWord, FindsWhatWasMeantAndNothingElse) {
  const std::array<std::string_view, 3> known = {"history_count", "history_age", "match"};
  EXPECT_EQ(nearest_word("histroy_count", known), "history_count");
  EXPECT_EQ(nearest_word("history", known), "");
  EXPECT_EQ(nearest_word("mtach", known), "match");
  EXPECT_EQ(nearest_word("colour", known), "");
  EXPECT_EQ(nearest_word("", known), "");
  EXPECT_EQ(nearest_word(std::string(1000, 'm'), known), "");
  EXPECT_EQ(did_you_mean("matc", known), "; did you mean `match`?");
  EXPECT_EQ(did_you_mean("zzz", known), "");
}

}  // namespace
}  // namespace carillon
