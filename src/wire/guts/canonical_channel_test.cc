#include "wire/guts/canonical_channel.h"

#include <gtest/gtest.h>

namespace carillon {
namespace {

std::string canonical(std::string_view text, ChannelTextOptions options = {}) {
  const Result<std::string> name = canonical_channel(text, options);
  return name ? *name : name.error().text;
}

TEST(CanonicalChannel, GutsTypesKeepTheirShapes) {
  EXPECT_EQ(canonical("repo:alice/app"), "repo:alice/app");
  EXPECT_EQ(canonical("repo:alice/app/prs"), "repo:alice/app/prs");
  EXPECT_EQ(canonical("user:alice/x"), "user:alice");
  EXPECT_EQ(canonical("org:acme"), "org:acme");
  EXPECT_EQ(canonical("repo:app"), "invalid channel: repository channel requires owner/name format: app");
  EXPECT_EQ(canonical("user:"), "invalid channel: channel identifier cannot be empty: user:");
}

TEST(CanonicalChannel, OtherNamesAreOpenUnlessRefused) {
  for (const char* name : {"room:42", "lobby", "Repo:a", ":x", "repo", "all"}) EXPECT_EQ(canonical(name), name);
  constexpr ChannelTextOptions kStrict{.refuse_unknown_types = true};
  EXPECT_EQ(canonical("room:42", kStrict), "invalid channel: unknown channel type: room");
  EXPECT_EQ(canonical("lobby", kStrict), "invalid channel: missing channel type prefix: lobby");
  EXPECT_EQ(canonical("org:acme", kStrict), "org:acme");
}

}  // namespace
}  // namespace carillon
