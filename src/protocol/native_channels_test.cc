#include "protocol/native_channels.h"

#include <gtest/gtest.h>

namespace carillon {
namespace {

Selector selector(std::string_view text) {
  const Result<Selector> made = subscription_selector(text);
  if (made) return *made;
  ADD_FAILURE() << made.error().text;
  return {};
}

TEST(NativeChannels, ARepositoryHearsItsSubChannels) {
  EXPECT_EQ(selector("repo:alice/app"), (Selector{Selector::Kind::kTree, "repo:alice/app"}));
  EXPECT_EQ(selector("repo:alice/app/prs"), (Selector{Selector::Kind::kExact, "repo:alice/app/prs"}));
  EXPECT_EQ(selector("repo:alice/app/"), (Selector{Selector::Kind::kExact, "repo:alice/app/"}));
  EXPECT_TRUE(selector("repo:alice/app").matches("repo:alice/app/prs"));
  EXPECT_FALSE(selector("repo:alice/app").matches("repo:alice/apple"));
  EXPECT_FALSE(selector("repo:alice/app/prs").matches("repo:alice/app"));
}

TEST(NativeChannels, AllHearsEverythingAndOthersThemselves) {
  EXPECT_EQ(selector("all"), (Selector{Selector::Kind::kTree, ""}));
  EXPECT_TRUE(subscription_selector("all", {.refuse_unknown_types = true}));
  EXPECT_EQ(selector("room:42/x"), (Selector{Selector::Kind::kExact, "room:42/x"}));
  EXPECT_EQ(selector("user:alice/x"), (Selector{Selector::Kind::kExact, "user:alice"}));
  for (const char* text : {"all", "room:42", "repo:a/b"}) EXPECT_EQ(subscription_text(selector(text)), text);
}

TEST(NativeChannels, TheHubsLimitsComeOnTop) {
  EXPECT_EQ(named_channel("").error().text, "invalid channel: the name is empty");
  EXPECT_EQ(named_channel("room:\n").error().kind, ErrorKind::kInvalid);
  EXPECT_FALSE(named_channel("repo:a/" + std::string(300, 'b')));
  EXPECT_FALSE(subscription_selector("room:1", {.refuse_unknown_types = true}));
  EXPECT_EQ(*named_channel("org:acme/x"), "org:acme");
}

}  // namespace
}  // namespace carillon
