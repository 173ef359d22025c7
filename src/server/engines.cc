#include "server/engines.h"

#include "server/part_options.h"

namespace carillon {

Engines::Engines(const ServerOptions& options, const ChannelRules& rules, const Clock& clock, Random& random)
    : memory_(clock, random, memory_engine_options(options, rules)) {}

Result<std::unique_ptr<Engines>> Engines::open(const ServerOptions& options, const ChannelRules& rules, const Clock& clock,
                                               Random& random) {
  std::unique_ptr<Engines> engines(new Engines(options, rules, clock, random));
  if (options.engine.kind == "memory") return engines;
  Result<std::unique_ptr<LogEngine>> log =
      LogEngine::open(engines->files_, clock, random, engines->memory_, log_engine_options(options, rules));
  if (!log) return log.error();
  engines->log_ = *std::move(log);
  return engines;
}

void Engines::stop() {
  if (log_ != nullptr) log_->stop();
}

}  // namespace carillon
