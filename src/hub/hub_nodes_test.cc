// The hub behind an engine of several nodes: what it asks to hear, what it says of what was lost, what it does on all nodes.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "engine/memory/hub_double.h"
#include "hub/node_calls.h"

namespace carillon {
namespace {

using testing::ElementsAre;
using testing::Pair;

// Nodes that hear each other at once.
class Meeting {
 public:
  class Node final : public NodeDirectory {
   public:
    Node(Meeting& meeting, std::string name) : meeting_(meeting), name_(std::move(name)) { meeting.nodes_.push_back(this); }
    void set_events(NodeEvents& events) override { events_ = &events; }
    NodeRecord self() const override { return {.name = name_, .number = 1, .address = "", .started_at_ms = 0, .stats = "{}"}; }
    void describe(std::string, std::string) override {}
    void list(UniqueFunction<void(Result<std::vector<NodeRecord>>)> done) override {
      done(Error{ErrorKind::kUnavailable, "nobody asks"});
    }
    void send(std::string to, std::string message, UniqueFunction<void(Result<std::size_t>)> done) override {
      if (away) return done(Error{ErrorKind::kUnavailable, "away"});
      std::size_t told = 0;
      for (Node* const other : meeting_.nodes_) {
        if (other == this || (!to.empty() && other->name_ != to)) continue;
        ++told;
        if (!other->silent) other->events_->on_node_message(name_, message);
      }
      done(told);
    }
    bool away = false;    // Reaches nobody.
    bool silent = false;  // Is counted, and hears nothing.

   private:
    Meeting& meeting_;
    const std::string name_;
    NodeEvents* events_ = nullptr;
  };

 private:
  std::vector<Node*> nodes_;
};

class NodesEngine final : public ForwardingEngine {
 public:
  NodesEngine(Engine& inner, Meeting& meeting, std::string name) : ForwardingEngine(inner), node(meeting, std::move(name)) {}
  void set_events(EngineEvents& heard) override {
    events = &heard;
    inner_.set_events(heard);
  }
  bool wants_interest() const override { return true; }
  void add_interest(const Selector& selector) override { ++wanted[text(selector)]; }
  void remove_interest(const Selector& selector) override {
    if (--wanted[text(selector)] == 0) wanted.erase(text(selector));
  }
  NodeDirectory* nodes() override { return &node; }

  EngineEvents* events = nullptr;
  std::map<std::string, int> wanted;
  Meeting::Node node;

 private:
  static std::string text(const Selector& selector) {
    return selector.kind == Selector::Kind::kExact ? selector.base : selector.base + "**";
  }
};

struct Site {
  Site(Meeting& meeting, std::string name) : engine(memory, meeting, std::move(name)) {
    for (int i = 0; i < 2; ++i) loops.push_back(std::make_unique<ManualLoop>());
    hub = std::make_unique<Hub>(engine, clock, policy, HubOptions{});
    for (auto& loop : loops) shards.push_back(&hub->add_shard(*loop));
  }
  std::unique_ptr<FakeClient> client(unsigned loop, const std::string& user = {}) {
    return std::make_unique<FakeClient>(*shards[loop], encoding, std::make_shared<const Identity>(Identity{.user = user}));
  }
  void turn() {
    for (auto& loop : loops) loop->turn();
  }

