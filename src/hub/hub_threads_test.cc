// The hub on real threads: what a thread checker should see.
#include <gtest/gtest.h>

#include <atomic>

#include "engine/memory/hub_double.h"
#include "os/threads_double.h"

namespace carillon {
namespace {

TEST(HubThreads, OrderAndOwnCopyHoldWhenEverybodyPublishesAtOnce) {
  constexpr unsigned kLoops = 3;
  constexpr std::size_t kClients = 9, kEach = 150;
  FixedClock clock;
  SeededRandom random(1);
  OpenPolicy policy;
  MemoryEngineOptions engine_options;
  engine_options.rule_for = [](std::string_view channel) {
    return HistoryRule{.count_max = channel == "room:1" ? 100'000u : 0u};
  };
  MemoryEngine engine(clock, random, engine_options);
  Threads threads(kLoops);
  HubOptions options;
  options.outbox_bytes_max = 64u << 20;
  Hub hub(engine, clock, policy, options);
  std::vector<Shard*> shards;
  for (unsigned i = 0; i < kLoops; ++i) shards.push_back(&hub.add_shard(threads[i]));
  const auto listener = hub.listen(100'000);
  std::vector<LineEncoding> encodings(kLoops);
  std::vector<std::unique_ptr<FakeClient>> clients(kClients);
  threads.start();

  std::atomic<std::size_t> finished{0};
  for (std::size_t i = 0; i < kClients; ++i) {
    const unsigned loop = static_cast<unsigned>(i % kLoops);
    threads.on(loop, [&, i, loop] {
      clients[i] = std::make_unique<FakeClient>(*shards[loop], encodings[loop]);
      FakeClient& client = *clients[i];
      client.answers_into_outbox = false;
      client.hear("room:1");
      client.subscribe(tree("bare"));
    });
  }
  // Each completion leads to the next publish.
  for (std::size_t i = 0; i < kClients; ++i) {
    threads.on(static_cast<unsigned>(i % kLoops), [&, i] {
      FakeClient& client = *clients[i];
      const auto own = std::make_shared<std::size_t>(0);
      client.then_on_published = [&client, &finished, i, own] {
        client.on_outbox();
        const std::string mine = std::to_string(i) + "." + std::to_string(*own);
        EXPECT_TRUE(std::any_of(client.messages.rbegin(), client.messages.rend(), [&mine](const Message& message) {
          return message.payload == mine;
        })) << "own copy first";
        if (++*own == kEach) {
          ++finished;
        } else {
          client.publish(*own % 2 == 0 ? "room:1" : "bare:2", std::to_string(i) + "." + std::to_string(*own));
        }
      };
      client.publish("room:1", std::to_string(i) + ".0");
    });
  }
  // Meanwhile others come, recover, are listed and go.
  SessionId last_listed = 0;
  for (int round = 0; finished < kClients; ++round) {
    const unsigned loop = static_cast<unsigned>(round) % kLoops;
    threads.on(loop, [&, loop] {
      FakeClient visitor(*shards[loop], encodings[loop]);
      visitor.subscribe(exact("room:1"), std::vector<ChannelPosition>{});
      visitor.on_outbox();
      std::uint64_t expected = 0;
      for (const Message& message : visitor.messages) EXPECT_EQ(message.position.offset, ++expected);
    });
    hub.list_sessions(threads[0], 0, 100, [&last_listed](std::vector<SessionInfo> infos) { last_listed = infos.back().id; });
    hub.list_channels(threads[0], "", "", 10, [](Result<std::vector<Hub::ChannelInfo>>) {});
    hub.announce(Bytes::copy_of("hello"));
    static_cast<void>(hub.stats());
  }
  // Two rounds through every loop: what was under way has arrived.
  for (int round = 0; round < 2; ++round) {
    for (unsigned loop = 0; loop < kLoops; ++loop) threads.on(loop, [] {});
  }
  std::vector<std::vector<Message>> received(kClients);
  for (std::size_t i = 0; i < kClients; ++i) {
    threads.on(static_cast<unsigned>(i % kLoops), [&, i] {
      received[i] = clients[i]->messages;
      clients[i].reset();
    });
  }
  threads.stop();
  const auto of = [](const std::vector<Message>& messages, std::string_view channel) {
    std::vector<std::string> texts;
    for (const Message& message : messages) {
      if (message.channel == channel) texts.push_back(message.payload);
    }
    return texts;
  };
  for (const std::string_view channel : {"room:1", "bare:2"}) {
    const auto expected = of(received[0], channel);
    EXPECT_EQ(expected.size(), kClients * kEach / 2);
    for (const auto& messages : received) EXPECT_EQ(of(messages, channel), expected);
  }
  std::size_t listened = 0;
  while (listener->next({}) != nullptr) ++listened;
  EXPECT_EQ(listened, kClients * kEach);
  EXPECT_EQ(hub.stats().sessions, 0u);
}

}  // namespace
}  // namespace carillon
