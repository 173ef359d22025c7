// RedisLink: one connection to Redis, made again when it is lost, for ever, until it is stopped. It knows nothing of what its
// commands are for: bytes go out, values come in.
//
// 1. Its servers are tried one after the other; after each round there is a pause that grows, with some chance in it.
// 2. The greeting: AUTH and SELECT where they are wanted, ROLE, since only a master may do, and INFO, for the name that this
// run
//    of the server has; in one write. When all is well the link is up.
// 3. Up: what is appended leaves at the next flush. A write that the peer is slow to take goes on when there is room.
// 4. Down: when the connection ends, is given up, or nothing comes though the owner waits, in the time for a command.
//
// Owned and heard by one of the same loop. It is freed by Loop::dispose.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/dialer.h"
#include "base/fast_random.h"
#include "base/log_limit.h"
#include "base/loop.h"
#include "engine/redis/redis_options.h"
#include "engine/redis/resp.h"

namespace carillon {

class RedisLink;

class RedisLinkOwner {
 public:
  virtual void on_link_up(RedisLink& link) = 0;
  // What came, in its order. May give the link up.
  virtual void on_link_value(RedisLink& link, RespValue value) = 0;
  // All values of one read were told.
  virtual void on_link_read(RedisLink& /*link*/) {}
  // The connection is lost, or could not be made. The next attempt follows by itself.
  virtual void on_link_down(RedisLink& link, const Error& why) = 0;
  // Since when an answer is waited for. When nothing at all comes in the time for a command after that, the link is given up.
  virtual std::optional<Millis> waits_since() const = 0;
  // Nothing came for as long as a command may take, and nothing is waited for: to be asked whether it lives.
  virtual void on_link_idle(RedisLink& link) = 0;

 protected:
  ~RedisLinkOwner() = default;
};

class RedisLink final : public Disposable, private StreamHandler, private Timer {
 public:
  struct Needs {
    bool master = false;  // A server that is a replica is left for the next.
  };

  // What all links of one client share.
  struct World {
    Loop& loop;
    Dialer& dialer;
    const RedisOptions& options;
    FastRandom& random;
  };

  RedisLink(const World& world, RedisLinkOwner& owner, Needs needs);
  ~RedisLink() override;

  // At least one server. A link that is up or under way is given up first, without a word to the owner.
  void start(std::vector<RedisOptions::Server> servers);
  void stop();
  // As if the connection was lost now; the owner is told. `why` is part of what is said about it.
  void give_up(const Error& why);

  bool is_started() const { return state_ != State::kStopped; }
  bool is_up() const { return state_ == State::kUp; }
  // Since it was started it was neither lost nor has every server failed: nobody knows yet how it ends.
  bool is_new() const { return state_ != State::kUp && !failed_; }
  const RedisOptions::Server& server() const { return servers_[at_]; }  // The one that is tried or used.
  // Of the server's process, as long as the link is up; empty where it is not told. Behind one address there may be another one
  // the next time.
  const std::string& run_id() const { return run_id_; }
  const Error& failure() const { return failure_; }  // The last.

  // To be filled while the link is up; flush() sends.
  std::string& out() { return out_; }
  void flush();
  // Bytes that were appended or taken by the connection since the link is up: what lies beyond `taken` was never sent.
  std::uint64_t appended() const { return taken_ + (out_.size() - sent_); }
  std::uint64_t taken() const { return taken_; }

 private:
  enum class State : std::uint8_t { kStopped, kPause, kDialing, kGreeting, kUp };
  enum class Greeting : std::uint8_t { kAuth, kSelect, kRole, kInfo };
  // Closed, but perhaps within a call of its own.
  struct Closed final : Disposable {
    explicit Closed(std::unique_ptr<Stream> closed) : stream(std::move(closed)) {}
    std::unique_ptr<Stream> stream;
  };

  void dial();
  void on_dialed(Result<std::unique_ptr<Stream>> stream);
  void greet();
  void on_greeted(const RespValue& value);
  std::optional<Error> fault_of(Greeting greeting, const RespValue& value) const;
  void come_up();
  void watch();
  void forget_sent();
  void disconnect();
  void try_later();
  Millis next_pause();

  void on_bytes(std::span<char> bytes) override;
  void on_end() override;
  void on_writable() override;
  void on_lost() override;
  void on_timer() override;

  const World world_;
  RedisLinkOwner& owner_;
  const Needs needs_;
  std::vector<RedisOptions::Server> servers_;
  std::size_t at_ = 0;     // Of servers_.
  std::size_t tried_ = 0;  // Of this round.
  Millis pause_{0};        // The last.
  State state_ = State::kStopped;
  bool failed_ = false;  // Lost, or a round was in vain, since it was started or up.
  Error failure_;
  std::unique_ptr<DialAttempt> attempt_;
  std::unique_ptr<Stream> stream_;
  std::vector<Greeting> greetings_;  // Not answered yet, the next one last.
  std::string run_id_;
  RespReader reader_;
  std::string out_;
  std::size_t sent_ = 0;  // Of out_.
  std::uint64_t taken_ = 0;
  bool blocked_ = false;  // The last write was short.
  Millis heard_{0};
  Millis began_{0};
  LogLimit log_limit_{Millis{10'000}};
};

}  // namespace carillon
