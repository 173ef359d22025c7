// RedisPublisher: publishes of this node, in the order of the calls for each channel.
//
// What comes for a channel while its last batches are under way waits, and becomes its next batch: one step of Redis, which
// takes the positions, keeps the publications and tells the nodes. A publish is answered when this node has handed out its own
// copy, if it hears the channel. A batch goes
//  - by a script, which finds whatever state the stream is in;
//  - when it is large, and this node knows the stream, by commands, which cost Redis half as much: each entry is added to the
//  epoch
//    that is known, and a small script tells of them (redis_scripts::announce). If the stream is another one by now, nothing
//    was published, nor will be of batches behind it that are under way; then all go once more, in their order, by the script;
//  - by neither, where the channel keeps no history.
//
// A publish whose answer was lost is not repeated: it may have been published, and the error says so. Whoever publishes with an
// idempotency key may repeat it. On the engine's loop.
#pragma once

#include <atomic>
#include <boost/unordered/unordered_flat_set.hpp>
#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/fast_random.h"
#include "engine/redis/redis_feeds.h"
#include "engine/redis/redis_receipts.h"

namespace carillon {

// What waits for an answer, in all; bounded by RedisOptions. Any thread.
struct RedisWaitingRoom {
  std::atomic<std::size_t> count{0};
  std::atomic<std::size_t> bytes{0};
};

// A place there, as long as it lives.
class RedisPlace {
 public:
  // Absent: there is none left.
  static std::optional<RedisPlace> take(RedisWaitingRoom& room, std::size_t bytes, const RedisOptions& options);
  RedisPlace(RedisPlace&& other) noexcept : room_(std::exchange(other.room_, nullptr)), bytes_(other.bytes_) {}
  RedisPlace& operator=(RedisPlace&& other) noexcept {
    std::swap(room_, other.room_);
    std::swap(bytes_, other.bytes_);
    return *this;
  }
  ~RedisPlace();

 private:
  RedisPlace(RedisWaitingRoom& room, std::size_t bytes) : room_(&room), bytes_(bytes) {}

  RedisWaitingRoom* room_;
  std::size_t bytes_;
};

struct RedisPublish {
  Draft draft;
  std::optional<std::string> compressed;  // The payload, where that is smaller.
  HistoryRule rule;
  RedisPlace place;
  RedisAnswer<Receipt> done;
  Millis deadline{0};        // Set here.
  std::uint64_t random = 0;  // Likewise, where the channel keeps history.
  Uuid id;                   // Likewise, where it does not.

  void answer(Result<Receipt> outcome);
};

class RedisPublisher {
 public:
  // Batches of one channel that are under way at once.
  static constexpr std::size_t kUnderWayMax = 3;
  // From so many on a batch goes by commands.
  static constexpr std::size_t kByCommandsMin = 8;
  // A batch is half of what waits, so that Redis has the next while the answers of one are worked on, within these bounds.
  static constexpr std::size_t kBatchMin = 32;
  static constexpr std::size_t kBatchMax = 256;
  static constexpr std::size_t kBatchBytesMax = 256u << 10;
  // Channels whose state is known; beyond it one is forgotten for each new one.
  static constexpr std::size_t kChannelsMax = 100'000;

  RedisPublisher(const RedisParts& parts, RedisFeeds& feeds, Random& random);

  void add(RedisPublish publish);
  // Sends what was added: at the end of a burst.
  void flush();

 private:
  using Batch = std::vector<RedisPublish>;
  struct Channel {
    explicit Channel(std::string its_name) : name(std::move(its_name)) {}
    const std::string name;
    std::deque<RedisPublish> waiting;
    std::size_t under_way = 0;
    std::size_t by_commands = 0;     // Of those under way.
    bool unsure = false;             // Whether the stream is still the known one; a script's answer tells.
    std::vector<Batch> returned;     // Not published: they go again when none is under way any more.
    bool ready = false;              // Is in ready_.
    std::optional<RedisMark> known;  // What was published from here last.
    std::int64_t known_ms = 0;
    std::optional<Millis> renewed;  // When its expiry and its name in the list were renewed from here.
    Millis trimmed{0};
    std::size_t bytes_since_trim = 0;
  };

  Channel& channel_of(const std::string& name);
  Channel* find(const std::string& name);
  void forget_one();
  void send(Channel& channel);
  static std::size_t next_count(const Channel& channel);
  static Batch take(Channel& channel, std::size_t count);
  // The next so many of what waits.
  bool may_go_by_commands(const Channel& channel, std::size_t count) const;
  void take_back(Channel& channel);
  void send_by_script(Channel& channel, Batch batch);
  void send_by_commands(Channel& channel, Batch batch);
  void send_bare(Channel& channel, Batch batch);
  void send_once(Channel& channel, RedisPublish publish);
  void on_script(const std::string& name, Batch batch, const Result<RespValue>& reply);
  void on_commands(const std::string& name, Batch batch, std::int64_t time_ms, const Result<RespValue>& reply);
  void tell(const std::string& name, const Batch& batch, const Position& first, std::int64_t time_ms);
  void settle(const std::string& name, Batch batch, const RedisOutcomes& outcomes);
  std::optional<RedisMark> mark(const Channel& channel) const;
  bool renews(Channel& channel);
  void note_time(std::int64_t redis_ms);
  void on_bare(const std::string& name, Batch batch, std::int64_t time_ms, const Result<RespValue>& reply);
  void on_once(const std::string& name, RedisPublish publish, std::int64_t time_ms, const Result<RespValue>& reply);
  void on_answered(const std::string& name);
  void keep_in_order(Channel& channel, const RedisMark& last, std::size_t bytes, const HistoryRule& rule);
  void list(const std::string& name);
  void sweep();

  const RedisParts& parts_;
  RedisFeeds& feeds_;
  FastRandom random_;
  boost::unordered_flat_map<std::string, std::unique_ptr<Channel>, NameHash, NameEqual> channels_;
  std::vector<Channel*> ready_;
  boost::unordered_flat_set<std::string, NameHash, NameEqual> queued_;  // Channels with publishes that wait.
  // Redis' clock, when it was told last.
  std::int64_t redis_ms_ = 0;
  Millis redis_ms_at_{0};
  CallbackTimer sweep_timer_;
  RedisGuard guard_;
};

}  // namespace carillon
