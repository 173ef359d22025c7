// What processes and the machine have used so far, as /proc says (Linux). CPU times come in steps of 10 ms.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace carillon {

// User and system time of all the process's threads, in seconds; nothing when there is no such process.
std::optional<double> process_cpu_seconds(int pid);

// Resident memory in bytes; nothing when there is no such process.
std::optional<std::uint64_t> process_rss_bytes(int pid);

// What all cores together have worked, in seconds, time stolen by the machine's host included: whoever took it, we did not
// have it.
double machine_busy_seconds();

// The parsers behind them, for tests. Times are in clock ticks.
std::optional<std::uint64_t> parse_process_cpu_ticks(std::string_view stat);
std::optional<std::uint64_t> parse_kilobytes(std::string_view text, std::string_view key);  // "Rss:  123 kB"
std::optional<std::uint64_t> parse_machine_busy_ticks(std::string_view stat);

}  // namespace carillon
