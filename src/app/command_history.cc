#include <CLI/CLI.hpp>
#include <cstdio>
#include <memory>

#include "app/client_flags.h"
#include "app/commands.h"
#include "client/hub_client.h"

namespace carillon {
namespace {

constexpr const char* kFooter = R"(
Prints what the channel has kept, each event as one line of JSON, the oldest first. When --since names a position after which
something is gone already, that is said on standard error, and what is kept follows.

Examples:
  carillon history room:42
  carillon history room:42 --limit 5 --reverse       # the newest five
  carillon history room:42 --since 1f3a5b:120        # what came after the event with this epoch and offset

Exit codes: 0 done, 1 refused by the server or it could not be reached, 2 the command line was wrong.)";

struct HistoryFlags {
  ClientFlags client;
  HistoryCall call;
  std::string since;
};

void history(HistoryFlags& flags) {
  if (!flags.since.empty()) {
    Result<ClientPosition> position = parse_position(flags.since);
    if (!position) throw CLI::ValidationError("--since", position.error().text);
    flags.call.since = *std::move(position);
  }
  HubClient client(flags.client.parsed_url(), {.bearer = flags.client.bearer()});
  const Result<HistoryAnswer> answer = client.history(flags.call);
  if (!answer) fail_command(answer.error().text.c_str());
  if (!answer->complete) {
    std::fprintf(stderr, "carillon: some events after %s are not kept any more\n", flags.since.c_str());
  }
  for (const std::string& event : answer->events) std::printf("%s\n", event.c_str());
  if (std::fflush(stdout) != 0) fail_command("cannot write to standard output");
}

}  // namespace

void add_history_command(CLI::App& program) {
  CLI::App* command = program.add_subcommand("history", "Print what a channel has kept");
  const auto flags = std::make_shared<HistoryFlags>();
  command->add_option("CHANNEL", flags->call.channel, "The channel, such as room:42")->required();
  command->add_option("--limit", flags->call.count_max, "At most this many events")
      ->type_name("N")
      ->check(CLI::PositiveNumber)
      ->capture_default_str();
  command->add_option("--since", flags->since, "Only what came after this position (before it, with --reverse)")
      ->type_name("EPOCH:OFFSET");
  command->add_flag("--reverse", flags->call.reverse, "The newest first");
  flags->client.add_to(*command);
  command->footer(kFooter);
  command->callback([flags] { history(*flags); });
}

}  // namespace carillon
