// RedisPipe: the command connection to one master: requests go out in their order, answers come back in it.
#pragma once

#include <cstdint>
#include <deque>
#include <optional>
#include <vector>

#include "engine/redis/redis_client.h"
#include "engine/redis/redis_link.h"

namespace carillon {

// What waits to be sent, or was sent and waits for its answer.
struct RedisRequest {
  RespCommand command;
  std::string transaction;    // Instead of a command: several, as they are written.
  std::uint32_t answers = 1;  // How many values come; the last counts, or an error before it.
  std::uint16_t slot = 0;     // Of its key; 0 without a cluster.
  std::uint16_t returns = 0;  // How often Redis gave it back.
  std::uint64_t number = 0;   // In the order of the calls.
  Millis asked{0};            // When.
  const RedisScript* script = nullptr;
  std::optional<std::size_t> asks;  // The master to ask this once, as its owner told (ASK).
  bool probes = false;              // A ping of the pipe itself; its answer is told to nobody.
  RedisClient::Replied done;

  std::size_t bytes() const { return command.bytes() + transaction.size(); }
};

class RedisPipe;

class RedisPipeOwner {
 public:
  virtual void on_pipe_up(RedisPipe& pipe) = 0;
  virtual void on_pipe_answer(RedisPipe& pipe, RedisRequest request, RespValue value) = 0;
  // `unanswered` may have been executed; `unsent` was not.
  virtual void on_pipe_down(RedisPipe& pipe, std::deque<RedisRequest> unanswered, std::deque<RedisRequest> unsent,
                            const Error& why) = 0;

 protected:
  ~RedisPipeOwner() = default;
};

class RedisPipe final : public Disposable, private RedisLinkOwner {
 public:
  RedisPipe(const RedisLink::World& world, RedisPipeOwner& owner, RedisLink::Needs needs);

  RedisLink& link() { return link_; }
  const RedisLink& link() const { return link_; }
  // While the link is up. Leaves at the next flush of the link, or at once when much waits for that.
  void send(RedisRequest request);
  // Its script is to be loaded anew before it is run again.
  void forget_script(const RedisScript& script);
  std::size_t unanswered() const { return sent_.size(); }

 private:
  struct Sent {
    RedisRequest request;
    std::uint32_t before;  // Values of what goes before it: their success shows in its own answer.
    std::uint32_t left;    // Of its answers.
    std::uint64_t end;     // Where it ends in what is sent.
    Millis at;
    std::optional<RespValue> fault;
  };

  void on_link_up(RedisLink& link) override;
  void on_link_value(RedisLink& link, RespValue value) override;
  void on_link_down(RedisLink& link, const Error& why) override;
  std::optional<Millis> waits_since() const override;
  void on_link_idle(RedisLink& link) override;
  bool load_script(const RedisScript* script);

  Loop& loop_;
  RedisPipeOwner& owner_;
  std::deque<Sent> sent_;
  std::vector<const RedisScript*> loaded_;  // By this connection.
  RedisLink link_;
};

}  // namespace carillon
