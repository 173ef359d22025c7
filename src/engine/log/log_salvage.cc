#include "engine/log/log_salvage.h"

#include <fmt/format.h>

#include <limits>

#include "engine/log/log_records.h"
#include "engine/log/needed_logs.h"
#include "engine/log/write_ahead_logs.h"

namespace carillon {
namespace {

using Visitor = std::function<Result<void>(std::size_t damages, std::string_view record)>;

class Salvage {
 public:
  Salvage(Files& files, std::uint64_t last_sequence, const Visitor& visitor)
      : files_(files), visitor_(visitor), last_sequence_(last_sequence) {}

  Result<void> read(const WriteAheadLog& log) {
    const Result<FileInfo> info = files_.info(log.path);
    if (!info) return info.error();
    const Result<std::unique_ptr<FileForReading>> file = files_.read_from(log.path);
    if (!file) return file.error();
    LogRecords records(**file, info->size, log.number);
    sound_ = found_.damage.empty() ? &found_.sound_bytes[log.path] : nullptr;
    for (;;) {
      const std::uint64_t begin = records.whole_end();
      const Result<std::optional<std::string_view>> record = records.next();
      if (!record) return record.error();
      if (*record) {
        if (Result<void> taken = take(log.path, begin, **record, records.whole_end()); !taken) return taken;
        continue;
      }
      if (records.end() == LogRecords::End::kWhole) return {};
      const std::uint64_t stopped_at = records.stopped_at();
      const Result<bool> more = records.skip_to_another();
      if (!more) return more.error();
      if (!*more) return {};
      damage(log.path, stopped_at, fmt::format("{} bytes are no record", records.stopped_at() - stopped_at));
      expected_ = 0;  // The gap is told already.
    }
  }

  LogSalvage take_found() { return std::move(found_); }

 private:
  Result<void> take(const std::string& path, std::uint64_t begin, std::string_view record, std::uint64_t end) {
    LogSequences sequences;
    sequences.add(record);
    const bool after_tables = !begun_ && sequences.first > 0 && sequences.first - 1 > last_sequence_;
    if (after_tables || (expected_ != 0 && sequences.first > expected_)) {
      damage(path, begin,
             fmt::format("{} changes before it are missing", sequences.first - (begun_ ? expected_ : last_sequence_ + 1)));
    }
    begun_ = true;
    expected_ = sequences.end;
    if (found_.damage.empty()) *sound_ = end;
    return visitor_(found_.damage.size(), record);
  }

  void damage(const std::string& path, std::uint64_t offset, std::string what) {
    found_.damage.push_back({path, offset, std::move(what)});
    sound_ = nullptr;
  }

  Files& files_;
  const Visitor& visitor_;
  const std::uint64_t last_sequence_;
  LogSalvage found_;
  std::uint64_t* sound_ = nullptr;  // Of the log that is read, before the first damage.
  std::uint64_t expected_ = 0;      // The next record's number; 0: any.
  bool begun_ = false;
};

}  // namespace

Result<LogSalvage> salvage_logs(Files& files, const std::string& directory, const Visitor& visitor) {
  const Result<NeededLogs> needed = read_needed_logs(files, directory);
  if (!needed) return needed.error();
  const Result<std::vector<WriteAheadLog>> logs = write_ahead_logs(files, directory, needed->first);
  if (!logs) return logs.error();
  Salvage salvage(files, needed->last_sequence, visitor);
  for (const WriteAheadLog& log : *logs) {
    if (Result<void> read = salvage.read(log); !read) return read.error();
  }
  return salvage.take_found();
}

}  // namespace carillon
