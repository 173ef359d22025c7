#include <CLI/CLI.hpp>
#include <cstdio>

#include "app/commands.h"

namespace carillon {

void add_version_command(CLI::App& program) {
  CLI::App* command = program.add_subcommand("version", "Print the program's version");
  command->footer(
      "\nPrints one line, such as `carillon 0.1.0`; the HTTP API tells the server's at GET /api/info.\n\nExit code: 0.");
  command->callback([] { std::printf("carillon %s\n", CARILLON_VERSION); });
}

}  // namespace carillon
