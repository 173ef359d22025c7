// Recovery of one channel page by page, as fast as the client takes it.
#include <gtest/gtest.h>

#include "engine/memory/hub_double.h"

namespace carillon {
namespace {

using Texts = std::vector<std::string>;

Selector exact(std::string channel) {
  return {.kind = Selector::Kind::kExact, .base = std::move(channel)};
}
Selector everything() {
  return {.kind = Selector::Kind::kTree, .base = ""};
}

World::Options options(std::size_t page = 10, bool late = false, unsigned seed = 1) {
  HubOptions hub;
  hub.recover_page_max = page;
  hub.outbox_bytes_max = 4096;
  return {.loops = 2, .hub = hub, .history = 1'000'000, .late = late, .seed = seed};
}

std::vector<ChannelPosition> from_start(World& world, const std::string& channel) {
  std::vector<ChannelPosition> known;
  world.memory.history({.channel = channel, .count_max = 0}, [&](Result<HistoryPage> page) {
    known.push_back({channel, {.epoch = page->top->epoch, .offset = 0}});
  });
  return known;
}

Texts numbers(int from, int to) {
  Texts all;
  for (int i = from; i < to; ++i) all.push_back(std::to_string(i));
  return all;
}

struct Reader {
  explicit Reader(World& its_world) : world(its_world), client(its_world.client()) {}

  void recover(std::size_t takes) {
    client->link_takes = takes;
    world.in(0, [&] { client->subscribe(exact("a"), from_start(world, "a")); });
  }
  // Reads a little at a time until nothing comes any more.
  void read_all(std::size_t bytes = 700) {
    std::size_t before = 0;
    do {
      before = client->messages.size();
      for (int i = 0; i < 4; ++i) {
        world.in(0, [&] { client->read(bytes); });
        world.settle();
      }
    } while (client->messages.size() > before);
    world.in(0, [&] { client->read(); });
    world.settle();
  }

