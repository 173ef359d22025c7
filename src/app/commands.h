// The commands of the program. Each adds itself, with its flags and its help, to the command line.
#pragma once

namespace CLI {
class App;
}

namespace carillon {

void add_serve_command(CLI::App& program);
void add_pub_command(CLI::App& program);
void add_sub_command(CLI::App& program);
void add_history_command(CLI::App& program);
void add_presence_command(CLI::App& program);
void add_infotainer_command(CLI::App& program);
void add_log_command(CLI::App& program);
void add_token_command(CLI::App& program);
void add_check_config_command(CLI::App& program);
void add_version_command(CLI::App& program);

// For a command that cannot do what it should: says so on standard error and ends the program with exit code 1.
[[noreturn]] void fail_command(const char* text);

}  // namespace carillon
