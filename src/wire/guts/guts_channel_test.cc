#include "carillon/guts_channel.h"

#include <gtest/gtest.h>

namespace carillon {
namespace {

GutsChannel channel(std::string_view text) {
  Result<GutsChannel> parsed = parse_guts_channel(text);
  if (!parsed) {
    ADD_FAILURE() << parsed.error().text;
    return {};
  }
  return *parsed;
}

std::string fault(std::string_view text) {
  const Result<GutsChannel> parsed = parse_guts_channel(text);
  if (parsed) return "accepted: " + parsed->text();
  EXPECT_EQ(parsed.error().kind, ErrorKind::kInvalid);
  return parsed.error().text;
}

TEST(GutsChannel, ParsesEachKind) {
  EXPECT_EQ(channel("repo:alice/myrepo"), (GutsChannel{ChannelType::repository, "alice/myrepo", std::nullopt}));
  EXPECT_EQ(channel("repo:alice/myrepo/prs"), (GutsChannel{ChannelType::repository, "alice/myrepo", "prs"}));
  EXPECT_EQ(channel("user:alice"), (GutsChannel{ChannelType::user, "alice", std::nullopt}));
  EXPECT_EQ(channel("org:acme"), (GutsChannel{ChannelType::organization, "acme", std::nullopt}));
}

TEST(GutsChannel, RefusesWithGutsTexts) {
  EXPECT_EQ(fault("invalid"), "invalid channel: missing channel type prefix: invalid");
  EXPECT_EQ(fault(""), "invalid channel: missing channel type prefix: ");
  EXPECT_EQ(fault("unknown:test"), "invalid channel: unknown channel type: unknown");
  EXPECT_EQ(fault("Repo:a/b"), "invalid channel: unknown channel type: Repo");
  EXPECT_EQ(fault(":a/b"), "invalid channel: unknown channel type: ");
  EXPECT_EQ(fault("repo:"), "invalid channel: repository channel requires owner/name format: ");
  EXPECT_EQ(fault("repo:onlyname"), "invalid channel: repository channel requires owner/name format: onlyname");
  EXPECT_EQ(fault("user:"), "invalid channel: channel identifier cannot be empty: user:");
  EXPECT_EQ(fault("org:/x"), "invalid channel: channel identifier cannot be empty: org:/x");
}

TEST(GutsChannel, SplitsAtTheFirstColonAndIntoAtMostThreeParts) {
  EXPECT_EQ(channel("repo:a:b/c"), (GutsChannel{ChannelType::repository, "a:b/c", std::nullopt}));
  EXPECT_EQ(channel("repo:a/b/c/d"), (GutsChannel{ChannelType::repository, "a/b", "c/d"}));
  EXPECT_EQ(channel("repo:a/b/"), (GutsChannel{ChannelType::repository, "a/b", ""}));
  EXPECT_EQ(channel("repo:/"), (GutsChannel{ChannelType::repository, "/", std::nullopt}));
  EXPECT_EQ(channel("repo://x"), (GutsChannel{ChannelType::repository, "/", "x"}));
  EXPECT_EQ(channel("user:alice/x"), channel("user:alice"));
}

TEST(GutsChannel, TextGoesRound) {
  for (const char* text :
       {"repo:alice/myrepo", "repo:alice/myrepo/prs", "repo:a/b/", "repo:a/b/c/d", "user:alice", "org:acme"}) {
    EXPECT_EQ(channel(text).text(), text);
  }
  EXPECT_EQ(channel("org:acme/x/y").text(), "org:acme");
}

TEST(GutsChannel, WithoutAFilterItHearsEverySubChannel) {
  const GutsChannel all = channel("repo:alice/app");
  EXPECT_TRUE(all.matches("repo:alice/app"));
  EXPECT_TRUE(all.matches("repo:alice/app/prs"));
  EXPECT_TRUE(all.matches("repo:alice/app/issues"));
  EXPECT_FALSE(all.matches("repo:alice/other"));
  EXPECT_FALSE(all.matches("user:alice"));
  EXPECT_FALSE(all.matches("room:42"));
  EXPECT_FALSE(all.matches("nothing"));
}

TEST(GutsChannel, WithAFilterItHearsOnlyTheEqualOne) {
  const GutsChannel pull_requests = channel("repo:alice/app/prs");
  EXPECT_TRUE(pull_requests.matches("repo:alice/app/prs"));
  EXPECT_FALSE(pull_requests.matches("repo:alice/app"));
  EXPECT_FALSE(pull_requests.matches("repo:alice/app/issues"));
  EXPECT_FALSE(pull_requests.matches("repo:alice/app/prs/1"));
  EXPECT_FALSE(channel("repo:alice/app/").matches("repo:alice/app"));
  EXPECT_FALSE(channel("user:acme").matches("org:acme"));
  EXPECT_TRUE(channel("user:alice").matches("user:alice/x"));
}

TEST(GutsChannel, JsonGoesRound) {
  EXPECT_EQ(channel("repo:a/b").to_json(), R"({"channel_type":"repository","identifier":"a/b","filter":null})");
  EXPECT_EQ(channel("repo:a/b/prs").to_json(), R"({"channel_type":"repository","identifier":"a/b","filter":"prs"})");
  for (const char* text : {"repo:a/b", "repo:a/b/prs", "repo:a/b/", "user:al\"ice", "org:acme"}) {
    const Result<GutsChannel> read = GutsChannel::from_json(channel(text).to_json());
    ASSERT_TRUE(read) << read.error().text;
    EXPECT_EQ(*read, channel(text));
  }
  EXPECT_EQ(*GutsChannel::from_json(R"({"identifier":"acme","channel_type":"organization","more":1})"), channel("org:acme"));
}

TEST(GutsChannel, JsonFaultsNameTheField) {
  EXPECT_EQ(GutsChannel::from_json(R"({"identifier":"a"})").error().text, "channel: missing field `channel_type`");
  EXPECT_EQ(GutsChannel::from_json(R"({"channel_type":"repo","identifier":"a"})").error().text,
            "channel: field `channel_type` must be one of repository, user, organization, not `repo`");
  EXPECT_EQ(GutsChannel::from_json(R"({"channel_type":"user","identifier":5})").error().text,
            "channel: field `identifier` must be a text, not a number");
  EXPECT_EQ(GutsChannel::from_json(R"({"channel_type":"user","identifier":"a","filter":[]})").error().text,
            "channel: field `filter` must be a text, not an array");
  EXPECT_EQ(GutsChannel::from_json("[]").error().text, "channel: must be an object, not an array");
  EXPECT_FALSE(GutsChannel::from_json("{"));
  EXPECT_FALSE(GutsChannel::from_json(""));
}

}  // namespace
}  // namespace carillon
