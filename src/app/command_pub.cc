#include <CLI/CLI.hpp>
#include <cstdio>
#include <iostream>
#include <iterator>
#include <memory>

#include "app/client_flags.h"
#include "app/commands.h"
#include "base/id.h"
#include "client/client_socket.h"
#include "client/hub_client.h"

namespace carillon {
namespace {

constexpr const char* kFooter = R"(
DATA is one JSON text; `-` reads it from standard input, and without it the data is null. Each publication is answered
by a receipt, printed as one line of JSON: its channel, its id, and where the channel keeps history its position.

Examples:
  carillon pub room:42 new_msg '{"text":"hello"}'
  carillon pub room:42 new_msg --text 'hello'
  carillon pub builds:7 log - < report.json
  tail -f events.jsonl | carillon pub room:42 new_msg --lines
  carillon pub orders:9 paid '{"sum":5}' --idempotency-key order-9-paid   # repeated, it is published once

Exit codes: 0 published, 1 refused by the server or it could not be reached (with --lines: at the first such line),
2 the command line was wrong.)";

struct PubFlags {
  ClientFlags client;
  PublishCall call;
  bool text = false;
  bool lines = false;
};

// What is to be published, as a JSON text.
std::string json_data(const PubFlags& flags, std::string_view given, const std::string& where) {
  if (flags.text) return json_text_of(given);
  const Result<void> checked = check_json(given);
  if (!checked) {
    fail_command((where + " is no JSON (" + checked.error().text + "); --text sends it as a JSON string").c_str());
  }
  return std::string(given);
}

void publish(HubClient& client, const PublishCall& call, const std::string& where) {
  const Result<std::string> receipt = client.publish(call);
  if (!receipt) fail_command((where + receipt.error().text).c_str());
  std::printf("%s\n", receipt->c_str());
  std::fflush(stdout);
}

void publish_lines(PubFlags& flags, HubClient& client) {
  std::string line;
  for (std::size_t number = 1; std::getline(std::cin, line); ++number) {
    if (line.ends_with('\r')) line.pop_back();
    if (line.empty()) continue;
    const std::string where = "line " + std::to_string(number);
    flags.call.data = json_data(flags, line, where);
    // A key of its own lets the client send a line again when the kept connection turns out to be gone.
    flags.call.idempotency_key = hex_text(random_u64()) + hex_text(random_u64());
    publish(client, flags.call, where + ": ");
  }
}

void pub(PubFlags& flags) {
  HubClient client(flags.client.parsed_url(), {.bearer = flags.client.bearer()});
  if (flags.lines) return publish_lines(flags, client);
  std::string given = flags.call.data;
  if (given == "-") {
    given.assign(std::istreambuf_iterator<char>(std::cin), {});
    if (flags.text && given.ends_with('\n')) given.pop_back();
  }
  flags.call.data = json_data(flags, given, "DATA");
  publish(client, flags.call, "");
}

}  // namespace

void add_pub_command(CLI::App& program) {
  CLI::App* command = program.add_subcommand("pub", "Publish to a channel");
  const auto flags = std::make_shared<PubFlags>();
  flags->call.data = "null";
  command->add_option("CHANNEL", flags->call.channel, "Where to publish, such as room:42")->required();
  command->add_option("EVENT", flags->call.event, "What happened, such as new_msg")->required();
  CLI::Option* data = command->add_option("DATA", flags->call.data, "One JSON text, or - for standard input");
  CLI::Option* lines =
      command->add_flag("--lines", flags->lines, "Publish each line of standard input; empty ones are skipped");
  command->add_flag("--text", flags->text, "The data is plain text: send it as a JSON string");
  command->add_option("--idempotency-key", flags->call.idempotency_key, "Publish once, however often this is repeated")
      ->type_name("KEY")
      ->excludes(lines);
  flags->client.add_to(*command);
  command->footer(kFooter);
  command->callback([flags, data] {
    if (flags->lines && data->count() > 0 && flags->call.data != "-") {
      throw CLI::ValidationError("--lines", "reads the data from standard input; leave DATA out");
    }
    pub(*flags);
  });
}

}  // namespace carillon
