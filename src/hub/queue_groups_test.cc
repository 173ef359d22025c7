#include "hub/queue_groups.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "engine/memory/hub_double.h"
#include "hub/epoch_text.h"

namespace carillon {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;
using ::testing::UnorderedElementsAre;

const GroupName kWorkers{.channel = "jobs", .name = "workers"};

// A member; acknowledges when told to.
class Worker final : public SessionClient {
 public:
  Worker(World& world, unsigned loop)
      : session(*world.shards[loop], *this, {.protocol = "fake", .encoding = &world.encodings[loop]}) {}

  void join(GroupWish wish = {.start = {.kind = GroupStart::Kind::kBeginning}}, std::size_t in_flight = 16,
            GroupName name = kWorkers) {
    session.join_group({.name = std::move(name), .wish = std::move(wish), .in_flight_max = in_flight, .ticket = 1});
  }
  void ack(std::vector<std::string> tokens) {
    session.settle_group(kWorkers, {.deliveries = std::move(tokens), .time = {}}, 2);
  }
  void ack_all() {
    std::vector<std::string> tokens;
    for (const GroupDelivery& delivery : held) tokens.push_back(delivery.token);
    held.clear();
    if (!tokens.empty()) ack(std::move(tokens));
  }
  // "payload.attempt" of all deliveries since the last look.
  std::vector<std::string> got() { return std::exchange(texts, {}); }

  void on_outbox() override {
    while (!session.outbox().empty()) session.outbox().pop();
  }
  void on_subscribed(Ticket, const Result<Subscribed>&) override {}
  void on_published(Ticket, const Result<Receipt>&) override {}
  void on_history(Ticket, const Result<HistoryPage>&) override {}
  void on_gap(std::span<const Gap>) override {}
  void on_announcement(const Bytes&) override {}
  void on_end_wanted(EndReason, std::string_view) override {}
  std::string peer_text() const override { return "fake"; }
  void on_group_joined(Ticket, const Result<GroupJoined>& outcome) override {
    EXPECT_TRUE(texts.empty()) << "a delivery before the answer";
    joined.push_back(outcome);
  }
  void on_group_delivery(const GroupName&, const GroupDelivery& delivery) override {
    held.push_back(delivery);
    texts.push_back(std::string(delivery.publication->payload.view()) + '.' + std::to_string(delivery.attempt));
  }
  void on_group_settled(Ticket, const Result<GroupSettled>& outcome) override { settled.push_back(outcome); }
  void on_group_ended(const GroupName&, std::string_view reason) override { ended.emplace_back(reason); }

  Session session;
  std::vector<Result<GroupJoined>> joined;
  std::vector<GroupDelivery> held;
  std::vector<std::string> texts;
  std::vector<Result<GroupSettled>> settled;
  std::vector<std::string> ended;
};

class QueueGroupsTest : public ::testing::Test {
 protected:
  explicit QueueGroupsTest(World::Options made = {.loops = 3}) : world(made) {}

  void publish(int from, int to) {
    for (int i = from; i <= to; ++i) world.publish("jobs", std::to_string(i));
    world.settle();
  }
  void pass(Millis time) {
    world.clock.now_ms += time.count();
    for (Millis left = time; left > Millis(0); left -= std::min(left, Millis(50))) {
      for (auto& loop : world.loops) loop->set_now(loop->now() + std::min(left, Millis(50)));
      world.settle();
    }
  }
  std::vector<std::string> take(std::size_t count, Millis wait = Millis(0), GroupName name = kWorkers) {
    taken.reset();
    world.hub->groups().take({.name = std::move(name),
                              .wish = {.start = {.kind = GroupStart::Kind::kBeginning}},
                              .count = count,
                              .wait = wait,
                              .taken = [this](Result<std::vector<GroupDelivery>> outcome) { taken = std::move(outcome); }});
    world.settle();
    return texts();
  }
  std::vector<std::string> texts() {
    std::vector<std::string> texts;
    if (!taken) return {"waiting"};
    if (!*taken) return {error_kind_name(taken->error().kind)};
    for (const GroupDelivery& delivery : **taken) {
      texts.push_back(std::string(delivery.publication->payload.view()) + '.' + std::to_string(delivery.attempt));
    }
    return texts;
  }
  Result<GroupSettled> settle(GroupSettle settle, GroupName name = kWorkers) {
    std::optional<Result<GroupSettled>> settled;
    world.hub->groups().settle(name, std::move(settle), [&](Result<GroupSettled> outcome) { settled = std::move(outcome); });
    world.settle();
    return settled ? *std::move(settled) : Error{ErrorKind::kInternal, "no answer"};
  }
  std::vector<GroupInfo> list(std::string channel = {}) {
    std::vector<GroupInfo> listed;
    world.hub->groups().list(std::move(channel), std::nullopt, 100, [&](Result<GroupPage> page) { listed = page->groups; });
    world.settle();
    return listed;
  }
  // The hub ends and another begins over the same engine.
  void restart() { restart(world.engine); }
  void restart(Engine& engine) {
    world.shards.clear();
    world.hub.reset();
    for (auto& loop : world.loops) loop = std::make_unique<ManualLoop>(loop->now());
    world.hub = std::make_unique<Hub>(engine, world.clock, world.policy, options);
    for (auto& loop : world.loops) world.shards.push_back(&world.hub->add_shard(*loop));
    world.clock.now_ms += 1;
  }

