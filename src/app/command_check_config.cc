#include <unistd.h>

#include <CLI/CLI.hpp>
#include <cstdio>
#include <memory>

#include "app/commands.h"
#include "server/load_options.h"
#include "server/settings.h"

namespace carillon {
namespace {

constexpr const char* kFooter = R"(
Reads the file and the environment as `carillon serve --config FILE` would, starts nothing, and says `ok` or every key and
value that is wrong, with its line and column.

Examples:
  carillon check-config carillon.toml
  carillon check-config carillon.toml --print     # what every setting would be, as TOML, secrets hidden

Exit codes: 0 the configuration is good, 1 it is not, 2 the command line was wrong.)";

struct CheckFlags {
  std::string path;
  bool print = false;
};

void check_config(const CheckFlags& flags) {
  const Result<ServerOptions> options = load_options({.config_path = flags.path, .environment = environ});
  if (!options) fail_command(options.error().text.c_str());
  if (flags.print) {
    std::printf("# ok: what %s and the environment set, and the defaults of the rest\n\n%s", flags.path.c_str(),
                options_toml(*options).c_str());
  } else {
    std::printf("ok\n");
  }
}

}  // namespace

void add_check_config_command(CLI::App& program) {
  CLI::App* command = program.add_subcommand("check-config", "Say whether a configuration file is good");
  const auto flags = std::make_shared<CheckFlags>();
  command->add_option("FILE", flags->path, "The configuration file (TOML)")->required();
  command->add_flag("--print", flags->print, "Show what every setting would be");
  command->footer(kFooter);
  command->callback([flags] { check_config(*flags); });
}

}  // namespace carillon
