#include "server/log_tools.h"

#include <fmt/format.h>

#include "engine/log/log_check.h"
#include "engine/log/log_export.h"
#include "engine/log/log_import.h"
#include "engine/log/log_repair.h"
#include "os/system_clock.h"
#include "os/system_files.h"

namespace carillon {
namespace {

constexpr std::uint64_t kProgressEvery = 1000;

// The machine, as the engine wants it.
struct World {
  SystemFiles files;
  SystemClock clock;
  SystemRandom random;
};

void append_check(LogVerdict& verdict, const std::string& directory, const LogCheck& check) {
  verdict.sound = check.sound();
  for (const TailCut& cut : check.cuts) {
    verdict.lines.push_back(fmt::format("{} ends in an unfinished write of {} bytes at byte {}: the next start cuts it off",
                                        cut.file, cut.bytes, cut.offset));
  }
  for (const std::string& fault : check.faults) verdict.lines.push_back("wrong: " + fault);
  if (check.fault_count > check.faults.size()) {
    verdict.lines.push_back(fmt::format("wrong: {} more", check.fault_count - check.faults.size()));
  }
  verdict.lines.push_back(fmt::format("{} channels, {} events, {} idempotency keys, {} state records", check.channels,
                                      check.publications, check.keys, check.states));
  verdict.lines.push_back(check.sound() ? fmt::format("the log in {} is sound", directory)
                                        : fmt::format("the log in {} is damaged", directory));
}

void append_repair(LogVerdict& verdict, const LogRepair& repair) {
  for (const std::string& line : repair.lost) verdict.lines.push_back("lost: " + line);
  if (repair.lost_lines > repair.lost.size()) {
    verdict.lines.push_back(fmt::format("lost: {} lines more", repair.lost_lines - repair.lost.size()));
  }
  verdict.lines.push_back("the damaged files are kept in " + repair.kept_in);
}

}  // namespace

Result<LogVerdict> check_log_directory(const std::string& directory, const LogToolProgress& progress) {
  World world;
  const Result<LogCheck> check = check_log(world.files, world.clock, world.random, directory, progress);
  if (!check) return check.error();
  LogVerdict verdict;
  append_check(verdict, directory, *check);
  if (!verdict.sound) {
    verdict.lines.push_back(
        fmt::format("`carillon log check {} --repair` keeps what is whole, and the damaged files aside", directory));
  }
  return verdict;
}

Result<LogVerdict> repair_log_directory(const std::string& directory, const LogToolProgress& progress) {
  World world;
  LogVerdict verdict;
  const Result<LogCheck> before = check_log(world.files, world.clock, world.random, directory, progress);
  if (!before) return before.error();
  append_check(verdict, directory, *before);
  if (verdict.sound) {
    verdict.lines.push_back("there is nothing to repair");
    return verdict;
  }
  const Result<LogRepair> repair = repair_log(world.files, world.clock, world.random, directory, progress);
  if (!repair) return repair.error();
  append_repair(verdict, *repair);
  const Result<LogCheck> after = check_log(world.files, world.clock, world.random, directory, progress);
  if (!after) return after.error();
  append_check(verdict, directory, *after);
  return verdict;
}

Result<void> export_log_directory(const std::string& directory, const std::string& channel,
                                  const std::function<bool(std::string_view)>& sink, const LogToolProgress& progress) {
  World world;
  const Result<std::unique_ptr<LogStore>> store =
      LogStore::open(world.files, world.clock, world.random, {.directory = directory, .only_read = true});
  if (!store) return store.error();
  return export_log(**store, channel, sink, progress);
}

Result<std::uint64_t> import_log_directory(const std::string& directory,
                                           const std::function<std::optional<std::string>()>& next_line,
                                           const LogToolProgress& progress) {
  World world;
  const Result<std::unique_ptr<LogImport>> import = LogImport::begin(world.files, world.clock, world.random, directory);
  if (!import) return import.error();
  const auto at_line = [](std::uint64_t number, const Error& error) {
    if (error.kind != ErrorKind::kInvalid) return error;
    return Error{error.kind, fmt::format("line {}: {}", number, error.text)};
  };
  std::uint64_t number = 0;
  while (const std::optional<std::string> line = next_line()) {
    if (const Result<void> added = (*import)->add(*line); !added) return at_line(number + 1, added.error());
    if (++number % kProgressEvery == 0) progress("lines", number, 0);
  }
  if (const Result<void> finished = (*import)->finish(); !finished) return at_line(number + 1, finished.error());
  return (*import)->publications();
}

}  // namespace carillon
