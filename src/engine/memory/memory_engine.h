// The memory engine: order, positions and history in this process, gone with it. Every restart is a new epoch.
// A channel's log begins with its first publication; asking costs no memory.
//
// Channels are spread over stripes by name; a publish holds its stripe's lock while it takes the position, keeps the
// publication and hands it to the hub, which is what makes one order for every loop. Completions are called inside the call.
#pragma once

#include <array>
#include <atomic>
#include <boost/unordered/unordered_flat_map.hpp>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/fast_random.h"
#include "base/hash.h"
#include "base/random.h"
#include "engine/memory/memory_presence.h"
#include "engine/memory/memory_state.h"
#include "hub/engine.h"

namespace carillon {

struct MemoryEngineOptions {
  // All payloads, names and bookkeeping kept for history, about. Beyond it a channel that is published to loses its oldest,
  // and if it has none, the publication itself is not kept: its position then shows clients that it cannot be recovered.
  std::size_t history_bytes_max = 256u << 20;
  // An idempotency key is remembered this long, and while about `idempotency_keys_max` are: beyond it an old one is forgotten
  // for each new one.
  std::int64_t idempotency_ms = 5 * 60 * 1000;
  std::size_t idempotency_keys_max = 100'000;
  // Channels that keep a position. Beyond it a publish to a new channel that would keep history fails with kLimit.
  std::size_t channels_max = 1'000'000;
  // A channel whose history is empty by age is forgotten after this time without a publication: a new epoch follows.
  std::int64_t channel_idle_ms = 24 * 60 * 60 * 1000;
  // What a channel keeps, by its name. Any thread.
  std::function<HistoryRule(std::string_view channel)> rule_for = [](std::string_view) { return HistoryRule{}; };
};

// Publications in order, oldest first. Small when it holds few: there may be very many channels.
class KeptPublications {
 public:
  std::size_t size() const { return publications_.size() - gone_; }
  bool empty() const { return size() == 0; }
  const PublicationPtr& oldest() const { return publications_[gone_]; }
  const PublicationPtr& operator[](std::size_t index) const { return publications_[gone_ + index]; }
  void push(PublicationPtr publication) { publications_.push_back(std::move(publication)); }
  void drop_oldest();

 private:
  std::vector<PublicationPtr> publications_;
  std::size_t gone_ = 0;  // Null ones at the beginning, fewer than half.
};

class MemoryEngine final : public Engine {
 public:
  MemoryEngine(const Clock& clock, Random& random, MemoryEngineOptions options);
  ~MemoryEngine() override;

  void set_events(EngineEvents& events) override { events_ = &events; }
  void publish(Draft draft, UniqueFunction<void(Result<Receipt>)> done) override;
  void history(HistoryQuery query, UniqueFunction<void(Result<HistoryPage>)> done) override;
  void publications(std::string channel, std::vector<Uuid> ids,
                    UniqueFunction<void(Result<std::vector<PublicationPtr>>)> done) override;
  void remove_history(std::string channel, UniqueFunction<void(Result<void>)> done) override;
  void channels(std::string prefix, std::string after, std::size_t count_max,
                UniqueFunction<void(Result<std::vector<ChannelRecord>>)> done) override;

  PresenceStore& presence() override { return *presence_node_; }
  StateStore& state() override { return state_; }
  std::size_t presence_count() const { return presence_.membership_count(); }

  // Drops what is too old, everywhere. To be called every few seconds, any thread; holds one stripe's lock at a time.
  void expire();

  std::size_t history_bytes() const { return history_bytes_.load(std::memory_order_relaxed); }

 private:
  struct ChannelLog {
    HistoryRule rule;
    Position top;
    std::int64_t last_publish_ms = 0;
    std::size_t bytes = 0;  // Of all that is kept.
    KeptPublications kept;  // Offsets without holes.

    std::uint64_t oldest() const { return top.offset - kept.size() + 1; }
    // The first offset that is not older; behind the top when all are.
    std::uint64_t offset_at(std::int64_t time_ms) const;
  };
  struct UsedKey {
    std::string key;  // Channel, a zero byte, the client's key.
    std::int64_t used_ms;
  };
  struct Stripe {
    std::mutex mutex;
    boost::unordered_flat_map<std::string, std::unique_ptr<ChannelLog>, NameHash, NameEqual> logs;
    boost::unordered_flat_map<std::string, Receipt, NameHash, NameEqual> receipts;
    std::deque<UsedKey> used_keys;    // In the order of their use.
    std::unique_ptr<FastRandom> ids;  // Of publications.
  };
  static constexpr std::size_t kStripes = 64;

  // Not the lowest bits: the maps inside the stripes tell names apart by those.
  Stripe& stripe_of(std::string_view channel) { return stripes_[(hash_name(channel) >> 20) % kStripes]; }
  ChannelLog* log_for(Stripe& stripe, const std::string& channel, const HistoryRule& rule);
  Result<Receipt> publish_locked(Stripe& stripe, Draft& draft);
  HistoryPage page_of(const ChannelLog& log, const HistoryQuery& query) const;
  void keep(ChannelLog& log, PublicationPtr publication);
  void trim(ChannelLog& log, std::int64_t now_ms);
  void drop_oldest(ChannelLog& log);
  void new_epoch();
  void forget_keys(Stripe& stripe, std::int64_t now_ms);
  void make_room_for_key(Stripe& stripe);
  void forget_oldest_key(Stripe& stripe);

  const Clock& clock_;
  Random& random_;
  const MemoryEngineOptions options_;
  MemoryPresence presence_;
  MemoryState state_;
  const std::unique_ptr<PresenceStore> presence_node_;
  EngineEvents* events_ = nullptr;
  std::array<Stripe, kStripes> stripes_;
  std::atomic<std::size_t> history_bytes_{0};
  std::atomic<std::size_t> key_count_{0};  // Of idempotency keys, in all stripes.
  std::atomic<std::uint64_t> epoch_;       // Of the channels that begin now; another one after any channel was forgotten.

  std::mutex names_mutex_;                    // Taken after a stripe's mutex.
  std::set<std::string, std::less<>> names_;  // Of all logs, for listing in order.
};

}  // namespace carillon
