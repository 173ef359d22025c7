// Recovery: a client that comes back with its positions sees each publication once and in order, or is told that it did not
// recover; whatever happens meanwhile, and however late an engine answers.
#include <gtest/gtest.h>

#include <set>

#include "engine/memory/hub_double.h"

namespace carillon {
namespace {

using Known = std::vector<ChannelPosition>;
using Texts = std::vector<std::string>;

const Subscribed& answer(const FakeClient& client) {
  return *client.subscribed.back().second;
}

TEST(Recover, GivesWhatWasMissedThenWhatComes) {
  World world({.loops = 1});
  for (const char* const text : {"1", "2", "3"}) world.publish("a", text);
  auto client = world.client();
  std::uint64_t epoch = 0;
  client->hear("a");
  epoch = answer(*client).positions[0].position.epoch;
  auto again = world.client();
  world.in(0, [&] {
    again->subscribe(exact("a"), Known{{"a", {epoch, 1}}});
    world.publish("a", "4");
  });
  world.settle();
  EXPECT_TRUE(answer(*again).recovered);
  EXPECT_EQ(answer(*again).positions[0].position, (Position{epoch, 3}));
  EXPECT_EQ(again->payloads(), (Texts{"2", "3", "4"}));
  EXPECT_EQ(client->payloads(), Texts{"4"});
}

TEST(Recover, SaysNoWhenSomethingIsGone) {
  World world({.loops = 1, .history = 2});
  for (const char* const text : {"1", "2", "3", "4"}) world.publish("a", text);
  auto client = world.client();
  client->hear("a");
  const std::uint64_t epoch = answer(*client).positions[0].position.epoch;
  const auto recover = [&](Position since) {
    auto again = world.client();
    world.in(0, [&] { again->subscribe(exact("a"), Known{{"a", since}}); });
    world.settle();
    return std::pair{answer(*again).recovered, again->payloads()};
  };
  EXPECT_EQ(recover({epoch, 1}), (std::pair{false, Texts{"3", "4"}}));
  EXPECT_EQ(recover({epoch, 2}), (std::pair{true, Texts{"3", "4"}}));
  EXPECT_EQ(recover({epoch, 4}), (std::pair{true, Texts{}}));
  EXPECT_EQ(recover({epoch, 9}), (std::pair{false, Texts{}}));
  EXPECT_EQ(recover({epoch + 1, 3}), (std::pair{false, Texts{"3", "4"}}));
}

TEST(Recover, SaysNoWhereNothingIsKept) {
  World world({.loops = 1});
  auto client = world.client();
  client->subscribe(exact("bare"), Known{});
  EXPECT_FALSE(answer(*client).recovered);
  client->subscribe(exact("bare:2"), Known{{"bare:2", {1, 1}}});
  EXPECT_FALSE(answer(*client).recovered);
  client->subscribe(tree(""), Known{});
  EXPECT_FALSE(answer(*client).recovered);
  client->subscribe(children("bare"), Known{});
  EXPECT_FALSE(answer(*client).recovered);
}

TEST(Recover, ATreeRecoversItsBranchesWhereItsRootKeepsNothing) {
  World world({.loops = 1});
  world.publish("bare:a/kept", "one");
  auto client = world.client();
  world.in(0, [&] { client->subscribe(tree("bare:a"), Known{}); });
  world.settle();
  EXPECT_TRUE(answer(*client).recovered);
  EXPECT_EQ(client->payloads(), Texts{"one"});
}

TEST(Recover, AChannelThatIsNotNamedWasMissedFromItsBeginning) {
  World world({.loops = 1});
  world.publish("repo:a/b/prs", "1");
  world.publish("repo:a/b", "2");
  auto client = world.client();
  world.in(0, [&] { client->subscribe(tree("repo:a/b"), Known{}); });
  world.settle();
  EXPECT_TRUE(answer(*client).recovered);
  EXPECT_EQ(client->payloads().size(), 2u);
}

TEST(Recover, BeforeTheFirstPublicationThereIsAPositionToRecoverFrom) {
  World world({.loops = 1});
  auto client = world.client();
  client->hear("a");
  ASSERT_EQ(answer(*client).positions.size(), 1u);
  const Known known = answer(*client).positions;
  EXPECT_EQ(known[0].position.offset, 0u);
  client.reset();
  world.publish("a", "1");
  auto again = world.client();
  world.in(0, [&] { again->subscribe(exact("a"), known); });
  world.settle();
  EXPECT_TRUE(answer(*again).recovered);
  EXPECT_EQ(again->payloads(), Texts{"1"});
}

TEST(Recover, NeighboursWithTheSameBeginningDoNotCount) {
  World world({.loops = 1});
  for (int i = 0; i < 300; ++i) world.publish("repo:a/b-" + std::to_string(i), "x");
  world.publish("repo:a/b/prs", "mine");
  auto client = world.client();
  world.in(0, [&] { client->subscribe(tree("repo:a/b"), Known{}); });
  world.settle();
  EXPECT_TRUE(answer(*client).recovered);
  EXPECT_EQ(client->payloads(), Texts{"mine"});
}

TEST(Recover, MoreThanTheLimitsIsNotPromised) {
  HubOptions options;
  options.recover_channels_max = 5;
  options.recover_publications_max = 20;
  World world({.loops = 1, .hub = options});
  for (int i = 0; i < 6; ++i) world.publish("a:" + std::to_string(i), "x");
  for (int i = 0; i < 3; ++i) {
    for (int j = 0; j < 8; ++j) {
      world.clock.now_ms += 1;
      world.publish("b:" + std::to_string(i), std::to_string(j));
    }
  }
  for (int j = 0; j < 21; ++j) world.publish("c", "x");
  auto client = world.client();
  world.in(0, [&] {
    client->subscribe(tree("a"), Known{});
    EXPECT_FALSE(answer(*client).recovered);
    client->subscribe(tree("b"), Known{});
    EXPECT_FALSE(answer(*client).recovered);
    client->subscribe(exact("c"), Known{});
    EXPECT_FALSE(answer(*client).recovered);
    Known many;
    for (int i = 0; i < 1000; ++i) many.push_back({"d:" + std::to_string(i), {1, 1}});
    client->subscribe(tree("d"), many);
    EXPECT_FALSE(answer(*client).recovered);
    EXPECT_LE(answer(*client).positions.size(), 5u);
  });
  world.settle();
  int from_b = 0;
  for (const Message& message : client->messages) from_b += message.channel.starts_with("b:") ? 1 : 0;
  EXPECT_EQ(from_b, 20) << "the newest, of all channels together";
}

// All pages of a wide subscription are in memory until the last is there: one client must not choose how much that is.
TEST(Recover, AWideSubscriptionReadsNoMoreOfEachChannelThanItMay) {
  class Counting final : public ForwardingEngine {
   public:
    using ForwardingEngine::ForwardingEngine;
    void history(HistoryQuery query, UniqueFunction<void(Result<HistoryPage>)> done) override {
      most = std::max(most, query.count_max);
      ForwardingEngine::history(std::move(query), std::move(done));
    }
    std::size_t most = 0;
  };
  World world({.loops = 1, .history = 5000});
  for (int i = 0; i < 1500; ++i) world.publish("a:" + std::to_string(i % 3 == 0 ? 1 : 2), "x");
  Counting counting(world.memory);
  Hub hub(counting, world.clock, world.policy, {});
  ManualLoop loop;
  Shard& shard = hub.add_shard(loop);
  LineEncoding encoding;
  FakeClient client(shard, encoding);
  client.subscribe(tree("a"), Known{});
  EXPECT_TRUE(client.subscribed[0].second->recovered);
  EXPECT_EQ(counting.most, Join::kOfEachMax);
  for (int i = 0; i < 600; ++i)
    world.memory.publish(Draft{.channel = "a:2", .event = "e", .payload = Bytes::copy_of("x")}, [](auto) {});
  FakeClient late(shard, encoding);
  late.subscribe(tree("a"), Known{});
  EXPECT_FALSE(late.subscribed[0].second->recovered);
  EXPECT_EQ(counting.most, Join::kOfEachMax);
}

TEST(Recover, AClockThatJumpsBackDoesNotTurnTheOrderRound) {
  World world({.loops = 1});
  for (int i = 0; i < 6; ++i) {
    world.publish("a:1", std::to_string(i));
    world.publish("a:2", std::to_string(i));
    world.clock.now_ms -= 1000;
  }
  auto client = world.client();
  world.in(0, [&] { client->subscribe(tree("a"), Known{}); });
  world.settle();
  std::map<std::string, std::uint64_t> last;
  for (const Message& message : client->messages) {
    EXPECT_EQ(message.position.offset, ++last[message.channel]);
  }
  EXPECT_EQ(client->messages.size(), 12u);
}

TEST(Recover, AskingAgainWhileSubscribedBeginsAnewFromThePositions) {
  World world({.loops = 1});
  auto client = world.client();
  client->hear("a");
  const Known start = answer(*client).positions;
  for (const char* const text : {"1", "2"}) world.publish("a", text);
  world.settle();
  world.in(0, [&] { client->subscribe(exact("a"), start); });
  world.publish("a", "3");
  world.settle();
  EXPECT_EQ(client->payloads(), (Texts{"1", "2", "1", "2", "3"}));
  EXPECT_EQ(client->session.subscription_count(), 1u);
}

TEST(Recover, OverlappingSubscriptionsRecoverEachPublicationOnce) {
  World world({.loops = 1});
  for (const char* const text : {"1", "2"}) world.publish("repo:a/b/prs", text);
  auto client = world.client();
  world.in(0, [&] {
    client->subscribe(exact("repo:a/b/prs"), Known{});
    client->subscribe(tree("repo:a/b"), Known{});
  });
  world.publish("repo:a/b/prs", "3");
  world.settle();
  EXPECT_TRUE(client->subscribed[0].second->recovered);
  EXPECT_TRUE(client->subscribed[1].second->recovered);
  EXPECT_EQ(client->payloads(), (Texts{"1", "2", "3"}));
}

TEST(Recover, WhatAnotherSubscriptionHearsAlreadyIsNotRepeatedAndNotPromised) {
  World world({.loops = 1});
  for (const char* const text : {"1", "2"}) world.publish("repo:a/b/prs", text);
  auto client = world.client();
  world.in(0, [&] {
    client->hear("repo:a/b/prs");
    world.publish("repo:a/b/prs", "3");
    client->subscribe(tree("repo:a/b"), Known{});
  });
  world.settle();
  EXPECT_FALSE(client->subscribed[1].second->recovered);
  EXPECT_EQ(client->payloads(), Texts{"3"});
}

// --- Everything at random

// What was published, in each channel's order.
class Truth {
 public:
  explicit Truth(Hub& hub) : listener_(hub.listen(1'000'000)) {}

