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

// The newest first.
Result<std::vector<Log>> needed_logs(Files& files, const std::string& directory) {
  const Result<std::vector<std::string>> names = files.list(directory);
  if (!names) return names.error();
  const Result<std::uint64_t> first = first_needed_log(files, directory);
  if (!first) return first.error();
  std::vector<Log> logs;
  for (const std::string& name : *names) {
    const auto number = log_number_of(name);
    if (number && *number >= *first) logs.push_back({*number, fmt::format("{}/{}", directory, name)});
  }
  std::ranges::sort(logs, std::greater(), &Log::number);
  return logs;
}

Error damage(const Log& log, std::uint64_t offset, std::string_view what) {
  return Error{ErrorKind::kCorrupt, fmt::format("the write-ahead log {} is damaged at byte {}: {}", log.path, offset, what)};
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

Result<Sequences> read_all(LogRecords& records) {
  Sequences sequences;
  for (;;) {
    const Result<std::optional<std::string_view>> record = records.next();
    if (!record) return record.error();
    if (!*record) return sequences;
    sequences.add(**record);
  }
}

// What is to be cut off a log, if anything. `newer`: of the next log that has records, if there is one; then of this one.
Result<std::optional<TailCut>> torn_tail_of(Files& files, const Log& log, std::optional<Sequences>& newer) {
  const Result<FileInfo> info = files.info(log.path);
  if (!info) return info.error();
  const Result<std::unique_ptr<FileForReading>> file = files.read_from(log.path);
  if (!file) return file.error();
  LogRecords records(**file, info->size, log.number);
  const Result<Sequences> sequences = read_all(records);
  if (!sequences) return sequences.error();

  const bool whole = records.end() == LogRecords::End::kWhole;
  const Result<bool> another = whole ? Result<bool>(false) : records.another_follows();
  if (!another) return another.error();
  if (*another) return damage(log, records.stopped_at(), "whole records lie behind it in the same log");
  if (newer && records.end() == LogRecords::End::kDamaged) {
    return damage(log, records.stopped_at(), "it is the end of this log, but newer logs have records");
  }
  if (newer && sequences->end < newer->first) {
    return damage(log, records.whole_end(), "records are missing between its end and the beginning of the next log");
  }
  if (sequences->end > 0) newer = *sequences;
  if (whole) return std::optional<TailCut>();
  return std::optional<TailCut>({log.path, records.whole_end(), info->size - records.whole_end()});
}

Result<void> cut(Files& files, const TailCut& tail) {
  const Result<std::unique_ptr<FileForAppend>> file = files.append_to(tail.file);
  if (!file) return file.error();
  if (Result<void> cut = (*file)->truncate(tail.offset); !cut) return cut;
  if (Result<void> synced = (*file)->sync(); !synced) return synced;
  return (*file)->close();
}

}  // namespace

Result<TailReport> cut_torn_tail(Files& files, const std::string& directory) {
  const Result<std::vector<Log>> logs = needed_logs(files, directory);
  if (!logs) return logs.error();
  TailReport report;
  std::optional<Sequences> newer;
  for (const Log& log : *logs) {
    Result<std::optional<TailCut>> tail = torn_tail_of(files, log, newer);
    if (!tail) return tail.error();
    if (*tail) report.cuts.push_back(std::move(**tail));
  }
  for (const TailCut& tail : report.cuts) {
    if (const Result<void> done = cut(files, tail); !done) return done.error();
  }
  return report;
}

}  // namespace carillon
