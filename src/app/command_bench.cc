#include "app/command_bench.h"

#include <fmt/core.h>

#include <CLI/CLI.hpp>
#include <atomic>
#include <csignal>
#include <cstdio>
#include <memory>

#include "client/load/load_generator.h"

namespace carillon {
namespace {

constexpr int kFailed = 1;
constexpr int kWrongCommandLine = 2;

constexpr const char* kFooter = R"(
Without options: 1000 subscribers of one channel, one publisher, 16 publishes of 128 bytes in flight, for five seconds. The
channels are called bench:00001 and so on; the server must let anybody publish and subscribe there.

Examples:
  carillon bench                                      # the default server on this machine
  carillon bench --server-pid $(pidof carillon)       # and what it costs that process
  carillon bench --rate 50                            # latency at 50 publishes a second
  carillon bench --subscribers 10000 --topics 1000    # a thousand channels of ten
  carillon bench --idle 10000 --server-pid PID        # memory of a connection that only waits
  carillon bench --handshakes 50000                   # connections opened a second
  carillon bench --protocol bayeux --transport long-polling   # clients that poll, as CometD's do
  carillon bench presence                             # crowds that see each other come
  carillon bench channels                             # the channel runtime alone, without any server

Reading the result: a closed loop (--window) finds the highest rate the server keeps up with, and its latency is that of a full
server; for latency as users meet it, use --rate, well below that. When "generator busy" is near 100 %, deliveries a second are
the generator's figure and not the server's; server CPU a delivery holds nevertheless. When "others on the machine" used more
than some 7 % of a core, measure again. The generator uses one core whole unless --gentle is given; on one machine keep it
and the server apart: taskset -c 1 carillon bench ...

Exit codes: 0 measured, 1 it could not be measured, 2 the command line was wrong.)";

struct BenchCommand {
  LoadOptions load;
  std::uint32_t idle = 0;
  std::uint32_t handshakes = 0;
  bool floor = false;
  std::string protocol = "native";
  std::string transport = "websocket";
  bool gentle = false;
  bool json = false;
};

std::atomic<bool> interrupted = false;

LoadDialect dialect_of(const BenchCommand& command) {
  const bool polls = command.transport == "long-polling";
  if (polls && command.protocol != "bayeux") {
    throw CLI::ValidationError("--transport", "long-polling needs --protocol bayeux");
  }
  if (command.floor) return polls ? LoadDialect::kFloorPolls : LoadDialect::kFloor;
  if (command.protocol == "bayeux") return polls ? LoadDialect::kBayeuxPolls : LoadDialect::kBayeux;
  return command.protocol == "phoenix" ? LoadDialect::kPhoenix : LoadDialect::kNative;
}

void run_bench(BenchCommand& command) {
  LoadOptions& load = command.load;
  if (command.idle > 0) {
    load.measure = LoadOptions::Measure::kIdle;
    load.subscribers = command.idle;
  } else if (command.handshakes > 0) {
    load.measure = LoadOptions::Measure::kHandshakes;
    load.subscribers = command.handshakes;
  }
  load.dialect = dialect_of(command);
  load.spin = !command.gentle;
  load.stop = &interrupted;
  std::signal(SIGINT, [](int) { interrupted = true; });
  std::signal(SIGTERM, [](int) { interrupted = true; });

  const auto report = run_load(load);
  if (!report) {
    fmt::print(stderr, "carillon bench: {}\n", report.error().text);
    throw CLI::RuntimeError(report.error().kind == ErrorKind::kInvalid ? kWrongCommandLine : kFailed);
  }
  const std::string text = command.json ? load_report_json(*report) + '\n' : load_report_text(*report);
  if (std::fwrite(text.data(), 1, text.size(), stdout) != text.size() || std::fflush(stdout) != 0) {
    throw CLI::RuntimeError(kFailed);
  }
}

void add_options(CLI::App& bench, BenchCommand& command) {
  LoadOptions& load = command.load;
  bench.add_option("--url", load.url, "The server's native endpoint")->capture_default_str();
  bench.add_option("--subscribers", load.subscribers, "Connections that listen, in all")->capture_default_str();
  bench.add_option("--publishers", load.publishers, "Connections that publish")->capture_default_str();
  bench.add_option("--topics", load.topics, "Channels; subscriber i hears channel i modulo this")->capture_default_str();
  bench.add_option("--bystanders", load.bystanders, "Further connections, on a channel where nothing happens")
      ->capture_default_str();
  bench.add_option("--payload", load.payload_size, "Bytes of data in a message, at least 32")->capture_default_str();
  bench.add_option("--duration", load.duration_s, "Seconds to measure, or to hold idle connections")->capture_default_str();
  bench.add_option("--warmup", load.warmup_s, "Seconds of traffic before measuring")->capture_default_str();

  auto* window = bench.add_option("--window", load.window, "Closed loop: publishes in flight until everybody heard them");
  auto* rate = bench.add_option("--rate", load.rate, "Open loop: publishes a second, heard or not");
  window->capture_default_str()->excludes(rate);
  auto* idle = bench.add_option("--idle", command.idle, "Open so many subscribed connections and hold them; publish nothing");
  bench.add_option("--handshakes", command.handshakes, "Open so many connections as fast as may be; publish nothing")
      ->excludes(idle);

  bench.add_option("--server-pid", load.server_pid,
                   "The server's process, to measure its CPU time and memory; same machine only");
  bench.add_flag("--json", command.json, "One JSON object instead of a table");
  bench.add_flag("--gentle", command.gentle, "Sleep until something comes, instead of asking the kernel all the time");
  bench
      .add_option("--protocol", command.protocol,
                  "What subscribers speak: native, phoenix (V2, at /socket) or bayeux (at /cometd); publishers speak the "
                  "native protocol")
      ->check(CLI::IsMember({"native", "phoenix", "bayeux"}))
      ->capture_default_str();
  bench.add_option("--transport", command.transport, "How subscribers do: websocket, or long-polling (of bayeux)")
      ->check(CLI::IsMember({"websocket", "long-polling"}))
      ->capture_default_str();
  bench.add_flag("--floor", command.floor, "The server is the plain floor of bench/floor.cc, no Carillon");
}

// Options before a command of bench are not that command's.
void refuse_options_before_command(const CLI::App& bench) {
  for (const CLI::Option* option : bench.get_options()) {
    if (option->count() == 0) continue;
    throw CLI::ValidationError(option->get_name(), fmt::format("belongs to `carillon bench` itself, without `{}`",
                                                               bench.get_subcommands().front()->get_name()));
  }
}

}  // namespace

void add_bench_command(CLI::App& program) {
  const auto command = std::make_shared<BenchCommand>();
  CLI::App* bench = program.add_subcommand("bench", "Load a running server and measure what it delivers");
  bench->footer(kFooter);
  add_options(*bench, *command);
  add_bench_channels_command(*bench);
  add_bench_presence_command(*bench);
  bench->parse_complete_callback([bench] {
    if (!bench->get_subcommands().empty()) refuse_options_before_command(*bench);
  });
  bench->final_callback([bench, command] {
    if (bench->get_subcommands().empty()) run_bench(*command);
  });
}

}  // namespace carillon
