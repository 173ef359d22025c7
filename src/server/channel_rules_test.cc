#include "server/channel_rules.h"

#include <gtest/gtest.h>

namespace carillon {
namespace {

TEST(ChannelPattern, StarsStandForWholeSegments) {
  for (const char* good : {"**", "*", "repo:*", "repo:**", "repo:*/app", "repo:alice/*", "repo:*/*/prs", "room:42", "lobby",
                           "{user}", "user:{user}", "user:{user}/**", "dm:*/{user}", "a:{users}"}) {
    EXPECT_TRUE(check_channel_pattern(good)) << good;
  }
  for (const char* bad : {"", "repo:a*", "re*:x", "**:x", "repo:**/prs", "repo:***", "a\nb", "\xFF", "user:x{user}",
                          "user:{user}x", "dm:{user}/{user}"}) {
    EXPECT_FALSE(check_channel_pattern(bad)) << bad;
  }
  EXPECT_FALSE(check_channel_pattern(std::string(256, 'x')));
}

TEST(ChannelPattern, FitsSegmentBySegment) {
  EXPECT_TRUE(channel_pattern_fits("**", "anything:at/all"));
  EXPECT_TRUE(channel_pattern_fits("room:42", "room:42"));
  EXPECT_FALSE(channel_pattern_fits("room:42", "room:421"));
  EXPECT_FALSE(channel_pattern_fits("room:42", "room:42/x"));
  EXPECT_TRUE(channel_pattern_fits("repo:*", "repo:alice"));
  EXPECT_FALSE(channel_pattern_fits("repo:*", "repo:alice/app"));
  EXPECT_FALSE(channel_pattern_fits("repo:*", "repo"));
  EXPECT_TRUE(channel_pattern_fits("repo:*/app", "repo:bob/app"));
  EXPECT_FALSE(channel_pattern_fits("repo:*/app", "repo:bob/lib"));
  EXPECT_TRUE(channel_pattern_fits("repo:**", "repo:bob/lib/prs"));
  EXPECT_TRUE(channel_pattern_fits("repo:**", "repo"));
  EXPECT_FALSE(channel_pattern_fits("repo:**", "repository:x"));
  EXPECT_TRUE(channel_pattern_fits("*", "lobby"));
  EXPECT_TRUE(channel_pattern_fits("*", "a/b"));  // Without a colon a name is one segment.
  EXPECT_FALSE(channel_pattern_fits("*", "room:1"));
  EXPECT_TRUE(channel_pattern_fits("*:x", "room:x"));
}

TEST(ChannelPattern, AUserStandsForOneSegment) {
  EXPECT_TRUE(channel_pattern_fits("user:{user}/**", "user:alice"));
  EXPECT_TRUE(channel_pattern_fits("user:{user}/**", "user:alice/inbox/1"));
  EXPECT_FALSE(channel_pattern_fits("user:{user}/**", "user"));
  EXPECT_FALSE(channel_pattern_fits("user:{user}", "user:alice/inbox"));
  EXPECT_TRUE(channel_pattern_has_user("user:{user}/**"));
  EXPECT_FALSE(channel_pattern_has_user("user:*/**"));
  EXPECT_EQ(channel_owner("user:{user}/**", "user:alice/inbox"), "alice");
  EXPECT_EQ(channel_owner("dm:*/{user}", "dm:alice/bob"), "bob");
  EXPECT_EQ(channel_owner("user:{user}", "user:auth0|x:1"), "auth0|x:1");
  EXPECT_EQ(channel_owner("user:*", "user:alice"), "");
}

TEST(ChannelPattern, CoversWhatItFitsAtLeast) {
  EXPECT_TRUE(channel_pattern_covers("**", "room:*"));
  EXPECT_TRUE(channel_pattern_covers("room:*", "room:42"));
  EXPECT_TRUE(channel_pattern_covers("room:**", "room:*/x"));
  EXPECT_FALSE(channel_pattern_covers("room:*", "room:**"));
  EXPECT_FALSE(channel_pattern_covers("room:42", "room:*"));
  EXPECT_FALSE(channel_pattern_covers("*", "**"));
  EXPECT_TRUE(channel_pattern_covers("user:{user}", "user:*"));
  EXPECT_TRUE(channel_pattern_covers("user:*", "user:{user}"));
  EXPECT_FALSE(channel_pattern_covers("user:root", "user:{user}"));
}

TEST(ChannelRules, TheFirstThatFitsDecides) {
  const ChannelRules rules({{.match = "room:vip", .history_count = 1}, {.match = "room:*", .history_count = 2}});
  EXPECT_EQ(rules.find("room:vip").history_count, 1u);
  EXPECT_EQ(rules.find("room:42").history_count, 2u);
  EXPECT_EQ(rules.find("repo:a/b"), ChannelRule());
}

}  // namespace
}  // namespace carillon
