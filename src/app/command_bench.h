// `carillon bench`: loads a running server, so that its users can see what it delivers on their machine.
#pragma once

namespace CLI {
class App;
}

namespace carillon {

// Adds the command to the program; it runs while the command line is parsed. Ends with exit code 0 when it has measured, 1 when
// it could not, 2 when its options make no sense.
void add_bench_command(CLI::App& program);

// Adds `channels` to it: the channel runtime alone, without a server.
void add_bench_channels_command(CLI::App& bench);

// Adds `presence` to it: crowds that become present in a channel.
void add_bench_presence_command(CLI::App& bench);

}  // namespace carillon
