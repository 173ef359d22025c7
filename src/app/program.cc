#include "app/program.h"

#include <CLI/CLI.hpp>
#include <cstdio>
#include <string>
#include <vector>

#include "app/command_bench.h"
#include "app/commands.h"
#include "server/nearest_word.h"

namespace carillon {
namespace {

constexpr int kFailed = 1;
constexpr int kWrongCommandLine = 2;

constexpr const char* kFooter = R"(
Three lines to try, each in a terminal of its own:
  carillon serve
  carillon sub room:42
  carillon pub room:42 new_msg '{"text":"hello"}'

Exit codes: 0 done, 1 it could not be done, 2 the command line was wrong.)";

// For a first word that is no command.
void suggest_command(const CLI::App& program) {
  const std::vector<std::string> words = program.remaining();
  if (words.empty()) return;
  std::vector<std::string> names;
  for (const CLI::App* command : program.get_subcommands([](const CLI::App*) { return true; })) {
    names.push_back(command->get_name());
  }
  const std::vector<std::string_view> known(names.begin(), names.end());
  const std::string_view nearest = nearest_word(words.front(), known);
  if (!nearest.empty()) std::fprintf(stderr, "Did you mean `%s`?\n", std::string(nearest).c_str());
}

}  // namespace

int run_program(int argc, const char* const* argv) {
  CLI::App program("A real-time event hub: publish once, and every subscribed client hears it, in order.", "carillon");
  program.require_subcommand(0, 1);  // None is answered below, with the list of all.
  program.footer(kFooter);
  add_serve_command(program);
  add_pub_command(program);
  add_sub_command(program);
  add_history_command(program);
  add_presence_command(program);
  add_infotainer_command(program);
  add_log_command(program);
  add_token_command(program);
  add_check_config_command(program);
  add_bench_command(program);
  add_version_command(program);

  try {
    program.parse(argc, argv);
    if (!program.get_subcommands().empty()) return 0;
    std::fputs(program.help().c_str(), stderr);
    return kWrongCommandLine;
  } catch (const CLI::RuntimeError& error) {
    return error.get_exit_code();
  } catch (const CLI::ParseError& error) {
    const int code = program.exit(error);
    if (code != 0 && program.get_subcommands().empty()) suggest_command(program);
    return code == 0 ? 0 : kWrongCommandLine;
  }
}

void fail_command(const char* text) {
  std::fflush(stdout);
  std::fprintf(stderr, "carillon: %s\n", text);
  throw CLI::RuntimeError(kFailed);
}

}  // namespace carillon
