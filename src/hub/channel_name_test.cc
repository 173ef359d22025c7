#include "hub/channel_name.h"

#include <gtest/gtest.h>

#include <string>

namespace carillon {
namespace {

TEST(ChannelName, AcceptsAnyUtf8WithoutControlCharacters) {
  for (const std::string& name : {std::string("a"), std::string(255, 'x'), std::string("repo:alice/app/prs"),
                                  std::string("caf\xC3\xA9 \xF0\x9F\x94\x94"), std::string(" :/ "), std::string("\xC2\xA0")}) {
    EXPECT_TRUE(check_channel_name(name)) << name;
  }
}

TEST(ChannelName, RefusesWithATextThatSaysWhy) {
  const auto text = [](std::string_view name) { return check_channel_name(name).error().text; };
  EXPECT_EQ(text(""), "invalid channel: the name is empty");
  EXPECT_EQ(text(std::string(256, 'x')), "invalid channel: the name has 256 bytes, at most 255 are allowed");
  EXPECT_EQ(text("a\xFF"), "invalid channel: the name is not UTF-8");
  for (const std::string& control : {std::string("\n"), std::string("\0", 1), std::string("\x1F"), std::string("\x7F"),
                                     std::string("\xC2\x80"), std::string("\xC2\x9F")}) {
    EXPECT_EQ(text("ab" + control), "invalid channel: the name holds a control character at byte 2");
  }
  EXPECT_EQ(check_channel_name("").error().kind, ErrorKind::kInvalid);
}

TEST(ParentChannel, TakesTheLastSegmentAway) {
  EXPECT_EQ(parent_channel("repo:alice/app/prs"), "repo:alice/app");
  EXPECT_EQ(parent_channel("repo:alice/app"), "repo:alice");
  EXPECT_EQ(parent_channel("repo:alice"), "repo");
  EXPECT_EQ(parent_channel("repo"), "");
}

TEST(ParentChannel, OnlyTheFirstColonAndSlashesAfterItSeparate) {
  EXPECT_EQ(parent_channel("a/b"), "");
  EXPECT_EQ(parent_channel("a/b:c"), "a/b");
  EXPECT_EQ(parent_channel("a:b:c"), "a");
  EXPECT_EQ(parent_channel("a:b:c/d"), "a:b:c");
  EXPECT_EQ(parent_channel("a:b//c"), "a:b/");
  EXPECT_EQ(parent_channel("a:"), "a");
  EXPECT_EQ(parent_channel(""), "");
}

}  // namespace
}  // namespace carillon
