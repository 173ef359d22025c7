#include "engine/log/torn_tail.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cstring>
#include <optional>

#include "engine/log/log_records.h"
#include "engine/log/needed_logs.h"

namespace carillon {
namespace {

constexpr std::string_view kLogSuffix = ".log";

// The number of a write-ahead log by its name; nothing for other files.
std::optional<std::uint64_t> log_number_of(std::string_view name) {
  if (!name.ends_with(kLogSuffix)) return std::nullopt;
  name.remove_suffix(kLogSuffix.size());
  std::uint64_t number = 0;
  const auto [end, error] = std::from_chars(name.data(), name.data() + name.size(), number);
  if (error != std::errc() || end != name.data() + name.size()) return std::nullopt;
  return number;
}

struct Log {
  std::uint64_t number = 0;
  std::string path;
};

// Those from number `first` on, the newest first.
Result<std::vector<Log>> logs_from(Files& files, const std::string& directory, std::uint64_t first) {
  const Result<std::vector<std::string>> names = files.list(directory);
  if (!names) return names.error();
  std::vector<Log> logs;
  for (const std::string& name : *names) {
    const auto number = log_number_of(name);
    if (number && *number >= first) logs.push_back({*number, fmt::format("{}/{}", directory, name)});
  }
  std::ranges::sort(logs, std::greater(), &Log::number);
  return logs;
}

Error damage(const std::string& path, std::uint64_t offset, std::string_view what) {
  return Error{ErrorKind::kCorrupt, fmt::format("{} is damaged at byte {}: {}", path, offset, what)};
}

// The sequence numbers of a log's records, which number the changes of the database.
struct Sequences {
  std::uint64_t first = 0;
  std::uint64_t end = 0;  // That of the change after the last; 0 when the log has no records.

  // A record begins with its first change's number (8 bytes) and how many there are (4).
  void add(std::string_view record) {
    std::uint64_t number = 0;
    std::uint32_t count = 0;
    if (record.size() < sizeof number + sizeof count) return;
    std::memcpy(&number, record.data(), sizeof number);
    std::memcpy(&count, record.data() + sizeof number, sizeof count);
    if (end == 0) first = number;
    end = number + count;
  }
};

// How a file of records ends.
struct FileEnd {
  LogRecords::End end = LogRecords::End::kWhole;
  std::uint64_t stopped_at = 0;
  std::uint64_t whole_end = 0;
  std::uint64_t size = 0;
  Sequences sequences;  // Of a write-ahead log.
};

// kCorrupt if there are records behind what is none.
Result<FileEnd> end_of(Files& files, const std::string& path, std::uint64_t log_number) {
  const Result<FileInfo> info = files.info(path);
  if (!info) return info.error();
  const Result<std::unique_ptr<FileForReading>> file = files.read_from(path);
  if (!file) return file.error();
  LogRecords records(**file, info->size, log_number);
  Sequences sequences;
  for (;;) {
    const Result<std::optional<std::string_view>> record = records.next();
    if (!record) return record.error();
    if (!*record) break;
    sequences.add(**record);
  }
  const bool whole = records.end() == LogRecords::End::kWhole;
  const Result<bool> another = whole ? Result<bool>(false) : records.another_follows();
  if (!another) return another.error();
  if (*another) return damage(path, records.stopped_at(), "whole records lie behind it in the same file");
  return FileEnd{records.end(), records.stopped_at(), records.whole_end(), info->size, sequences};
}

// Looks at the files of one database, the newest first, and gathers what is to be cut.
class TailSearch {
 public:
  explicit TailSearch(Files& files) : files_(files) {}

  Result<void> look_at_manifest(const std::string& path) {
    const Result<FileEnd> found = end_of(files_, path, 0);
    if (!found) return found.error();
    plan_cut(path, *found);
    return {};
  }

  Result<void> look_at(const Log& log) {
    const Result<FileEnd> found = end_of(files_, log.path, log.number);
    if (!found) return found.error();
    if (newer_ && found->end == LogRecords::End::kDamaged) {
      return damage(log.path, found->stopped_at, "it is the end of this log, but newer logs have records");
    }
    if (newer_ && found->sequences.end < newer_->first) {
      return damage(log.path, found->whole_end, "records are missing between its end and the beginning of the next log");
    }
    if (found->sequences.end > 0) {
      newer_ = found->sequences;
      oldest_ = log.path;
    }
    plan_cut(log.path, *found);
    return {};
  }

  // Once all are looked at. `last_sequence`: as NeededLogs has it.
  Result<void> look_at_gap(std::uint64_t last_sequence) const {
    if (!newer_ || newer_->first - 1 <= last_sequence) return {};
    return damage(oldest_, 0, "records are missing between the database's tables and the beginning of this log");
  }

  const TailReport& report() const { return report_; }

 private:
  void plan_cut(const std::string& path, const FileEnd& found) {
    if (found.end != LogRecords::End::kWhole) report_.cuts.push_back({path, found.whole_end, found.size - found.whole_end});
  }

  Files& files_;
  TailReport report_;
  std::optional<Sequences> newer_;  // Of the log with records that was looked at last, if there was one.
  std::string oldest_;              // That log's path.
};

Result<void> cut(Files& files, const TailCut& tail) {
  const Result<std::unique_ptr<FileForAppend>> file = files.append_to(tail.file);
  if (!file) return file.error();
  if (Result<void> cut = (*file)->truncate(tail.offset); !cut) return cut;
  if (Result<void> synced = (*file)->sync(); !synced) return synced;
  return (*file)->close();
}

}  // namespace

Result<TailReport> cut_torn_tail(Files& files, const std::string& directory) {
  const Result<NeededLogs> needed = read_needed_logs(files, directory);
  if (!needed) return needed.error();
  const Result<std::vector<Log>> logs = logs_from(files, directory, needed->first);
  if (!logs) return logs.error();

  TailSearch search(files);
  if (!needed->manifest.empty()) {
    if (Result<void> good = search.look_at_manifest(needed->manifest); !good) return good.error();
  }
  for (const Log& log : *logs) {
    if (Result<void> good = search.look_at(log); !good) return good.error();
  }
  if (Result<void> good = search.look_at_gap(needed->last_sequence); !good) return good.error();
  for (const TailCut& tail : search.report().cuts) {
    if (Result<void> done = cut(files, tail); !done) return done.error();
  }
  return search.report();
}

}  // namespace carillon
