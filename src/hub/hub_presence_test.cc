// Presence through the hub: many loops, an engine that answers late, clients that read slowly and vanish.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "engine/memory/hub_double.h"

namespace carillon {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using testing::SizeIs;

std::vector<std::string> keys_of(const std::set<std::string>& present) {
  std::vector<std::string> keys;
  for (const std::string& who : present) keys.push_back(who.substr(0, who.find(':')));
  return keys;
}

class HubPresence : public testing::Test {
 protected:
  void begin(World::Options options) { world_ = std::make_unique<World>(std::move(options)); }
  World& world() {
    if (world_ == nullptr) begin({});
    return *world_;
  }
  // A client that hears `room`, is present in it by that name and watches it.
  FakeClient& come(const std::string& name, unsigned loop = 0) {
    FakeClient& client = *clients_.emplace_back(world().client(loop));
    world().in(loop, [&] {
      client.hear("room");
      ASSERT_TRUE(client.session.watch_presence("room"));
      if (name.empty()) return;
      ASSERT_TRUE(client.session.set_presence("room", name, ""));
    });
    return client;
  }
  FakeClient& watch(unsigned loop = 0) { return come("", loop); }
  // Its connection is lost.
  void vanish(FakeClient& client, unsigned loop = 0) {
    world().in(loop, [&] { client.session.end(EndReason::kClientLeft); });
  }
  std::vector<std::string> told(const FakeClient& client) {
    EXPECT_THAT(client.presence_faults, IsEmpty());
    const auto found = client.present.find("room");
    return found == client.present.end() ? std::vector<std::string>{"(nothing)"} : keys_of(found->second);
  }
  static std::size_t lines(const FakeClient& client, char kind) {
    return static_cast<std::size_t>(
        std::count_if(client.story.begin(), client.story.end(), [=](const std::string& line) { return line[0] == kind; }));
  }

