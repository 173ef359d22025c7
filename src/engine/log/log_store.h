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
class ColumnFamilyHandle;
class WriteBatch;
}  // namespace rocksdb

namespace carillon {

struct LogStoreOptions {
  std::string directory;                       // Made if it is not there, if its parent is.
  std::size_t cache_bytes = 32u << 20;         // Of blocks read from the disk, for all readers.
  std::size_t write_buffer_bytes = 64u << 20;  // Publications in memory before they are sorted into a file.
  std::int64_t key_ms = 0;                     // Receipts of idempotency keys older than this may be dropped.
  bool make = true;                            // False: a directory without a log is refused with kNotFound.
  bool only_read = false;                      // Nothing is changed on the disk but a lock; writing fails. Makes none either.
  bool unfinished = false;                     // Opened by who is about to finish it: see unfinished_path().
};

// While this file is in the directory, what lies there is not a whole log yet; its first line says what to do.
std::string unfinished_path(const std::string& directory);

enum class LogFamily : std::uint8_t { kPublications = 1, kChannels, kKeys, kState };

// One of the files that hold what is not in the write-ahead logs any more.
struct LogTable {
  std::string path;
  std::string family;  // The column family's name.
  std::uint64_t bytes = 0;
};

struct PublicationKey {
  std::uint64_t channel_number = 0;
  std::uint64_t offset = 0;
};
std::optional<PublicationKey> read_publication_key(std::string_view key);

struct ReceiptKey {
  std::string_view channel;
  std::string_view key;
};
std::optional<ReceiptKey> read_receipt_key(std::string_view key);

// The names of channels whose records a write-ahead log's record changes.
std::vector<std::string> channels_changed_by(std::string_view log_record);

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

  // An entry by the key it is stored under.
  void erase(LogFamily family, std::string_view key);

  bool empty() const;
  std::size_t bytes() const;
  void clear();

 private:
  friend class LogStore;
  const LogStore& store_;
  std::unique_ptr<rocksdb::WriteBatch> batch_;
  std::string value_;
};

// Entries as they are stored, in the order of their keys; false ends the scan.
using LogScanner = std::function<bool(std::string_view key, std::string_view value)>;
// Offsets and records of one channel in order; false ends the walk.
using LogVisitor = std::function<bool(std::uint64_t offset, std::string_view record)>;

class LogStore {
 public:
  // Refused: kConflict (another process has the directory), kForbidden (no right to it), kCorrupt (older damage than a torn
  // tail), kInvalid (written by a newer version).
  static Result<std::unique_ptr<LogStore>> open(Files& files, const Clock& clock, Random& random,
                                                const LogStoreOptions& options);
  // Keeps every other process from opening it, as open() does. kConflict: one has.
  static Result<std::unique_ptr<FileLock>> lock(Files& files, const std::string& directory);
  // Makes a database of the tables in a directory, whatever its manifest says, and writes all it has to `into`.
  static Result<void> read_tables(Files& files, const std::string& directory, LogStore& into);
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
  // What a record of a write-ahead log changed, anew.
  Result<void> write_again(std::string_view log_record);
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
  Result<void> scan(LogFamily family, std::string_view prefix, const LogScanner& scanner) const;
  std::vector<LogTable> tables() const;
  // Reads all of a table and compares its checksums.
  static Result<void> verify(Files& files, const std::string& path);
  // Bytes in files, about.
  std::uint64_t disk_bytes() const;
  std::uint64_t memory_bytes() const;

 private:
  friend class LogBatch;
  struct Database;
  LogStore() = default;
  Result<void> cut_tail(Files& files, bool only_read);
  Result<void> open_database(Files& files, const LogStoreOptions& options);
  Result<void> read_beginnings(Random& random, bool only_read);
  Result<void> copy_family(const Database& from, rocksdb::ColumnFamilyHandle* source, std::size_t family);

  std::unique_ptr<Database> database_;
  std::uint32_t run_ = 0;
  std::uint64_t next_number_ = 1;
  std::uint64_t epoch_ = 0;
};

}  // namespace carillon
