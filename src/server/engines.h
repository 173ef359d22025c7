// Engines: what orders and keeps publications, as the configuration wants it.
#pragma once

#include <memory>

#include "base/clock.h"
#include "base/random.h"
#include "carillon/result.h"
#include "carillon/server_options.h"
#include "engine/log/log_engine.h"
#include "engine/memory/memory_engine.h"
#include "engine/redis/redis_engine.h"
#include "os/system_files.h"
#include "server/channel_rules.h"

namespace carillon {

class RedisThread;

class Engines {
 public:
  ~Engines();
  // The arguments outlive it.
  static Result<std::unique_ptr<Engines>> open(const ServerOptions& options, const ChannelRules& rules, const Clock& clock,
                                               Random& random);

  Engine& engine();
  // Keeps presence and what has no history beside the log, and all there is where nothing else does.
  MemoryEngine& memory() { return memory_; }
  // Null: another engine.
  LogEngine* log() { return log_.get(); }
  RedisEngine* redis();

  // Behind the hub's construction. Errors: kUnavailable: Redis cannot be used; the text says why.
  Result<void> start();

  // Drops from memory what is too old. To be called every few seconds, any thread.
  void expire() { memory_.expire(); }
  // After it every completion has been called, and no more will be. While the loops that hear of them are there still.
  void stop();

 private:
  Engines(const ServerOptions& options, const ChannelRules& rules, const Clock& clock, Random& random);

  SystemFiles files_;
  MemoryEngine memory_;
  std::unique_ptr<LogEngine> log_;
  std::unique_ptr<RedisThread> redis_;
};

}  // namespace carillon
