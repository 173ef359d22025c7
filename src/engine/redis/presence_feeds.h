// PresenceFeeds: who is present in the channels that this node has interest in, as Redis tells it. On the engine's loop.
//
// 1. A feed is subscribed to the diffs of its channel. Each names the version before it; one that follows the last is handed
// out.
// 2. A state is read once a feed, when it is first asked for; from then on the feed keeps it up to date, and answers from it,
//    behind a barrier: what was published before the question has been handed out by then.
// 3. While a state is read, diffs are held. It is taken when all diffs that it shows have been heard; those are handed out
// before.
// 4. A feed that has missed a diff reads the state too: one diff brings those who listen from what they were told to what it
// shows.
//    When Redis has forgotten the channel, its nodes are given a moment to say their members again.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "base/log_limit.h"
#include "base/loop.h"
#include "engine/redis/presence_record.h"
#include "engine/redis/redis_answer.h"
#include "engine/redis/redis_client.h"
#include "engine/redis/redis_guard.h"
#include "engine/redis/redis_keys.h"
#include "hub/presence_store.h"

namespace carillon {

class PresenceFeeds final : private RedisSubscriber {
 public:
  using StateAnswer = RedisAnswer<PresenceStatePtr>;
  // Hears under which leases members are that were read or came.
  using Seen = std::function<void(const std::string& channel, std::string_view node, std::uint64_t incarnation)>;

  PresenceFeeds(Loop& loop, RedisClient& client, const RedisKeys& keys, Seen seen);
  ~PresenceFeeds() { stop(); }

  void set_events(PresenceEvents* events) { events_ = events; }
  // Counted.
  void add(const std::string& channel);
  void remove(const std::string& channel);
  void state(const std::string& channel, StateAnswer answer);
  // The last version that is known of the channel; 0: none is.
  std::uint64_t version_of(std::string_view channel) const;
  // Questions are answered kUnavailable from now on.
  void stop();

 private:
  enum class Stage {
    kSubscribing,
    kLive,
    kReading,  // Diffs are held.
    kDeaf,     // Until its master is heard again, or what was missed is read.
  };
  using Members = std::map<std::string, PresenceRecord, std::less<>>;
  struct Feed {
    std::size_t wanted = 0;
    Stage stage = Stage::kSubscribing;
    bool whole = false;                    // `known` is all, not only what diffs have told.
    bool missed = false;                   // Diffs may have been missed: what is read next is told as a diff.
    bool waited = false;                   // For the nodes to say again what Redis has forgotten.
    std::optional<std::uint64_t> version;  // Redis' own, of the last diff.
    std::uint64_t told = 0;                // The last that was handed out: grows, also when Redis' goes back.
    PresenceCounts counts;
    Members known;
    PresenceStatePtr state;  // Of `known`; null: not made since it changed.
    std::vector<PresenceMessage> held;
    bool held_too_many = false;
    std::uint64_t reading = 0;  // Which read its answer is awaited of.
    std::vector<StateAnswer> waiting;
  };
  struct Read {
    std::optional<std::uint64_t> version;  // Absent: Redis knows nothing of the channel.
    Members members;
  };
  using Feeds = std::map<std::string, Feed, std::less<>>;
  // Diffs held for a feed; with more, they are dropped and the state is read once more.
  static constexpr std::size_t kHeldMax = 1000;
  // States read at the same time because something was missed.
  static constexpr std::size_t kAtOnce = 64;

  void on_message(std::size_t master, std::string_view channel, std::string_view message) override;
  void on_deaf(std::size_t master) override;
  void on_hearing(std::size_t master) override;
  void subscribe(const std::string& channel);
  void on_subscribed(const std::string& channel, const Result<void>& outcome);

  void take(const std::string& channel, Feed& feed, PresenceMessage message);
  void hand_out(const std::string& channel, Feed& feed, PresenceMessage message);
  void tell(const std::string& channel, Feed& feed, const std::vector<PresenceRecord>& joins,
            const std::vector<PresenceRecord>& leaves);

  void read(const std::string& channel, Feed& feed);
  void read_due();
  void do_later(const std::string& channel);
  void go_on();
  void on_read(const std::string& channel, std::uint64_t reading, const Result<RespValue>& reply);
  void on_heard(const std::string& channel, std::uint64_t reading, Read read, const Result<void>& heard);
  void on_read_failure(const std::string& channel, Feed& feed, const Error& error);
  void become_whole(const std::string& channel, Feed& feed, Read read);
  void catch_up(const std::string& channel, Feed& feed, Read read);
  void answer_from(const std::string& channel, StateAnswer answer);
  void read_without_feed(const std::string& channel, StateAnswer answer);
  void note_leases(const std::string& channel, const Members& members) const;
  Feed* find(std::string_view channel);
  // Not once yet.
  static bool is_unheard(const Feed& feed) {
    return feed.stage == Stage::kSubscribing || (feed.stage == Stage::kDeaf && !feed.missed);
  }
  static void refuse(Feed& feed, const Error& error);
  static Result<Read> parse(const Result<RespValue>& reply);
  static PresenceCounts counts_of(const Members& members);
  static PresenceStatePtr state_of(const std::string& channel, std::uint64_t version, const Members& members);

  Loop& loop_;
  RedisClient& client_;
  const RedisKeys keys_;
  const Seen seen_;
  PresenceEvents* events_ = nullptr;

  Feeds feeds_;
  std::uint64_t last_reading_ = 0;
  std::deque<std::string> due_;           // Channels to be read because something was missed.
  std::vector<std::string> later_;        // And those to be read, or asked for again, when the timer fires.
  std::set<std::uint64_t> due_readings_;  // Under way.
  bool stopped_ = false;
  LogLimit log_limit_;
  CallbackTimer later_timer_;
  RedisGuard guard_;
};

}  // namespace carillon
