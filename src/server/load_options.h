// A server's options from everywhere they may be set. Any thread.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "carillon/result.h"
#include "carillon/server_options.h"

namespace carillon {

// One flag of the command line: `shown` is what the user wrote ("--loops"), `name` the setting ("server.loops").
struct OptionFlag {
  std::string shown;
  std::string name;
  std::string text;
};

struct OptionSources {
  std::string config_path;                   // Empty: no file.
  const char* const* environment = nullptr;  // As main() gets it; null: none.
  std::vector<OptionFlag> flags;             // The later wins.
  // --message-max: sets limits.message_bytes, and raises what must have room for such a message where it has none.
  std::optional<std::string> message_max;
};

// From program_defaults(): the file, then the environment, then the flags, each overriding the one before; then check_options.
Result<ServerOptions> load_options(const OptionSources& sources);

}  // namespace carillon