  void look() {
    while (const PublicationPtr publication = listener_->next({})) {
      auto& channel = channels_[publication->channel];
      channel.index_of[{publication->position->epoch, publication->position->offset}] = channel.count++;
    }
  }
  std::int64_t count(const std::string& channel) { return channels_[channel].count; }
  // The index of the publication at the position; that of the last one before the position's first when offset is 0.
  std::int64_t index(const std::string& channel, Position position) {
    auto& known = channels_[channel].index_of;
    if (position.offset == 0) {
      const auto first = known.find({position.epoch, 1});
      return first == known.end() ? channels_[channel].count - 1 : first->second - 1;
    }
    const auto found = known.find({position.epoch, position.offset});
    EXPECT_NE(found, known.end()) << channel << " " << position.epoch << " " << position.offset;
    return found == known.end() ? -1 : found->second;
  }

 private:
  struct Channel {
    std::map<std::pair<std::uint64_t, std::uint64_t>, std::int64_t> index_of;
    std::int64_t count = 0;
  };
  std::shared_ptr<Listener> listener_;
  std::map<std::string, Channel> channels_;
};

// A person with a client library: subscriptions and positions survive connections.
class Person {
 public:
  Person(World& world, Truth& truth, std::vector<Selector> selectors, bool removals)
      : world_(world), truth_(truth), selectors_(std::move(selectors)), removals_(removals) {}

