#include <CLI/CLI.hpp>
#include <cstdio>
#include <memory>

#include "app/client_flags.h"
#include "app/commands.h"
#include "client/subscriber.h"

namespace carillon {
namespace {

constexpr const char* kFooter = R"(
Prints every event as one line of JSON, at once. What else there is to say (a lost connection, events that could not be
recovered) goes to standard error. When the connection is lost it comes back by itself and goes on after the last event
printed.

With --presence there are further lines: {"type":"present",…} for everybody who is there at first, which after a lost
connection replaces what was printed before; {"type":"join",…} and {"type":"leave",…} from then on, both for who says anew what it
is; {"type":"presence_stats",…} where there are too many to name. The command itself is not among them.

With --group the program is a member of that queue group: the group's members share the events of the channel, each is printed by one
of them, with its `delivery` and `attempt`, and acknowledged once it is printed. With --ack never it is not, and comes again. The group
remembers how far it has come. The first member makes it and decides with --since-beginning or --recover where it begins (else: now).

A repository's channel hears its sub-channels (repo:alice/app hears repo:alice/app/prs); `all` hears everything.

Examples:
  carillon sub room:42
  carillon sub repo:alice/app org:acme --dotted
  carillon sub room:42 --since-beginning --count 10
  carillon sub room:42 --recover 1f3a5b:120        # after the event with this epoch and offset
  carillon sub room:42 --presence                  # who comes and goes, too
  carillon sub jobs --group workers                # shares the events with others who say the same
  carillon sub room:42 | jq .data

Exit codes: 0 after --count events, 1 the server could not be reached at first or refused, 2 the command line was wrong.)";

struct SubFlags {
  ClientFlags client;
  SubscriberOptions options;
  std::string recover;
  std::size_t count = 0;  // 0: without end.
  bool no_reconnect = false;
  SubscriberGroup group;
  std::string ack = "auto";
};

class Printer : public SubscriberListener {
 public:
  explicit Printer(std::size_t count) : left_(count) {}

  bool on_event(std::string_view line) override {
    print(line);
    print("\n");
    return flushed() && (left_ == 0 || --left_ > 0);
  }
  bool on_presence(std::string_view lines) override {
    print(lines);
    return flushed();
  }
  void on_notice(std::string_view text) override {
    std::fprintf(stderr, "carillon: %.*s\n", static_cast<int>(text.size()), text.data());
  }
  bool failed() const { return failed_; }

 private:
  void print(std::string_view text) {
    if (std::fwrite(text.data(), 1, text.size(), stdout) != text.size()) failed_ = true;
  }
  bool flushed() {
    if (std::fflush(stdout) != 0) failed_ = true;
    return !failed_;
  }

  std::size_t left_;
  bool failed_ = false;
};

void sub(SubFlags& flags) {
  if (!flags.recover.empty()) {
    Result<ClientPosition> position = parse_position(flags.recover);
    if (!position) throw CLI::ValidationError("--recover", position.error().text);
    if (flags.options.start.channels.size() != 1) {
      throw CLI::ValidationError("--recover", "is the position in one channel; name only one");
    }
    flags.options.start.recover = *std::move(position);
  }
  if (!flags.group.name.empty()) {
    flags.group.acknowledge = flags.ack == "auto";
    flags.options.start.group = flags.group;
  }
  flags.options.bearer = flags.client.bearer();
  flags.options.reconnect = !flags.no_reconnect;
  Printer printer(flags.count);
  const Result<void> outcome = Subscriber(flags.client.parsed_url(), flags.options, printer).run();
  if (!outcome) fail_command(outcome.error().text.c_str());
  if (printer.failed()) fail_command("cannot write to standard output");
}

}  // namespace

void add_sub_command(CLI::App& program) {
  CLI::App* command = program.add_subcommand("sub", "Subscribe to channels and print their events");
  const auto flags = std::make_shared<SubFlags>();
  command->add_option("CHANNEL", flags->options.start.channels, "What to hear, such as room:42 or repo:alice/app")->required();
  command->add_flag("--dotted", flags->options.dotted, "Event kinds as pr.opened rather than pr_opened");
  CLI::Option* recover =
      command->add_option("--recover", flags->recover, "Begin after this position of the channel")->type_name("EPOCH:OFFSET");
  command->add_flag("--since-beginning", flags->options.start.since_beginning, "Begin with all that the channels have kept")
      ->excludes(recover);
  command->add_flag("--presence", flags->options.start.presence, "Print who is in the channels, who comes and who goes");
  CLI::Option* group = command->add_option("--group", flags->group.name, "Be a member of this queue group")->type_name("NAME");
  command->get_option("--presence")->excludes(group);
  command->add_option("--ack", flags->ack, "When an event counts as handled: once it is printed, or never")
      ->type_name("auto|never")
      ->check(CLI::IsMember({"auto", "never"}))
      ->needs(group);
  command->add_option("--in-flight", flags->group.in_flight, "Have at most so many events unacknowledged")
      ->type_name("N")
      ->check(CLI::PositiveNumber)
      ->needs(group);
  command->add_option("--visibility-ms", flags->group.visibility_ms, "An event not acknowledged within this time comes again")
      ->type_name("MS")
      ->needs(group);
  command->add_option("--deliveries-max", flags->group.deliveries_max, "After so many deliveries an event is dead; 0: never")
      ->type_name("N")
      ->needs(group);
  command->add_option("--dead-letter", flags->group.dead_letter, "The channel for dead events")
      ->type_name("CHANNEL")
      ->needs(group);
  command->add_option("--count", flags->count, "End after this many events")->type_name("N")->check(CLI::PositiveNumber);
  command->add_flag("--no-reconnect", flags->no_reconnect, "End when the connection is lost");
  command->add_option("--path", flags->options.path, "Where the server has its native WebSocket")
      ->type_name("PATH")
      ->capture_default_str();
  flags->client.add_to(*command);
  command->footer(kFooter);
  command->callback([flags] { sub(*flags); });
}

}  // namespace carillon
