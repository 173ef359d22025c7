// Queue groups that several nodes share, on a real Redis. Each node has an engine and a hub, on loops with threads of their
// own.
#include "engine/redis/redis_groups.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <random>

#include "engine/memory/hub_double.h"
#include "hub/queue_groups.h"
#include "os/threads_double.h"
#include "server/redis_engine_double.h"

namespace carillon {
namespace {

using ::testing::AnyOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;
using ::testing::UnorderedElementsAre;
using ::testing::UnorderedElementsAreArray;

const GroupName kWorkers{.channel = "jobs", .name = "workers {all}"};
const GroupWish kFromBeginning{.start = {.kind = GroupStart::Kind::kBeginning}};

std::string text_of(const GroupDelivery& delivery) {
  return std::string(delivery.publication->payload.view()) + '.' + std::to_string(delivery.attempt);
}

// What may go wrong between a home and its store.
class HinderedStore final : public GroupStore {
 public:
  explicit HinderedStore(GroupStore& inner) : inner_(inner) {}
  void set_events(GroupStoreEvents& events) override { inner_.set_events(events); }
  void hear(const GroupName& name) override { inner_.hear(name); }
  void unhear(const GroupName& name) override { inner_.unhear(name); }
  void open(GroupName name, std::optional<GroupBeginning> beginning, UniqueFunction<void(Result<GroupState>)> done) override {
    inner_.open(std::move(name), std::move(beginning), std::move(done));
  }
  void fetch(GroupFetch fetch, UniqueFunction<void(Result<GroupFetched>)> done) override {
    inner_.fetch(std::move(fetch), std::move(done));
  }
  void settle(GroupName name, GroupSettle settle, UniqueFunction<void(Result<GroupSettled>)> done) override {
    inner_.settle(std::move(name), std::move(settle), std::move(done));
  }
  void give_back(GroupName name, GroupReturn how, std::vector<DeliveryToken> deliveries,
                 UniqueFunction<void(Result<std::size_t>)> done) override {
    if (how == GroupReturn::kBuried && buries_nothing) {
      ++unburied;
      return;  // As if the node had died now.
    }
    inner_.give_back(std::move(name), how, std::move(deliveries), std::move(done));
  }
  void list(std::string channel, std::optional<GroupName> after, std::size_t count_max,
            UniqueFunction<void(Result<GroupPage>)> done) override {
    inner_.list(std::move(channel), std::move(after), count_max, std::move(done));
  }
  void remove(GroupName name, UniqueFunction<void(Result<void>)> done) override {
    inner_.remove(std::move(name), std::move(done));
  }
  std::atomic<bool> buries_nothing = false;
  std::atomic<int> unburied = 0;

 private:
  GroupStore& inner_;
};

class HinderedEngine final : public ForwardingEngine {
 public:
  explicit HinderedEngine(Engine& inner) : ForwardingEngine(inner), store(*inner.groups()) {}
  GroupStore* groups() override { return &store; }
  HinderedStore store;
};

class Node {
 public:
  explicit Node(RedisOptions options)
      : redis_(std::make_unique<RedisEngine>(threads_[0], dialer_, clock_, random_, std::move(options))),
        engine_(*redis_),
        hub_(std::make_unique<Hub>(engine_, clock_, policy_, HubOptions{})) {
    hub_->add_shard(threads_[1]);
    redis_->start();
    threads_.start();
  }
  ~Node() {
    if (hub_ == nullptr) return;
    redis_->stop();
    kill();
  }
  Node(const Node&) = delete;
  Node& operator=(const Node&) = delete;
  // It does nothing any more, and has told nobody.
  void kill() {
    threads_.stop();
    redis_.reset();  // Its last answers find the hub, whose loops do not run any more.
    hub_.reset();
  }
  Hub& hub() { return *hub_; }
  QueueGroups& groups() { return hub_->groups(); }
  HinderedStore& store() { return engine_.store; }
  std::string name() { return redis_->nodes()->self().name; }

 private:
  SystemClock clock_;
  SystemRandom random_;
  OpenPolicy policy_;
  Threads threads_{2};  // The engine's, the hub's.
  TcpDialer dialer_{threads_[0]};
  std::unique_ptr<RedisEngine> redis_;
  HinderedEngine engine_;
  std::unique_ptr<Hub> hub_;
};

// A member; does nothing with what it gets but write it down.
class Worker {
 public:
  Worker(Node& node, GroupWish wish, std::size_t in_flight, GroupName name)
      : node_(node), name_(std::move(name)), state_(std::make_shared<State>()) {
    member_ = node.groups().join({.name = name_,
                                  .wish = std::move(wish),
                                  .in_flight_max = in_flight,
                                  .joined =
                                      [state = state_](Result<GroupJoined> outcome) {
                                        const std::lock_guard lock(state->mutex);
                                        EXPECT_THAT(state->texts, IsEmpty()) << "a delivery before the answer";
                                        state->joined = std::move(outcome);
                                      },
                                  .deliver =
                                      [state = state_](std::vector<GroupDelivery> deliveries) {
                                        const std::lock_guard lock(state->mutex);
                                        for (GroupDelivery& delivery : deliveries) {
                                          state->texts.push_back(text_of(delivery));
                                          state->held.push_back(std::move(delivery));
                                        }
                                      },
                                  .ended =
                                      [state = state_](std::string_view) {
                                        const std::lock_guard lock(state->mutex);
                                        state->ended = true;
                                      }});
  }
  Result<GroupJoined> joined() {
    wait_until_redis("a member has joined", [this] {
      const std::lock_guard lock(state_->mutex);
      return state_->joined.has_value();
    });
    const std::lock_guard lock(state_->mutex);
    return *state_->joined;
  }
  void leave() { node_.groups().leave(name_, member_); }
  std::vector<GroupDelivery> held() {
    const std::lock_guard lock(state_->mutex);
    return state_->held;
  }
  std::vector<GroupDelivery> take_held() {
    const std::lock_guard lock(state_->mutex);
    return std::exchange(state_->held, {});
  }
  // "payload.attempt" of all deliveries ever.
  std::vector<std::string> texts() {
    const std::lock_guard lock(state_->mutex);
    return state_->texts;
  }
  bool ended() {
    const std::lock_guard lock(state_->mutex);
    return state_->ended;
  }
  void wait_for(std::size_t count) {
    wait_until_redis("deliveries were made", [&] { return texts().size() >= count; });
  }
  std::string token(std::size_t place) { return held().at(place).token; }
  Node& node() { return node_; }

