#include "server/channel_policy.h"

#include <gtest/gtest.h>

namespace carillon {
namespace {

const Identity kAnonymous;
const Identity kKey{.trusted = true};
const Identity kAlice{.user = "alice", .verified = true};
const Identity kBob{.user = "bob", .verified = true};
const Identity kClaimsToBeAlice{.user = "alice"};

class ChannelPolicyTest : public testing::Test {
 protected:
  static std::string verdict(const Result<void>& outcome) {
    return outcome ? "allowed" : error_kind_name(outcome.error().kind);
  }
  std::string subscribe(const Identity& identity, std::string_view channel) const {
    const std::string history = verdict(policy_.may_read_history(identity, channel));
    EXPECT_EQ(verdict(policy_.may_subscribe(identity, exact(channel))), history);
    return history;
  }
  static Selector exact(std::string_view channel) { return {.kind = Selector::Kind::kExact, .base = std::string(channel)}; }
  static Selector tree(std::string_view base) { return {.kind = Selector::Kind::kTree, .base = std::string(base)}; }
  std::string publish(const Identity& identity, std::string_view channel) const {
    return verdict(policy_.may_publish(identity, channel));
  }

  const ChannelRules rules_{{{.match = "user:{user}/**", .publish = ChannelAccess::kOwner, .subscribe = ChannelAccess::kOwner},
                             {.match = "room:*", .publish = ChannelAccess::kUser, .subscribe = ChannelAccess::kUser},
                             {.match = "news", .publish = ChannelAccess::kNobody}}};
  const ChannelPolicy policy_{rules_};
};

TEST_F(ChannelPolicyTest, AUserIsWhoShowedAToken) {
  for (const Identity* identity : {&kAlice, &kBob, &kKey}) {
    EXPECT_EQ(subscribe(*identity, "room:42"), "allowed");
    EXPECT_EQ(publish(*identity, "room:42"), "allowed");
  }
  for (const Identity* identity : {&kAnonymous, &kClaimsToBeAlice}) {
    EXPECT_EQ(subscribe(*identity, "room:42"), "unauthorized");
    EXPECT_EQ(publish(*identity, "room:42"), "unauthorized");
  }
  EXPECT_EQ(policy_.may_publish(kAnonymous, "room:42").error().text, "publishing to room:42 needs a token");
}

TEST_F(ChannelPolicyTest, WhatIsAUsersIsNobodyElses) {
  for (const char* channel : {"user:alice", "user:alice/inbox", "user:alice/inbox/1"}) {
    EXPECT_EQ(subscribe(kAlice, channel), "allowed");
    EXPECT_EQ(publish(kAlice, channel), "allowed");
    EXPECT_EQ(subscribe(kKey, channel), "allowed");
    EXPECT_EQ(subscribe(kBob, channel), "forbidden");
    EXPECT_EQ(publish(kBob, channel), "forbidden");
    EXPECT_EQ(subscribe(kClaimsToBeAlice, channel), "unauthorized");
    EXPECT_EQ(publish(kAnonymous, channel), "unauthorized");
  }
  EXPECT_EQ(subscribe(kAlice, "user:alice2"), "forbidden");
  EXPECT_EQ(subscribe({.user = "", .verified = true}, "user:"), "forbidden");
}

TEST_F(ChannelPolicyTest, ATokenIsNoKey) {
  EXPECT_EQ(publish(kAlice, "lobby"), "unauthorized");
  EXPECT_EQ(subscribe(kAlice, "lobby"), "allowed");
  EXPECT_EQ(policy_.may_subscribe(kAlice, tree("")).error().text, "subscribing to all channels needs the API key");
  EXPECT_TRUE(policy_.may_subscribe(kKey, tree("")));
  EXPECT_EQ(publish(kKey, "news"), "forbidden");
}

TEST(WideSubscription, DoesNotPassByANarrowerRule) {
  const ChannelRules rules({{.match = "repo:alice/app/public/**"},
                            {.match = "repo:alice/app/public/notes", .subscribe = ChannelAccess::kNobody},
                            {.match = "repo:alice/app/secret", .subscribe = ChannelAccess::kKey},
                            {.match = "inbox:{user}/**", .subscribe = ChannelAccess::kOwner},
                            {.match = "audit:log", .subscribe = ChannelAccess::kNobody}});
  const ChannelPolicy policy(rules);
  using Kind = Selector::Kind;
  const auto refusal = [&](const Identity& identity, Kind kind, const char* base) {
    const Result<void> outcome = policy.may_subscribe(identity, {.kind = kind, .base = base});
    return outcome ? "" : std::string(error_kind_name(outcome.error().kind)) + ": " + outcome.error().text;
  };
  EXPECT_EQ(refusal(kAlice, Kind::kTree, "repo:alice/app"),
            "unauthorized: subscribing to repo:alice/app needs the API key, by the rule `repo:alice/app/secret`");
  EXPECT_NE(refusal(kAnonymous, Kind::kChildren, "repo:alice/app"), "");
  EXPECT_NE(refusal(kAnonymous, Kind::kBelow, "repo"), "");
  EXPECT_EQ(refusal(kAnonymous, Kind::kChildren, "repo:alice"), "") << "the secret lies deeper";
  EXPECT_EQ(refusal(kAnonymous, Kind::kTree, "repo:alice/lib"), "");
  EXPECT_EQ(refusal(kAnonymous, Kind::kTree, "repo:alice/app/public"), "") << "the first rule that fits has decided";
  EXPECT_EQ(refusal(kKey, Kind::kTree, "repo:alice/app"), "");

  EXPECT_EQ(refusal(kAlice, Kind::kBelow, "inbox"),
            "forbidden: subscribing to inbox is for its user only, by the rule `inbox:{user}/**`");
  EXPECT_EQ(refusal(kAnonymous, Kind::kTree, "inbox"),
            "unauthorized: subscribing to inbox needs its user's token, by the rule `inbox:{user}/**`");
  EXPECT_EQ(refusal(kAlice, Kind::kTree, "inbox:alice"), "");
  EXPECT_EQ(refusal(kAlice, Kind::kBelow, "inbox:alice/mail"), "");
  EXPECT_NE(refusal(kBob, Kind::kTree, "inbox:alice"), "");
  EXPECT_EQ(refusal(kKey, Kind::kBelow, "inbox"), "");

  EXPECT_EQ(refusal(kKey, Kind::kTree, ""),
            "forbidden: subscribing to all channels is not allowed to clients, by the rule `audit:log`");
}

}  // namespace
}  // namespace carillon
