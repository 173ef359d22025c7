// Queue groups on real threads: what a thread checker should see.
#include <gtest/gtest.h>

#include <atomic>
#include <map>
#include <mutex>
#include <thread>

#include "engine/memory/hub_double.h"
#include "hub/queue_groups.h"
#include "os/threads_double.h"

namespace carillon {
namespace {

constexpr unsigned kLoops = 3;
constexpr int kPublications = 600;

// What all workers did: each publication is with one of them at a time.
struct Ledger {
  std::mutex mutex;
  std::map<std::string, int> held;
  std::map<std::string, int> acked;

  void take(const std::string& payload) {
    const std::lock_guard lock(mutex);
    EXPECT_EQ(++held[payload], 1) << payload;
  }
  void give(const std::string& payload, bool ack) {
    const std::lock_guard lock(mutex);
    --held[payload];
    if (ack) ++acked[payload];
  }
};

// Acknowledges three of four at once and gives the others back.
class ThreadWorker final : public SessionClient {
 public:
  ThreadWorker(Shard& shard, const Encoding& encoding, Ledger& ledger, unsigned seed)
      : ledger_(ledger), dice_(seed), session(shard, *this, {.protocol = "fake", .encoding = &encoding}) {
    session.join_group({.name = {"jobs", "workers"},
                        .wish = {.start = {.kind = GroupStart::Kind::kBeginning, .position = {}}, .deliveries_max = 0u},
                        .in_flight_max = 4});
  }

  void on_group_delivery(const GroupName& name, const GroupDelivery& delivery) override {
    const std::string payload(delivery.publication->payload.view());
    const bool ack = dice_() % 4 != 0;
    ledger_.take(payload);
    ledger_.give(payload, ack);
    session.settle_group(
        name, {.verb = ack ? GroupSettle::Verb::kAck : GroupSettle::Verb::kNack, .deliveries = {delivery.token}, .time = {}},
        1);
  }
  void on_outbox() override {}
  void on_subscribed(Ticket, const Result<Subscribed>&) override {}
  void on_published(Ticket, const Result<Receipt>&) override {}
  void on_history(Ticket, const Result<HistoryPage>&) override {}
  void on_gap(std::span<const Gap>) override {}
  void on_announcement(const Bytes&) override {}
  void on_end_wanted(EndReason, std::string_view) override {}
  std::string peer_text() const override { return "fake"; }

 private:
  Ledger& ledger_;
  Dice dice_;

 public:
  Session session;
};

TEST(QueueGroupsThreads, EverythingIsHandledWhileMembersComeAndGoOnEveryLoop) {
  FixedClock clock;
  SeededRandom random(1);
  OpenPolicy policy;
  MemoryEngineOptions engine_options;
  engine_options.rule_for = [](std::string_view) { return HistoryRule{.count_max = 100'000u}; };
  MemoryEngine engine(clock, random, engine_options);
  Threads threads(kLoops);
  Hub hub(engine, clock, policy, {});
  std::vector<Shard*> shards;
  for (unsigned i = 0; i < kLoops; ++i) shards.push_back(&hub.add_shard(threads[i]));
  std::vector<LineEncoding> encodings(kLoops);
  Ledger ledger;
  threads.start();

  std::vector<std::thread> publishers;
  for (int publisher = 0; publisher < 2; ++publisher) {
    publishers.emplace_back([&hub, publisher] {
      for (int i = 0; i < kPublications / 2; ++i) {
        hub.publish(
            {.channel = "jobs", .event = "e", .payload = Bytes::copy_of(std::to_string(publisher) + '.' + std::to_string(i))},
            [](Result<Receipt>) {});
      }
    });
  }
  std::vector<std::unique_ptr<ThreadWorker>> workers(2 * kLoops);
  std::atomic<std::size_t> listed{0};
  const auto list = [&] {
    hub.groups().list("", std::nullopt, 10, [&listed](Result<GroupPage> page) { listed += page->groups.size(); });
  };
  for (unsigned round = 0; hub.groups().stats().acks_total < kPublications; ++round) {
    const unsigned place = round % (2 * kLoops), loop = place % kLoops;
    threads.on(loop,
               [&] { workers[place] = std::make_unique<ThreadWorker>(*shards[loop], encodings[loop], ledger, round + 1); });
    list();
    hub.groups().take({.name = {"jobs", "others"}, .wish = {}, .count = 5, .wait = Millis(0), .taken = [](auto) {}});
    threads.on((loop + 1) % kLoops, [] {});
  }
  for (std::thread& publisher : publishers) publisher.join();
  // All may have been handled before the first was answered.
  for (; listed == 0; threads.on(0, [] {})) list();
  for (unsigned place = 0; place < workers.size(); ++place) {
    threads.on(place % kLoops, [&] { workers[place].reset(); });
  }
  for (unsigned loop = 0; loop < 2 * kLoops; ++loop) threads.on(loop % kLoops, [] {});
  threads.stop();
  EXPECT_EQ(hub.groups().stats().acks_total, static_cast<std::uint64_t>(kPublications));
  EXPECT_EQ(ledger.acked.size(), static_cast<std::size_t>(kPublications));
}

}  // namespace
}  // namespace carillon