 private:
  struct State {
    std::mutex mutex;
    std::optional<Result<GroupJoined>> joined;
    std::vector<GroupDelivery> held;
    std::vector<std::string> texts;
    bool ended = false;
  };
  Node& node_;
  const GroupName name_;
  const std::shared_ptr<State> state_;
  GroupMember member_ = 0;
};

class RedisGroupsTest : public ::testing::Test {
 protected:
  explicit RedisGroupsTest(std::size_t history = 100'000) : history_(history) {}

  virtual RedisOptions options() {
    RedisOptions options{.servers = {redis().server()}, .prefix = prefix_};
    options.retry_max = Millis(100);
    options.wait_max = Millis(2000);
    options.rule_for = [count = history_](std::string_view channel) {
      return HistoryRule{.count_max = channel.starts_with("bare") ? 0 : count};
    };
    return options;
  }
  virtual RedisProcess& redis() { return shared_redis(); }

  Node& node(std::size_t place) {
    if (nodes_.size() <= place) nodes_.resize(place + 1);
    if (nodes_[place] == nullptr) nodes_[place] = std::make_unique<Node>(options());
    return *nodes_[place];
  }
  void kill(std::size_t place) {
    nodes_[place]->kill();
    nodes_[place].reset();
  }
  std::unique_ptr<Worker> worker(std::size_t place, GroupWish wish = kFromBeginning, std::size_t in_flight = 16,
                                 GroupName name = kWorkers) {
    auto made = std::make_unique<Worker>(node(place), std::move(wish), in_flight, std::move(name));
    const Result<GroupJoined> joined = made->joined();
    EXPECT_TRUE(joined) << joined.error().text;
    return made;
  }
  void publish(int from, int to, const std::string& channel = "jobs") {
    for (int i = from; i <= to; ++i) {
      const auto receipt = wait_for_answer<Result<Receipt>>([&](auto done) {
        node(0).hub().publish({.channel = channel, .event = "e", .payload = Bytes::copy_of(std::to_string(i))},
                              std::move(done));
      });
      ASSERT_TRUE(receipt) << receipt.error().text;
    }
  }
  Result<GroupSettled> try_settle(Node& node, GroupSettle settle, GroupName name = kWorkers) {
    return wait_for_answer<Result<GroupSettled>>(
        [&](auto done) { node.groups().settle(name, std::move(settle), std::move(done)); });
  }
  std::size_t settle(Node& node, GroupSettle::Verb verb, std::vector<std::string> tokens, std::optional<Millis> time = {}) {
    const auto settled = try_settle(node, {.verb = verb, .deliveries = std::move(tokens), .time = time});
    EXPECT_TRUE(settled) << settled.error().text;
    return settled ? settled->settled : 0;
  }
  std::size_t ack(Node& node, std::vector<std::string> tokens) {
    return settle(node, GroupSettle::Verb::kAck, std::move(tokens));
  }
  void ack_all(Worker& worker) {
    std::vector<std::string> tokens;
    for (const GroupDelivery& delivery : worker.take_held()) tokens.push_back(delivery.token);
    if (!tokens.empty()) ack(worker.node(), std::move(tokens));
  }
  Result<std::vector<GroupDelivery>> take(std::size_t place, std::size_t count, Millis wait = Millis(0),
                                          GroupWish wish = kFromBeginning, GroupName name = kWorkers) {
    return wait_for_answer<Result<std::vector<GroupDelivery>>>([&](auto done) {
      node(place).groups().take(
          {.name = name, .wish = std::move(wish), .count = count, .wait = wait, .taken = std::move(done)});
    });
  }
  std::vector<std::string> taken(std::size_t place, std::size_t count, Millis wait = Millis(0)) {
    const auto outcome = take(place, count, wait);
    if (!outcome) return {error_kind_name(outcome.error().kind)};
    std::vector<std::string> texts;
    for (const GroupDelivery& delivery : *outcome) texts.push_back(text_of(delivery));
    return texts;
  }
  std::vector<GroupInfo> list(std::size_t place = 0, std::string channel = {}) {
    const auto page = wait_for_answer<Result<GroupPage>>(
        [&](auto done) { node(place).groups().list(std::move(channel), std::nullopt, 100, std::move(done)); });
    EXPECT_TRUE(page) << page.error().text;
    return page ? page->groups : std::vector<GroupInfo>();
  }
  GroupInfo info() {
    const std::vector<GroupInfo> groups = list();
    EXPECT_THAT(groups, SizeIs(1));
    return groups.empty() ? GroupInfo() : groups[0];
  }
  Result<void> remove(std::size_t place, GroupName name = kWorkers) {
    return wait_for_answer<Result<void>>([&](auto done) { node(place).groups().remove(name, std::move(done)); });
  }
  std::vector<PublicationPtr> dead_letters() {
    const auto page = wait_for_answer<Result<HistoryPage>>(
        [&](auto done) { node(0).hub().history({.channel = "jobs/dead", .count_max = 10'000}, std::move(done)); });
    EXPECT_TRUE(page) << page.error().text;
    return page ? page->publications : std::vector<PublicationPtr>();
  }
  Position top() {
    const auto page = wait_for_answer<Result<HistoryPage>>(
        [&](auto done) { node(0).hub().history({.channel = "jobs", .reverse = true}, std::move(done)); });
    return page && page->top ? *page->top : Position();
  }
  RedisKeys keys() const { return RedisKeys(prefix_); }
  std::string stream() const { return keys().stream("jobs"); }

  const std::size_t history_;
  const std::string prefix_ = fresh_prefix();
  std::vector<std::unique_ptr<Node>> nodes_;
};

TEST_F(RedisGroupsTest, MembersOfAllNodesShareTheChannel) {
  const auto a = worker(0), b = worker(0), c = worker(1), d = worker(2);
  EXPECT_TRUE((*a->joined()).created);
  EXPECT_FALSE((*c->joined()).created);
  publish(1, 120);
  std::vector<std::string> all;
  wait_until_redis("everything is handled", [&] {
    for (Worker* one : {&*a, &*b, &*c, &*d}) ack_all(*one);
    all.clear();
    for (Worker* one : {&*a, &*b, &*c, &*d}) {
      for (const std::string& text : one->texts()) all.push_back(text);
    }
    return all.size() >= 120;
  });
  for (Worker* one : {&*a, &*b, &*c, &*d}) ack_all(*one);
  std::vector<std::string> expected;
  for (int i = 1; i <= 120; ++i) expected.push_back(std::to_string(i) + ".1");
  EXPECT_THAT(all, UnorderedElementsAreArray(expected));
  const GroupInfo told = info();
  EXPECT_EQ(told.name, kWorkers);
  EXPECT_EQ(told.cursor.offset, 120u);
  EXPECT_EQ(told.lag, 0u);
  EXPECT_EQ(told.in_flight, 0u);
  EXPECT_EQ(told.members, 4u);
  EXPECT_EQ(told.totals.delivered, 120u);
  EXPECT_EQ(told.totals.acked, 120u);
  EXPECT_EQ(node(0).groups().stats().acks_total + node(1).groups().stats().acks_total + node(2).groups().stats().acks_total,
            120u);
}

TEST_F(RedisGroupsTest, AMemberHasNoMoreInFlightThanItMay) {
  publish(1, 10);
  const auto a = worker(0, kFromBeginning, 2), b = worker(1, kFromBeginning, 3);
  a->wait_for(2);
  b->wait_for(3);
  EXPECT_EQ(info().in_flight, 5u);
  EXPECT_EQ(info().lag, 10u);
  EXPECT_EQ(ack(node(0), {a->token(1)}), 1u);
  a->wait_for(3);
  EXPECT_THAT(a->texts(), SizeIs(3));
  EXPECT_THAT(b->texts(), SizeIs(3));
}

TEST_F(RedisGroupsTest, WhatIsAcknowledgedByAnotherNodeMakesRoomForMore) {
  publish(1, 2);
  const auto a = worker(0, kFromBeginning, 1);
  a->wait_for(1);
  EXPECT_EQ(ack(node(1), {a->token(0)}), 1u);
  a->wait_for(2);
  EXPECT_THAT(a->texts(), ElementsAre("1.1", "2.1"));
}

TEST_F(RedisGroupsTest, AGroupBeginsWhereItIsTold) {
  publish(1, 3);
  const Position end = top();
  const auto start = [&](GroupStart where, const std::string& name) {
    const auto outcome = take(1, 1, Millis(0), {.start = where}, {"jobs", name});
    return outcome ? (outcome->empty() ? "nothing" : text_of(outcome->front())) : error_kind_name(outcome.error().kind);
  };
  EXPECT_EQ(start({.kind = GroupStart::Kind::kNow}, "a"), "nothing");
  EXPECT_EQ(start({.kind = GroupStart::Kind::kBeginning}, "b"), "1.1");
  EXPECT_EQ(start({.kind = GroupStart::Kind::kPosition, .position = {end.epoch, 2}}, "c"), "3.1");
  EXPECT_EQ(start({.kind = GroupStart::Kind::kPosition, .position = {end.epoch + 1, 2}}, "d"), "conflict");
  EXPECT_EQ(start({.kind = GroupStart::Kind::kPosition, .position = {end.epoch, 99}}, "e"), "conflict");
  publish(4, 4);
  EXPECT_EQ(start({.kind = GroupStart::Kind::kBeginning}, "a"), "4.1") << "of a group that exists it says nothing";
  std::vector<std::string> names;
  for (const GroupInfo& info : list(0, "jobs")) names.push_back(info.name.name);
  EXPECT_THAT(names, ElementsAre("a", "b", "c"));
}

TEST_F(RedisGroupsTest, WhoWantsOtherSettingsOrAChannelWithoutHistoryIsRefused) {
  const auto refusal = [&](std::size_t place, GroupName name, GroupWish wish) {
    const auto outcome = take(place, 1, Millis(0), std::move(wish), std::move(name));
    return outcome ? std::string("taken") : error_kind_name(outcome.error().kind);
  };
  EXPECT_EQ(refusal(0, {"bare", "g"}, {}), "invalid");
  EXPECT_EQ(refusal(0, {"jobs", "g"}, {.visibility = Millis(5000), .dead_letter = "else"}), "taken");
  EXPECT_EQ(refusal(1, {"jobs", "g"}, {.visibility = Millis(6000)}), "conflict");
  EXPECT_EQ(refusal(1, {"jobs", "g"}, {.deliveries_max = 6}), "conflict");
  EXPECT_EQ(refusal(1, {"jobs", "g"}, {.visibility = Millis(5000), .deliveries_max = 5, .dead_letter = "else"}), "taken");
  EXPECT_EQ(refusal(1, {"jobs", "g"}, {}), "taken");
  EXPECT_EQ(try_settle(node(1), {.deliveries = {"1-1-1"}}, {"jobs", "nobody"}).error().kind, ErrorKind::kNotFound);
}

TEST_F(RedisGroupsTest, WhatAMemberHadThatLeavesGoesToAnotherNodeAtOnce) {
  const auto a = worker(0, kFromBeginning, 2);
  publish(1, 2);
  a->wait_for(2);
  const auto b = worker(1);
  EXPECT_EQ(ack(node(0), {a->token(0)}), 1u);
  a->leave();
  b->wait_for(1);
  EXPECT_THAT(b->texts(), ElementsAre("2.2"));
  EXPECT_EQ(ack(node(0), {a->token(1)}), 0u) << "it is another's now";
  EXPECT_EQ(ack(node(0), {b->token(0)}), 1u) << "any node may say it";
}

TEST_F(RedisGroupsTest, AnAckOfAnotherDeliveryIsRefused) {
  const auto a = worker(0, {.start = kFromBeginning.start, .visibility = Millis(300)}, 1);
  const auto b = worker(1, kFromBeginning, 1);
  publish(1, 1);
  wait_until_redis("it is delivered again", [&] { return a->texts().size() + b->texts().size() >= 2; });
  std::vector<GroupDelivery> made = a->held();
  for (const GroupDelivery& delivery : b->held()) made.push_back(delivery);
  std::ranges::sort(made, {}, &GroupDelivery::attempt);
  const auto settled = try_settle(node(1), {.deliveries = {made[0].token, "nonsense", made.back().token, made.back().token}});
  ASSERT_TRUE(settled);
  EXPECT_EQ(settled->settled, 1u);
  EXPECT_THAT(settled->refused, ElementsAre(made[0].token, "nonsense", made.back().token));
  EXPECT_EQ(info().lag, 0u);
}

TEST_F(RedisGroupsTest, ALateAckCountsUntilTheNextDeliveryIsMade) {
  publish(1, 1);
  const auto outcome = take(0, 1, Millis(0), {.start = kFromBeginning.start, .visibility = Millis(100)});
  ASSERT_THAT(*outcome, SizeIs(1));
  const std::string token = outcome->front().token;
  wait_until_redis("its time is over", [&] {
    const RespValue due = redis().command({"XPENDING", stream(), kWorkers.name, "IDLE", "43200000", "-", "+", "1"});
    return due.array() != nullptr && due.array()->size() == 1;
  });
  EXPECT_EQ(settle(node(0), GroupSettle::Verb::kExtend, {token}), 0u);
  EXPECT_EQ(settle(node(0), GroupSettle::Verb::kNack, {token}), 0u);
  EXPECT_EQ(ack(node(0), {token}), 1u);
}

TEST_F(RedisGroupsTest, WhatIsExtendedStaysLonger) {
  publish(1, 2);
  const auto first = take(0, 2, Millis(0), {.start = kFromBeginning.start, .visibility = Millis(400)});
  ASSERT_THAT(*first, SizeIs(2));
  EXPECT_EQ(settle(node(1), GroupSettle::Verb::kExtend, {first->at(0).token}, Millis(60'000)), 1u);
  EXPECT_THAT(taken(1, 5, Millis(20'000)), ElementsAre("2.2"));
  EXPECT_THAT(taken(1, 5, Millis(1'500)), AnyOf(IsEmpty(), ElementsAre("2.3")));
  EXPECT_EQ(ack(node(0), {first->at(0).token}), 1u);
}

TEST_F(RedisGroupsTest, WhatIsGivenBackWithADelayComesWhenThatIsOver) {
  const auto a = worker(0, kFromBeginning, 1);
  const auto b = worker(1, kFromBeginning, 1);
  publish(1, 1);
  wait_until_redis("it is delivered", [&] { return a->texts().size() + b->texts().size() == 1; });
  Worker& had = a->texts().empty() ? *b : *a;
  const auto given_back = std::chrono::steady_clock::now();
  EXPECT_EQ(settle(had.node(), GroupSettle::Verb::kNack, {had.token(0)}, Millis(700)), 1u);
  EXPECT_EQ(info().in_flight, 0u);
  EXPECT_EQ(info().lag, 1u);
  wait_until_redis("it is delivered again", [&] { return a->texts().size() + b->texts().size() == 2; });
  EXPECT_GE(std::chrono::steady_clock::now() - given_back, std::chrono::milliseconds(690));
}

TEST_F(RedisGroupsTest, ADelayMayBeLongerThanTheVisibilityTime) {
  publish(1, 1);
  const GroupWish wish{.start = kFromBeginning.start, .visibility = Millis(100)};
  const auto first = take(0, 1, Millis(0), wish);
  ASSERT_THAT(*first, SizeIs(1));
  EXPECT_EQ(settle(node(0), GroupSettle::Verb::kNack, {first->front().token}, Millis(1500)), 1u);
  const auto begun = std::chrono::steady_clock::now();
  EXPECT_THAT(taken(1, 1, Millis(5000)), ElementsAre("1.2"));
  EXPECT_GE(std::chrono::steady_clock::now() - begun, std::chrono::milliseconds(1400));
}

TEST_F(RedisGroupsTest, WhatNobodyHandlesIsMovedToTheDeadLetterChannel) {
  const auto a = worker(0, {.start = kFromBeginning.start, .deliveries_max = 2}, 1);
  publish(1, 1);
  a->wait_for(1);
  EXPECT_EQ(settle(node(1), GroupSettle::Verb::kNack, {a->token(0)}), 1u);
  a->wait_for(2);
  // The last return makes it dead at once, whatever delay was wished.
  EXPECT_EQ(settle(node(0), GroupSettle::Verb::kNack, {a->token(1)}, Millis(60'000)), 1u);
  wait_until_redis("it is dead", [&] { return info().totals.dead == 1; });
  EXPECT_THAT(a->texts(), ElementsAre("1.1", "1.2"));
  const std::vector<PublicationPtr> dead = dead_letters();
  ASSERT_THAT(dead, SizeIs(1));
  EXPECT_EQ(dead[0]->payload.view(), "1");
  const std::map<std::string, std::string> tags(dead[0]->tags.begin(), dead[0]->tags.end());
  EXPECT_EQ(tags.at("dead_letter_channel"), "jobs");
  EXPECT_EQ(tags.at("dead_letter_group"), kWorkers.name);
  EXPECT_EQ(tags.at("dead_letter_deliveries"), "2");
  EXPECT_EQ(tags.at("dead_letter_offset"), "1");
  EXPECT_EQ(tags.at("dead_letter_reason"), "nacked");
  EXPECT_EQ(info().cursor.offset, 1u);
  EXPECT_EQ(info().lag, 0u);
}

TEST_F(RedisGroupsTest, ADeadLetterWhosePublisherDiedIsInItsChannelOnce) {
  node(0).store().buries_nothing = true;
  const auto a = worker(0, {.start = kFromBeginning.start, .visibility = Millis(100), .deliveries_max = 1}, 1);
  publish(1, 1);
  wait_until_redis("it is published, and not buried", [&] { return node(0).store().unburied > 0; });
  ASSERT_THAT(dead_letters(), SizeIs(1));
  EXPECT_EQ(ack(node(0), {a->token(0)}), 0u) << "it is dying";
  EXPECT_EQ(info().totals.dead, 0u);
  publish(2, 2);
  kill(0);
  // As if half a minute had passed.
  const RespValue pending = redis().command({"XPENDING", stream(), kWorkers.name, "-", "+", "1"});
  const RespValue::Array& one = *(*pending.array())[0].array();
  EXPECT_EQ(*one[1].text(), "~dead.timed_out");
  redis().command({"XCLAIM", stream(), kWorkers.name, *one[1].text(), "0", *one[0].text(), "IDLE", "43200000", "JUSTID"});
  const auto b = worker(1, kFromBeginning, 1);
  wait_until_redis("both are dead", [&] { return list(1).at(0).totals.dead == 2; });
  const std::vector<PublicationPtr> dead = dead_letters();
  ASSERT_THAT(dead, SizeIs(2));
  EXPECT_EQ(dead[0]->payload.view(), "1");
  EXPECT_EQ(dead[1]->payload.view(), "2");
}

TEST_F(RedisGroupsTest, TakersAreAnsweredAtOnceOrWhenSomethingComes) {
  publish(1, 3);
  const auto first = take(0, 2);
  ASSERT_THAT(*first, SizeIs(2));
  EXPECT_THAT(taken(1, 5), ElementsAre("3.1"));
  EXPECT_THAT(taken(1, 5), IsEmpty());
  const auto begun = std::chrono::steady_clock::now();
  EXPECT_THAT(taken(0, 5, Millis(300)), IsEmpty());
  EXPECT_GE(std::chrono::steady_clock::now() - begun, std::chrono::milliseconds(290));
  std::promise<std::size_t> promise;
  node(1).groups().take({.name = kWorkers,
                         .wish = {},
                         .count = 5,
                         .wait = Millis(30'000),
                         .taken = [&](Result<std::vector<GroupDelivery>> outcome) { promise.set_value(outcome->size()); }});
  publish(4, 4);
  EXPECT_EQ(promise.get_future().get(), 1u);
  EXPECT_EQ(ack(node(1), {first->at(0).token}), 1u);
  EXPECT_EQ(ack(node(0), {first->at(0).token}), 0u);
}

TEST_F(RedisGroupsTest, ATakerThatIsCancelledIsAnsweredWithNothing) {
  EXPECT_THAT(taken(0, 1), IsEmpty());
  std::promise<std::size_t> promise;
  const GroupMember taker = node(0).groups().take(
      {.name = kWorkers, .wish = {}, .wait = Millis(30'000), .taken = [&](Result<std::vector<GroupDelivery>> outcome) {
         promise.set_value(outcome->size());
       }});
  node(0).groups().cancel(kWorkers, taker);
  EXPECT_EQ(promise.get_future().get(), 0u);
  publish(1, 1);
  EXPECT_THAT(taken(1, 1), ElementsAre("1.1"));
}

TEST_F(RedisGroupsTest, WhatANodeHadThatDiesComesToOthersWhenItsTimeIsOver) {
  const auto a = worker(1, {.start = kFromBeginning.start, .visibility = Millis(1500)}, 3);
  publish(1, 3);
  a->wait_for(3);
  const auto delivered = std::chrono::steady_clock::now();
  kill(1);
  EXPECT_EQ(ack(node(0), {a->token(1)}), 1u) << "what it had handled may be said to another";
  publish(4, 5);
  const auto b = worker(0), c = worker(2);
  wait_until_redis("the others have it all", [&] {
    ack_all(*b);
    ack_all(*c);
    return b->texts().size() + c->texts().size() >= 4;
  });
  EXPECT_GE(std::chrono::steady_clock::now() - delivered, std::chrono::milliseconds(1400));
  std::vector<std::string> all = b->texts();
  for (const std::string& text : c->texts()) all.push_back(text);
  EXPECT_THAT(all, UnorderedElementsAre("4.1", "5.1", "1.2", "3.2"));
}

TEST_F(RedisGroupsTest, WhenTheHistoryIsRemovedTheGroupBeginsAnewWithTheChannel) {
  const auto a = worker(1, kFromBeginning, 1);
  ASSERT_TRUE(a->joined());
  const auto listener = node(1).hub().listen();
  publish(1, 3);
  for (int heard = 0; heard < 3; ++heard) ASSERT_NE(listener->next(std::chrono::seconds(10)), nullptr);
  a->wait_for(1);
  const std::string token = a->token(0);
  // Behind the news: the group's home there knows how far the channel has come, and asks with it from now on.
  EXPECT_EQ(ack(node(1), {token + "0"}), 0u);
  ASSERT_TRUE(wait_for_answer<Result<void>>([&](auto done) { node(0).hub().remove_history("jobs", std::move(done)); }));
  publish(7, 7);
  a->wait_for(2);
  EXPECT_EQ(a->texts()[1], "7.1");
  EXPECT_EQ(info().totals.lost, 3u);
  EXPECT_EQ(ack(node(1), {token}), 0u);
  EXPECT_EQ(ack(node(1), {a->token(1)}), 1u);
  EXPECT_EQ(info().lag, 0u);
}

TEST_F(RedisGroupsTest, AGroupThatIsDeletedTellsItsMembersOnAllNodesAndMayBeginAnew) {
  const auto a = worker(0), b = worker(1);
  publish(1, 2);
  wait_until_redis("all is delivered", [&] { return a->texts().size() + b->texts().size() == 2; });
  ASSERT_TRUE(remove(0));
  wait_until_redis("members are told", [&] { return a->ended() && b->ended(); });
  EXPECT_THAT(list(), IsEmpty());
  EXPECT_EQ(remove(1).error().kind, ErrorKind::kNotFound);
  const auto c = worker(1);
  EXPECT_TRUE((*c->joined()).created);
  c->wait_for(2);
  EXPECT_THAT(c->texts(), ElementsAre("1.1", "2.1"));
  EXPECT_FALSE(c->ended());
}

TEST_F(RedisGroupsTest, GroupsAreListedByTheirChannelsAndPageByPage) {
  for (const char* channel : {"a", "a/b", "ab", "a~"}) {
    for (const char* name : {"x/y", "z"}) ASSERT_TRUE(take(0, 1, Millis(0), {}, {channel, name}));
  }
  EXPECT_THAT(list(), SizeIs(8));
  for (const char* channel : {"a", "a/b", "ab", "a~"}) {
    const auto listed = list(1, channel);
    ASSERT_THAT(listed, SizeIs(2));
    for (const GroupInfo& info : listed) EXPECT_EQ(info.name.channel, channel);
    EXPECT_EQ(listed[0].name.name, "x/y");
  }
  std::size_t count = 0;
  std::optional<GroupName> after;
  do {
    const auto page =
        wait_for_answer<Result<GroupPage>>([&](auto done) { node(1).groups().list("", after, 3, std::move(done)); });
    count += page->groups.size();
    after = page->next;
  } while (after);
  EXPECT_EQ(count, 8u);
  // A name whose group is gone is put right.
  redis().command({"DEL", keys().group("ab", "z")});
  EXPECT_THAT(list(), SizeIs(7));
  EXPECT_EQ(*redis().command({"ZCARD", keys().groups()}).number(), 7);
}

TEST_F(RedisGroupsTest, AGroupWhoseStateIsDamagedSaysSoAndCanBeDeleted) {
  publish(1, 1);
  EXPECT_THAT(taken(0, 1), ElementsAre("1.1"));
  redis().command({"HSET", keys().group("jobs", kWorkers.name), "epoch", "nonsense"});
  EXPECT_THAT(taken(1, 1), ElementsAre("corrupt"));
  EXPECT_THAT(info().fault, HasSubstr("damaged"));
  ASSERT_TRUE(remove(1));
  EXPECT_THAT(list(), IsEmpty());
  EXPECT_THAT(taken(1, 1), ElementsAre("1.1"));
}

TEST_F(RedisGroupsTest, NothingNewIsDeliveredWhileTooMuchIsNotSettled) {
  EXPECT_THAT(taken(0, 1), IsEmpty());
  redis().command({"HSET", keys().group("jobs", kWorkers.name), "open", "9999"});
  publish(1, 3);
  const auto first = take(1, 5);
  ASSERT_THAT(*first, SizeIs(1));
  EXPECT_THAT(taken(0, 5), IsEmpty());
  const auto a = worker(0);
  EXPECT_THAT(a->texts(), IsEmpty());
  EXPECT_EQ(ack(node(0), {first->at(0).token}), 1u);
  a->wait_for(1);
  EXPECT_THAT(a->texts(), ElementsAre("2.1"));
  ack_all(*a);
  a->wait_for(2);
}

TEST_F(RedisGroupsTest, AnEntryThatNobodyCanReadIsLostAndTheRestIsDelivered) {
  publish(1, 1);
  const std::string epoch = std::to_string(top().epoch);
  for (const char* offset : {"-2", "-3"}) redis().command({"XADD", stream(), epoch + offset, "foreign", "entry"});
  const auto a = worker(1);
  a->wait_for(1);
  wait_until_redis("they are counted", [&] { return info().totals.lost == 2; });
  EXPECT_EQ(info().lag, 1u);
}

class SmallHistoryGroupsTest : public RedisGroupsTest {
 protected:
  SmallHistoryGroupsTest() : RedisGroupsTest(10) {}
};

TEST_F(SmallHistoryGroupsTest, WhatRetentionTookIsCountedAndTheRestIsDelivered) {
  const auto a = worker(1, kFromBeginning, 1);
  publish(1, 1);
  a->wait_for(1);
  publish(2, 400);  // Redis drops a hundred at a time.
  ack_all(*a);
  a->wait_for(2);
  const GroupInfo told = info();
  EXPECT_GT(told.totals.lost, 100u);
  EXPECT_EQ(a->texts()[1], std::to_string(told.totals.lost + 2) + ".1");
  EXPECT_EQ(told.lag, 399 - told.totals.lost);
  EXPECT_EQ(node(1).groups().stats().lost_total, told.totals.lost);
}

// A Redis of its own, which may go away.
class RestartedGroupsTest : public RedisGroupsTest {
 protected:
  explicit RestartedGroupsTest(bool keeps = true) : redis_({.append_only = keeps}) {}
  ~RestartedGroupsTest() override { nodes_.clear(); }
  RedisProcess& redis() override { return redis_; }

 private:
  RedisProcess redis_;
};

class ForgetfulGroupsTest : public RestartedGroupsTest {
 protected:
  ForgetfulGroupsTest() : RestartedGroupsTest(false) {}
};

TEST_F(RestartedGroupsTest, ARestartOfRedisLosesNothing) {
  const auto a = worker(0, {.start = kFromBeginning.start, .visibility = Millis(2000)}, 2);
  publish(1, 4);
  a->wait_for(2);
  redis().kill();
  EXPECT_EQ(try_settle(node(0), {.deliveries = {a->token(0)}}).error().kind, ErrorKind::kUnavailable);
  EXPECT_THAT(taken(1, 1), ElementsAre("unavailable"));
  redis().start();
  wait_until_redis("its time is over, or it is acknowledged", [&] {
    const auto settled = try_settle(node(0), {.deliveries = {a->token(0)}});
    return settled.has_value();
  });
  const auto b = worker(1);
  wait_until_redis("everything is handled", [&] {
    ack_all(*a);
    ack_all(*b);
    return info().lag == 0;
  });
  EXPECT_EQ(info().totals.acked, 4u);
  EXPECT_EQ(info().totals.lost, 0u);
}

TEST_F(ForgetfulGroupsTest, WhenRedisHasForgottenAllTheGroupBeginsAnewAndItsMembersStay) {
  const auto a = worker(0, {.start = kFromBeginning.start, .deliveries_max = 7}, 2), b = worker(1);
  publish(1, 3);
  wait_until_redis("all is delivered", [&] { return a->texts().size() + b->texts().size() == 3; });
  redis().kill();
  redis().start();
  wait_until_redis("the group is there again", [&] {
    const auto page =
        wait_for_answer<Result<GroupPage>>([&](auto done) { node(0).groups().list("", std::nullopt, 100, std::move(done)); });
    return page && page->groups.size() == 1;
  });
  publish(8, 9);
  wait_until_redis("what is new is delivered", [&] { return a->texts().size() + b->texts().size() >= 5; });
  EXPECT_FALSE(a->ended());
  EXPECT_FALSE(b->ended());
  EXPECT_EQ(info().settings.deliveries_max, 7u);
}

// The keys of a channel and its groups lie in one slot.
class ClusterGroupsTest : public RedisGroupsTest {
 protected:
  ~ClusterGroupsTest() override { nodes_.clear(); }
  RedisOptions options() override {
    RedisOptions made = RedisGroupsTest::options();
    made.servers = cluster_.servers();
    made.cluster = true;
    return made;
  }

 private:
  RedisClusterProcess cluster_;
};

TEST_F(ClusterGroupsTest, GroupsOfAClusterAreAsThoseOfOneRedis) {
  for (const char* channel : {"jobs", "more", "other"}) {
    const GroupName name{.channel = channel, .name = "g"};
    const auto a = worker(0, {.start = kFromBeginning.start, .deliveries_max = 1}, 2, name);
    const auto b = worker(1, kFromBeginning, 2, name);
    publish(1, 4, channel);
    wait_until_redis("all is delivered", [&] { return a->texts().size() + b->texts().size() == 4; });
    const auto nacked = try_settle(node(1), {.verb = GroupSettle::Verb::kNack, .deliveries = {a->token(0)}, .time = {}}, name);
    EXPECT_EQ(nacked->settled, 1u);
    wait_until_redis("it is dead", [&] { return list(1, channel).at(0).totals.dead == 1; });
    a->leave();
    b->leave();
  }
  EXPECT_THAT(list(), SizeIs(3));
  ASSERT_TRUE(remove(1, {"more", "g"}));
  EXPECT_THAT(list(), SizeIs(2));
}

// Members come, work badly and go; nodes die. Every publication is acknowledged once or dead-lettered once.
TEST_F(RedisGroupsTest, EveryPublicationIsHandledWhateverNodesDie) {
  const unsigned seed = std::random_device()();
  SCOPED_TRACE("seed " + std::to_string(seed));
  Dice random(seed);
  const GroupWish wish{.start = kFromBeginning.start, .visibility = Millis(400), .deliveries_max = 4};
  struct Ledger {
    std::mutex mutex;
    std::map<std::string, int> acked;       // Confirmed.
    std::map<std::string, int> unanswered;  // Acks whose node has died before it answered.
  };
  const auto ledger = std::make_shared<Ledger>();
  int published = 0, killed = 0;
  std::vector<std::pair<std::size_t, std::unique_ptr<Worker>>> workers;
  node(0);  // Never dies; publishes.

  const auto work = [&](Worker& worker, unsigned acks_of_ten) {
    for (const GroupDelivery& delivery : worker.take_held()) {
      const unsigned dice = random() % 10;
      const std::string payload(delivery.publication->payload.view());
      if (dice < acks_of_ten) {
        {
          const std::lock_guard lock(ledger->mutex);
          ++ledger->unanswered[payload];
        }
        worker.node().groups().settle(kWorkers, {.deliveries = {delivery.token}, .time = {}},
                                      [ledger, payload](Result<GroupSettled> outcome) {
                                        const std::lock_guard lock(ledger->mutex);
                                        if (!outcome) return;  // It may have been done.
                                        --ledger->unanswered[payload];
                                        if (outcome->settled == 1) ++ledger->acked[payload];
                                      });
      } else if (dice < acks_of_ten + 2) {
        const Millis delay(random() % 2 == 0 ? 0 : random() % 600);
        worker.node().groups().settle(
            kWorkers, {.verb = GroupSettle::Verb::kNack, .deliveries = {delivery.token}, .time = delay}, [](auto) {});
      }  // Else it is forgotten.
    }
  };
  const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(8);
  while (std::chrono::steady_clock::now() < end) {
    switch (random() % 12) {
      case 0:
      case 1:
      case 2: {
        const int count = 1 + static_cast<int>(random() % 20);
        publish(published + 1, published + count);
        published += count;
        break;
      }
      case 3: {
        if (workers.size() > 7) break;
        const std::size_t place = random() % 3;
        workers.emplace_back(place, worker(place, wish, 1 + random() % 6));
        break;
      }
      case 4:
        if (workers.empty() || random() % 3 != 0) break;
        workers.back().second->leave();
        workers.pop_back();
        break;
      case 5: {
        const std::size_t place = 1 + random() % 2;
        if (random() % 4 != 0 || nodes_.size() <= place || nodes_[place] == nullptr) break;
        std::erase_if(workers, [&](const auto& one) { return one.first == place; });
        kill(place);
        ++killed;
        break;
      }
      default:
        if (!workers.empty()) work(*workers[random() % workers.size()].second, 7);
    }
  }
  workers.emplace_back(2, worker(2, wish, 16));
  wait_until_redis("everything is settled", [&] {
    for (auto& one : workers) work(*one.second, 10);
    return info().lag == 0;
  });
  EXPECT_GT(killed, 0);
  const GroupInfo told = info();
  std::map<std::string, int> dead;
  for (const PublicationPtr& publication : dead_letters()) ++dead[std::string(publication->payload.view())];
  EXPECT_EQ(told.totals.lost, 0u);
  EXPECT_EQ(told.totals.dead, dead.size());
  EXPECT_EQ(told.totals.acked + told.totals.dead, static_cast<std::uint64_t>(published));
  EXPECT_EQ(told.totals.delivered, static_cast<std::uint64_t>(published));
  RecordProperty("published", published);
  RecordProperty("killed", killed);
  RecordProperty("redelivered", static_cast<int>(told.totals.redelivered));
  RecordProperty("dead", static_cast<int>(told.totals.dead));
  const std::lock_guard lock(ledger->mutex);
  for (int i = 1; i <= published; ++i) {
    const std::string payload = std::to_string(i);
    const int acked = ledger->acked.contains(payload) ? ledger->acked[payload] : 0;
    const int buried = dead.contains(payload) ? dead[payload] : 0;
    EXPECT_LE(acked + buried, 1) << payload;
    const int perhaps = ledger->unanswered.contains(payload) ? ledger->unanswered[payload] : 0;
    EXPECT_GT(acked + buried + perhaps, 0) << payload << " was settled by nobody";
  }
}

}  // namespace
}  // namespace carillon
