// RedisClient: commands to Redis and what it pushes, whether that is one server or a cluster of masters. What the parts of
// this room (publications, presence, state, nodes) share. On the engine's loop only.
//
// A master is one server that takes writes: the only one of a standalone Redis, or one of a cluster's. To each there are two
// connections: one for commands, pipelined, and one for subscriptions. Both are made again when they are lost, with growing
// pauses, for ever; after a `MOVED`, or when a master does not answer, the map of slots is read anew.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/loop.h"
#include "base/unique_function.h"
#include "carillon/result.h"
#include "engine/redis/resp.h"

namespace carillon {

// Hears what is published on subscribed channels. Not called inside a call of the client. It may subscribe and unsubscribe in
// any call; it is called as long as it has something subscribed.
class RedisSubscriber {
 public:
  // `channel` is what it was published on. With several masters a message may come by each; only the one of its owner is
  // handed on. A message that an exact channel and a pattern match is handed on once.
  virtual void on_message(std::size_t master, std::string_view channel, std::string_view message) = 0;
  // Messages of this master can be missed from now on (its subscription connection, or the master, was lost).
  virtual void on_deaf(std::size_t master) = 0;
  // All channels and patterns wanted are subscribed to there (again): nothing published from now on is missed. Who subscribes
  // to its first is told of the masters that are heard already, once that is subscribed to.
  virtual void on_hearing(std::size_t master) = 0;

 protected:
  ~RedisSubscriber() = default;
};

class RedisClient {
 public:
  virtual ~RedisClient() = default;

  // Commands to the same key are executed in the order of the calls; replies come in this order too, never inside the call.
  // What is sent in one turn leaves together.
  //
  // Errors: kUnavailable: it was not sent within the limit of time, or the connection was lost before its answer, in which case
  // it may have been executed (the text says so); kLimit: too much waits. What Redis itself answers, errors included, is the
  // value. Who does not care passes no completion.
  using Replied = UniqueFunction<void(Result<RespValue>)>;
  virtual void send(std::string_view key, RespCommand command, Replied done) = 0;
  // To each master; the answers in the order of the masters, or the first error.
  using AllReplied = UniqueFunction<void(Result<std::vector<RespValue>>)>;
  virtual void send_all(RespCommand command, AllReplied done) = 0;
  // Commands that are executed one behind the other with nothing between (MULTI, EXEC), all on keys of one slot. The answer is
  // EXEC's array. A script among them is loaded before; where Redis has lost it since, its answer is NOSCRIPT.
  virtual void transact(std::string_view key, RespTransaction commands, Replied done) = 0;
  void transact(std::string_view key, const std::vector<RespCommand>& commands, Replied done) {
    RespTransaction all;
    for (const RespCommand& command : commands) all.add(command);
    transact(key, std::move(all), std::move(done));
  }
  // EVALSHA, with the script loaded where it is not known. The script outlives the client.
  virtual void run(const RedisScript& script, std::span<const std::string> keys, std::vector<std::string> arguments,
                   Replied done) = 0;

  // Channels and patterns wanted; counted, so that who shares the client need not know of another. `subscribed` is called once
  // it is subscribed to (what is published from then on is heard), or with kUnavailable if that cannot be now; it stays wanted,
  // and on_hearing tells. Never inside the call; it may be empty.
  using Subscribed = UniqueFunction<void(Result<void>)>;
  virtual void subscribe(std::string channel, RedisSubscriber& subscriber, Subscribed subscribed) = 0;
  virtual void unsubscribe(const std::string& channel, RedisSubscriber& subscriber) = 0;
  // Globs: on every master.
  virtual void subscribe_pattern(std::string pattern, RedisSubscriber& subscriber, Subscribed subscribed) = 0;
  virtual void unsubscribe_pattern(const std::string& pattern, RedisSubscriber& subscriber) = 0;

  // Calls `heard` when every message that this master (the one of the key) published before the call has been handed on: a ping
  // behind them. Error: the subscription connection is lost, or was meanwhile. Never inside the call.
  using Heard = UniqueFunction<void(Result<void>)>;
  virtual void after_heard(std::string_view key, Heard heard) = 0;

  // Small numbers; that of a master that is gone may be given to another. 0 as long as no master is known.
  virtual std::size_t master_of(std::string_view key) const = 0;
  virtual bool is_hearing(std::size_t master) const = 0;
};

}  // namespace carillon
