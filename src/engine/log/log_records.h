// LogRecords: reads a file in RocksDB's log format (a write-ahead log, a manifest), record by record, and says how it ends.
//
// A file is a row of blocks of 32 KiB. A record lies in one fragment or in several, none of which crosses the end of a block:
//
//   crc32c of all that follows, masked (4 bytes)   length of the payload (2)   type (1)   [number of the log (4)]   payload
//
// Types: 1 whole, 2 first, 3 middle, 4 last; 5 to 8 the same with the log's number, for files that are used again. What is too
// short for a header at a block's end is zeroes. All numbers are little-endian. One thread.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "base/file.h"

namespace carillon {

class LogRecords {
 public:
  static constexpr std::size_t kBlockSize = 32768;

  enum class End {
    kWhole,       // With a whole record, or before what an earlier use of the file left.
    kIncomplete,  // Within a record: the file is over before it is.
    kDamaged,     // Bytes that are no record.
  };

  // `log_number` as in the file's name; 0 where that is not known. Reading begins at `offset`, where a fragment begins.
  LogRecords(const FileForReading& file, std::uint64_t size, std::uint64_t log_number, std::uint64_t offset = 0)
      : file_(file), size_(size), log_number_(log_number), whole_end_(offset), offset_(offset) {}

  // The next whole record, valid until the next call; nothing where the records end. An error only when the disk has one.
  Result<std::optional<std::string_view>> next();

  // Once next() has answered nothing.
  End end() const { return end_; }
  std::uint64_t stopped_at() const { return offset_; }  // The fragment that is none.
  // Where the last whole record ends.
  std::uint64_t whole_end() const { return whole_end_; }

  // Once next() has answered nothing: is there a whole record anywhere behind?
  Result<bool> another_follows();
  // The same, and next() goes on with that record.
  Result<bool> skip_to_another();

 private:
  enum class Found { kFragment, kPadding, kNothing, kStale, kIncomplete, kDamaged };
  struct Fragment {
    Found found = Found::kDamaged;
    int type = 0;  // 1 to 4.
    std::size_t size = 0;
    std::string_view payload;
  };

  Result<std::optional<std::uint64_t>> find_another();
  Result<void> load_block(std::uint64_t offset);
  Fragment fragment_at(std::size_t place) const;
  bool block_is_cut() const { return block_.size() < kBlockSize; }
  // Whether the record goes on; what it has so far is in record_.
  bool take(const Fragment& fragment);

  const FileForReading& file_;
  const std::uint64_t size_;
  const std::uint64_t log_number_;
  std::string block_;
  std::optional<std::uint64_t> block_start_;
  std::string record_;
  bool within_record_ = false;
  std::uint64_t whole_end_;
  std::uint64_t offset_;
  End end_ = End::kWhole;
};

}  // namespace carillon
