// A client that moves from one subscription to another that overlaps it, on an engine that answers late: who subscribes to the
// second before it leaves the first misses nothing and hears nothing twice, whenever the answer comes.
#include <gtest/gtest.h>

#include <algorithm>
#include <set>

#include "engine/memory/hub_double.h"

namespace carillon {
namespace {

using Known = std::vector<ChannelPosition>;
using Texts = std::vector<std::string>;

// The history is whole and of one epoch: a channel's offsets are 1, 2, 3, ...
class Mover {
 public:
  explicit Mover(World& world) : world_(world), client_(world.client()) {
    client_->answers_into_outbox = false;
    client_->on_message = [this](const Message& message) { take(message); };
    client_->then_on_subscribed = [this] {
      const auto& [ticket, outcome] = client_->subscribed.back();
      const auto wish = wishes_.find(ticket);
      if (wish == wishes_.end()) return;
      client_->on_outbox();  // What came before the answer is counted first.
      ASSERT_TRUE(outcome) << outcome.error().text;
      answered(wish->second, *outcome);
    };
  }

  std::size_t bridged = 0, recoveries = 0, failures = 0;

  bool wants(const Selector& selector) const { return find(selector) != wishes_.end(); }

  void subscribe(const Selector& selector, bool recover) {
    Wish wish{.selector = selector, .recover = recover};
    if (recover) {
      for (const auto& [channel, position] : known_) {
        if (selector.matches(channel)) wish.asked.push_back({channel, position});
      }
    }
    wishes_.emplace(++ticket_, wish);
    client_->subscribe(selector, recover ? std::optional(wish.asked) : std::nullopt, ticket_);
  }

  void unsubscribe(const Selector& selector) {
    const auto found = find(selector);
    const Wish wish = found->second;
    const Ticket ticket = found->first;
    wishes_.erase(found);
    EXPECT_TRUE(client_->session.unsubscribe(selector));
    client_->on_outbox();
    for (const std::string& channel : channels()) {
      if (!selector.matches(channel)) continue;
      std::set<Ticket>& bridge = bridges_[channel];
      bridge.erase(ticket);
      if (heard(channel)) continue;
      if (wish.answered) {
        for (const auto& [other, pending] : wishes_) {
          if (pending.selector.matches(channel)) bridge.insert(other);
        }
      }
      if (bridge.empty()) tight_.erase(channel);
    }
  }

  void published(const std::string& channel) { ++published_[channel]; }

  // At the end of a turn: what a recovery promised has come.
  void expect_promises_kept() {
    for (const auto& [channel, from, to] : std::exchange(promised_, {})) {
      for (std::uint64_t offset = from + 1; offset <= to; ++offset) {
        ASSERT_TRUE(got_[channel].contains(offset)) << channel << " " << offset << " was promised as recovered";
      }
    }
  }
  void expect_current() {
    for (const std::string& channel : channels()) {
      if (!heard(channel)) continue;
      ASSERT_EQ(known_[channel].offset, published_[channel]) << channel;
    }
  }

  static const std::vector<std::string>& channels() {
    static const std::vector<std::string> all = {"repo:a/b", "repo:a/b/prs", "repo:a/b/issues"};
    return all;
  }

 private:
  struct Wish {
    Selector selector;
    bool recover = false;
    Known asked;
    bool answered = false;
  };
  struct Promise {
    std::string channel;
    std::uint64_t from, to;
  };
  using Wishes = std::map<Ticket, Wish>;

  Wishes::iterator find(const Selector& selector) {
    return std::find_if(wishes_.begin(), wishes_.end(), [&](const auto& wish) { return wish.second.selector == selector; });
  }
  Wishes::const_iterator find(const Selector& selector) const { return const_cast<Mover*>(this)->find(selector); }

  bool heard(const std::string& channel) const {
    return std::any_of(wishes_.begin(), wishes_.end(),
                       [&](const auto& wish) { return wish.second.answered && wish.second.selector.matches(channel); });
  }

  void answered(Wish& wish, const Subscribed& outcome) {
    const Ticket ticket = client_->subscribed.back().first;
    if (wish.recover) ++(outcome.recovered ? recoveries : failures);
    for (const std::string& channel : channels()) {
      if (!wish.selector.matches(channel)) continue;
      const auto told = std::find_if(outcome.positions.begin(), outcome.positions.end(),
                                     [&](const ChannelPosition& at) { return at.channel == channel; });
      const bool bridging = bridges_[channel].contains(ticket);
      if (bridging || heard(channel)) {
        bridged += bridging ? 1 : 0;
        // The stream goes on; a position ahead of it would have what follows skipped by who comes back with it.
        const bool behind = told == outcome.positions.end() || told->position.offset <= known_[channel].offset;
        ASSERT_TRUE(behind) << channel << " stands at " << known_[channel].offset << ", told " << told->position.offset;
      } else if (told == outcome.positions.end()) {
        tight_.erase(channel);
      } else if (!wish.recover) {
        ASSERT_GE(told->position.offset, known_[channel].offset) << channel;
        known_[channel] = told->position;
        tight_.insert(channel);
      } else if (outcome.recovered) {
        known_.try_emplace(channel, Position{told->position.epoch, 0});
        tight_.insert(channel);
      } else {
        tight_.erase(channel);
      }
      bridges_[channel].clear();
      if (wish.recover && outcome.recovered) promise(channel, wish);
    }
    wish.answered = true;
  }

  void promise(const std::string& channel, const Wish& wish) {
    const auto asked =
        std::find_if(wish.asked.begin(), wish.asked.end(), [&](const ChannelPosition& at) { return at.channel == channel; });
    const std::uint64_t from = asked == wish.asked.end() ? 0 : asked->position.offset;
    promised_.push_back({channel, from, published_[channel]});
  }