  bool connected() const { return client_ != nullptr; }
  unsigned loop() const { return loop_; }
  std::size_t recoveries = 0, failures = 0, received = 0;

  void connect(unsigned loop, const std::vector<Selector>& order) {
    loop_ = loop;
    client_ = world_.client(loop);
    client_->answers_into_outbox = false;
    heard_.clear();
    lossy_.clear();
    client_->on_message = [this](const Message& message) { take(message); };
    // What a gap took is not missed silently; it is told ahead of what follows it.
    client_->then_on_gap = [this] {
      client_->on_outbox();
      for (const auto& [channel, count] : std::exchange(client_->lost, {})) lossy_.insert(channel);
    };
    const bool first = positions_.empty() && !ever_;
    ever_ = true;
    client_->then_on_subscribed = [this, order] {
      // Messages that came before this answer are to be counted first.
      client_->on_outbox();
      truth_.look();
      const auto& [ticket, outcome] = client_->subscribed.back();
      ASSERT_TRUE(outcome) << outcome.error().text;
      answered(order[ticket], *outcome);
    };
    for (std::size_t i = 0; i < order.size(); ++i) {
      std::optional<Known> recover;
      if (!first) {
        recover.emplace();
        for (const auto& [channel, position] : positions_) {
          if (order[i].matches(channel)) recover->push_back({channel, position});
        }
      }
      asked_recover_ = !first;
      client_->subscribe(order[i], recover, i);
    }
  }
  void disconnect() { client_.reset(); }
  const std::vector<Selector>& selectors() const { return selectors_; }

