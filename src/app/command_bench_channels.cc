#include <fmt/core.h>

#include <CLI/CLI.hpp>
#include <cstdio>
#include <memory>

#include "app/command_bench.h"
#include "client/load/channel_harness.h"

namespace carillon {
namespace {

constexpr int kFailed = 1;
constexpr int kWrongCommandLine = 2;

constexpr const char* kChannelsFooter = R"(
Measures the channel runtime of the library (carillon/channel_runtime.h) inside this process: no server, no sockets. Takes some
seconds.

Examples:
  carillon bench channels                                  # 1000 clients, 100 broadcasts to each
  carillon bench channels --clients 100 --broadcasts 0     # joins and leaves only
  carillon bench channels --adapter cluster_ready --json   # for programs

Reading the result:
  latency units    One unit is one message handed to one client; a delivery's latency is how many were handed over from its
                   broadcast on until it was its own turn. It tells how deep the fan-out is, not how long anything took.
  throughput       In a second of a core's time: broadcasts handled, flushed and walked to each recipient, at the number of
                   clients asked for.
  nanoseconds      Of a core's time, each call, the fastest of several rounds; at ten and a hundred times as many members too,
                   up to 200000. What grows there is the memory that no cache holds any more, not the work. "join, broadcast,
                   unflushed" alternates the two while the outbox grows: each broadcast names a longer list of recipients.
  the last line    The signature: all that does not depend on the machine, with a digest of every outbound's text. The same
                   options give the same line, everywhere.

Exit codes: 0 measured, 1 the result could not be written, 2 the command line was wrong.)";

struct ChannelsCommand {
  ChannelHarnessOptions harness;
  bool json = false;
};

void run_channels(const ChannelsCommand& command) {
  const auto report = run_channel_harness(command.harness);
  if (!report) {  // Only its options can be wrong.
    fmt::print(stderr, "carillon bench channels: {}\n", report.error().text);
    throw CLI::RuntimeError(kWrongCommandLine);
  }
  const std::string text = command.json ? channel_harness_json(*report) + '\n' : channel_harness_text(*report);
  if (std::fwrite(text.data(), 1, text.size(), stdout) != text.size() || std::fflush(stdout) != 0) {
    throw CLI::RuntimeError(kFailed);
  }
}

}  // namespace

void add_bench_channels_command(CLI::App& bench) {
  using Adapter = ChannelHarnessOptions::Adapter;
  const auto command = std::make_shared<ChannelsCommand>();
  ChannelHarnessOptions& harness = command->harness;
  CLI::App* channels = bench.add_subcommand("channels", "Measure the library's channel runtime, without a server");
  channels->add_option("--clients", harness.clients, "Members of the topic")->capture_default_str();
  channels->add_option("--broadcasts", harness.broadcasts, "Messages to all of them")->capture_default_str();
  channels->add_option("--topic", harness.topic, "The topic's name")->capture_default_str();
  channels
      ->add_option_function<std::string>(
          "--adapter",
          [&harness](const std::string& name) {
            harness.adapter = name == "single_node" ? Adapter::kSingleNode : Adapter::kClusterReady;
          },
          "single_node, or cluster_ready: refs with a node's name")
      ->check(CLI::IsMember({"single_node", "cluster_ready"}))
      ->default_str("single_node");
  channels->add_flag("--json", command->json, "One JSON object instead of a table");
  channels->footer(kChannelsFooter);
  channels->callback([command] { run_channels(*command); });
}

}  // namespace carillon
