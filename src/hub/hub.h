// Hub: the process-wide door: publish, who is where. What belongs to one loop is its Shard's.
//
// Any thread, unless said otherwise. The hub outlives its shards' sessions; loops, engine, clock and policy outlive the hub.
// Set-up: construct, add_shard() once a loop, then run the loops.
//
// The completions that the hub hands to the engine hold a shard and post to its loop. So an engine that calls them later must
// have called the last of them, if only to say kUnavailable, before the hub ends; one that answers inside the
// call, as the memory engine does, has none left by then.
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/loop.h"
#include "carillon/server_options.h"
#include "hub/engine.h"
#include "hub/interest.h"
#include "hub/listener.h"
#include "hub/node_calls.h"
#include "hub/policy.h"
#include "hub/queue_groups.h"
#include "hub/session.h"

namespace carillon {

class Shard;

struct HubOptions {
  // A further subscribe is refused with kLimit; repeating one that exists is not counted.
  std::size_t subscriptions_per_session_max = 100;
  // Bytes waiting for one client; beyond it `slow_consumer` decides.
  std::size_t outbox_bytes_max = 1 << 20;
  SlowConsumer slow_consumer = SlowConsumer::kDropOldest;
  // Bytes of frames waiting for all clients. Beyond it every client's limit shrinks to `outbox_bytes_hungry`, until there
  // is room again.
  std::size_t outbox_memory_bytes = 256u << 20;
  std::size_t outbox_bytes_hungry = 16 << 10;
  // Publications replayed when a client recovers; a client that missed more is told that it did not recover. Under one
  // subscription to several channels at most Join::kOfEachMax of each, and Join::kAtOnceMax of all.
  std::size_t recover_publications_max = 1'000'000;
  // Of one channel, read at once; the next when the client has taken these.
  std::size_t recover_page_max = 1000;
  // Channels under one subscription whose positions are reported; with more, recovery is not promised. Channels that keep no
  // history are not looked at.
  std::size_t recover_channels_max = 100;

  // Changes of presence are gathered for so long and told in one diff a channel. 0: for the rest of the turn.
  Millis presence_period{0};
  // With more members present in a channel, those who watch it hear only how many there are, about once a second; when there
  // are less than nine tenths of this again, they are told who.
  std::size_t presence_list_max = 1000;
  // Bytes of one member's meta, and of its key; more are refused with kLimit.
  std::size_t presence_meta_bytes_max = 1024;
  std::size_t presence_key_bytes_max = 255;
  // How long the other nodes keep this node's members after they last heard of it.
  Millis presence_lease{30'000};

  // Whether what queue groups know of this channel must survive a loss of power before it is confirmed. Any thread. Missing:
  // of none.
  std::function<bool(std::string_view channel)> is_synced_channel;
};

struct HubStats {
  std::uint64_t sessions = 0;               // Now.
  std::uint64_t subscriptions = 0;          // Now.
  std::uint64_t connections_total = 0;      // Sessions ever begun.
  std::uint64_t subscriptions_total = 0;    // New subscriptions ever made.
  std::uint64_t publications_total = 0;     // Accepted for publishing on this node.
  std::uint64_t deliveries_total = 0;       // Publications queued for sessions.
  std::uint64_t dropped_total = 0;          // Publications dropped for slow consumers.
  std::uint64_t slow_closed_total = 0;      // Sessions ended as slow consumers.
  std::uint64_t outbox_bytes = 0;           // Frames in memory now, shared ones once a loop.
  std::uint64_t presence_news_total = 0;    // Diffs of presence, and counts of crowded channels, queued for sessions.
  std::uint64_t presence_states_total = 0;  // How often a session that watches was told who is there.
};

struct SessionInfo {
  SessionId id = 0;
  std::string protocol;
  std::string user;
  bool verified = false;  // A token says so; else it is what the client calls itself.
  std::string peer;
  std::string user_agent;
  std::int64_t connected_at_ms = 0;
  std::size_t subscriptions = 0;
  std::size_t outbox_bytes = 0;
};

class Hub final : private EngineEvents, private PresenceEvents {
 public:
  Hub(Engine& engine, const Clock& clock, const Policy& policy, const HubOptions& options);
  ~Hub();

  // The loop's part of the hub. Before any loop runs; at most Interest::kLoopsMax.
  Shard& add_shard(Loop& loop);

  // Checks the draft's names and hands it to the engine. `done` is called once, inside the call or later, on any thread.
  void publish(Draft draft, UniqueFunction<void(Result<Receipt>)> done);
  void history(HistoryQuery query, UniqueFunction<void(Result<HistoryPage>)> done);
  void remove_history(std::string channel, UniqueFunction<void(Result<void>)> done);