  // After all is settled nothing may be missing at the end.
  void expect_current(const std::vector<std::string>& channels) {
    for (const std::string& channel : channels) {
      if (!hears(channel) || lossy_.contains(channel)) continue;
      if (!known_.contains(channel) && truth_.count(channel) == 0) continue;
      ASSERT_TRUE(known_.contains(channel)) << channel;
      ASSERT_EQ(known_[channel], truth_.count(channel) - 1) << channel;
    }
  }

 private:
  bool hears(const std::string& channel) const {
    return std::any_of(selectors_.begin(), selectors_.end(), [&](const Selector& s) { return s.matches(channel); });
  }

  void answered(const Selector& selector, const Subscribed& outcome) {
    if (asked_recover_) {
      ++(outcome.recovered ? recoveries : failures);
      if (!outcome.recovered) {
        for (const auto& [channel, index] : known_) {
          if (selector.matches(channel)) lossy_.insert(channel);
        }
        lossy_selectors_.push_back(selector);
      }
    } else {
      for (const ChannelPosition& at : outcome.positions) {
        const std::int64_t index = truth_.index(at.channel, at.position);
        const bool heard = std::any_of(heard_.begin(), heard_.end(), [&](const Selector& s) { return s.matches(at.channel); });
        if (heard && known_.contains(at.channel)) {
          // It has come by the other subscription before.
          ASSERT_GE(known_[at.channel], index) << at.channel;
        } else {
          set_known(at.channel, std::max(index, known_.contains(at.channel) ? known_[at.channel] : -1), at.position);
        }
      }
    }
    heard_.push_back(selector);
  }

  void take(const Message& message) {
    truth_.look();
    ++received;
    const std::int64_t index = truth_.index(message.channel, message.position);
    const std::int64_t known = known_.contains(message.channel) ? known_[message.channel] : -1;
    // What was removed before one ever heard of it is nothing that was missed.
    const bool lossy = (removals_ && known < 0) || lossy_.contains(message.channel) ||
                       std::any_of(lossy_selectors_.begin(), lossy_selectors_.end(),
                                   [&](const Selector& s) { return s.matches(message.channel); });
    if (lossy) {
      ASSERT_GT(index, known) << message.channel << " comes again or out of order";
      lossy_.erase(message.channel);
    } else {
      ASSERT_EQ(index, known + 1) << message.channel;
    }
    set_known(message.channel, index, message.position);
  }

  void set_known(const std::string& channel, std::int64_t index, Position position) {
    known_[channel] = index;
    positions_[channel] = position;
  }

