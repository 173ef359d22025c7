#include <fmt/core.h>

#include <CLI/CLI.hpp>
#include <atomic>
#include <csignal>
#include <cstdio>
#include <memory>

#include "app/command_bench.h"
#include "client/load/presence_load.h"

namespace carillon {
namespace {

constexpr int kFailed = 1;
constexpr int kWrongCommandLine = 2;

constexpr const char* kPresenceFooter = R"(
Crowds of several sizes become present in one channel each, all at once, everybody watching everybody. The server's rule for the
channels (bench:presence:1000 and so on) must have `presence = true`, and its limits room for the connections.

Examples:
  carillon bench presence --server-pid $(pidof carillon)
  carillon bench presence --members 500,1000 --protocol phoenix
  carillon bench presence --json

Reading the result: "settled" is the time from the first subscribe to the last message. Up to `presence.list_max` members each
newcomer is told to everybody, so bytes grow with the square of the members, less what one turn or `presence.period` gathers; beyond
it only counts are told, and bytes for each member stay level. "list" is the whole channel over the HTTP API. The load and the server
share a machine's cores: keep them apart (taskset) to trust the times.

Exit codes: 0 measured, 1 it could not be measured, 2 the command line was wrong.)";

struct PresenceCommand {
  PresenceLoadOptions load;
  bool json = false;
};

std::atomic<bool> interrupted = false;

void run_presence(PresenceCommand& command) {
  command.load.stop = &interrupted;
  std::signal(SIGINT, [](int) { interrupted = true; });
  std::signal(SIGTERM, [](int) { interrupted = true; });
  const auto rows = run_presence_load(command.load);
  if (!rows) {
    fmt::print(stderr, "carillon bench presence: {}\n", rows.error().text);
    throw CLI::RuntimeError(rows.error().kind == ErrorKind::kInvalid ? kWrongCommandLine : kFailed);
  }
  const std::string text = command.json ? presence_load_json(*rows) + '\n' : presence_load_text(*rows);
  if (std::fwrite(text.data(), 1, text.size(), stdout) != text.size() || std::fflush(stdout) != 0) {
    throw CLI::RuntimeError(kFailed);
  }
}

}  // namespace

void add_bench_presence_command(CLI::App& bench) {
  const auto command = std::make_shared<PresenceCommand>();
  PresenceLoadOptions& load = command->load;
  CLI::App* presence = bench.add_subcommand("presence", "Let crowds become present, and measure what telling each other costs");
  presence->add_option("--url", load.url, "The server's native endpoint")->capture_default_str();
  presence->add_option("--members", load.members, "Sizes of the crowds, in their order")->delimiter(',')->capture_default_str();
  presence
      ->add_option_function<std::string>(
          "--protocol",
          [&load](const std::string& name) { load.dialect = name == "native" ? LoadDialect::kNative : LoadDialect::kPhoenix; },
          "native or phoenix")
      ->check(CLI::IsMember({"native", "phoenix"}))
      ->default_str("native");
  presence->add_option("--channel", load.channel, "The channels' common beginning")->capture_default_str();
  presence->add_option("--api-key", load.bearer, "The server's API key; needed for the list where it has one");
  presence->add_option("--server-pid", load.server_pid, "The server's process, to measure its CPU time; same machine only");
  presence->add_flag("--json", command->json, "One JSON array instead of a table");
  presence->footer(kPresenceFooter);
  presence->callback([command] { run_presence(*command); });
}

}  // namespace carillon
