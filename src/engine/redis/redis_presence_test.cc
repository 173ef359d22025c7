#include "engine/redis/redis_presence.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>

#include "server/redis_node_double.h"

namespace carillon {
namespace {

using testing::AllOf;
using testing::Contains;
using testing::Each;
using testing::ElementsAre;
using testing::IsEmpty;
using testing::SizeIs;
using testing::StartsWith;
using testing::UnorderedElementsAre;

// Short, so that the tests need not wait long, and long enough for a busy machine.
constexpr std::int64_t kShortLease = 600;

// "<node>/<member> <key>" of each.
std::set<std::string> who_is_in(const PresenceState& state) {
  std::set<std::string> all;
  for (const PresenceEntry& entry : state.entries) {
    for (const PresenceMeta& meta : entry.metas) all.insert(meta.client_id + ' ' + entry.key);
  }
  return all;
}

class RedisPresenceTest : public testing::Test {
 protected:
  ~RedisPresenceTest() override {
    for (const auto& node : nodes_) EXPECT_THAT(node->heard.faults(), IsEmpty()) << node->name();
  }
  RedisNodeDouble& add(const std::string& name, std::int64_t lease_ms = 30'000, bool hears = true) {
    nodes_.push_back(
        std::make_unique<RedisNodeDouble>(thread_, options(), RedisNodeDouble::Options{.name = name, .lease_ms = lease_ms}));
    RedisNodeDouble& node = *nodes_.back();
    for (const char* const channel : {"room", "hall"}) {
      if (hears) node.watch(channel);
    }
    return node;
  }
  RedisOptions options() const { return soon_again({redis_.server()}); }
  std::set<std::string> members(const std::string& channel) {
    std::set<std::string> names;
    const RespValue reply = redis_.command({"HKEYS", "t:p:{" + channel + "}"});
    if (reply.array() == nullptr) return {"(no answer)"};
    for (const RespValue& name : *reply.array()) names.insert(*name.text());
    return names;
  }
  // In the end.
  static bool shows(RedisNodeDouble& node, const std::string& channel, const std::set<std::string>& who) {
    return wait_until([&] {
      const auto state = node.try_state(channel);
      return state && who_is_in(**state) == who;
    });
  }