  FixedClock clock;
  SeededRandom random{1};
  OpenPolicy policy;
  LineEncoding encoding;
  MemoryEngine memory{clock, random, {.rule_for = [](std::string_view) { return HistoryRule{.count_max = 10}; }}};
  NodesEngine engine;
  std::vector<std::unique_ptr<ManualLoop>> loops;
  std::unique_ptr<Hub> hub;
  std::vector<Shard*> shards;
};

class HubNodes : public testing::Test {
 protected:
  void settle() {
    for (int i = 0; i < 10; ++i) {
      here.turn();
      there.turn();
    }
  }
  Meeting meeting;
  Site here{meeting, "a"};
  Site there{meeting, "b"};
};

TEST_F(HubNodes, TheEngineKnowsWhatIsWanted) {
  auto one = here.client(0), two = here.client(1);
  one->hear("room:1");
  two->hear("room:1");
  two->subscribe(tree("repo:alice"));
  settle();
  EXPECT_THAT(here.engine.wanted, ElementsAre(Pair("repo:alice**", 1), Pair("room:1", 2)));
  one->session.unsubscribe(exact("room:1"));
  EXPECT_THAT(here.engine.wanted, ElementsAre(Pair("repo:alice**", 1), Pair("room:1", 1)));
  two.reset();
  settle();
  EXPECT_TRUE(here.engine.wanted.empty());
}

TEST_F(HubNodes, ListenersWantEverythingWhileThereAreAny) {
  auto listener = here.hub->listen(10), other = here.hub->listen(10);
  EXPECT_THAT(here.engine.wanted, ElementsAre(Pair("**", 1)));
  listener.reset();
  other.reset();
  here.hub->publish({.channel = "room:1", .event = "e", .payload = Bytes::copy_of("1")}, [](const Result<Receipt>&) {});
  settle();
  EXPECT_TRUE(here.engine.wanted.empty());
}

TEST_F(HubNodes, GroupsWantTheirChannel) {
  here.hub->groups().join({.name = {.channel = "jobs:1", .name = "g"},
                           .wish = {},
                           .joined = [](const Result<GroupJoined>& joined) { EXPECT_TRUE(joined); },
                           .deliver = [](const std::vector<GroupDelivery>&) {},
                           .ended = [](std::string_view) {}});
  settle();
  EXPECT_THAT(here.engine.wanted, ElementsAre(Pair("jobs:1", 1)));
}

TEST_F(HubNodes, AGapIsToldToWhoHearsTheChannelOnceEach) {
  auto one = here.client(0), two = here.client(1), other = here.client(1);
  one->hear("repo:alice/app");
  one->subscribe(tree("repo:alice"));
  two->subscribe(tree("repo:alice"));
  other->hear("room:1");
  settle();
  here.engine.events->on_gap("repo:alice/app", 3);
  settle();
  EXPECT_THAT(one->lost, ElementsAre(Pair("repo:alice/app", 3)));
  EXPECT_THAT(two->lost, ElementsAre(Pair("repo:alice/app", 3)));
  EXPECT_TRUE(other->lost.empty());
}

TEST_F(HubNodes, AGapComesBehindWhatWasPublishedBeforeIt) {
  auto one = here.client(0);
  one->hear("room:1");
  settle();
  one->story.clear();
  here.hub->publish({.channel = "room:1", .event = "e", .payload = Bytes::copy_of("1")}, [](const Result<Receipt>&) {});
  here.engine.events->on_gap("room:1", 0);
  settle();
  ASSERT_EQ(one->story.size(), 2u);
  EXPECT_TRUE(one->story[0].ends_with(" 1"));
  EXPECT_EQ(one->story[1], "!gap");
}

TEST_F(HubNodes, EveryClientHearsOfContinuity) {
  struct Listening final : public FakeClient {
    using FakeClient::FakeClient;
    void on_continuity(Continuity continuity) override { heard.push_back(continuity); }
    std::vector<Continuity> heard;
  };
  Listening client(*here.shards[1], here.encoding);
  here.engine.events->on_continuity(Continuity::kDegraded);
  EXPECT_EQ(here.hub->continuity(), Continuity::kDegraded);
  here.engine.events->on_continuity(Continuity::kReset);
  here.engine.events->on_continuity(Continuity::kOk);
  settle();
  EXPECT_THAT(client.heard, ElementsAre(Continuity::kDegraded, Continuity::kReset, Continuity::kOk));
  EXPECT_EQ(here.hub->continuity(), Continuity::kOk);
}

TEST_F(HubNodes, AUserIsDisconnectedEverywhere) {
  auto a = here.client(0, "alice"), b = there.client(1, "alice"), c = there.client(0, "alice"), d = there.client(0, "bob");
  std::optional<std::size_t> count;
  here.hub->disconnect_user(*here.loops[0], "alice", "go", [&](std::size_t some) { count = some; });
  settle();
  EXPECT_EQ(count, 3u);
  EXPECT_EQ(a->end_wanted.size() + b->end_wanted.size() + c->end_wanted.size(), 3u);
  EXPECT_TRUE(d->end_wanted.empty());
}

TEST_F(HubNodes, AChannelIsClosedAndATextAnnouncedEverywhere) {
  auto a = here.client(0), b = there.client(1);
  a->hear("room:1");
  b->hear("room:1");
  settle();
  std::optional<std::size_t> count;
  here.hub->close_channel(*here.loops[0], {.channel = "room:1", .reason = "a:b\n", .crash = true},
                          [&](std::size_t some) { count = some; });
  here.hub->announce(Bytes::copy_of("noon"));
  settle();
  EXPECT_EQ(count, 2u);
  EXPECT_THAT(a->unsubscribed, ElementsAre("!room:1 a:b\n"));
  EXPECT_THAT(b->unsubscribed, ElementsAre("!room:1 a:b\n"));
  EXPECT_EQ(b->story.back(), "!announced noon");
}

TEST_F(HubNodes, WithoutTheOthersItIsDoneHere) {
  here.engine.node.away = true;
  auto a = here.client(0, "alice");
  std::optional<std::size_t> count;
  here.hub->disconnect_user(*here.loops[0], "alice", "go", [&](std::size_t some) { count = some; });
  settle();
  EXPECT_EQ(count, 1u);
}

TEST_F(HubNodes, ANodeThatDoesNotAnswerIsWaitedForSoLong) {
  there.engine.node.silent = true;
  auto a = here.client(0, "alice");
  std::optional<std::size_t> count;
  here.hub->disconnect_user(*here.loops[0], "alice", "go", [&](std::size_t some) { count = some; });
  settle();
  EXPECT_FALSE(count);
  here.loops[0]->advance(NodeCalls::kAnswerTime + Millis{10});
  settle();
  EXPECT_EQ(count, 1u);
}

TEST(NodeCalls, WhatIsPackedIsUnpackedAndNothingElseIs) {
  const NodeCalls::Call call{"ask", "", "1:2", std::string("\0\n", 2)};
  EXPECT_EQ(unpack_node_call(pack_node_call(call)), call);
  for (const char* bytes : {"", "3", "3:ab", "x:a", ":a", "-1:a", "18446744073709551615:a", "1:ab"}) {
    EXPECT_FALSE(unpack_node_call(bytes)) << bytes;
  }
  EXPECT_FALSE(unpack_node_call(pack_node_call(NodeCalls::Call(17, "a"))));
}

}  // namespace
}  // namespace carillon