  HubOptions options;
  World world;
  std::optional<Result<std::vector<GroupDelivery>>> taken;
};

TEST_F(QueueGroupsTest, MembersOnAnyLoopShareTheChannel) {
  Worker a(world, 0), b(world, 1), c(world, 2);
  for (Worker* worker : {&a, &b, &c}) {
    worker->join();
    world.settle();
  }
  EXPECT_TRUE(a.joined.at(0)->created);
  EXPECT_FALSE(b.joined.at(0)->created);
  publish(1, 6);
  std::vector<std::string> all;
  for (Worker* worker : {&a, &b, &c}) {
    EXPECT_THAT(worker->texts, SizeIs(2));
    for (std::string& text : worker->got()) all.push_back(text);
    worker->ack_all();
  }
  EXPECT_THAT(all, UnorderedElementsAre("1.1", "2.1", "3.1", "4.1", "5.1", "6.1"));
  world.settle();
  EXPECT_EQ((*a.settled.at(0)).settled, 2u);
  const auto groups = list();
  ASSERT_THAT(groups, SizeIs(1));
  EXPECT_EQ(groups[0].name, kWorkers);
  EXPECT_EQ(groups[0].cursor.offset, 6u);
  EXPECT_EQ(groups[0].lag, 0u);
  EXPECT_EQ(groups[0].members, 3u);
  EXPECT_EQ(world.hub->groups().stats().acks_total, 6u);
}

TEST_F(QueueGroupsTest, AGroupBeginsWhereItIsTold) {
  publish(1, 3);
  const auto start = [&](GroupStart where, std::string name) {
    Worker worker(world, 0);
    worker.join({.start = where}, 16, {.channel = "jobs", .name = std::move(name)});
    world.settle();
    publish(4, 4);
    if (!worker.joined.at(0)) return std::vector<std::string>{error_kind_name(worker.joined[0].error().kind)};
    return worker.got();
  };
  std::optional<Position> top;
  world.hub->history({.channel = "jobs"}, [&](Result<HistoryPage> page) { top = page->top; });
  EXPECT_THAT(start({.kind = GroupStart::Kind::kNow}, "a"), ElementsAre("4.1"));
  EXPECT_THAT(start({.kind = GroupStart::Kind::kBeginning}, "b"), ElementsAre("1.1", "2.1", "3.1", "4.1", "4.1"));
  EXPECT_THAT(start({.kind = GroupStart::Kind::kPosition, .position = {top->epoch, 2}}, "c"),
              ElementsAre("3.1", "4.1", "4.1", "4.1"));
  EXPECT_THAT(start({.kind = GroupStart::Kind::kPosition, .position = {top->epoch + 1, 2}}, "d"), ElementsAre("conflict"));
  EXPECT_THAT(start({.kind = GroupStart::Kind::kPosition, .position = {top->epoch, 99}}, "e"), ElementsAre("conflict"));
}

TEST_F(QueueGroupsTest, WhoMayNotSubscribeOrKeepsNothingOrWantsNonsenseIsRefused) {
  Worker worker(world, 0);
  const auto refusal = [&](GroupName name, GroupWish wish) {
    worker.join(std::move(wish), 16, std::move(name));
    world.settle();
    const auto outcome = worker.joined.back();
    return outcome ? std::string("joined") : error_kind_name(outcome.error().kind);
  };
  EXPECT_EQ(refusal({"secret", "g"}, {}), "forbidden");
  EXPECT_EQ(refusal({"bare", "g"}, {}), "invalid");
  EXPECT_EQ(refusal({"jobs", ""}, {}), "invalid");
  EXPECT_EQ(refusal({"jobs", "a\nb"}, {}), "invalid");
  EXPECT_EQ(refusal({"jobs", "g"}, {.visibility = Millis(1)}), "invalid");
  EXPECT_EQ(refusal({"jobs", "g"}, {.dead_letter = "jobs"}), "invalid");
  EXPECT_THAT(list(), IsEmpty());
  EXPECT_EQ(worker.session.group_count(), 0u);
  EXPECT_EQ(refusal({"jobs", "g"}, {.visibility = Millis(5000)}), "joined");
  Worker other(world, 1);
  other.join({.visibility = Millis(6000)}, 16, {"jobs", "g"});
  world.settle();
  EXPECT_EQ(other.joined.back().error().kind, ErrorKind::kConflict);
  other.join({.visibility = Millis(5000)}, 16, {"jobs", "g"});
  world.settle();
  EXPECT_TRUE(other.joined.back());
  other.join({}, 16, {"jobs", "g"});
  EXPECT_TRUE((*other.joined.back()).already);
}

TEST_F(QueueGroupsTest, WhoEndsOrLeavesGivesBackWhatItHad) {
  auto a = std::make_unique<Worker>(world, 0);
  Worker b(world, 1);
  a->join({.start = {.kind = GroupStart::Kind::kBeginning}}, 2);
  publish(1, 3);
  EXPECT_THAT(a->got(), ElementsAre("1.1", "2.1"));
  b.join({}, 1);
  world.settle();
  EXPECT_THAT(b.got(), ElementsAre("3.1"));
  a->session.end(EndReason::kClientLeft);
  world.settle();
  EXPECT_THAT(b.got(), IsEmpty()) << "it has one, and may have no more";
  b.ack_all();
  world.settle();
  EXPECT_THAT(b.got(), ElementsAre("1.2"));
  EXPECT_TRUE(b.session.leave_group(kWorkers));
  EXPECT_FALSE(b.session.leave_group(kWorkers));
  world.settle();
  Worker c(world, 2);
  c.join();
  world.settle();
  EXPECT_THAT(c.got(), ElementsAre("1.3", "2.2"));
}

TEST_F(QueueGroupsTest, AnAckOfAnotherDeliveryIsRefused) {
  Worker a(world, 0);
  a.join({.start = {.kind = GroupStart::Kind::kBeginning}, .visibility = Millis(1000)}, 1);
  publish(1, 1);
  const std::string first = a.held.at(0).token;
  pass(Millis(1100));
  EXPECT_THAT(a.got(), ElementsAre("1.1", "1.2"));
  a.ack({first, "nonsense", a.held.at(1).token});
  world.settle();
  EXPECT_EQ((*a.settled.at(0)).settled, 1u);
  EXPECT_THAT((*a.settled.at(0)).refused, ElementsAre(first, "nonsense"));
  Worker stranger(world, 0);
  stranger.ack({first});
  EXPECT_EQ(stranger.settled.at(0).error().kind, ErrorKind::kConflict);
}

TEST_F(QueueGroupsTest, WhatNobodyHandlesIsMovedToTheDeadLetterChannel) {
  Worker a(world, 0);
  a.join({.start = {.kind = GroupStart::Kind::kBeginning}, .deliveries_max = 2}, 1);
  publish(1, 1);
  for (int i = 0; i < 2; ++i) {
    a.session.settle_group(kWorkers, {.verb = GroupSettle::Verb::kNack, .deliveries = {a.held.back().token}, .time = Millis(0)},
                           3);
    world.settle();
  }
  EXPECT_THAT(a.got(), ElementsAre("1.1", "1.2"));
  std::vector<PublicationPtr> dead;
  world.hub->history({.channel = "jobs/dead"}, [&](Result<HistoryPage> page) { dead = page->publications; });
  ASSERT_THAT(dead, SizeIs(1));
  EXPECT_EQ(dead[0]->payload.view(), "1");
  const std::map<std::string, std::string> tags(dead[0]->tags.begin(), dead[0]->tags.end());
  EXPECT_EQ(tags.at("dead_letter_channel"), "jobs");
  EXPECT_EQ(tags.at("dead_letter_group"), "workers");
  EXPECT_EQ(tags.at("dead_letter_deliveries"), "2");
  EXPECT_EQ(tags.at("dead_letter_offset"), "1");
  EXPECT_EQ(tags.at("dead_letter_reason"), "nacked");
  EXPECT_EQ(list().at(0).totals.dead, 1u);
  EXPECT_EQ(list().at(0).cursor.offset, 1u);
}

TEST_F(QueueGroupsTest, ATakerIsAnsweredAtOnceOrWhenSomethingComes) {
  publish(1, 3);
  EXPECT_THAT(take(2), ElementsAre("1.1", "2.1"));
  const std::string first = (**taken).at(0).token;
  EXPECT_THAT(take(5), ElementsAre("3.1"));
  EXPECT_THAT(take(5), IsEmpty());
  EXPECT_THAT(take(5, Millis(1000)), ElementsAre("waiting"));
  pass(Millis(900));
  EXPECT_THAT(texts(), ElementsAre("waiting"));
  pass(Millis(200));
  EXPECT_THAT(texts(), IsEmpty());
  EXPECT_THAT(take(5, Millis(1000)), ElementsAre("waiting"));
  publish(4, 4);
  EXPECT_THAT(texts(), ElementsAre("4.1"));
  EXPECT_EQ((*settle({.deliveries = {first}})).settled, 1u);
  EXPECT_EQ((*settle({.deliveries = {first}})).refused, std::vector<std::string>{first});
  EXPECT_EQ(settle({.deliveries = {first}}, {"jobs", "nobody"}).error().kind, ErrorKind::kNotFound);
  EXPECT_EQ(settle({.deliveries = {}}).error().kind, ErrorKind::kInvalid);
  pass(Millis(31'000));
  EXPECT_THAT(take(9), ElementsAre("2.2", "3.2", "4.2"));
}

TEST_F(QueueGroupsTest, ATakerThatIsCancelledIsAnsweredWithNothing) {
  EXPECT_THAT(take(1), IsEmpty());
  bool answered = false;
  const GroupMember taker = world.hub->groups().take(
      {.name = kWorkers, .wish = {}, .wait = Millis(30'000), .taken = [&](Result<std::vector<GroupDelivery>> outcome) {
         answered = true;
         EXPECT_THAT(*outcome, IsEmpty());
       }});
  world.settle();
  EXPECT_FALSE(answered);
  world.hub->groups().cancel(kWorkers, taker);
  world.settle();
  EXPECT_TRUE(answered);
  publish(1, 1);
  EXPECT_THAT(take(1), ElementsAre("1.1"));
}

TEST_F(QueueGroupsTest, ARestartLosesNothing) {
  {
    Worker a(world, 0);
    a.join({.start = {.kind = GroupStart::Kind::kBeginning}}, 3);
    publish(1, 5);
    EXPECT_THAT(a.got(), ElementsAre("1.1", "2.1", "3.1"));
    a.ack({a.held[1].token});
    world.settle();
    EXPECT_THAT(a.got(), ElementsAre("4.1"));
  }
  restart();
  EXPECT_EQ(list().at(0).lag, 4u);
  Worker b(world, 2);
  b.join();
  world.settle();
  EXPECT_FALSE(b.joined.at(0)->created);
  EXPECT_THAT(b.got(), ElementsAre("1.2", "3.2", "4.2", "5.1"));
  b.ack_all();
  world.settle();
  EXPECT_EQ(list().at(0).cursor.offset, 5u);
}

TEST_F(QueueGroupsTest, WhenTheHistoryIsRemovedTheGroupBeginsAnewWithTheChannel) {
  Worker a(world, 0);
  a.join({.start = {.kind = GroupStart::Kind::kBeginning}}, 1);
  publish(1, 3);
  EXPECT_THAT(a.got(), ElementsAre("1.1"));
  world.hub->remove_history("jobs", [](auto) {});
  publish(7, 7);
  EXPECT_THAT(a.got(), ElementsAre("7.1"));
  EXPECT_EQ(list().at(0).totals.lost, 3u);
  a.ack_all();
  world.settle();
  EXPECT_EQ((*a.settled.at(0)).settled, 1u);
  EXPECT_THAT((*a.settled.at(0)).refused, SizeIs(1));
}

TEST_F(QueueGroupsTest, AGroupThatIsDeletedTellsItsMembersAndMayBeginAnew) {
  Worker a(world, 0);
  a.join();
  publish(1, 2);
  a.got();
  std::optional<Result<void>> removed;
  world.hub->groups().remove(kWorkers, [&](Result<void> outcome) { removed = outcome; });
  world.settle();
  ASSERT_TRUE(removed && *removed);
  EXPECT_THAT(a.ended, SizeIs(1));
  EXPECT_EQ(a.session.group_count(), 0u);
  EXPECT_THAT(list(), IsEmpty());
  world.hub->groups().remove(kWorkers, [&](Result<void> outcome) { removed = outcome; });
  world.settle();
  EXPECT_EQ(removed->error().kind, ErrorKind::kNotFound);
  a.join();
  world.settle();
  EXPECT_THAT(a.got(), ElementsAre("1.1", "2.1"));
}

TEST_F(QueueGroupsTest, GroupsOfOneChannelAreListedByItsName) {
  for (const char* channel : {"a", "a/b", "ab", "a~"}) {
    for (const char* name : {"x/y", "z"}) take(1, Millis(0), {channel, name});
  }
  EXPECT_THAT(list(), SizeIs(8));
  for (const char* channel : {"a", "a/b", "ab", "a~"}) {
    const auto listed = list(channel);
    ASSERT_THAT(listed, SizeIs(2));
    for (const GroupInfo& info : listed) EXPECT_EQ(info.name.channel, channel);
    EXPECT_EQ(listed[0].name.name, "x/y");
  }
}

TEST_F(QueueGroupsTest, AnIdleGroupIsLetGoOfAndComesBack) {
  EXPECT_THAT(take(1), IsEmpty());
  EXPECT_EQ(world.hub->groups().stats().groups, 1u);
  for (auto& loop : world.loops) loop->set_now(loop->now() + Millis(11 * 60 * 1000));
  world.settle();
  EXPECT_EQ(world.hub->groups().stats().groups, 0u);
  publish(1, 1);
  EXPECT_THAT(take(1), ElementsAre("1.1"));
}

TEST_F(QueueGroupsTest, AGroupWhoseStateIsDamagedSaysSoAndCanBeDeleted) {
  world.engine.state().change({{.key = group_key(kWorkers), .value = "\x01nonsense"}}, false, [](auto) {});
  EXPECT_THAT(take(1), ElementsAre("corrupt"));
  ASSERT_THAT(list(), SizeIs(1));
  EXPECT_THAT(list()[0].fault, HasSubstr("damaged"));
  std::optional<Result<void>> removed;
  world.hub->groups().remove(kWorkers, [&](Result<void> outcome) { removed = outcome; });
  world.settle();
  ASSERT_TRUE(removed && *removed);
  EXPECT_THAT(list(), IsEmpty());
  publish(1, 1);
  EXPECT_THAT(take(1), ElementsAre("1.1"));
}

// A store that takes nothing while it is told to be full.
class FullStore final : public StateStore {
 public:
  explicit FullStore(StateStore& inner) : inner_(inner) {}
  void change(std::vector<StateChange> changes, bool synced, UniqueFunction<void(Result<void>)> done) override {
    was_synced = synced;
    if (full) return done(Error{ErrorKind::kLimit, "the disk is full"});
    inner_.change(std::move(changes), synced, std::move(done));
  }
  void read(std::string key, UniqueFunction<void(Result<std::optional<std::string>>)> done) override {
    inner_.read(std::move(key), std::move(done));
  }
  void list(std::string prefix, std::string after, std::size_t count_max,
            UniqueFunction<void(Result<std::vector<StateRecord>>)> done) override {
    inner_.list(std::move(prefix), std::move(after), count_max, std::move(done));
  }
  bool full = false;
  bool was_synced = false;

 private:
  StateStore& inner_;
};

class FullEngine final : public ForwardingEngine {
 public:
  explicit FullEngine(Engine& inner) : ForwardingEngine(inner), store(inner.state()) {}
  StateStore& state() override { return store; }
  FullStore store;
};

class FullStoreTest : public QueueGroupsTest {
 protected:
  FullStoreTest() {
    options.is_synced_channel = [](std::string_view channel) { return channel == "jobs"; };
    restart(engine);
  }
  ~FullStoreTest() override {
    world.shards.clear();
    world.hub.reset();
  }

  FullEngine engine{world.memory};
};

TEST_F(FullStoreTest, WhatCannotBeWrittenIsNotConfirmedAndIsTriedAgain) {
  engine.store.full = true;
  EXPECT_THAT(take(1), ElementsAre("limit")) << "a group is there when it is written";
  engine.store.full = false;
  pass(Millis(1100));
  publish(1, 2);
  EXPECT_THAT(take(1), ElementsAre("1.1"));
  EXPECT_TRUE(engine.store.was_synced);
  const std::string token = (**taken).at(0).token;
  engine.store.full = true;
  EXPECT_EQ(settle({.deliveries = {token}}).error().kind, ErrorKind::kLimit);
  engine.store.full = false;
  pass(Millis(1100));
  std::string stored;
  engine.state().read(group_key(kWorkers), [&](Result<std::optional<std::string>> value) { stored = **value; });
  EXPECT_EQ(QueueGroup::parse(stored, 9, Millis(0), 0)->cursor().offset, 1u);
}

class SmallHistoryTest : public QueueGroupsTest {
 protected:
  SmallHistoryTest() : QueueGroupsTest({.loops = 2, .history = 5}) {}
};

TEST_F(SmallHistoryTest, WhatRetentionTookIsCountedAndTheRestIsDelivered) {
  Worker a(world, 0);
  a.join({.start = {.kind = GroupStart::Kind::kBeginning}}, 1);
  publish(1, 1);
  EXPECT_THAT(a.got(), ElementsAre("1.1"));
  publish(2, 20);
  a.ack_all();
  world.settle();
  EXPECT_THAT(a.got(), ElementsAre("16.1"));
  EXPECT_EQ(list().at(0).totals.lost, 14u);
  EXPECT_EQ(world.hub->groups().stats().lost_total, 14u);
}

// An engine that answers late and in any order; members come, work badly and go. Every publication is acknowledged in the end.
TEST(QueueGroupsLate, EveryPublicationIsHandledHoweverLateTheEngineAnswers) {
  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    World world({.loops = 3, .history = 100'000, .late = true, .seed = seed});
    std::mt19937_64 random(seed);
    std::vector<std::unique_ptr<Worker>> workers;
    std::map<std::string, int> acked;
    int published = 0;
    const auto turn = [&](int count) {
      for (int i = 0; i < count; ++i) {
        if (random() % 2 == 0) world.in(0, [&] { world.late.answer_one(); });
        world.loops[random() % 3]->turn();
      }
    };
    const auto work = [&](Worker& worker, bool properly) {
      for (const GroupDelivery& delivery : std::exchange(worker.held, {})) {
        const bool ack = properly || random() % 2 == 0;
        if (ack) ++acked[std::string(delivery.publication->payload.view())];
        worker.session.settle_group(
            kWorkers,
            {.verb = ack ? GroupSettle::Verb::kAck : GroupSettle::Verb::kNack, .deliveries = {delivery.token}, .time = {}}, 1);
      }
      worker.texts.clear();
    };
    for (int step = 0; step < 400; ++step) {
      switch (random() % 5) {
        case 0: world.publish("jobs", std::to_string(++published)); break;
        case 1:
          if (workers.size() > 5) break;
          workers.push_back(std::make_unique<Worker>(world, static_cast<unsigned>(random() % 3)));
          workers.back()->join({.start = {.kind = GroupStart::Kind::kBeginning}, .deliveries_max = 0u}, 1 + random() % 4);
          break;
        case 2:
          if (workers.empty() || random() % 3 != 0) break;
          // What it has was handled, but nobody was told.
          workers.erase(workers.begin() + static_cast<std::ptrdiff_t>(random() % workers.size()));
          break;
        default:
          if (!workers.empty()) work(*workers[random() % workers.size()], false);
      }
      turn(static_cast<int>(random() % 4));
    }
    workers.push_back(std::make_unique<Worker>(world, 0));
    workers.back()->join({.start = {.kind = GroupStart::Kind::kBeginning}});
    for (int round = 0; round < 500; ++round) {
      world.settle();
      for (auto& worker : workers) work(*worker, true);
    }
    world.settle();
    EXPECT_EQ(acked.size(), static_cast<std::size_t>(published));
    for (const auto& [payload, count] : acked) EXPECT_EQ(count, 1) << payload;
    EXPECT_EQ(world.hub->groups().stats().acks_total, static_cast<std::uint64_t>(published));
  }
}

}  // namespace
}  // namespace carillon