  RedisProcess redis_;
  LoopThread thread_;
  std::vector<std::unique_ptr<RedisNodeDouble>> nodes_;
};

TEST_F(RedisPresenceTest, WhatIsInRedisIsExactlyWhoIsThere) {
  RedisNodeDouble& a = add("a");
  a.come("room", "1", "ann", R"({"x":1})");
  a.come("room", "2", "ann");
  ASSERT_TRUE(shows(a, "room", {"a/1 ann", "a/2 ann"}));
  EXPECT_THAT(keys_in(redis_),
              ElementsAre("t:l:{nodes}", "t:p:{room}", "t:pc:{a.1}", "t:pu:{room}", "t:pv:{room}", "t:r:{nodes}"));
  EXPECT_EQ(redis_.text({"HGET", "t:pu:{room}", "ann"}), "2");
  EXPECT_TRUE(redis_.text({"HGET", "t:p:{room}", "a/1"}).ends_with(R"( a.1 3 ann{"x":1})"));
  a.go("room", "1");
  a.go("room", "2");
  ASSERT_TRUE(shows(a, "room", {}));
  ASSERT_TRUE(wait_until([&] { return keys_in(redis_, "t:pc:*").empty(); }));
  EXPECT_THAT(keys_in(redis_), ElementsAre("t:l:{nodes}", "t:pv:{room}", "t:r:{nodes}"));
  EXPECT_GT(*redis_.command({"PTTL", "t:pv:{room}"}).number(), 0) << "forgotten after a while";
}

TEST_F(RedisPresenceTest, OneWhoDoesNotHearTheChannelMayAskForIt) {
  RedisNodeDouble& a = add("a");
  RedisNodeDouble& far = add("far", 30'000, false);
  a.come("room", "1", "ann");
  ASSERT_TRUE(shows(far, "room", {"a/1 ann"}));
  EXPECT_EQ(far.shown("room")->version, a.shown("room")->version);
  EXPECT_EQ(far.counts("room"), (PresenceCounts{.users = 1, .members = 1}));
  far.hear("room");
  far.watch("room");
  far.ignore("room");
  EXPECT_EQ(who_is_in(*far.shown("room")), (std::set<std::string>{"a/1 ann"}));
  a.come("room", "2", "bob");
  ASSERT_TRUE(wait_until([&] { return far.heard.texts() == std::vector<std::string>{"room +bobx1"}; }));
  far.ignore("room");
  a.come("room", "3", "cid");
  ASSERT_TRUE(shows(far, "room", {"a/1 ann", "a/2 bob", "a/3 cid"}));
  EXPECT_THAT(far.heard.texts(), SizeIs(1));
}

TEST_F(RedisPresenceTest, ANodeThatStopsTakesItsMembersAlong) {
  RedisNodeDouble& a = add("a");
  RedisNodeDouble& b = add("b");
  a.come("room", "1", "ann");
  a.come("room", "2", "ann");
  a.come("hall", "1", "ann");
  b.come("room", "1", "bob");
  ASSERT_TRUE(shows(b, "room", {"a/1 ann", "a/2 ann", "b/1 bob"}));
  ASSERT_TRUE(shows(b, "hall", {"a/1 ann"}));
  a.leave();
  ASSERT_TRUE(shows(b, "room", {"b/1 bob"}));
  ASSERT_TRUE(shows(b, "hall", {}));
  EXPECT_THAT(b.heard.texts(), AllOf(Contains("room -annx2"), Contains("hall -annx1")));
  EXPECT_THAT(keys_in(redis_, "t:pc:*"), ElementsAre("t:pc:{b.1}"));
  EXPECT_EQ(*redis_.command({"ZCARD", "t:l:{nodes}"}).number(), 1);
  EXPECT_EQ(*redis_.command({"HLEN", "t:r:{nodes}"}).number(), 1);
}

TEST_F(RedisPresenceTest, ADeadNodesMembersLeaveWhenItsLeaseIsOver) {
  RedisNodeDouble& a = add("a", kShortLease);
  RedisNodeDouble& b = add("b", 30'000);
  RedisNodeDouble& c = add("c", 30'000);
  a.come("room", "1", "ann");
  a.come("room", "2", "ann2");
  a.come("hall", "1", "ann");
  b.come("room", "1", "bob");
  ASSERT_TRUE(shows(c, "room", {"a/1 ann", "a/2 ann2", "b/1 bob"}));
  ASSERT_TRUE(shows(c, "hall", {"a/1 ann"}));
  a.die();
  ASSERT_TRUE(shows(c, "room", {"b/1 bob"})) << "though nobody else renews before that";
  ASSERT_TRUE(shows(c, "hall", {}));
  ASSERT_TRUE(wait_until([&] { return b.heard.texts() == c.heard.texts(); }));
  EXPECT_THAT(b.heard.texts(), AllOf(Contains("room -annx1 -ann2x1").Times(1), Contains("hall -annx1").Times(1)));
  ASSERT_TRUE(wait_until([&] { return *redis_.command({"ZCARD", "t:l:{nodes}"}).number() == 2; }));
  EXPECT_THAT(keys_in(redis_, "t:pc:*"), ElementsAre("t:pc:{b.1}"));
  EXPECT_EQ(*redis_.command({"HLEN", "t:r:{nodes}"}).number(), 2);
}

TEST_F(RedisPresenceTest, ANodeThatWasHeldUpSaysItsMembersAgain) {
  RedisNodeDouble& a = add("a", kShortLease);
  RedisNodeDouble& b = add("b");
  a.come("room", "1", "ann");
  ASSERT_TRUE(shows(b, "room", {"a/1 ann"}));
  const auto refs = b.heard.present("room");
  a.hold_up();
  ASSERT_TRUE(shows(b, "room", {}));
  a.come("room", "2", "bob");
  a.go_on();
  ASSERT_TRUE(shows(b, "room", {"a/1 ann", "a/2 bob"}));
  ASSERT_TRUE(shows(a, "room", {"a/1 ann", "a/2 bob"}));
  EXPECT_TRUE(b.heard.present("room").contains(*refs.begin())) << "it is who it was";
  EXPECT_EQ(a.heard.present("room"), b.heard.present("room"));
  a.go("room", "1");
  a.go("room", "2");
  ASSERT_TRUE(shows(b, "room", {}));
  ASSERT_TRUE(wait_until([&] { return keys_in(redis_, "t:pc:*").empty(); })) << keys_in(redis_, "t:pc:*").front();
}

// The script that a paused process sends when it wakes up comes after the others have removed its members.
TEST_F(RedisPresenceTest, AChangeBehindTheLeasesEndIsNotMade) {
  RedisNodeDouble& a = add("a", kShortLease);
  a.come("room", "1", "ann");
  ASSERT_TRUE(shows(a, "room", {"a/1 ann"}));
  a.hold_up();
  ASSERT_TRUE(wait_until([&] {
    const std::string time = *redis_.command({"TIME"}).array()->front().text();
    return redis_.command({"ZRANGEBYSCORE", "t:l:{nodes}", "-inf", time + "000"}).array()->size() == 1;
  }));
  a.come("room", "2", "bob");
  ASSERT_TRUE(shows(a, "room", {"a/1 ann", "a/2 bob"}));
  EXPECT_THAT(redis_.text({"HGET", "t:p:{room}", "a/2"}), testing::HasSubstr(" 2 ")) << "under the next lease";
  const RespValue leases = redis_.command({"ZRANGE", "t:l:{nodes}", "-1", "-1"});
  EXPECT_EQ(*leases.array()->front().text(), "a.2");
}

TEST_F(RedisPresenceTest, WhoMissedDiffsIsToldWhatChanged) {
  RedisNodeDouble& a = add("a");
  RedisNodeDouble& b = add("b");
  a.come("room", "1", "ann");
  a.come("room", "2", "bob");
  ASSERT_TRUE(wait_until([&] { return b.heard.present("room").size() == 2; }));
  for (int round = 0; round < 20; ++round) {
    redis_.command({"CLIENT", "KILL", "TYPE", "pubsub"});
    a.go("room", "1");
    a.come("room", "2", "bob", std::to_string(round));
    a.come("room", "3", "cid");
    a.come("hall", "1", "ann");
    a.come("room", "1", "ann");
    ASSERT_TRUE(wait_until([&] { return b.try_state("room").has_value(); }));
    const auto state = a.shown("room");
    EXPECT_EQ(present_in(*b.shown("room")), present_in(*state));
    EXPECT_EQ(b.heard.present("room"), present_in(*state)) << "told before the state was answered";
    EXPECT_EQ(a.heard.present("room"), present_in(*state));
    EXPECT_EQ(present_in(*b.shown("hall")), b.heard.present("hall"));
    a.go("room", "3");
    a.go("hall", "1");
  }
}

TEST_F(RedisPresenceTest, ARedisThatComesBackEmptyIsFilledAgain) {
  RedisNodeDouble& a = add("a");
  RedisNodeDouble& b = add("b");
  a.come("room", "1", "ann", "{}");
  b.come("room", "1", "bob");
  b.come("hall", "1", "bob");
  ASSERT_TRUE(shows(a, "room", {"a/1 ann", "b/1 bob"}));
  ASSERT_TRUE(shows(b, "hall", {"b/1 bob"}));
  const auto before = a.shown("room");
  redis_.kill();
  a.come("room", "2", "cid");
  redis_.start();
  for (RedisNodeDouble* const node : {&a, &b}) {
    ASSERT_TRUE(shows(*node, "room", {"a/1 ann", "a/2 cid", "b/1 bob"}));
    ASSERT_TRUE(shows(*node, "hall", {"b/1 bob"}));
    EXPECT_EQ(node->heard.present("room"), present_in(*node->shown("room")));
  }
  EXPECT_GT(a.shown("room")->version, before->version);
  for (const std::string& ref : present_in(*before)) EXPECT_THAT(present_in(*a.shown("room")), Contains(ref));
  ASSERT_TRUE(wait_until([&] { return *redis_.command({"ZCARD", "t:l:{nodes}"}).number() == 2; }));
  a.leave();
  b.leave();
  EXPECT_THAT(keys_in(redis_, "t:p[^v]*"), IsEmpty());
}

// As after a failover to a replica that lagged behind.
TEST_F(RedisPresenceTest, WhatAnOlderRedisShowsIsPutRight) {
  RedisNodeDouble& a = add("a", 30'000, false);
  RedisNodeDouble& b = add("b");
  a.come("room", "1", "ann");
  a.come("room", "2", "bob");
  ASSERT_TRUE(shows(b, "room", {"a/1 ann", "a/2 bob"}));
  redis_.command({"HDEL", "t:p:{room}", "a/1"});
  redis_.command({"HSET", "t:p:{room}", "a/9", "5-0 - 1 7 a.old 3 old"});
  redis_.command({"HSET", "t:p:{hall}", "a/9", "5-0 - 1 7 a.old 3 old"});
  redis_.command({"HSET", "t:pu:{hall}", "old", "1"});
  redis_.command({"SET", "t:pv:{hall}", "5"});
  redis_.command({"SADD", "t:pc:{a.1}", "hall"});
  redis_.command({"CLIENT", "KILL", "TYPE", "pubsub"});
  ASSERT_TRUE(wait_until([&] { return members("room") == std::set<std::string>{"a/1", "a/2"} && members("hall").empty(); }));
  ASSERT_TRUE(shows(b, "room", {"a/1 ann", "a/2 bob"}));
  ASSERT_TRUE(shows(b, "hall", {}));
  ASSERT_TRUE(wait_until([&] { return b.heard.present("room") == present_in(*a.shown("room")); }));
  EXPECT_THAT(b.heard.present("hall"), IsEmpty());
}

TEST_F(RedisPresenceTest, AMemberOfNoLivingNodeIsRemovedWhenItIsSeen) {
  RedisNodeDouble& a = add("a");
  redis_.command({"HSET", "t:p:{stair}", "ghost/1", "5-0 - 3 7 g.1 3 ann"});
  redis_.command({"HSET", "t:pu:{stair}", "ann", "1"});
  redis_.command({"SET", "t:pv:{stair}", "5"});
  a.come("stair", "1", "bob");
  ASSERT_TRUE(shows(a, "stair", {"a/1 bob"}));
  EXPECT_EQ(a.counts("stair"), (PresenceCounts{.users = 1, .members = 1}));
}

// A change that waited for Redis is made in an empty one, and its node dies before it claims a new lease.
TEST_F(RedisPresenceTest, AMemberThatComesUnderNoLeaseIsRemoved) {
  RedisNodeDouble& a = add("a");
  a.come("room", "1", "ann");
  ASSERT_TRUE(shows(a, "room", {"a/1 ann"}));
  const std::string value = "9000000000000000-0 - 1 7 g.1 3 bob";
  const std::string before = redis_.text({"GET", "t:pv:{room}"});
  redis_.command({"HSET", "t:p:{room}", "ghost/1", value});
  redis_.command({"HSET", "t:pu:{room}", "bob", "1"});
  const std::string version = std::to_string(std::stoull(before) + 1);
  redis_.command({"SET", "t:pv:{room}", version});
  redis_.command(
      {"PUBLISH", "t:pd:{room}", version + " " + before + " 2 2 0 1 7 " + std::to_string(value.size()) + " ghost/1" + value});
  ASSERT_TRUE(wait_until([&] {
    return a.heard.texts() == std::vector<std::string>{"room +annx1", "room +bobx1", "room -bobx1"};
  }));
  ASSERT_TRUE(shows(a, "room", {"a/1 ann"}));
}

TEST_F(RedisPresenceTest, WithoutRedisQuestionsAreRefusedAndChangesKept) {
  RedisNodeDouble& a = add("a");
  redis_.kill();
  ASSERT_TRUE(wait_until([&] {
    const auto state = a.try_state("room");
    return !state && state.error().kind == ErrorKind::kUnavailable;
  }));
  a.come("stair", "1", "ann");
  const auto refused = a.try_state("stair");
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().kind, ErrorKind::kUnavailable);
  redis_.start();
  ASSERT_TRUE(shows(a, "stair", {"a/1 ann"}));
}

// The connection stays: nothing tells that the subscription, which was given up on, is confirmed after all.
TEST_F(RedisPresenceTest, AChannelThatRedisWasSlowToSubscribeToIsHeardInTheEnd) {
  RedisNodeDouble& a = add("a");
  redis_.freeze();
  a.hear("stair");
  EXPECT_FALSE(a.try_state("stair"));
  redis_.thaw();
  a.come("stair", "1", "ann");
  ASSERT_TRUE(shows(a, "stair", {"a/1 ann"}));
}

TEST_F(RedisPresenceTest, WhoStopsAnswersEverything) {
  std::atomic<int> answers{0};
  for (const bool is_running : {true, false}) {
    RedisNodeDouble& a = add(is_running ? "a" : "b");
    if (!is_running) redis_.kill();
    answers = 0;
    for (int i = 0; i < 100; ++i) {
      a.come("room", std::to_string(i), "ann");
      a.presence().state("room", [&](const Result<PresenceStatePtr>&) { ++answers; });
      a.presence().counts("room", [&](const Result<PresenceCounts>&) { ++answers; });
      a.presence().state("elsewhere", [&](const Result<PresenceStatePtr>&) { ++answers; });
    }
    a.leave();
    EXPECT_EQ(answers, 300);
  }
}

TEST_F(RedisPresenceTest, RedisRefusesWhileItsMemoryIsFullAndTakesItLater) {
  RedisNodeDouble& a = add("a");
  redis_.command({"CONFIG", "SET", "maxmemory", "1"});
  a.come("room", "1", "ann");
  const auto refused = a.try_state("room");
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().kind, ErrorKind::kLimit);
  redis_.command({"CONFIG", "SET", "maxmemory", "0"});
  ASSERT_TRUE(shows(a, "room", {"a/1 ann"}));
}

// Channels of all slots, and the leases in one of them.
TEST(RedisPresenceCluster, IsTheSameInACluster) {
  RedisClusterProcess cluster;
  LoopThread thread;
  const RedisOptions options = soon_again(cluster.servers(), true);
  RedisNodeDouble a(thread, options, {.name = "a"});
  RedisNodeDouble b(thread, options, {.name = "b", .lease_ms = kShortLease});
  std::vector<std::string> channels;
  for (int i = 0; i < 30; ++i) channels.push_back("room" + std::to_string(i));
  for (const std::string& channel : channels) {
    a.watch(channel);
    b.come(channel, "1", "bob");
    a.come(channel, "1", "ann");
  }
  const auto all_show = [&](RedisNodeDouble& node, const std::set<std::string>& who) {
    return std::all_of(channels.begin(), channels.end(), [&](const std::string& channel) {
      return wait_until([&] {
        const auto state = node.try_state(channel);
        return state && who_is_in(**state) == who;
      });
    });
  };
  ASSERT_TRUE(all_show(a, {"a/1 ann", "b/1 bob"}));
  ASSERT_TRUE(all_show(b, {"a/1 ann", "b/1 bob"}));
  // A master comes back empty.
  cluster[0].kill();
  cluster[0].start();
  wait_until_redis("the cluster is well again", [&] { return cluster.is_well(); });
  ASSERT_TRUE(all_show(b, {"a/1 ann", "b/1 bob"}));
  ASSERT_TRUE(all_show(a, {"a/1 ann", "b/1 bob"}));
  b.die();
  ASSERT_TRUE(all_show(a, {"a/1 ann"}));
  for (const std::string& channel : channels) {
    ASSERT_TRUE(wait_until([&] { return a.heard.present(channel) == present_in(*a.shown(channel)); })) << channel;
  }
  EXPECT_THAT(a.heard.faults(), IsEmpty());
  a.leave();
  for (std::size_t master = 0; master < cluster.size(); ++master) {
    EXPECT_THAT(keys_in(cluster[master], "t:p[^v]*"), IsEmpty()) << master;
  }
}

// Nodes come, die, leave, are held up and cut off as chance wants it; in the end everybody knows exactly who is there, and
// nothing else is left in Redis.
class RedisPresenceChaos : public RedisPresenceTest, public testing::WithParamInterface<unsigned> {
 protected:
  struct Actor {
    RedisNodeDouble* node;
    std::map<std::string, std::map<std::string, std::string>> members;  // By channel: member -> key.
    bool held_up = false;
  };
  static constexpr const char* kChannels[] = {"room", "hall", "stair{}%"};

  unsigned roll(unsigned sides) { return dice_() % sides; }
  void join() {
    RedisNodeDouble& node = add("n" + std::to_string(++joined_), kShortLease, false);
    for (const char* const channel : kChannels) node.watch(channel);
    actors_.push_back({.node = &node, .members = {}});
  }
  void act(Actor& actor) {
    const std::string channel = kChannels[roll(3)];
    const std::string member = std::to_string(roll(6));
    if (roll(3) == 0) {
      actor.node->go(channel, member);
      actor.members[channel].erase(member);
    } else {
      const std::string key = "user" + std::to_string(roll(5));
      actor.node->come(channel, member, key, "{\"n\":" + std::to_string(roll(100)) + "}");
      actor.members[channel][member] = key;
    }
  }
  void upset() {
    Actor& actor = actors_[roll(static_cast<unsigned>(actors_.size()))];
    switch (roll(8)) {
      case 0: redis_.command({"CLIENT", "KILL", "TYPE", "pubsub"}); break;
      case 1: redis_.command({"CLIENT", "KILL", "TYPE", "normal"}); break;
      case 2:
        actor.node->hold_up();
        actor.held_up = true;
        break;
      case 3:
        actor.node->go_on();
        actor.held_up = false;
        break;
      case 4:
        if (actors_.size() > 1) end(actor, [](RedisNodeDouble& node) { node.die(); });
        break;
      case 5:
        if (actors_.size() > 1) end(actor, [](RedisNodeDouble& node) { node.leave(); });
        break;
      case 6:
        redis_.kill();
        redis_.start();
        break;
      default:
        if (actors_.size() < 4) join();
    }
  }
  template <class End>
  void end(Actor& actor, End how) {
    how(*actor.node);
    actors_.erase(actors_.begin() + (&actor - actors_.data()));
  }
  std::set<std::string> expected(const std::string& channel) const {
    std::set<std::string> all;
    for (const Actor& actor : actors_) {
      const auto found = actor.members.find(channel);
      if (found == actor.members.end()) continue;
      for (const auto& [member, key] : found->second) all.insert(actor.node->name() + '/' + member + ' ' + key);
    }
    return all;
  }

  Dice dice_{GetParam()};
  unsigned joined_ = 0;
  std::vector<Actor> actors_;
};

INSTANTIATE_TEST_SUITE_P(Seeds, RedisPresenceChaos, testing::Range(1u, 7u));

TEST_P(RedisPresenceChaos, InTheEndEverybodyKnowsWhoIsThere) {
  join();
  join();
  for (int step = 0; step < 400; ++step) {
    act(actors_[roll(static_cast<unsigned>(actors_.size()))]);
    if (roll(12) == 0) upset();
    if (roll(20) == 0) {
      // Whatever the answer is: it starts a read.
      static_cast<void>(actors_[roll(static_cast<unsigned>(actors_.size()))].node->try_state(kChannels[roll(3)]));
    }
  }
  for (Actor& actor : actors_) {
    if (actor.held_up) actor.node->go_on();
  }
  std::vector<std::string> keys{"t:l:{nodes}", "t:r:{nodes}"};
  for (const std::string channel : kChannels) {
    for (Actor& actor : actors_) {
      ASSERT_TRUE(shows(*actor.node, channel, expected(channel)))
          << testing::PrintToString(expected(channel)) << " but "
          << testing::PrintToString(who_is_in(*actor.node->shown(channel)));
      EXPECT_EQ(actor.node->shown(channel)->entries, actors_[0].node->shown(channel)->entries);
      ASSERT_TRUE(wait_until([&] { return actor.node->heard.present(channel) == present_in(*actor.node->shown(channel)); }));
    }
    if (!expected(channel).empty()) {
      const RedisKeys names("t:");
      for (std::string key : {names.members(channel), names.users(channel)}) keys.push_back(std::move(key));
      std::map<std::string, int> users;
      for (const std::string& who : expected(channel)) ++users[who.substr(who.find(' ') + 1)];
      for (const auto& [user, count] : users) {
        EXPECT_EQ(redis_.text({"HGET", names.users(channel), user}), std::to_string(count));
      }
      EXPECT_EQ(*redis_.command({"HLEN", names.users(channel)}).number(), static_cast<std::int64_t>(users.size()));
    }
  }
  // What the dead have left is gone too, but for versions of empty channels, which go by themselves.
  ASSERT_TRUE(wait_until([&] { return *redis_.command({"ZCARD", "t:l:{nodes}"}).number() == std::ssize(actors_); }));
  EXPECT_EQ(*redis_.command({"HLEN", "t:r:{nodes}"}).number(), std::ssize(actors_));
  const RespValue leases = redis_.command({"ZRANGE", "t:l:{nodes}", "0", "-1"});
  for (const RespValue& lease : *leases.array()) {
    const std::string name = lease.text()->substr(0, lease.text()->find('.'));
    for (const Actor& actor : actors_) {
      const bool has_members =
          std::any_of(actor.members.begin(), actor.members.end(), [](const auto& one) { return !one.second.empty(); });
      if (actor.node->name() == name && has_members) keys.push_back("t:pc:{" + *lease.text() + "}");
    }
  }
  std::sort(keys.begin(), keys.end());
  const auto present_keys = [&] {
    std::vector<std::string> all = keys_in(redis_);
    std::erase_if(all, [](const std::string& key) { return key.starts_with("t:pv:") || key.starts_with("t:x:"); });
    return all;
  };
  ASSERT_TRUE(wait_until([&] { return present_keys() == keys; }))
      << testing::PrintToString(present_keys()) << " instead of " << testing::PrintToString(keys);
  for (const std::string& key : keys_in(redis_, "t:x:*")) EXPECT_GT(*redis_.command({"PTTL", key}).number(), 0) << key;
  for (const auto& actor : actors_) EXPECT_THAT(actor.node->heard.faults(), IsEmpty());
}

}  // namespace
}  // namespace carillon