  std::unique_ptr<World> world_;
  std::vector<std::unique_ptr<FakeClient>> clients_;
};

TEST_F(HubPresence, ANewcomerIsToldWhoIsThereItselfToo) {
  come("ann");
  FakeClient& bob = come("bob", 1);
  world().settle();
  EXPECT_THAT(told(bob), ElementsAre("ann", "bob"));
  EXPECT_EQ(lines(bob, '='), 1u);
  EXPECT_EQ(lines(bob, '~'), 0u) << "its own coming is in the state";
}

TEST_F(HubPresence, WhoIsThereIsToldOfWhoComesAndGoes) {
  FakeClient& ann = come("ann");
  FakeClient& bob = come("bob", 1);
  world().settle();
  EXPECT_THAT(told(ann), ElementsAre("ann", "bob"));
  vanish(bob, 1);
  world().settle();
  EXPECT_THAT(told(ann), ElementsAre("ann"));
  EXPECT_EQ(lines(ann, '='), 1u);
  EXPECT_EQ(lines(ann, '~'), 2u);
}

TEST_F(HubPresence, EndsWithTheSubscription) {
  FakeClient& ann = come("ann");
  FakeClient& bob = come("bob");
  world().in(0, [&] { bob.session.unsubscribe(exact("room")); });
  world().settle();
  EXPECT_THAT(told(ann), ElementsAre("ann"));
  EXPECT_FALSE(bob.session.clear_presence("room"));
}

TEST_F(HubPresence, NeedsASubscriptionAndLeave) {
  FakeClient& client = *clients_.emplace_back(world().client());
  EXPECT_EQ(client.session.set_presence("room", "ann", "").error().kind, ErrorKind::kConflict);
  EXPECT_EQ(client.session.watch_presence("room").error().kind, ErrorKind::kConflict);
  EXPECT_EQ(client.session.set_presence("secret", "ann", "").error().kind, ErrorKind::kForbidden);
  client.session.presence("secret", 1);
  EXPECT_FALSE(client.presence_answers.back());
}

TEST_F(HubPresence, CountsAreAnswered) {
  FakeClient& ann = come("ann");
  come("ann", 1);
  world().settle();
  ann.session.presence_counts("room", 1);
  ann.session.presence_counts("secret", 2);
  ASSERT_EQ(ann.count_answers.size(), 2u);
  EXPECT_EQ(*ann.count_answers[0], (PresenceCounts{.users = 1, .members = 2}));
  EXPECT_EQ(ann.count_answers[1].error().kind, ErrorKind::kForbidden);
}

TEST_F(HubPresence, WhatIsToldIsCounted) {
  come("ann");
  world().settle();
  come("bob", 1);
  world().settle();
  EXPECT_EQ(world().hub->stats().presence_states_total, 2u);
  EXPECT_EQ(world().hub->stats().presence_news_total, 1u);
}

TEST_F(HubPresence, RefusesWhatIsTooLong) {
  begin({.hub = {.presence_meta_bytes_max = 10, .presence_key_bytes_max = 5}});
  FakeClient& ann = come("ann");
  EXPECT_EQ(ann.session.set_presence("room", "ann", std::string(11, ' ')).error().kind, ErrorKind::kLimit);
  EXPECT_EQ(ann.session.set_presence("room", "annann", "").error().kind, ErrorKind::kInvalid);
  EXPECT_EQ(ann.session.set_presence("room", "", "").error().kind, ErrorKind::kInvalid);
  EXPECT_EQ(ann.session.set_presence("room", "\xFF", "").error().kind, ErrorKind::kInvalid);
}

TEST_F(HubPresence, AnUpdateIsOneDiff) {
  FakeClient& ann = come("ann");
  FakeClient& bob = come("bob");
  world().settle();
  const std::size_t before = lines(ann, '~');
  world().in(0, [&] { ASSERT_TRUE(bob.session.set_presence("room", "bob", R"({"mood":"busy"})")); });
  world().settle();
  EXPECT_EQ(lines(ann, '~'), before + 1);
  EXPECT_THAT(ann.story.back(), testing::MatchesRegex("~room -bob:\\S+ \\+bob:\\S+"));
  EXPECT_THAT(told(ann), ElementsAre("ann", "bob"));
}

TEST_F(HubPresence, ATurnIsOneDiffAndWhoOnlyPassedByIsNotInIt) {
  FakeClient& ann = come("ann");
  std::vector<FakeClient*> others;
  for (int i = 0; i < 3; ++i) others.push_back(&watch());
  world().settle();
  const std::size_t before = lines(ann, '~');
  world().in(0, [&] {
    for (FakeClient* other : others) ASSERT_TRUE(other->session.set_presence("room", "crowd", ""));
    others[0]->session.clear_presence("room");
    ASSERT_TRUE(others[1]->session.set_presence("room", "crowd", "{}"));
  });
  world().settle();
  EXPECT_EQ(lines(ann, '~'), before + 1);
  EXPECT_THAT(told(ann), ElementsAre("ann", "crowd", "crowd"));
}

TEST_F(HubPresence, APeriodIsOneDiff) {
  begin({.loops = 1, .hub = {.presence_period = Millis(500)}});
  FakeClient& ann = watch();
  world().settle();
  FakeClient& bob = come("bob");
  FakeClient& cid = come("cid");
  EXPECT_THAT(told(ann), IsEmpty());
  EXPECT_THAT(told(cid), IsEmpty()) << "who is there is told at once";
  world().loops[0]->advance(Millis(600));
  world().settle();
  EXPECT_THAT(told(ann), ElementsAre("bob", "cid"));
  EXPECT_THAT(told(cid), ElementsAre("bob", "cid"));
  EXPECT_EQ(lines(ann, '~'), 1u);
  vanish(bob);
  EXPECT_THAT(told(ann), ElementsAre("bob", "cid"));
  world().loops[0]->advance(Millis(600));
  world().settle();
  EXPECT_THAT(told(ann), ElementsAre("cid"));
}

TEST_F(HubPresence, SeveralMetasUnderOneKey) {
  FakeClient& ann = come("ann");
  FakeClient& second = come("ann", 1);
  world().settle();
  EXPECT_THAT(told(ann), ElementsAre("ann", "ann"));
  world().hub->presence_counts("room", [](Result<PresenceCounts> counts) {
    EXPECT_EQ(counts->users, 1u);
    EXPECT_EQ(counts->members, 2u);
  });
  vanish(second, 1);
  world().settle();
  EXPECT_THAT(told(ann), ElementsAre("ann"));
}

TEST_F(HubPresence, ACrowdIsOnlyCounted) {
  begin({.loops = 1, .hub = {.presence_list_max = 10}});
  FakeClient& ann = come("ann");
  std::vector<FakeClient*> others;
  for (int i = 0; i < 10; ++i) others.push_back(&come("other" + std::to_string(i)));
  world().settle();
  const std::size_t diffs = lines(ann, '~');
  FakeClient& last = come("last");
  EXPECT_EQ(last.counts["room"].members, 12u);
  world().loops[0]->advance(Millis(1100));
  world().settle();
  EXPECT_EQ(lines(ann, '~'), diffs);
  EXPECT_EQ(ann.counts["room"].members, 12u);
  // Ten are not few enough to be named again, nine are.
  vanish(last);
  vanish(*others[0]);
  world().loops[0]->advance(Millis(1100));
  world().settle();
  EXPECT_EQ(ann.counts["room"].members, 10u);
  vanish(*others[1]);
  world().settle();
  EXPECT_TRUE(ann.counts.empty());
  EXPECT_THAT(told(ann), SizeIs(9));
  EXPECT_THAT(told(*others[5]), SizeIs(9));
}

TEST_F(HubPresence, WhoLosesADiffIsToldAnew) {
  begin({.loops = 1, .hub = {.outbox_bytes_max = 200}});
  FakeClient& slow = watch();
  world().settle();
  slow.link_takes = 0;
  std::vector<FakeClient*> others;
  for (int i = 0; i < 40; ++i) others.push_back(&come("somebody" + std::to_string(i)));
  for (int i = 0; i < 39; ++i) vanish(*others[static_cast<std::size_t>(i)]);
  world().in(0, [&] { slow.read(); });
  world().settle();
  EXPECT_THAT(told(slow), ElementsAre("somebody39"));
  EXPECT_EQ(slow.lost_total(), 0u) << "no publication was lost";
  EXPECT_EQ(lines(slow, '='), 2u);
}

TEST_F(HubPresence, AStoreThatIsAwayIsAskedAgain) {
  begin({.loops = 1, .late = true});
  world().late.fail_states(2);
  FakeClient& ann = come("ann");
  world().settle();
  EXPECT_THAT(told(ann), ElementsAre("(nothing)"));
  for (int second = 0; second < 3; ++second) {
    world().loops[0]->advance(Millis(1100));
    world().settle();
  }
  EXPECT_THAT(told(ann), ElementsAre("ann"));
}

TEST_F(HubPresence, AClosedChannelTellsItsClientsAndIsEmpty) {
  FakeClient& ann = come("ann");
  FakeClient& bob = come("bob", 1);
  world().settle();
  std::size_t closed = 0;
  world().hub->close_channel(*world().loops[0], {.channel = "room", .reason = "over", .crash = true},
                             [&](std::size_t count) { closed = count; });
  world().settle();
  EXPECT_EQ(closed, 2u);
  EXPECT_THAT(ann.unsubscribed, ElementsAre("!room over"));
  EXPECT_THAT(bob.unsubscribed, ElementsAre("!room over"));
  world().hub->presence("room", [](Result<PresenceStatePtr> state) { EXPECT_THAT((*state)->entries, IsEmpty()); });
  EXPECT_EQ(world().memory.presence_count(), 0u);
  // It may be used again at once.
  EXPECT_THAT(told(come("cid")), ElementsAre("cid"));
}

TEST_F(HubPresence, WhatIsForOthersDoesNotReachItsPublisher) {
  FakeClient& ann = come("ann");
  FakeClient& bob = come("bob");
  world().in(0, [&] {
    ann.session.publish(
        {.channel = "room", .event = "e", .payload = Bytes::copy_of("1"), .deliver_to = DeliverTo::kOtherSessions}, 1);
    ann.session.publish({.channel = "room", .event = "e", .payload = Bytes::copy_of("2")}, 2);
    bob.session.publish(
        {.channel = "room", .event = "e", .payload = Bytes::copy_of("3"), .deliver_to = DeliverTo::kOtherSessions}, 3);
  });
  world().settle();
  EXPECT_THAT(ann.payloads(), ElementsAre("2", "3"));
  EXPECT_THAT(bob.payloads(), ElementsAre("1", "2"));
}

TEST_F(HubPresence, EverybodyEndsUpTellingTheSame) {
  std::size_t compared = 0;
  for (unsigned seed = 1; seed <= 60; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    Dice dice(seed);
    begin({.loops = 3,
           .hub = {.outbox_bytes_max = seed % 2 == 0 ? 300u : 100'000u,
                   .presence_period = Millis(seed % 3 == 0 ? 50 : 0),
                   .presence_list_max = seed % 5 == 0 ? 6u : 1000u},
           .late = seed % 4 != 0,
           .seed = seed});
    std::vector<std::pair<unsigned, FakeClient*>> there;
    for (int step = 0; step < 250; ++step) {
      const auto pick = [&]() -> std::pair<unsigned, FakeClient*>& { return there[dice() % there.size()]; };
      const unsigned kind = there.empty() ? 0 : dice() % 12;
      const std::string name = "user" + std::to_string(dice() % 8);
      if (kind <= 2) {
        const unsigned loop = dice() % 3;
        FakeClient& client = *clients_.emplace_back(world().client(loop));
        there.emplace_back(loop, &client);
        world().loops[loop]->post([&client, name] { client.hear("room"); });
      } else if (kind <= 5) {
        const auto& [loop, client] = pick();
        world().loops[loop]->post([client = client, name, meta = dice() % 2] {
          (void)client->session.watch_presence("room");
          (void)client->session.set_presence("room", name, meta == 0 ? "" : "{}");
        });
      } else if (kind == 6) {
        const auto [loop, client] = pick();
        world().loops[loop]->post([client = client] { client->session.clear_presence("room"); });
      } else if (kind == 7) {
        const auto [loop, client] = pick();
        std::erase(there, std::pair{loop, client});
        world().loops[loop]->post([client = client] { client->session.end(EndReason::kClientLeft); });
      } else if (kind == 8) {
        const auto [loop, client] = pick();
        world().loops[loop]->post([client = client, takes = dice() % 3] {
          client->link_takes = takes == 0 ? 0 : takes == 1 ? 100 : FakeClient::kAll;
          client->session.on_room();
        });
      } else if (kind == 9) {
        world().loops[dice() % 3]->advance(Millis(dice() % 80));
      } else {
        world().loops[dice() % 3]->turn();
        if (!world().late.idle()) world().in(0, [&] { world().late.answer_one(); });
      }
    }
    // Everybody who is left reads and watches.
    for (auto& [loop, client] : there) {
      world().loops[loop]->post([client = client] {
        if (client->session.subscription_count() == 0) return;
        EXPECT_TRUE(client->session.watch_presence("room"));
      });
    }
    for (int round = 0; round < 3; ++round) {
      for (auto& [loop, client] : there) world().loops[loop]->post([client = client] { client->read(); });
      for (auto& loop : world().loops) loop->advance(Millis(1100));
      world().settle();
    }
    std::set<std::string> truth;
    PresenceCounts counts;
    world().memory.presence().state("room", [&](Result<PresenceStatePtr> state) {
      counts = (*state)->counts;
      for (const PresenceEntry& entry : (*state)->entries) {
        for (const PresenceMeta& meta : entry.metas) truth.insert(entry.key + ':' + meta.ref);
      }
    });
    for (auto& [loop, client] : there) {
      // A state that does not fit into the outbox ends its client, as every answer does.
      if (client->session.subscription_count() == 0 || !client->end_wanted.empty()) continue;
      ++compared;
      // Who has lost a diff hears of what follows it until it is told anew.
      if (seed % 2 != 0) {
        EXPECT_THAT(client->presence_faults, IsEmpty());
      }
      if (client->counts.contains("room")) {
        EXPECT_EQ(client->counts["room"], counts);
        EXPECT_EQ(seed % 5, 0u);
      } else {
        EXPECT_EQ(client->present["room"], truth);
      }
    }
    for (auto& [loop, client] : there) world().in(loop, [client = client] { client->session.end(EndReason::kClientLeft); });
    for (auto& loop : world().loops) loop->advance(Millis(100));
    world().settle();
    EXPECT_EQ(world().memory.presence_count(), 0u) << "a ghost is left";
    clients_.clear();
    if (HasFailure()) return;
  }
  EXPECT_GT(compared, 500u);
}

}  // namespace
}  // namespace carillon