  World& world;
  std::unique_ptr<FakeClient> client;
};

void publish_all(World& world, int from, int to) {
  for (int i = from; i < to; ++i) world.publish("a", std::to_string(i));
}

TEST(Stream, ARecoveryOfAnyLengthIsWholeHoweverSlowlyItIsRead) {
  for (const bool late : {false, true}) {
    World world(options(10, late));
    publish_all(world, 0, 5000);
    Reader reader(world);
    reader.recover(100);
    for (int i = 0; i < 50; ++i) {
      world.settle();
      while (!world.late.idle()) world.in(0, [&] { world.late.answer_one(); });
    }
    ASSERT_EQ(reader.client->subscribed.size(), 1u);
    EXPECT_TRUE(reader.client->subscribed[0].second->recovered);
    EXPECT_LE(reader.client->session.outbox().bytes(), 4096u) << "no more waits than may";
    for (std::size_t before = 1; before != reader.client->messages.size();) {
      before = reader.client->messages.size();
      for (int i = 0; i < 20; ++i) {
        world.in(0, [&] { reader.client->read(500); });
        while (!world.late.idle()) world.in(0, [&] { world.late.answer_one(); });
        world.settle();
      }
    }
    EXPECT_EQ(reader.client->payloads(), numbers(0, 5000));
    EXPECT_EQ(reader.client->lost_total(), 0u);
  }
}

TEST(Stream, WhatIsPublishedMeanwhileFollowsOnce) {
  World world(options());
  publish_all(world, 0, 1000);
  Reader reader(world);
  reader.recover(300);
  for (int i = 1000; i < 1400; ++i) {
    world.publish("a", std::to_string(i));
    world.in(0, [&] { reader.client->read(150); });
  }
  reader.read_all();
  EXPECT_EQ(reader.client->payloads(), numbers(0, 1400));
  publish_all(world, 1400, 1500);
  world.settle();
  EXPECT_EQ(reader.client->payloads(), numbers(0, 1500)) << "then it is a subscription like any other";
}

TEST(Stream, MoreThanMayBeHeldIsReadFromTheHistory) {
  World world(options(1000));
  publish_all(world, 0, 2000);
  Reader reader(world);
  reader.recover(300);
  const int end = 2000 + 2 * static_cast<int>(Join::kHeldMax) + 500;
  for (int i = 2000; i < end; ++i) {
    world.publish("a", std::to_string(i));
    if (i % 500 == 0) world.settle();
  }
  reader.read_all(100'000);
  EXPECT_EQ(reader.client->payloads(), numbers(0, end));
  EXPECT_EQ(reader.client->lost_total(), 0u);
}

TEST(Stream, TheOwnCopyComesBeforeTheAnswerOthersDoNotWait) {
  World world(options());
  publish_all(world, 0, 1000);
  Reader reader(world);
  reader.recover(300);
  world.in(0, [&] {
    reader.client->publish("a", "mine", 7);
    reader.client->publish("elsewhere", "x", 8);
  });
  world.settle();
  ASSERT_EQ(reader.client->published.size(), 1u);
  EXPECT_EQ(reader.client->published[0].first, 8u);
  reader.read_all();
  ASSERT_EQ(reader.client->published.size(), 2u);
  const auto& story = reader.client->story;
  const auto copy = std::find_if(story.begin(), story.end(), [](const std::string& line) { return line.ends_with("mine"); });
  const auto answer = std::find(story.begin(), story.end(), "!published 7");
  ASSERT_NE(copy, story.end());
  EXPECT_LT(copy, answer);
}

TEST(Stream, ItEndsWithItsSubscription) {
  World world(options());
  publish_all(world, 0, 1000);
  Reader reader(world);
  reader.recover(300);
  world.in(0, [&] { EXPECT_TRUE(reader.client->session.unsubscribe(exact("a"))); });
  const std::size_t queued = reader.client->messages.size();
  reader.read_all();
  EXPECT_LT(reader.client->messages.size(), queued + 100);
  EXPECT_EQ(reader.client->subscribed.size(), 1u) << "it was answered before";
  publish_all(world, 1000, 1010);
  world.settle();
  EXPECT_LT(reader.client->messages.size(), queued + 100);
}

TEST(Stream, ItEndsWithItsSession) {
  World world(options(10, true));
  publish_all(world, 0, 1000);
  Reader reader(world);
  reader.recover(300);
  while (reader.client->subscribed.empty()) world.in(0, [&] { world.late.answer_one(); });
  reader.client.reset();
  while (!world.late.idle()) world.in(0, [&] { world.late.answer_one(); });
  world.settle();
}

TEST(Stream, AskingAnewBeginsAnew) {
  World world(options());
  publish_all(world, 0, 500);
  Reader reader(world);
  reader.recover(300);
  world.in(0, [&] { reader.client->read(2000); });
  reader.client->messages.clear();
  reader.recover(0);
  reader.read_all();
  const Texts all = reader.client->payloads();
  const auto begin = std::find(all.begin(), all.end(), "0");
  ASSERT_NE(begin, all.end());
  EXPECT_EQ(Texts(begin, all.end()), numbers(0, 500));
}

TEST(Stream, AWiderSubscriptionBringsNoSecondCopy) {
  World world(options());
  publish_all(world, 0, 500);
  Reader reader(world);
  reader.recover(300);
  world.in(0, [&] { reader.client->subscribe(everything()); });
  publish_all(world, 500, 600);
  world.settle();
  reader.read_all();
  EXPECT_EQ(reader.client->payloads(), numbers(0, 600));
  world.in(0, [&] { reader.client->session.unsubscribe(exact("a")); });
  publish_all(world, 600, 610);
  world.settle();
  EXPECT_EQ(reader.client->payloads(), numbers(0, 610)) << "the wider one goes on";
}

TEST(Stream, WhoEndsItUnderAWiderSubscriptionIsToldOfTheGap) {
  World world(options());
  publish_all(world, 0, 500);
  Reader reader(world);
  reader.recover(300);
  world.in(0, [&] { reader.client->subscribe(everything()); });
  world.in(0, [&] { reader.client->session.unsubscribe(exact("a")); });
  reader.read_all();
  EXPECT_LT(reader.client->messages.size(), 500u);
  EXPECT_GT(reader.client->lost["a"], 0u);
}

TEST(Stream, RetentionThatOvertakesItIsAGap) {
  World::Options with = options();
  with.history = 1000;
  World world(with);
  publish_all(world, 0, 1000);
  Reader reader(world);
  reader.recover(300);
  publish_all(world, 1000, 3000);
  reader.read_all();
  EXPECT_EQ(reader.client->messages.size() + reader.client->lost["a"], 3000u);
  EXPECT_GT(reader.client->lost["a"], 0u);
  EXPECT_EQ(reader.client->messages.back().payload, "2999");
}

TEST(Stream, MoreThanTheLimitIsNotPromised) {
  World::Options with = options();
  with.hub.recover_publications_max = 200;
  World world(with);
  publish_all(world, 0, 300);
  Reader reader(world);
  reader.recover(300);
  reader.read_all();
  EXPECT_FALSE(reader.client->subscribed[0].second->recovered);
  EXPECT_EQ(reader.client->payloads(), numbers(0, 200));
  publish_all(world, 300, 301);
  world.settle();
  EXPECT_EQ(reader.client->messages.back().payload, "300");
}

TEST(Stream, AClientMayDoAnythingWhileItIsSent) {
  for (unsigned seed = 1; seed <= 200; ++seed) {
    std::mt19937 choose(seed);
    World world(options(1 + seed % 7, seed % 2 == 0, seed));
    publish_all(world, 0, 300);
    Reader reader(world);
    FakeClient& client = *reader.client;
    int next = 300;
    client.then_on_outbox = [&] {
      if (choose() % 20 != 0) return;
      switch (choose() % 4) {
        case 0: client.session.unsubscribe(exact("a")); break;
        case 1: client.subscribe(everything()); break;
        case 2: client.publish("a", std::to_string(next++)); break;
        default: client.session.end(EndReason::kClientLeft);
      }
    };
    reader.recover(400);
    for (int i = 0; i < 200; ++i) {
      world.in(0, [&] { client.read(choose() % 600); });
      if (choose() % 4 == 0) world.publish("a", std::to_string(next++));
      world.in(0, [&] { world.late.answer_one(); });
    }
    // Each at most once, and in order.
    std::uint64_t last = 0;
    for (const Message& message : client.messages) {
      ASSERT_GT(message.position.offset, last) << "seed " << seed;
      last = message.position.offset;
    }
  }
}

}  // namespace
}  // namespace carillon
