#include "protocol/bayeux/bayeux_guard.h"

#include <gtest/gtest.h>

namespace carillon {
namespace {

constexpr BayeuxOperation kCreate = BayeuxOperation::kCreate;
constexpr BayeuxOperation kSubscribe = BayeuxOperation::kSubscribe;
constexpr BayeuxOperation kPublish = BayeuxOperation::kPublish;

class BayeuxGuardTest : public ::testing::Test {
 protected:
  void rule(BayeuxAuthorizerRule rule) { rules_.push_back(std::move(rule)); }
  void authorizer(std::string pattern, BayeuxAnswer answer) {
    hooks_.authorizers.push_back({std::move(pattern), [answer](const BayeuxQuestion&) { return answer; }});
  }
  // Empty: it may.
  std::string ask(BayeuxOperation operation, std::string_view channel) { return permission(operation, channel).error; }
  BayeuxPermission permission(BayeuxOperation operation, std::string_view channel) {
    return BayeuxGuard(rules_, hooks_).may({.client = client_, .operation = operation, .channel = channel});
  }

  BayeuxClient client_{.client_id = "c1", .user = "alice", .verified = true};
  BayeuxHooks hooks_;
  std::vector<BayeuxAuthorizerRule> rules_;
};

TEST_F(BayeuxGuardTest, WhereNobodyHasASayEverybodyMay) {
  rule({.channel = "/b/**", .decision = BayeuxDecision::kDeny});
  EXPECT_EQ(ask(kCreate, "/a"), "");
  EXPECT_EQ(ask(kSubscribe, "/a/**"), "");
  EXPECT_EQ(ask(kPublish, "/bb"), "");
}

TEST_F(BayeuxGuardTest, APolicyRefusesAndSaysMore) {
  hooks_.policy = [](const BayeuxQuestion& question) {
    return BayeuxVerdict{.allowed = question.channel != "/secret",
                         .advice = R"({"reconnect":"none"})",
                         .ext = R"({"why":"it is )" + question.client.user + "\"}"};
  };
  EXPECT_EQ(ask(kCreate, "/secret"), "403:denied_by_security_policy:create_denied");
  EXPECT_EQ(ask(kSubscribe, "/secret"), "403:denied_by_security_policy:subscribe_denied");
  EXPECT_EQ(ask(kPublish, "/secret"), "403:denied_by_security_policy:publish_denied");
  EXPECT_EQ(permission(kPublish, "/secret").advice, R"({"reconnect":"none"})");
  const BayeuxPermission allowed = permission(kPublish, "/a");
  EXPECT_EQ(allowed.error, "");
  EXPECT_EQ(allowed.ext, R"({"why":"it is alice"})");
}

TEST_F(BayeuxGuardTest, WhatThePolicyAllowsAnAuthorizerMayDeny) {
  hooks_.policy = [](const BayeuxQuestion&) { return BayeuxVerdict{.ext = R"({"x":1})"}; };
  authorizer("/a", {.opinion = BayeuxOpinion::kDeny, .reason = "full"});
  EXPECT_EQ(permission(kSubscribe, "/a").error, "403:full:subscribe_denied");
  EXPECT_EQ(permission(kSubscribe, "/a").ext, R"({"x":1})");
}

TEST_F(BayeuxGuardTest, WhereSomebodyHasASayOneMustGrant) {
  rule({.channel = "/**", .decision = BayeuxDecision::kIgnore});
  rule({.channel = "/open/*", .operations = {"subscribe"}});
  EXPECT_EQ(ask(kCreate, "/a"), "403:denied_by_not_granting:create_denied");
  EXPECT_EQ(ask(kSubscribe, "/a"), "403:denied_by_not_granting:subscribe_denied");
  EXPECT_EQ(ask(kPublish, "/service/x"), "403:denied_by_not_granting:publish_denied");
  EXPECT_EQ(ask(kSubscribe, "/open/a"), "");
  EXPECT_EQ(ask(kPublish, "/open/a"), "403:denied_by_not_granting:publish_denied") << "the grant is for subscribing";
  EXPECT_EQ(ask(kSubscribe, "/open/a/b"), "403:denied_by_not_granting:subscribe_denied");
}

TEST_F(BayeuxGuardTest, ADenyWinsOverEveryGrantOfTheTree) {
  rule({.channel = "/**"});
  rule({.channel = "/a/**"});
  rule({.channel = "/a/*", .operations = {"publish"}, .decision = BayeuxDecision::kDeny, .reason = "read_only"});
  authorizer("/a/b", {.opinion = BayeuxOpinion::kGrant});
  EXPECT_EQ(ask(kPublish, "/a/b"), "403:read_only:publish_denied");
  EXPECT_EQ(ask(kSubscribe, "/a/b"), "");
  EXPECT_EQ(ask(kPublish, "/a/b/c"), "");
}

TEST_F(BayeuxGuardTest, TheProgramsAuthorizersStandBesideTheConfigurations) {
  rule({.channel = "/a"});
  authorizer("/a", {.opinion = BayeuxOpinion::kDeny, .reason = "closed"});
  authorizer("/b", {.opinion = BayeuxOpinion::kIgnore});
  rule({.channel = "/b", .operations = {"publish"}});
  EXPECT_EQ(ask(kPublish, "/a"), "403:closed:publish_denied");
  EXPECT_EQ(ask(kPublish, "/b"), "");
  EXPECT_EQ(ask(kSubscribe, "/b"), "403:denied_by_not_granting:subscribe_denied");
}

TEST_F(BayeuxGuardTest, ARuleOfAUserIsForWhoIsVerifiedAsThatUser) {
  rule({.channel = "/alice/**", .user = "alice"});
  EXPECT_EQ(ask(kSubscribe, "/alice/inbox"), "");
  client_.verified = false;
  EXPECT_EQ(ask(kSubscribe, "/alice/inbox"), "403:denied_by_not_granting:subscribe_denied") << "a name that is only claimed";
  client_ = {.client_id = "c2", .user = "bob", .verified = true};
  EXPECT_EQ(ask(kSubscribe, "/alice/inbox"), "403:denied_by_not_granting:subscribe_denied");
}

TEST_F(BayeuxGuardTest, AWildcardDoesNotPassByWhatIsDeniedBelowIt) {
  rule({.channel = "/**"});
  rule({.channel = "/a/b", .decision = BayeuxDecision::kDeny, .reason = "secret"});
  for (const char* wildcard : {"/a/*", "/a/**", "/**"}) EXPECT_EQ(ask(kSubscribe, wildcard), "403:secret:subscribe_denied");
  for (const char* wildcard : {"/*", "/a/b/*", "/a/b/**", "/b/**"}) EXPECT_EQ(ask(kSubscribe, wildcard), "");
}

TEST_F(BayeuxGuardTest, AGrantOfAPartGrantsNoWildcard) {
  rule({.channel = "/a/b"});
  rule({.channel = "/a/c/*"});
  EXPECT_EQ(ask(kSubscribe, "/a/b"), "");
  EXPECT_EQ(ask(kSubscribe, "/a/c/*"), "");
  for (const char* wildcard : {"/a/*", "/a/**", "/a/c/**", "/**"}) {
    EXPECT_EQ(ask(kSubscribe, wildcard), "403:denied_by_not_granting:subscribe_denied") << wildcard;
  }
  rule({.channel = "/a/**"});
  EXPECT_EQ(ask(kSubscribe, "/a/*"), "");
  EXPECT_EQ(ask(kSubscribe, "/a/**"), "");
}

TEST_F(BayeuxGuardTest, WithoutAHookEverybodyMayHandshake) {
  EXPECT_TRUE(BayeuxGuard({}, hooks_).may_handshake({.client = client_, .ext = ""}).allowed);
  hooks_.may_handshake = [](const BayeuxHandshake& handshake) {
    return BayeuxVerdict{.allowed = handshake.ext == R"({"token":"t"})", .data = 7};
  };
  const BayeuxGuard guard({}, hooks_);
  EXPECT_FALSE(guard.may_handshake({.client = client_, .ext = ""}).allowed);
  const BayeuxVerdict verdict = guard.may_handshake({.client = client_, .ext = R"({"token":"t"})"});
  EXPECT_TRUE(verdict.allowed);
  EXPECT_EQ(std::any_cast<int>(verdict.data), 7);
}

struct Pair {
  const char* wide;
  const char* narrow;
};

TEST(BayeuxPatterns, CoverWhatLiesWhollyInThem) {
  for (const auto& [wide, narrow] :
       {Pair{"/a", "/a"}, Pair{"/a/*", "/a/b"}, Pair{"/a/*", "/a/*"}, Pair{"/a/**", "/a/b"}, Pair{"/a/**", "/a/b/c"},
        Pair{"/a/**", "/a/*"}, Pair{"/a/**", "/a/**"}, Pair{"/a/**", "/a/b/*"}, Pair{"/a/**", "/a/b/**"}, Pair{"/*", "/a"},
        Pair{"/**", "/a"}, Pair{"/**", "/a/b"}, Pair{"/**", "/*"}, Pair{"/**", "/**"}, Pair{"/**", "/service/a"}}) {
    EXPECT_TRUE(bayeux_pattern_covers(wide, narrow)) << wide << " and " << narrow;
    EXPECT_TRUE(bayeux_pattern_has_say(wide, narrow)) << wide << " and " << narrow;
    EXPECT_TRUE(bayeux_pattern_has_say(narrow, wide)) << wide << " and " << narrow;
  }
}

TEST(BayeuxPatterns, CoverNothingElse) {
  for (const auto& [wide, narrow] :
       {Pair{"/a", "/b"}, Pair{"/a", "/ab"}, Pair{"/a", "/a/b"}, Pair{"/a/*", "/a"}, Pair{"/a/*", "/a/b/c"},
        Pair{"/a/*", "/ab"}, Pair{"/a/*", "/ab/c"}, Pair{"/a/*", "/a/b/*"}, Pair{"/a/**", "/a"}, Pair{"/a/**", "/ab/c"},
        Pair{"/a/**", "/ab/**"}, Pair{"/*", "/a/b"}, Pair{"/a/*", "/a/b/**"}}) {
    EXPECT_FALSE(bayeux_pattern_covers(wide, narrow)) << wide << " and " << narrow;
    EXPECT_FALSE(bayeux_pattern_has_say(wide, narrow)) << wide << " and " << narrow;
    EXPECT_FALSE(bayeux_pattern_has_say(narrow, wide)) << wide << " and " << narrow;
  }
  EXPECT_FALSE(bayeux_pattern_covers("/a/b", "/a/*")) << "a part only";
  EXPECT_FALSE(bayeux_pattern_covers("/a/*", "/a/**"));
}

}  // namespace
}  // namespace carillon
