#include "engine/log/torn_tail.h"

#include <fmt/format.h>

#include <optional>

#include "engine/log/log_records.h"
#include "engine/log/needed_logs.h"
#include "engine/log/write_ahead_logs.h"

namespace carillon {
namespace {

Error damage(const std::string& path, std::uint64_t offset, std::string_view what) {
  return Error{ErrorKind::kCorrupt, fmt::format("{} is damaged at byte {}: {}", path, offset, what)};
}

// How a file of records ends.
struct FileEnd {
  LogRecords::End end = LogRecords::End::kWhole;
  std::uint64_t stopped_at = 0;
  std::uint64_t whole_end = 0;
  std::uint64_t size = 0;
  LogSequences sequences;  // Of a write-ahead log.
};

// kCorrupt if there are records behind what is none.
Result<FileEnd> end_of(Files& files, const std::string& path, std::uint64_t log_number) {
  const Result<FileInfo> info = files.info(path);
  if (!info) return info.error();
  const Result<std::unique_ptr<FileForReading>> file = files.read_from(path);
  if (!file) return file.error();
  LogRecords records(**file, info->size, log_number);
  LogSequences sequences;
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

  Result<void> look_at(const WriteAheadLog& log) {
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
  std::optional<LogSequences> newer_;  // Of the log with records that was looked at last, if there was one.
  std::string oldest_;                 // That log's path.
};

Result<void> cut(Files& files, const TailCut& tail) {
  const Result<std::unique_ptr<FileForAppend>> file = files.append_to(tail.file);
  if (!file) return file.error();
  if (Result<void> cut = (*file)->truncate(tail.offset); !cut) return cut;
  if (Result<void> synced = (*file)->sync(); !synced) return synced;
  return (*file)->close();
}

}  // namespace

Result<TailReport> find_torn_tail(Files& files, const std::string& directory) {
  const Result<NeededLogs> needed = read_needed_logs(files, directory);
  if (!needed) return needed.error();
  const Result<std::vector<WriteAheadLog>> logs = write_ahead_logs(files, directory, needed->first);
  if (!logs) return logs.error();

  TailSearch search(files);
  if (!needed->manifest.empty()) {
    if (Result<void> good = search.look_at_manifest(needed->manifest); !good) return good.error();
  }
  for (auto log = logs->rbegin(); log != logs->rend(); ++log) {
    if (Result<void> good = search.look_at(*log); !good) return good.error();
  }
  if (Result<void> good = search.look_at_gap(needed->last_sequence); !good) return good.error();
  return search.report();
}

Result<TailReport> cut_torn_tail(Files& files, const std::string& directory) {
  Result<TailReport> found = find_torn_tail(files, directory);
  if (!found) return found;
  for (const TailCut& tail : found->cuts) {
    if (Result<void> done = cut(files, tail); !done) return done.error();
  }
  return found;
}

}  // namespace carillon
