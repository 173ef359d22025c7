#include "server/load_options.h"

#include <fmt/core.h>

#include <algorithm>

#include "server/check_options.h"
#include "server/config_file.h"
#include "server/settings.h"

namespace carillon {
namespace {

Result<void> set_message_max(ServerOptions& options, const std::string& text) {
  Result<void> set = set_option(options, {.name = "limits.message_bytes", .shown = "--message-max", .text = text});
  if (!set) return set;
  LimitsOptions& limits = options.limits;
  limits.body_bytes = std::max(limits.body_bytes, limits.message_bytes);
  if (limits.outbox_bytes < message_room(limits.message_bytes)) limits.outbox_bytes = 2 * limits.message_bytes;
  limits.outbox_memory_bytes = std::max(limits.outbox_memory_bytes, limits.outbox_bytes);
  options.engine.history_bytes_max = std::max(options.engine.history_bytes_max, limits.message_bytes);
  return {};
}

}  // namespace

Result<ServerOptions> load_options(const OptionSources& sources) {
  ServerOptions options = program_defaults();
  if (!sources.config_path.empty()) {
    if (const Result<void> read = read_config_file(sources.config_path, options); !read) return read.error();
  }
  if (const Result<void> applied = apply_environment(options, sources.environment); !applied) return applied.error();
  for (const OptionFlag& flag : sources.flags) {
    const Result<void> set = set_option(options, {.name = flag.name, .shown = flag.shown, .text = flag.text});
    if (!set) return set.error();
  }
  if (sources.message_max) {
    if (const Result<void> set = set_message_max(options, *sources.message_max); !set) return set.error();
  }
  if (const Result<void> checked = check_options(options); !checked) return checked.error();
  return options;
}

}  // namespace carillon
