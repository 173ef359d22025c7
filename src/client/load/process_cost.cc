#include "client/load/process_cost.h"

#include <fmt/core.h>
#include <unistd.h>

#include <charconv>
#include <fstream>
#include <iterator>
#include <string>

namespace carillon {
namespace {

std::optional<std::string> file_text(const std::string& path) {
  std::ifstream file(path);
  if (!file) return std::nullopt;
  return std::string(std::istreambuf_iterator<char>(file), {});
}

std::string_view next_word(std::string_view& text) {
  text.remove_prefix(std::min(text.find_first_not_of(" \t"), text.size()));
  const std::string_view word = text.substr(0, text.find_first_of(" \t\n"));
  text.remove_prefix(word.size());
  return word;
}

std::optional<std::uint64_t> to_number(std::string_view word) {
  std::uint64_t number = 0;
  const auto [end, error] = std::from_chars(word.data(), word.data() + word.size(), number);
  if (error != std::errc() || end != word.data() + word.size()) return std::nullopt;
  return number;
}

double to_seconds(std::uint64_t ticks) {
  return static_cast<double>(ticks) / static_cast<double>(sysconf(_SC_CLK_TCK));
}

}  // namespace

// proc(5): the second field is the program's name in parentheses, which may itself hold spaces and parentheses; utime and
// stime are fields 14 and 15.
std::optional<std::uint64_t> parse_process_cpu_ticks(std::string_view stat) {
  const std::size_t name_end = stat.rfind(')');
  if (name_end == std::string_view::npos) return std::nullopt;
  stat.remove_prefix(name_end + 1);
  for (int field = 3; field < 14; ++field) next_word(stat);
  const auto user = to_number(next_word(stat));
  const auto system = to_number(next_word(stat));
  if (!user || !system) return std::nullopt;
  return *user + *system;
}

std::optional<std::uint64_t> parse_kilobytes(std::string_view text, std::string_view key) {
  while (!text.empty()) {
    std::string_view line = text.substr(0, text.find('\n'));
    text.remove_prefix(std::min(line.size() + 1, text.size()));
    if (next_word(line) == key) return to_number(next_word(line));
  }
  return std::nullopt;
}

// user nice system idle iowait irq softirq steal; guest times are in user's already.
std::optional<std::uint64_t> parse_machine_busy_ticks(std::string_view stat) {
  if (next_word(stat) != "cpu") return std::nullopt;
  std::uint64_t busy = 0;
  for (int field = 0; field < 8; ++field) {
    const auto ticks = to_number(next_word(stat));
    if (!ticks) return std::nullopt;
    if (field != 3 && field != 4) busy += *ticks;
  }
  return busy;
}

std::optional<double> process_cpu_seconds(int pid) {
  const auto stat = file_text(fmt::format("/proc/{}/stat", pid));
  if (!stat) return std::nullopt;
  const auto ticks = parse_process_cpu_ticks(*stat);
  if (!ticks) return std::nullopt;
  return to_seconds(*ticks);
}

// smaps_rollup is exact, but belongs to the process's user only; status is batched by some hundred kilobytes.
std::optional<std::uint64_t> process_rss_bytes(int pid) {
  std::optional<std::uint64_t> kilobytes;
  if (const auto exact = file_text(fmt::format("/proc/{}/smaps_rollup", pid))) kilobytes = parse_kilobytes(*exact, "Rss:");
  if (!kilobytes) {
    if (const auto status = file_text(fmt::format("/proc/{}/status", pid))) kilobytes = parse_kilobytes(*status, "VmRSS:");
  }
  if (!kilobytes) return std::nullopt;
  return *kilobytes * 1024;
}

double machine_busy_seconds() {
  const auto stat = file_text("/proc/stat");
  if (!stat) return 0;
  return to_seconds(parse_machine_busy_ticks(*stat).value_or(0));
}

}  // namespace carillon
