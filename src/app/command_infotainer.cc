#include <CLI/CLI.hpp>
#include <cstdio>
#include <memory>

#include "app/client_flags.h"
#include "app/commands.h"
#include "base/uuid_text.h"
#include "client/infotainer_client.h"

namespace carillon {
namespace {

constexpr const char* kFooter = R"(
Reads commands from standard input, one a line, and prints every publication that it hears of:
  PublishText UUID TEXT    publish the rest of the line
  Subscribe UUID           hear of what is published there; it is remembered for the session
  Unsubscribe UUID         hear no more of it

What the server refuses, and lines that are no commands, are answered on standard error. When the input ends, the command
says goodbye, unless --stay is given.

Examples:
  carillon infotainer
  echo "Subscribe 00112233-4455-6677-8899-aabbccddeeff" | carillon infotainer --stay
  carillon infotainer --session 6ba7b810-9dad-41d1-80b4-00c04fd430c8     # with the subscriptions of that session

Exit codes: 0 the input has ended, 1 the server could not be reached or closed the connection, 2 the command line was wrong.)";

struct InfotainerFlags {
  ClientFlags client;
  InfotainerClientOptions options;
};

class Printer : public InfotainerListener {
 public:
  void on_print(std::string_view text) override {
    std::fwrite(text.data(), 1, text.size(), stdout);
    std::fflush(stdout);
  }
  void on_fault(std::string_view text) override { std::fwrite(text.data(), 1, text.size(), stderr); }
};

void infotainer(InfotainerFlags& flags) {
  if (!flags.options.session.empty() && !parse_uuid(flags.options.session)) {
    throw CLI::ValidationError("--session", "is a UUID, such as 6ba7b810-9dad-41d1-80b4-00c04fd430c8");
  }
  flags.options.bearer = flags.client.bearer();
  Printer printer;
  const Result<void> outcome = InfotainerClient(flags.client.parsed_url(), flags.options, printer).run();
  if (!outcome) fail_command(outcome.error().text.c_str());
}

}  // namespace

void add_infotainer_command(CLI::App& program) {
  CLI::App* command = program.add_subcommand("infotainer", "Talk with the server in infotainer's protocol (CBOR)");
  const auto flags = std::make_shared<InfotainerFlags>();
  command->add_option("--session", flags->options.session, "The session to speak for; without, a new one")->type_name("UUID");
  command->add_flag("--stay", flags->options.stay, "Hear on when the input has ended");
  command->add_option("--path", flags->options.path, "Below which the server has its sessions")
      ->type_name("PATH")
      ->capture_default_str();
  flags->client.add_to(*command);
  command->footer(kFooter);
  command->callback([flags] { infotainer(*flags); });
}

}  // namespace carillon
