// Slow consumers: what is dropped is counted and told, what was asked for is never dropped, memory stays within its budget.
#include <gtest/gtest.h>

#include "engine/memory/hub_double.h"

namespace carillon {
namespace {

HubOptions small_outbox(SlowConsumer policy = SlowConsumer::kDropOldest) {
  HubOptions options;
  options.outbox_bytes_max = 2000;
  options.slow_consumer = policy;
  return options;
}

TEST(SlowConsumer, DeliveredAndLostTogetherAreWhatWasPublishedPerChannel) {
  for (unsigned seed = 1; seed <= 30; ++seed) {
    SCOPED_TRACE(testing::Message() << "seed " << seed);
    World world({.loops = 2, .hub = small_outbox(), .seed = seed});
    Dice random(seed);
    auto slow = world.client(0), fast = world.client(0), far = world.client(1);
    for (FakeClient* const client : {slow.get(), fast.get(), far.get()}) client->subscribe(tree("room"));
    world.settle();
    slow->link_takes = 0;
    std::map<std::string, std::uint64_t> published;
    for (int step = 0; step < 300; ++step) {
      world.in(random() % 2, [&] {
        for (unsigned i = random() % 4; i > 0; --i) {
          const std::string channel = "room:" + std::to_string(random() % 3);
          ++published[channel];
          world.publish(channel, std::string(random() % 300, 'x'));
        }
      });
      for (auto& loop : world.loops) loop->turn();
      if (random() % 6 == 0) world.in(0, [&] { slow->read(random() % 1500); });
      ASSERT_LE(slow->session.outbox().bytes(), 2000u + 1200u);
    }
    world.in(0, [&] { slow->read(); });
    world.settle();
    EXPECT_GT(slow->lost_total(), 0u);
    EXPECT_EQ(fast->lost_total() + far->lost_total(), 0u);
    std::map<std::string, std::uint64_t> delivered;
    std::map<std::string, std::uint64_t> last;
    for (const Message& message : slow->messages) {
      ++delivered[message.channel];
      ASSERT_GT(message.position.offset, last[message.channel]);
      last[message.channel] = message.position.offset;
    }
    for (const auto& [channel, count] : published) {
      EXPECT_EQ(delivered[channel] + slow->lost[channel], count) << channel;
      EXPECT_EQ(last[channel], count) << "the newest are kept";
    }
    EXPECT_EQ(world.hub->stats().dropped_total, slow->lost_total());
    EXPECT_EQ(slow->end_wanted.size(), 0u);
  }
}

TEST(SlowConsumer, AStalledClientIsToldOfItsGapOnceWhenItReadsAgain) {
  World world({.loops = 1, .hub = small_outbox()});
  auto client = world.client();
  client->hear("a");
  world.settle();
  client->link_takes = 0;
  for (int i = 0; i < 20'000; ++i) {
    world.in(0, [&] { world.publish("a", std::string(500, 'x')); });
  }
  EXPECT_TRUE(client->end_wanted.empty());
  world.in(0, [&] { client->read(); });
  world.settle();
  EXPECT_EQ(client->lost["a"] + client->messages.size(), 20'000u);
  EXPECT_EQ(std::count(client->story.begin(), client->story.end(), "!gap"), 1);
}

TEST(SlowConsumer, ManyChannelsAreToldByNameUpToABoundAndTheRestTogether) {
  World world({.loops = 1, .hub = small_outbox()});
  auto client = world.client();
  client->subscribe(tree(""));
  world.settle();
  client->link_takes = 0;
  for (int i = 0; i < 5'000; ++i) world.in(0, [&] { world.publish("bare:" + std::to_string(i), std::string(500, 'x')); });
  world.in(0, [&] { client->read(); });
  world.settle();
  EXPECT_EQ(client->lost.size(), kGapChannelsMax + 1);
  EXPECT_EQ(client->lost_total() + client->messages.size(), 5'000u);
}

TEST(SlowConsumer, AnswersAreNeverDropped) {
  World world({.loops = 1, .hub = small_outbox()});
  auto client = world.client();
  client->hear("a");
  world.settle();
  client->link_takes = 0;
  world.in(0, [&] {
    for (int i = 0; i < 50; ++i) client->say("answer " + std::to_string(i));
  });
  for (int i = 0; i < 100; ++i) world.in(0, [&] { world.publish("a", std::string(300, 'x')); });
  world.in(0, [&] { client->read(); });
  world.settle();
  for (int i = 0; i < 50; ++i) {
    EXPECT_EQ(std::count(client->story.begin(), client->story.end(), "!answer " + std::to_string(i)), 1);
  }
  EXPECT_EQ(client->lost["a"] + client->messages.size(), 100u);
}

TEST(SlowConsumer, WhoAsksAndDoesNotReadIsEnded) {
  World world({.loops = 1, .hub = small_outbox()});
  auto client = world.client();
  client->link_takes = 0;
  world.in(0, [&] {
    for (int i = 0; i < 1000; ++i) client->say("answer");
  });
  EXPECT_EQ(client->end_wanted, std::vector<EndReason>{EndReason::kSlowConsumer});
  EXPECT_LE(client->session.outbox().bytes(), 2000u + 200u);
}

TEST(SlowConsumer, OneLargeAnswerIntoAnEmptyOutboxIsNoOffence) {
  World world({.loops = 1, .hub = small_outbox()});
  auto client = world.client();
  client->link_takes = 0;
  world.in(0, [&] { client->say(std::string(100'000, 'x')); });
  EXPECT_TRUE(client->end_wanted.empty());
  world.in(0, [&] { client->read(); });
  EXPECT_EQ(client->story.size(), 1u);
}

TEST(SlowConsumer, OnePublicationLargerThanTheLimitReachesAnEmptyOutbox) {
  World world({.loops = 1, .hub = small_outbox()});
  auto client = world.client();
  client->hear("a");
  world.settle();
  world.publish("a", std::string(100'000, 'x'));
  world.settle();
  EXPECT_EQ(client->messages.size(), 1u);
}

TEST(SlowConsumer, CloseEndsWithTheReasonAndNothingIsLostBefore) {
  World world({.loops = 1, .hub = small_outbox(SlowConsumer::kClose)});
  auto client = world.client(), other = world.client();
  client->then_on_end_wanted = [&] { client->session.end(EndReason::kSlowConsumer); };
  client->hear("a");
  other->hear("a");
  world.settle();
  client->link_takes = 0;
  for (int i = 0; i < 20; ++i) world.in(0, [&] { world.publish("a", std::string(300, 'x')); });
  EXPECT_EQ(client->end_wanted, std::vector<EndReason>{EndReason::kSlowConsumer});
  EXPECT_EQ(client->lost_total(), 0u);
  EXPECT_EQ(other->messages.size(), 20u);
  EXPECT_EQ(world.hub->stats().slow_closed_total, 1u);
  EXPECT_EQ(world.hub->stats().sessions, 1u);
  // What it was told last is there too.
  client->link_takes = FakeClient::kAll;
  client->on_outbox();
  EXPECT_TRUE(client->story.back().starts_with("!ending slow consumer")) << client->story.back();
}

TEST(SlowConsumer, ALinkThatTakesMoreIsAskedBeforeAnythingIsDropped) {
  for (const SlowConsumer policy : {SlowConsumer::kDropOldest, SlowConsumer::kClose}) {
    World world({.loops = 1, .hub = small_outbox(policy)});
    auto client = world.client();
    client->hear("a");
    client->subscribe(tree("b"));
    world.settle();
    world.in(0, [&] {
      for (int i = 0; i < 100; ++i) world.publish("b:" + std::to_string(i), std::string(900, 'x'));
    });
    EXPECT_EQ(client->messages.size(), 100u);
    EXPECT_EQ(client->lost_total(), 0u);
    EXPECT_TRUE(client->end_wanted.empty());
  }
}

TEST(SlowConsumer, OverTheSharedBudgetThoseWithMostWaitingAreCutDown) {
  HubOptions options;
  options.outbox_bytes_max = 1 << 20;
  options.outbox_memory_bytes = 400'000;
  options.outbox_bytes_hungry = 4'000;
  World world({.loops = 2, .hub = options});
  auto modest = world.client(0), healthy = world.client(0);
  modest->hear("small");
  healthy->subscribe(tree(""));
  std::vector<std::unique_ptr<FakeClient>> greedy;
  for (int i = 0; i < 10; ++i) {
    greedy.push_back(world.client(0));
    greedy.back()->subscribe(tree("big:" + std::to_string(i)));
  }
  world.settle();
  modest->link_takes = 0;
  for (auto& client : greedy) client->link_takes = 0;
  world.in(0, [&] { world.publish("small", "precious"); });
  std::size_t most = 0;
  for (int i = 0; i < 600; ++i) {
    world.in(0, [&] { world.publish("big:" + std::to_string(i % 10), std::string(1000, 'x')); });
    most = std::max(most, world.shards[0]->frame_memory().bytes);
  }
  EXPECT_LE(most, 200'000u + 20'000u) << "a loop has its equal part";
  EXPECT_EQ(healthy->messages.size(), 601u);
  modest->read();
  for (auto& client : greedy) world.in(0, [&] { client->read(); });
  world.settle();
  EXPECT_EQ(modest->payloads(), std::vector<std::string>{"precious"});
  for (auto& client : greedy) EXPECT_EQ(client->messages.size() + client->lost_total(), 60u);
  EXPECT_EQ(world.shards[0]->frame_memory().bytes, 0u);
}

TEST(SlowConsumer, ARecoveryThatDoesNotFitIsAGapNeverAClose) {
  for (const SlowConsumer policy : {SlowConsumer::kDropOldest, SlowConsumer::kClose}) {
    World world({.loops = 1, .hub = small_outbox(policy)});
    for (int i = 0; i < 500; ++i) {
      world.publish("a:" + std::to_string(i % 2), std::string(300, 'x'));
      world.clock.now_ms += 1;
    }
    auto client = world.client();
    client->link_takes = 0;
    world.in(0, [&] { client->subscribe(tree("a"), std::vector<ChannelPosition>{}); });
    world.in(0, [&] { client->read(); });
    world.settle();
    EXPECT_TRUE(client->end_wanted.empty());
    EXPECT_EQ(client->story[0], "!subscribed 0");
    EXPECT_EQ(client->messages.size() + client->lost_total(), 500u);
    EXPECT_GT(client->lost_total(), 0u);
  }
}

}  // namespace
}  // namespace carillon