  World& world_;
  Truth& truth_;
  const std::vector<Selector> selectors_;
  const bool removals_;
  unsigned loop_ = 0;
  bool ever_ = false, asked_recover_ = false;
  std::map<std::string, std::int64_t> known_;
  std::map<std::string, Position> positions_;
  std::set<std::string> lossy_;
  std::vector<Selector> lossy_selectors_;  // Channels that were new and not recovered may begin anywhere.
  std::vector<Selector> heard_;
  std::unique_ptr<FakeClient> client_;
};

struct Chaos {
  bool late = false;
  std::size_t history = 1000;
  bool removals = false;
  std::size_t* recoveries = nullptr;
  std::size_t* failures = nullptr;
};

void live_through(unsigned seed, const Chaos& chaos) {
  SCOPED_TRACE(testing::Message() << "seed " << seed);
  // Some recoveries take many pages.
  HubOptions hub;
  if (seed % 3 != 0) hub.recover_page_max = seed % 3;
  World world({.loops = 3, .hub = hub, .history = chaos.history, .late = chaos.late, .seed = seed});
  Dice random(seed);
  Truth truth(*world.hub);
  const std::vector<std::string> channels = {"repo:a/b", "repo:a/b/prs", "repo:a/b/issues", "repo:a/bc", "room:1"};
  const std::vector<std::vector<Selector>> tastes = {
      {exact("repo:a/b/prs")},
      {tree("repo:a/b")},
      {exact("repo:a/b/prs"), tree("repo:a/b")},
      {exact("repo:a/b"), children("repo:a/b"), exact("room:1")},
      {tree("repo"), exact("repo:a/b/prs"), tree("repo:a/b"), below("repo:a")},
  };
  std::vector<std::unique_ptr<Person>> people;
  for (const auto& taste : tastes) people.push_back(std::make_unique<Person>(world, truth, taste, chaos.removals));
  int next = 0;
  const auto connect = [&](Person& person) {
    std::vector<Selector> order = person.selectors();
    std::shuffle(order.begin(), order.end(), random);
    const unsigned loop = random() % 3;
    world.in(loop, [&] { person.connect(loop, order); });
  };
  for (int step = 0; step < 250; ++step) {
    switch (random() % 8) {
      case 0: {
        Person& person = *people[random() % people.size()];
        if (person.connected()) {
          world.in(person.loop(), [&] { person.disconnect(); });
        } else {
          connect(person);
        }
        break;
      }
      case 1: world.loops[random() % 3]->turn(); break;
      case 2: world.in(random() % 3, [&] { world.late.answer_one(); }); break;
      case 3:
        if (chaos.removals && random() % 6 == 0) {
          world.hub->remove_history(channels[random() % channels.size()], [](Result<void>) {});
        }
        break;
      default:
        world.clock.now_ms += random() % 3;
        world.in(random() % 3, [&] { world.publish(channels[random() % channels.size()], std::to_string(next++)); });
    }
    if (testing::Test::HasFatalFailure()) return;
  }
  for (auto& person : people) {
    if (!person->connected()) connect(*person);
  }
  world.settle();
  for (const std::string& channel : channels) world.publish(channel, "last");
  world.settle();
  truth.look();
  for (auto& person : people) {
    person->expect_current(channels);
    *chaos.recoveries += person->recoveries;
    *chaos.failures += person->failures;
  }
}

TEST(Recover, EachPublicationComesOnceAndInOrderWhateverHappens) {
  std::size_t recoveries = 0, failures = 0;
  for (unsigned seed = 1; seed <= 60 && !HasFatalFailure(); ++seed) {
    live_through(seed, {.recoveries = &recoveries, .failures = &failures});
  }
  EXPECT_GT(recoveries, 200u);
  EXPECT_EQ(failures, 0u) << "everything was kept: there is no reason to fail";
}

TEST(Recover, AnEngineThatAnswersLateAndInAnyOrderKeepsThePromises) {
  std::size_t recoveries = 0, failures = 0;
  for (unsigned seed = 1; seed <= 100 && !HasFatalFailure(); ++seed) {
    live_through(seed, {.late = true, .recoveries = &recoveries, .failures = &failures});
  }
  EXPECT_GT(recoveries, 200u);
  EXPECT_EQ(failures, 0u);
}

TEST(Recover, WhatRetentionTookIsSaidNeverHidden) {
  std::size_t recoveries = 0, failures = 0;
  for (unsigned seed = 1; seed <= 60 && !HasFatalFailure(); ++seed) {
    live_through(seed, {.history = 4, .recoveries = &recoveries, .failures = &failures});
  }
  EXPECT_GT(recoveries, 100u);
  EXPECT_GT(failures, 20u);
}

TEST(Recover, WhatARemovalTookIsSaidNeverHidden) {
  std::size_t recoveries = 0, failures = 0;
  for (unsigned seed = 1; seed <= 60 && !HasFatalFailure(); ++seed) {
    live_through(seed, {.removals = true, .recoveries = &recoveries, .failures = &failures});
  }
  EXPECT_GT(recoveries, 100u);
  EXPECT_GT(failures, 20u);
}

}  // namespace
}  // namespace carillon
