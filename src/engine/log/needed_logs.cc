#include "engine/log/needed_logs.h"

#include <algorithm>
#include <map>
#include <optional>
#include <string_view>

#include "engine/log/log_records.h"

namespace carillon {
namespace {

constexpr std::uint64_t kCurrentMax = 4096;

// The fields of a manifest's record: a tag, then what that tag has (RocksDB's db/version_edit.h).
enum Tag : std::uint64_t {
  kComparator = 1,
  kLogNumber = 2,
  kNextFileNumber = 3,
  kLastSequence = 4,
  kCompactCursor = 5,
  kDeletedFile = 6,
  kPreviousLogNumber = 9,
  kMinLogNumberToKeep = 10,
  kNewFile = 103,
  kColumnFamily = 200,
  kColumnFamilyAdd = 201,
  kColumnFamilyDrop = 202,
  kMaxColumnFamily = 203,
  kInAtomicGroup = 300,
  kFirstSkippable = 1 << 13,  // From here on each has one text.
};

// Takes a record apart; once something is not there, nothing more is.
class FieldReader {
 public:
  explicit FieldReader(std::string_view record) : rest_(record) {}

  bool at_end() const { return rest_.empty(); }
  bool good() const { return good_; }

  std::uint64_t number() {
    std::uint64_t value = 0;
    for (unsigned shift = 0; shift < 64 && !rest_.empty(); shift += 7) {
      const auto byte = static_cast<unsigned char>(rest_.front());
      rest_.remove_prefix(1);
      value |= std::uint64_t{byte & 0x7fu} << shift;
      if (byte < 0x80) return value;
    }
    fail();
    return 0;
  }
  void skip_numbers(int count) {
    for (int i = 0; i < count; ++i) number();
  }
  void skip_text() {
    const std::uint64_t size = number();
    if (size > rest_.size()) return fail();
    rest_.remove_prefix(size);
  }
  void fail() {
    good_ = false;
    rest_ = {};
  }

 private:
  std::string_view rest_;
  bool good_ = true;
};

// A table: level, number, size, first and last key, two sequence numbers, then tagged texts until tag 1.
void skip_new_file(FieldReader& fields) {
  fields.skip_numbers(3);
  fields.skip_text();
  fields.skip_text();
  fields.skip_numbers(2);
  while (fields.good() && fields.number() != 1) fields.skip_text();
}

// What all records of a manifest say of logs.
class LogNumbers {
 public:
  // False if it is not understood.
  bool add(std::string_view record) {
    FieldReader fields(record);
    std::optional<std::uint64_t> log_number;
    std::uint64_t family = 0;
    bool dropped = false;
    while (!fields.at_end()) {
      switch (const std::uint64_t tag = fields.number()) {
        case kLogNumber: log_number = fields.number(); break;
        case kLastSequence: last_sequence_ = std::max(last_sequence_, fields.number()); break;
        case kMinLogNumberToKeep: kept_from_ = std::max(kept_from_, fields.number()); break;
        case kColumnFamily: family = fields.number(); break;
        case kColumnFamilyDrop: dropped = true; break;
        case kNextFileNumber:
        case kPreviousLogNumber:
        case kMaxColumnFamily:
        case kInAtomicGroup: fields.skip_numbers(1); break;
        case kDeletedFile: fields.skip_numbers(2); break;
        case kComparator:
        case kColumnFamilyAdd: fields.skip_text(); break;
        case kCompactCursor:
          fields.skip_numbers(1);
          fields.skip_text();
          break;
        case kNewFile: skip_new_file(fields); break;
        default: tag >= kFirstSkippable ? fields.skip_text() : fields.fail();
      }
    }
    if (dropped) families_.erase(family);
    if (!dropped && log_number) families_[family] = *log_number;
    return fields.good();
  }

  std::uint64_t last_sequence() const { return last_sequence_; }
  std::uint64_t first_needed() const {
    std::optional<std::uint64_t> unflushed;
    for (const auto& [family, log] : families_) unflushed = std::min(unflushed.value_or(log), log);
    return std::max(kept_from_, unflushed.value_or(0));
  }

 private:
  std::map<std::uint64_t, std::uint64_t> families_;  // The first log with records that are in no table of the family.
  std::uint64_t kept_from_ = 0;
  std::uint64_t last_sequence_ = 0;
};

// The manifest's name, which CURRENT holds with a line's end; empty if there is none.
Result<std::string> manifest_name(Files& files, const std::string& directory) {
  const Result<std::unique_ptr<FileForReading>> current = files.read_from(directory + "/CURRENT");
  if (!current && current.error().kind == ErrorKind::kNotFound) return std::string();
  if (!current) return current.error();
  std::string name(kCurrentMax, '\0');
  const Result<std::size_t> count = (*current)->read(0, name);
  if (!count) return count.error();
  name.resize(*count);
  if (!name.ends_with('\n') || name.find('/') != std::string::npos) return std::string();
  name.pop_back();
  return name;
}

}  // namespace

Result<NeededLogs> read_needed_logs(Files& files, const std::string& directory) {
  const Result<std::string> name = manifest_name(files, directory);
  if (!name) return name.error();
  if (name->empty()) return NeededLogs();
  const NeededLogs all{.manifest = directory + "/" + *name};
  const Result<FileInfo> info = files.info(all.manifest);
  if (!info && info.error().kind == ErrorKind::kNotFound) return NeededLogs();
  if (!info) return info.error();
  const Result<std::unique_ptr<FileForReading>> file = files.read_from(all.manifest);
  if (!file) return file.error();

  LogRecords records(**file, info->size, 0);
  LogNumbers numbers;
  for (;;) {
    const Result<std::optional<std::string_view>> record = records.next();
    if (!record) return record.error();
    if (!*record) break;
    if (!numbers.add(**record)) return all;
  }
  return NeededLogs{.manifest = all.manifest, .first = numbers.first_needed(), .last_sequence = numbers.last_sequence()};
}

}  // namespace carillon