  void take(const Message& message) {
    const std::string& channel = message.channel;
    const std::uint64_t offset = message.position.offset;
    ASSERT_GT(offset, known_[channel].offset) << channel << " comes again or out of order";
    const std::uint64_t next = known_[channel].offset + 1;
    ASSERT_TRUE(offset == next || !tight_.contains(channel)) << channel << " has a hole from " << next << " to " << offset;
    known_[channel] = message.position;
    got_[channel].insert(offset);
    tight_.insert(channel);
  }

  World& world_;
  Ticket ticket_ = 0;
  Wishes wishes_;
  std::map<std::string, Position> known_;
  std::set<std::string> tight_;                      // Whose next message must be the next there is.
  std::map<std::string, std::set<Ticket>> bridges_;  // Who was to go on with a channel when its last subscription ended.
  std::map<std::string, std::set<std::uint64_t>> got_;
  std::map<std::string, std::uint64_t> published_;
  std::vector<Promise> promised_;
  std::unique_ptr<FakeClient> client_;
};

struct Tally {
  std::size_t bridged = 0, recoveries = 0, failures = 0;
};

void live_through(unsigned seed, Tally& tally) {
  SCOPED_TRACE(testing::Message() << "seed " << seed);
  World world({.loops = 1, .late = true, .seed = seed});
  Dice random(seed);
  Mover mover(world);
  const std::vector<Selector> selectors = {exact("repo:a/b/prs"), tree("repo:a/b"), children("repo:a/b"), below("repo:a"),
                                           exact("repo:a/b")};
  const auto publish = [&](const std::string& channel) {
    mover.published(channel);
    world.publish(channel, "x");
  };
  for (int step = 0; step < 400; ++step) {
    const unsigned roll = random() % 10;
    if (roll < 2) {
      const Selector& selector = selectors[random() % selectors.size()];
      const bool recover = random() % 2 == 0;
      world.in(0, [&] { mover.wants(selector) ? mover.unsubscribe(selector) : mover.subscribe(selector, recover); });
    } else if (roll < 5) {
      // Of publishes too, which are many.
      for (int i = 0; i < 2; ++i) world.in(0, [&] { world.late.answer_one(); });
    } else if (roll < 6) {
      world.loops[0]->turn();
    } else {
      const std::string& channel = Mover::channels()[random() % 3];
      if (roll < 8) {
        world.in(0, [&] { publish(channel); });
      } else {
        publish(channel);
      }
    }
    mover.expect_promises_kept();
    if (testing::Test::HasFatalFailure()) return;
  }
  world.settle();
  for (const std::string& channel : Mover::channels()) publish(channel);
  world.settle();
  mover.expect_promises_kept();
  mover.expect_current();
  tally.bridged += mover.bridged;
  tally.recoveries += mover.recoveries;
  tally.failures += mover.failures;
}

TEST(Overlap, MovingBetweenSubscriptionsLosesAndRepeatsNothingHoweverLateTheAnswer) {
  Tally tally;
  for (unsigned seed = 1; seed <= 300 && !HasFatalFailure(); ++seed) live_through(seed, tally);
  EXPECT_GT(tally.bridged, 200u);
  EXPECT_GT(tally.recoveries, 1000u);
  EXPECT_GT(tally.failures, 100u);
}

// Both ways of asking, and pages that show the time of the question or that of the answer.
TEST(Overlap, WhoSubscribesToTheTreeAndLeavesTheBranchGoesOnWithoutASeam) {
  for (unsigned seed = 1; seed <= 8; ++seed) {
    for (const bool recover : {false, true}) {
      World world({.loops = 1, .late = true, .seed = seed});
      auto client = world.client();
      world.in(0, [&] { client->hear("repo:a/b/prs"); });
      world.settle();
      const Known start = client->subscribed.back().second->positions;
      world.in(0, [&] {
        client->subscribe(tree("repo:a/b"), recover ? std::optional(start) : std::nullopt);
        world.publish("repo:a/b/prs", "1");
      });
      world.in(0, [&] { client->session.unsubscribe(exact("repo:a/b/prs")); });
      world.in(0, [&] { world.publish("repo:a/b/prs", "2"); });
      world.settle();
      world.publish("repo:a/b/prs", "3");
      world.settle();
      EXPECT_EQ(client->payloads(), (Texts{"1", "2", "3"})) << "seed " << seed << (recover ? ", recovering" : "");
      EXPECT_LE(client->subscribed.back().second->positions.at(0).position.offset, 1u);
    }
  }
}

TEST(Overlap, TooManyChangesDuringOneJoinFailIt) {
  HubOptions options;
  options.subscriptions_per_session_max = 1000;
  World world({.loops = 1, .hub = options, .late = true});
  auto client = world.client();
  for (int i = 0; i < 300; ++i) {
    world.in(0, [&] { client->hear("repo:a/b/" + std::to_string(i)); });
  }
  world.settle();
  world.in(0, [&] {
    client->subscribe(tree("repo:a/b"), std::nullopt, 7);
    for (int i = 0; i < 300; ++i) client->session.unsubscribe(exact("repo:a/b/" + std::to_string(i)));
  });
  world.settle();
  ASSERT_EQ(client->subscribed.back().first, 7u);
  ASSERT_FALSE(client->subscribed.back().second);
  EXPECT_EQ(client->subscribed.back().second.error().kind, ErrorKind::kUnavailable);
  EXPECT_EQ(client->session.subscription_count(), 0u);
}

}  // namespace
}  // namespace carillon
