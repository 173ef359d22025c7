#include "server/engines.h"

#include "server/part_options.h"
#include "server/redis_thread.h"

namespace carillon {

Engines::Engines(const ServerOptions& options, const ChannelRules& rules, const Clock& clock, Random& random)
    : memory_(clock, random, memory_engine_options(options, rules)) {}

Result<std::unique_ptr<Engines>> Engines::open(const ServerOptions& options, const ChannelRules& rules, const Clock& clock,
                                               Random& random) {
  std::unique_ptr<Engines> engines(new Engines(options, rules, clock, random));
  if (options.engine.kind == "memory") return engines;
  if (options.engine.kind == "redis") {
    Result<std::unique_ptr<RedisThread>> redis = RedisThread::open(clock, random, redis_engine_options(options, rules));
    if (!redis) return redis.error();
    engines->redis_ = *std::move(redis);
    return engines;
  }
  Result<std::unique_ptr<LogEngine>> log =
      LogEngine::open(engines->files_, clock, random, engines->memory_, log_engine_options(options, rules));
  if (!log) return log.error();
  engines->log_ = *std::move(log);
  return engines;
}

Engines::~Engines() = default;

Engine& Engines::engine() {
  if (redis_ != nullptr) return redis_->engine();
  return log_ == nullptr ? static_cast<Engine&>(memory_) : *log_;
}

RedisEngine* Engines::redis() {
  return redis_ == nullptr ? nullptr : &redis_->engine();
}

Result<void> Engines::start() {
  return redis_ == nullptr ? Result<void>() : redis_->start();
}

void Engines::stop() {
  if (redis_ != nullptr) redis_->stop();
  if (log_ != nullptr) log_->stop();
}

}  // namespace carillon
