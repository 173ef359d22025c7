#include "engine/log/torn_tail.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
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
    if (number && *number >= *first) logs.push_back({*number, directory + "/" + name});
  }
  std::ranges::sort(logs, std::greater(), &Log::number);
  return logs;
}

Error damage(const Log& log, std::uint64_t offset, std::string_view what_follows) {
  return Error{ErrorKind::kCorrupt,
               fmt::format("the write-ahead log {} is damaged at byte {}: {}", log.path, offset, what_follows)};
}

// What is to be cut off a log, if anything.
Result<std::optional<TailCut>> torn_tail_of(Files& files, const Log& log, bool& newer_has_records) {
  const Result<FileInfo> info = files.info(log.path);
  if (!info) return info.error();
  const Result<std::unique_ptr<FileForReading>> file = files.read_from(log.path);
  if (!file) return file.error();
  LogRecords records(**file, info->size, log.number);
  bool has_records = false;
  for (;;) {
    const Result<std::optional<std::string_view>> record = records.next();
    if (!record) return record.error();
    if (!*record) break;
    has_records = true;
  }
  const bool newest = !newer_has_records;
  newer_has_records = newer_has_records || has_records;
  if (records.end() == LogRecords::End::kWhole) return std::optional<TailCut>();

  const Result<bool> another = records.another_follows();
  if (!another) return another.error();
  if (*another) return damage(log, records.stopped_at(), "whole records lie behind it in the same log");
  if (records.end() == LogRecords::End::kDamaged && !newest) {
    return damage(log, records.stopped_at(), "it is the end of this log, but newer logs have records");
  }
  return std::optional<TailCut>({log.path, records.whole_end(), info->size - records.whole_end()});
}

Result<void> cut(Files& files, const TailCut& tail) {
  const Result<std::unique_ptr<FileForAppend>> file = files.append_to(tail.file);
  if (!file) return file.error();
  if (const Result<void> cut = (*file)->truncate(tail.offset); !cut) return cut;
  if (const Result<void> synced = (*file)->sync(); !synced) return synced;
  return (*file)->close();
}

}  // namespace

Result<TailReport> cut_torn_tail(Files& files, const std::string& directory) {
  const Result<std::vector<Log>> logs = needed_logs(files, directory);
  if (!logs) return logs.error();
  TailReport report;
  bool newer_has_records = false;
  for (const Log& log : *logs) {
    Result<std::optional<TailCut>> tail = torn_tail_of(files, log, newer_has_records);
    if (!tail) return tail.error();
    if (*tail) report.cuts.push_back(std::move(**tail));
  }
  for (const TailCut& tail : report.cuts) {
    if (const Result<void> done = cut(files, tail); !done) return done.error();
  }
  return report;
}

}  // namespace carillon
