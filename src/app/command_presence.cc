#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdio>
#include <ctime>
#include <memory>

#include "app/client_flags.h"
#include "app/commands.h"
#include "client/hub_client.h"

namespace carillon {
namespace {

constexpr const char* kFooter = R"(
Prints who is in the channel, a line for each client: its key (the user, or `anonymous:` and the session), since when, its session
where the server shows it, and what it says of itself. Needs presence in the channel's rule, and what the HTTP API needs.

Examples:
  carillon presence room:42
  carillon presence room:42 --stats               # how many there are
  carillon presence room:42 --json | jq '.presence | keys'

Exit codes: 0 done, 1 refused by the server or it could not be reached, 2 the command line was wrong.)";

struct PresenceFlags {
  ClientFlags client;
  std::string channel;
  bool stats = false;
  bool json = false;
};

// A key is the client's to choose, so what could move a terminal's cursor or pass for another column is quoted.
std::string shown_key(const std::string& key) {
  const bool plain = std::none_of(key.begin(), key.end(), [](char c) {
    const auto byte = static_cast<unsigned char>(c);
    return byte <= 0x20 || byte == 0x7F || byte == '"';
  });
  return plain ? key : json_text_of(key);
}

std::string shown_time(std::int64_t unix_ms) {
  const std::time_t seconds = unix_ms / 1000;
  std::tm time{};
  char text[32];
  if (gmtime_r(&seconds, &time) == nullptr || std::strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", &time) == 0) return "-";
  return text;
}

void print_present(const PresenceAnswer& answer) {
  for (const PresentMember& member : answer.present) {
    fmt::print("{}  {}", shown_key(member.key), shown_time(member.online_at_ms));
    if (!member.session.empty()) fmt::print("  {}", member.session);
    if (!member.meta.empty()) fmt::print("  {}", member.meta);
    fmt::print("\n");
  }
}

void presence(const PresenceFlags& flags) {
  HubClient client(flags.client.parsed_url(), {.bearer = flags.client.bearer()});
  const Result<PresenceAnswer> answer = flags.stats ? client.presence_stats(flags.channel) : client.presence(flags.channel);
  if (!answer) fail_command(answer.error().text.c_str());
  if (flags.json) {
    fmt::print("{}\n", answer->body);
  } else if (flags.stats) {
    fmt::print("users {}\nmembers {}\n", answer->users, answer->members);
  } else {
    print_present(*answer);
  }
  if (std::fflush(stdout) != 0) fail_command("cannot write to standard output");
}

}  // namespace

void add_presence_command(CLI::App& program) {
  CLI::App* command = program.add_subcommand("presence", "Print who is in a channel");
  const auto flags = std::make_shared<PresenceFlags>();
  command->add_option("CHANNEL", flags->channel, "The channel, such as room:42")->required();
  command->add_flag("--stats", flags->stats, "Only how many: users, and members (their clients)");
  command->add_flag("--json", flags->json, "The server's answer as one line of JSON");
  flags->client.add_to(*command);
  command->footer(kFooter);
  command->callback([flags] { presence(*flags); });
}

}  // namespace carillon