  // Who is present in the channel, in full however many they are; `done` is called once, inside the call or later, on any
  // thread.
  void presence(std::string channel, UniqueFunction<void(Result<PresenceStatePtr>)> done);
  void presence_counts(std::string channel, UniqueFunction<void(Result<PresenceCounts>)> done);

  // What follows, unless it says "here", is done on all nodes; a node that cannot be reached is left out.
  //
  // Ends the subscriptions of every client to exactly this channel, and with them who is present. With `crash` clients
  // whose protocol knows the difference are told that it went wrong, and come back by themselves. `done`, called on `loop`,
  // hears how many subscriptions there were.
  struct CloseChannel {
    std::string channel;
    std::string reason;
    bool crash = false;
  };
  void close_channel(Loop& loop, CloseChannel close, UniqueFunction<void(std::size_t)> done);

  void close_channel_here(Loop& loop, CloseChannel close, UniqueFunction<void(std::size_t)> done);

  // One text to every client, whatever it is subscribed to.
  void announce(Bytes text);
  void announce_here(const Bytes& text);

  // Ends every session of this user, which is not empty; `done`, called on `loop`, hears how many there were.
  void disconnect_user(Loop& loop, std::string user, std::string text, UniqueFunction<void(std::size_t)> done);
  void disconnect_user_here(Loop& loop, std::string user, std::string text, UniqueFunction<void(std::size_t)> done);

  // Sessions here in the order of their ids after `after`; `done` is called on `loop`.
  void list_sessions(Loop& loop, SessionId after, std::size_t count_max, UniqueFunction<void(std::vector<SessionInfo>)> done);
  // Ends a session with the reason; `done`, called on `loop`, hears whether there was one.
  void disconnect(Loop& loop, SessionId session, std::string text, UniqueFunction<void(bool)> done);

  struct ChannelInfo {
    ChannelRecord record;           // Without `top` where the channel keeps no history.
    std::uint64_t subscribers = 0;  // Subscriptions of exactly this name, to it alone or to its tree, here.
  };
  // Channels that keep something or are subscribed to, whose names begin with `prefix`, in the order of their names after
  // `after`; `done` is called on `loop`.
  void list_channels(Loop& loop, std::string prefix, std::string after, std::size_t count_max,
                     UniqueFunction<void(Result<std::vector<ChannelInfo>>)> done);

  std::shared_ptr<Listener> listen(std::size_t capacity = 1024);
  // Ends every listener's stream, after what waits in it.
  void close_listeners();

  QueueGroups& groups() { return groups_; }

  HubStats stats() const;
  // Whether this node hears what others publish; always kOk with an engine of one process. Any thread.
  Continuity continuity() const { return continuity_.load(std::memory_order_relaxed); }
  const HubOptions& options() const { return options_; }
  const Clock& clock() const { return clock_; }
  Engine& engine() { return engine_; }
  const Policy& policy() const { return policy_; }

 private:
  friend class Shard;
  friend class QueueGroups;

  // Somebody here wants to hear it, or does no more; counted.
  void add_interest(const Selector& selector) {
    if (wants_interest_) engine_.add_interest(selector);
  }
  void remove_interest(const Selector& selector) {
    if (wants_interest_) engine_.remove_interest(selector);
  }
  void forget_listeners();
  UniqueFunction<void(std::size_t)> with_others(const NodeCalls::Call& call, Loop& loop,
                                                UniqueFunction<void(std::size_t)> done);

  void on_publication(const PublicationPtr& publication) override;
  void on_gap(const std::string& channel, std::uint64_t count) override;
  void on_continuity(Continuity continuity) override;
  void on_presence(const PresenceUpdatePtr& diff) override;

  Engine& engine_;
  const Clock& clock_;
  const Policy& policy_;
  const HubOptions options_;
  const bool wants_interest_;
  Interest interest_;
  std::atomic<Continuity> continuity_{Continuity::kOk};
  std::unique_ptr<NodeCalls> calls_;  // Null: there is one node.
  QueueGroups groups_{*this};
  std::vector<std::unique_ptr<Shard>> shards_;
  std::atomic<std::uint64_t> publications_total_{0};

  std::mutex listeners_mutex_;
  std::vector<std::weak_ptr<Listener>> listeners_;
  std::atomic<std::size_t> listener_count_{0};
  bool listening_ = false;  // The engine knows that everything is wanted. Under listeners_mutex_.
};

// Says what is wrong with the names in a draft, or nothing.
Result<void> check_draft(const Draft& draft);

}  // namespace carillon
