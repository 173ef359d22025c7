// LogStore: the log on the disk: one RocksDB database under a data directory. What is written together is there together or not
// at all, also after a crash.
//
// Column families: "publications" (channel number and offset → record), "channels" (name → record), "keys" (channel,
// idempotency key → receipt), "state" (key → value), "default" (what is known of the whole). Formats: log_record.h.
//
// Any thread. Errors of all functions: kLimit (the disk is full), kCorrupt (stored bytes are damaged; the text names the
// command that looks closer), kUnavailable (the disk fails). Blocks while the disk works.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/file.h"
#include "base/random.h"
#include "engine/log/log_record.h"

namespace rocksdb {
class WriteBatch;
}

namespace carillon {

struct LogStoreOptions {
  std::string directory;                       // Made if it is not there, if its parent is.
  std::size_t cache_bytes = 32u << 20;         // Of blocks read from the disk, for all readers.
  std::size_t write_buffer_bytes = 64u << 20;  // Publications in memory before they are sorted into a file.
  std::int64_t key_ms = 0;                     // Receipts of idempotency keys older than this may be dropped.
  bool make = true;                            // False: a directory without a log is refused with kNotFound.
};

// What is written together.
class LogStore;

class LogBatch {
 public:
  explicit LogBatch(const LogStore& store);  // Which outlives it.
  ~LogBatch();

  void put_publication(std::uint64_t channel_number, const Publication& publication, std::uint64_t bytes_before,
                       std::uint32_t run);
  // Offsets [from, to).
  void erase_publications(std::uint64_t channel_number, std::uint64_t from, std::uint64_t to);
  void put_channel(std::string_view name, const LogChannelRecord& record);
  void erase_channel(std::string_view name);
  void put_key(std::string_view channel, std::string_view key, const Receipt& receipt);
  void put_state(std::string_view key, std::string_view value, std::int64_t expires_at_ms);
  void erase_state(std::string_view key);
  // The first channel number that was never used, and the epoch of channels that begin from now on.
  void put_beginnings(std::uint64_t next_number, std::uint64_t epoch);

  bool empty() const;
  std::size_t bytes() const;
  void clear();

 private:
  friend class LogStore;
  const LogStore& store_;
  std::unique_ptr<rocksdb::WriteBatch> batch_;
  std::string value_;
};

// Offsets and records of one channel in order; false ends the walk.
using LogVisitor = std::function<bool(std::uint64_t offset, std::string_view record)>;

class LogStore {
 public:
  // Refused: kConflict (another process has the directory), kForbidden (no right to it), kCorrupt (older damage than a torn
  // tail), kInvalid (written by a newer version).
  static Result<std::unique_ptr<LogStore>> open(Files& files, const Clock& clock, Random& random,
                                                const LogStoreOptions& options);
  ~LogStore();
  LogStore(const LogStore&) = delete;
  LogStore& operator=(const LogStore&) = delete;

  // Names this opening of the directory.
  std::uint32_t run() const { return run_; }
  std::uint64_t next_number() const { return next_number_; }  // As it was when opened; likewise:
  std::uint64_t epoch() const { return epoch_; }

  // `synced`: it and all that was written before survives a loss of power. After an error the batch is not there, unless the
  // process ends before the disk is well again.
  Result<void> write(LogBatch& batch, bool synced);
  Result<void> sync();
  // After a failed write: whether the disk takes writes again.
  Result<void> resume();

  Result<std::optional<LogChannelRecord>> channel(std::string_view name) const;
  // Names and records in the order of the names: those that begin with `prefix`, after `after`.
  Result<std::vector<std::pair<std::string, LogChannelRecord>>> channels(std::string_view prefix, std::string_view after,
                                                                         std::size_t count_max) const;
  // Offsets [from, to), upwards or, when reverse, downwards from to - 1.
  Result<void> walk(std::uint64_t channel_number, std::uint64_t from, std::uint64_t to, bool reverse,
                    const LogVisitor& visitor) const;
  // The record of one publication; empty when it is not there.
  Result<std::string> publication(std::uint64_t channel_number, std::uint64_t offset) const;
  Result<std::optional<Receipt>> receipt(std::string_view channel, std::string_view key) const;
  Result<std::optional<std::string>> state(std::string_view key) const;
  Result<std::vector<StateRecord>> states(std::string_view prefix, std::string_view after, std::size_t count_max) const;

  // About how many channels there are.
  std::uint64_t channel_count() const;
  // Reads everything there is and compares its checksums.
  Result<void> verify() const;
  // Bytes in files, about.
  std::uint64_t disk_bytes() const;
  std::uint64_t memory_bytes() const;

 private:
  friend class LogBatch;
  struct Database;
  LogStore() = default;
  Result<void> read_beginnings(Random& random);

  std::unique_ptr<Database> database_;
  std::uint32_t run_ = 0;
  std::uint64_t next_number_ = 1;
  std::uint64_t epoch_ = 0;
};

}  // namespace carillon
