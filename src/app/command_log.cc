#include <CLI/CLI.hpp>
#include <chrono>
#include <cstdio>
#include <iostream>
#include <memory>

#include "app/commands.h"
#include "server/log_tools.h"

namespace carillon {
namespace {

constexpr const char* kFooter = R"(
The log is what `carillon serve` keeps in its --data directory. Each of these needs it for itself: stop the server first.

Examples:
  carillon log check ./carillon-data
  carillon log export ./carillon-data | gzip > log.jsonl.gz
  gunzip -c log.jsonl.gz | carillon log import ./new-data

Exit codes: 0 done, 1 it could not be done or something is wrong with the log, 2 the command line was wrong.)";

constexpr const char* kCheckFooter = R"(
Reads every file and every record, compares the checksums, and holds what must be so: the events of a channel have no holes,
their times do not fall, their ids lead to their places. Changes nothing. An unfinished write at the very end is named, and
is no damage: the next start cuts it off.

With --repair a damaged log is replaced by what is whole of it. The damaged files stay: they are kept in DIR/damaged-N, whose
name is printed, as is everything that is not there any more. A channel of which something is missing between its events, or
whose newest position is not certain, begins a new epoch: its events stay in their order, with their times, under new
positions and ids, and clients that come back are told that they cannot recover. It needs room on the disk for the
write-ahead logs and for what is written anew.

Examples:
  carillon log check ./carillon-data
  carillon log check ./carillon-data --repair

Exit codes: 0 the log is sound (or is now), 1 it is damaged, or could not be read or repaired, 2 the command line was wrong.)";

constexpr const char* kExportFooter = R"(
Writes the log to standard output, one JSON object a line: first the format; then each channel (epoch, newest offset, oldest
offset, time of the newest) followed by its events, oldest first (offset, id, time, event; data as it is, cbor and bytes as
Base64; user, tags); then the idempotency keys with what they were answered; then the state records (values as Base64). Left
out are state records that have expired, and the sessions of publishers, which mean nothing after a restart.

Examples:
  carillon log export ./carillon-data > log.jsonl
  carillon log export ./carillon-data --channel room:42 | grep new_msg

Exit codes: 0 all is written, 1 it could not be read or written, 2 the command line was wrong.)";

constexpr const char* kImportFooter = R"(
Makes a log of what `carillon log export` wrote, read from standard input, in a directory that is empty or not there yet.
Positions, ids and times stay, so clients recover as from the log that was exported. A line that is not understood, or does
not follow from the ones before, is refused with its number, and nothing is left of the new log.

Examples:
  carillon log import ./new-data < log.jsonl
  carillon log export ./old-data | carillon log import ./new-data

Exit codes: 0 done, 1 a line was refused or the log could not be written, 2 the command line was wrong.)";

struct LogFlags {
  std::string directory;
  std::string channel;
  bool repair = false;
};

// On standard error, once a second, of what takes longer than that.
LogToolProgress progress() {
  const auto told = std::make_shared<std::chrono::steady_clock::time_point>(std::chrono::steady_clock::now());
  return [told](std::string_view what, std::uint64_t done, std::uint64_t total) {
    const auto now = std::chrono::steady_clock::now();
    if (now - *told < std::chrono::seconds(1)) return;
    *told = now;
    std::string line = "carillon: " + std::string(what);
    if (done > 0 || total > 0) line += ": " + std::to_string(done);
    if (total > 0) line += " of " + std::to_string(total);
    std::fprintf(stderr, "%s\n", line.c_str());
  };
}

void check(const LogFlags& flags) {
  const Result<LogVerdict> verdict =
      flags.repair ? repair_log_directory(flags.directory, progress()) : check_log_directory(flags.directory, progress());
  if (!verdict) fail_command(verdict.error().text.c_str());
  for (const std::string& line : verdict->lines) std::printf("%s\n", line.c_str());
  if (!verdict->sound) fail_command("the log is damaged");
}

void export_log_text(const LogFlags& flags) {
  const auto write_line = [](std::string_view line) {
    return std::fwrite(line.data(), 1, line.size(), stdout) == line.size() && std::fputc('\n', stdout) != EOF;
  };
  const Result<void> exported = export_log_directory(flags.directory, flags.channel, write_line, progress());
  if (std::fflush(stdout) != 0 || std::ferror(stdout) != 0) fail_command("cannot write to standard output");
  if (!exported) fail_command(exported.error().text.c_str());
}

void import_log_text(const LogFlags& flags) {
  const auto read_line = []() -> std::optional<std::string> {
    std::string line;
    if (!std::getline(std::cin, line)) return std::nullopt;
    return line;
  };
  const Result<std::uint64_t> imported = import_log_directory(flags.directory, read_line, progress());
  if (!imported) fail_command(imported.error().text.c_str());
  std::printf("%llu events\n", static_cast<unsigned long long>(*imported));
}

CLI::App* add_word(CLI::App& log, const std::shared_ptr<LogFlags>& flags, const char* word, const char* what,
                   const char* footer) {
  CLI::App* command = log.add_subcommand(word, what);
  command->add_option("DIR", flags->directory, "The directory of the log (`carillon serve --data DIR`)")->required();
  command->footer(footer);
  return command;
}

}  // namespace

void add_log_command(CLI::App& program) {
  CLI::App* log = program.add_subcommand("log", "Check, repair, export or import the log of a server that is stopped");
  log->require_subcommand(1);
  log->footer(kFooter);
  const auto flags = std::make_shared<LogFlags>();

  CLI::App* checking = add_word(*log, flags, "check", "Read all of it and say what is wrong", kCheckFooter);
  checking->add_flag("--repair", flags->repair, "Keep what is whole, and the damaged files aside");
  checking->callback([flags] { check(*flags); });

  CLI::App* exporting = add_word(*log, flags, "export", "Write it as JSON lines", kExportFooter);
  exporting->add_option("--channel", flags->channel, "Only this channel, with its idempotency keys")->type_name("NAME");
  exporting->callback([flags] { export_log_text(*flags); });

  CLI::App* importing = add_word(*log, flags, "import", "Make a new one of JSON lines", kImportFooter);
  importing->callback([flags] { import_log_text(*flags); });
}

}  // namespace carillon
