#include "engine/log/log_store.h"

#include <fmt/format.h>
#include <rocksdb/compaction_filter.h>
#include <rocksdb/db.h>
#include <rocksdb/filter_policy.h>
#include <rocksdb/listener.h>
#include <rocksdb/options.h>
#include <rocksdb/sst_file_reader.h>
#include <rocksdb/table.h>
#include <rocksdb/write_batch.h>

#include <algorithm>
#include <array>
#include <cstdarg>
#include <cstdio>

#include "base/check.h"
#include "base/log.h"
#include "engine/log/cut_files.h"
#include "engine/log/rocks_files.h"
#include "engine/log/torn_tail.h"

namespace carillon {
namespace {

// Their numbers in a batch are the order in which they are opened.
enum Family : std::uint32_t { kDefault, kPublications, kChannels, kKeys, kState, kFamilies };
constexpr std::array<const char*, kFamilies> kFamilyNames = {"default", "publications", "channels", "keys", "state"};

constexpr std::string_view kBeginningsKey = "beginnings";
constexpr std::string_view kFormatKey = "format";
constexpr std::string_view kFormat = "carillon log 1";

void append_big_endian(std::string& out, std::uint64_t value) {
  for (int shift = 56; shift >= 0; shift -= 8) out += static_cast<char>(value >> shift);
}

std::uint64_t read_big_endian(std::string_view bytes) {
  std::uint64_t value = 0;
  for (const char byte : bytes.substr(0, 8)) value = value << 8 | static_cast<std::uint8_t>(byte);
  return value;
}

std::string publication_key(std::uint64_t channel_number, std::uint64_t offset) {
  std::string key;
  append_big_endian(key, channel_number);
  append_big_endian(key, offset);
  return key;
}

std::string receipt_key(std::string_view channel, std::string_view key) {
  std::string whole(channel);
  whole += '\0';  // In no channel's name.
  whole += key;
  return whole;
}

rocksdb::Slice slice(std::string_view text) {
  return {text.data(), text.size()};
}

std::string_view view(const rocksdb::Slice& text) {
  return {text.data(), text.size()};
}

std::string parent_of(std::string path) {
  while (path.size() > 1 && path.back() == '/') path.pop_back();
  const std::size_t slash = path.rfind('/');
  return slash == std::string::npos ? "." : path.substr(0, std::max<std::size_t>(slash, 1));
}

// The first key behind all that begin with the prefix; empty when there is none.
std::string end_of(std::string_view prefix) {
  std::string end(prefix);
  while (!end.empty() && end.back() == '\xff') end.pop_back();
  if (!end.empty()) end.back() = static_cast<char>(end.back() + 1);
  return end;
}

class ChangedChannels final : public rocksdb::WriteBatch::Handler {
 public:
  rocksdb::Status PutCF(std::uint32_t family, const rocksdb::Slice& key, const rocksdb::Slice&) override {
    if (family == kChannels) names.push_back(key.ToString());
    return rocksdb::Status::OK();
  }
  rocksdb::Status DeleteCF(std::uint32_t family, const rocksdb::Slice& key) override { return PutCF(family, key, {}); }
  rocksdb::Status DeleteRangeCF(std::uint32_t, const rocksdb::Slice&, const rocksdb::Slice&) override {
    return rocksdb::Status::OK();
  }
  std::vector<std::string> names;
};

// RocksDB's own lines: what is wrong, for our log; the rest for who debugs.
class StoreLog final : public rocksdb::Logger {
 public:
  StoreLog() : rocksdb::Logger(rocksdb::InfoLogLevel::WARN_LEVEL) {}
  using rocksdb::Logger::Logv;
  void Logv(const char* format, va_list arguments) override { Logv(rocksdb::InfoLogLevel::INFO_LEVEL, format, arguments); }
  void Logv(rocksdb::InfoLogLevel level, const char* format, va_list arguments) override {
    if (level < rocksdb::InfoLogLevel::WARN_LEVEL) return;
    char line[512];
    std::vsnprintf(line, sizeof line, format, arguments);
    log_warning("the log's store says: {}", line);
  }
};

// The writer asks for recovery itself, more often than RocksDB would.
class NoRecoveryByItself final : public rocksdb::EventListener {
 public:
  void OnErrorRecoveryBegin(rocksdb::BackgroundErrorReason, rocksdb::Status, bool* by_itself) override { *by_itself = false; }
};

// Drops what has expired when files are rewritten; until then reading does not show it.
class DropExpired final : public rocksdb::CompactionFilter {
 public:
  explicit DropExpired(const Clock& clock) : clock_(clock) {}
  const char* Name() const override { return "carillon.expired"; }
  bool Filter(int, const rocksdb::Slice&, const rocksdb::Slice& value, std::string*, bool*) const override {
    const auto expiring = read_expiring(view(value));
    return expiring && expiring->expires_at_ms != 0 && expiring->expires_at_ms <= clock_.unix_ms();
  }

 private:
  const Clock& clock_;
};

class DropOldReceipts final : public rocksdb::CompactionFilter {
 public:
  DropOldReceipts(const Clock& clock, std::int64_t age_ms) : clock_(clock), age_ms_(age_ms) {}
  const char* Name() const override { return "carillon.receipts"; }
  bool Filter(int, const rocksdb::Slice&, const rocksdb::Slice& value, std::string*, bool*) const override {
    const auto receipt = read_receipt(view(value));
    return receipt && receipt->time_ms + age_ms_ < clock_.unix_ms();
  }

 private:
  const Clock& clock_;
  const std::int64_t age_ms_;
};

}  // namespace

std::string unfinished_path(const std::string& directory) {
  return directory + "/unfinished";
}

std::optional<PublicationKey> read_publication_key(std::string_view key) {
  if (key.size() != 16) return std::nullopt;
  return PublicationKey{read_big_endian(key), read_big_endian(key.substr(8))};
}

std::optional<ReceiptKey> read_receipt_key(std::string_view key) {
  const std::size_t end = key.find('\0');
  if (end == std::string_view::npos) return std::nullopt;
  return ReceiptKey{key.substr(0, end), key.substr(end + 1)};
}

std::vector<std::string> channels_changed_by(std::string_view log_record) {
  ChangedChannels changed;
  static_cast<void>(rocksdb::WriteBatch(std::string(log_record)).Iterate(&changed));
  return std::move(changed.names);
}

struct LogStore::Database {
  std::string directory;
  const Clock* clock = nullptr;
  std::unique_ptr<FileLock> lock;
  std::unique_ptr<CutFiles> cut_files;  // Only reading.
  std::unique_ptr<rocksdb::Env> env;
  std::unique_ptr<DropExpired> drop_expired;
  std::unique_ptr<DropOldReceipts> drop_receipts;
  std::unique_ptr<rocksdb::DB> db;
  std::array<rocksdb::ColumnFamilyHandle*, kFamilies> families{};

  ~Database() {
    for (rocksdb::ColumnFamilyHandle* family : families) {
      if (family != nullptr) db->DestroyColumnFamilyHandle(family);
    }
    if (db != nullptr) static_cast<void>(db->Close());
  }

  Error error_of(const rocksdb::Status& status) const {
    const std::string said = status.ToString();
    if (status.IsNoSpace()) {
      return {ErrorKind::kLimit, fmt::format("the disk of the log in {} is full; make room, it goes on by itself", directory)};
    }
    if (status.IsCorruption()) {
      return {ErrorKind::kCorrupt,
              fmt::format("the log in {0} is damaged ({1}); `carillon log check {0}` says how, and with --repair keeps what is "
                          "whole",
                          directory, said)};
    }
    return {ErrorKind::kUnavailable, fmt::format("the disk of the log in {} fails: {}", directory, said)};
  }

  std::unique_ptr<rocksdb::Iterator> iterate(Family family, const rocksdb::ReadOptions& options) const {
    return std::unique_ptr<rocksdb::Iterator>(db->NewIterator(options, families[family]));
  }
};

// ---- LogBatch ----

namespace {

void check(const rocksdb::Status& status) {
  CHECK(status.ok());  // Of calls that only build something in memory.
}

// Below it each publication is erased by itself; a range costs every later reader a little until files are rewritten.
constexpr std::uint64_t kEraseRangeFrom = 1024;
// Of one batch, when much is copied.
constexpr std::size_t kCopiedBytes = 4u << 20;

}  // namespace

LogBatch::LogBatch(const LogStore& store) : store_(store), batch_(std::make_unique<rocksdb::WriteBatch>()) {}
LogBatch::~LogBatch() = default;

void LogBatch::put_publication(std::uint64_t channel_number, const Publication& publication, std::uint64_t bytes_before,
                               std::uint32_t run) {
  value_.clear();
  append_publication(value_, publication, bytes_before, run);
  check(batch_->Put(store_.database_->families[kPublications], publication_key(channel_number, publication.position->offset),
                    value_));
}

void LogBatch::erase_publications(std::uint64_t channel_number, std::uint64_t from, std::uint64_t to) {
  if (to - from >= kEraseRangeFrom) {
    check(batch_->DeleteRange(store_.database_->families[kPublications], publication_key(channel_number, from),
                              publication_key(channel_number, to)));
    return;
  }
  for (; from < to; ++from)
    check(batch_->Delete(store_.database_->families[kPublications], publication_key(channel_number, from)));
}

void LogBatch::put_channel(std::string_view name, const LogChannelRecord& record) {
  value_.clear();
  append_channel(value_, record);
  check(batch_->Put(store_.database_->families[kChannels], slice(name), value_));
}

void LogBatch::erase_channel(std::string_view name) {
  check(batch_->Delete(store_.database_->families[kChannels], slice(name)));
}

void LogBatch::put_key(std::string_view channel, std::string_view key, const Receipt& receipt) {
  value_.clear();
  append_receipt(value_, receipt);
  check(batch_->Put(store_.database_->families[kKeys], receipt_key(channel, key), value_));
}

void LogBatch::put_state(std::string_view key, std::string_view value, std::int64_t expires_at_ms) {
  value_.clear();
  append_expiring(value_, value, expires_at_ms);
  check(batch_->Put(store_.database_->families[kState], slice(key), value_));
}

void LogBatch::erase_state(std::string_view key) {
  check(batch_->Delete(store_.database_->families[kState], slice(key)));
}

void LogBatch::put_beginnings(std::uint64_t next_number, std::uint64_t epoch) {
  value_.clear();
  append_big_endian(value_, next_number);
  append_big_endian(value_, epoch);
  check(batch_->Put(store_.database_->families[kDefault], slice(kBeginningsKey), value_));
}

void LogBatch::erase(LogFamily family, std::string_view key) {
  check(batch_->Delete(store_.database_->families[static_cast<std::size_t>(family)], slice(key)));
}

bool LogBatch::empty() const {
  return batch_->Count() == 0;
}

std::size_t LogBatch::bytes() const {
  return batch_->GetDataSize();
}

void LogBatch::clear() {
  batch_->Clear();
}

// ---- Opening ----

namespace {

rocksdb::BlockBasedTableOptions table_options(const std::shared_ptr<rocksdb::Cache>& cache, bool looked_up_by_key) {
  rocksdb::BlockBasedTableOptions table;
  table.block_cache = cache;
  // Indexes count against the cache too, so that memory does not grow with the log.
  table.cache_index_and_filter_blocks = true;
  table.cache_index_and_filter_blocks_with_high_priority = true;
  table.pin_l0_filter_and_index_blocks_in_cache = true;
  table.block_size = looked_up_by_key ? 4096 : 16384;
  table.format_version = 5;
  if (looked_up_by_key) table.filter_policy.reset(rocksdb::NewBloomFilterPolicy(10));
  return table;
}

rocksdb::DBOptions database_options(rocksdb::Env* env) {
  rocksdb::DBOptions options;
  options.env = env;
  options.create_if_missing = true;
  options.create_missing_column_families = true;
  options.paranoid_checks = true;
  // A torn tail was cut before; what is damaged now is older.
  options.wal_recovery_mode = rocksdb::WALRecoveryMode::kAbsoluteConsistency;
  options.info_log = std::make_shared<StoreLog>();
  options.max_bgerror_resume_count = 0;
  options.listeners.push_back(std::make_shared<NoRecoveryByItself>());
  options.max_open_files = 256;
  options.max_background_jobs = 2;
  options.max_total_wal_size = 256u << 20;  // So much is read again after a crash.
  options.bytes_per_sync = 1u << 20;
  options.skip_stats_update_on_db_open = true;
  options.stats_dump_period_sec = 0;
  options.keep_log_file_num = 1;
  return options;
}

// What opening needs beside the files.
struct Opening {
  rocksdb::DBOptions database;
  std::vector<rocksdb::ColumnFamilyDescriptor> families;
};

struct Filters {
  const rocksdb::CompactionFilter* keys;
  const rocksdb::CompactionFilter* state;
};

Opening opening(rocksdb::Env* env, const LogStoreOptions& options, const Filters& filters) {
  const std::shared_ptr<rocksdb::Cache> cache = rocksdb::NewLRUCache(options.cache_bytes);
  Opening made{database_options(env), {}};
  for (std::uint32_t family = 0; family < kFamilies; ++family) {
    rocksdb::ColumnFamilyOptions column;
    column.write_buffer_size = family == kPublications ? options.write_buffer_bytes : 8u << 20;
    column.max_write_buffer_number = 3;
    column.level_compaction_dynamic_level_bytes = true;
    column.compression = rocksdb::kNoCompression;
    if (family == kKeys) column.compaction_filter = filters.keys;
    if (family == kState) column.compaction_filter = filters.state;
    if (family == kKeys || family == kState) column.periodic_compaction_seconds = 24 * 60 * 60;
    column.table_factory.reset(rocksdb::NewBlockBasedTableFactory(table_options(cache, family != kPublications)));
    made.families.emplace_back(kFamilyNames[family], column);
  }
  return made;
}

Error no_log_in(const std::string& directory) {
  return {ErrorKind::kNotFound, fmt::format("there is no log in {}", directory)};
}

// kCorrupt with what the file says, if there is one.
Result<void> refuse_unfinished(Files& files, const std::string& directory) {
  const std::string path = unfinished_path(directory);
  const Result<std::unique_ptr<FileForReading>> file = files.read_from(path);
  if (!file && file.error().kind == ErrorKind::kNotFound) return {};
  if (!file) return file.error();
  std::string text(1024, '\0');
  const Result<std::size_t> got = (*file)->read(0, text);
  if (!got) return got.error();
  text.resize(*got);
  return Error{ErrorKind::kCorrupt, text.substr(0, text.find('\n'))};
}

// RocksDB would take a directory without the file that leads to all others for an empty one, and remove what is in it.
Result<void> refuse_headless(Files& files, const std::string& directory) {
  const Result<std::vector<std::string>> names = files.list(directory);
  if (!names) return names.error();
  for (const std::string& name : *names) {
    if (!name.ends_with(".sst") && !name.ends_with(".log")) continue;
    return Error{
        ErrorKind::kCorrupt,
        fmt::format("the log in {0} is damaged: {1} is there, but the file CURRENT is missing; `carillon log check {0} "
                    "--repair` keeps what is whole",
                    directory, name)};
  }
  return {};
}

// The directory is there, and a log in it unless one may be made.
Result<void> prepare_directory(Files& files, const LogStoreOptions& options) {
  const bool make = options.make && !options.only_read;
  if (const Result<FileInfo> info = files.info(options.directory); !info) {
    if (info.error().kind != ErrorKind::kNotFound) return info.error();
    if (!make) return no_log_in(options.directory);
    if (Result<void> made = files.make_directory(options.directory); !made) return made;
    if (Result<void> synced = files.sync_directory(parent_of(options.directory)); !synced) return synced;
  } else if (!info->directory) {
    return Error{ErrorKind::kInvalid, fmt::format("{} is a file; the log needs a directory", options.directory)};
  }
  if (!options.unfinished) {
    if (Result<void> finished = refuse_unfinished(files, options.directory); !finished) return finished;
  }
  if (files.info(options.directory + "/CURRENT")) return {};
  if (Result<void> empty = refuse_headless(files, options.directory); !empty) return empty;
  return make ? Result<void>() : no_log_in(options.directory);
}

}  // namespace

Result<std::unique_ptr<FileLock>> LogStore::lock(Files& files, const std::string& directory) {
  Result<std::unique_ptr<FileLock>> lock = files.lock(directory + "/carillon.lock");
  if (lock || lock.error().kind != ErrorKind::kConflict) return lock;
  return Error{
      ErrorKind::kConflict,
      fmt::format("another server uses the log in {}; stop it, or give this one a directory of its own (--data)", directory)};
}

Result<std::unique_ptr<LogStore>> LogStore::open(Files& files, const Clock& clock, Random& random,
                                                 const LogStoreOptions& options) {
  if (const Result<void> prepared = prepare_directory(files, options); !prepared) return prepared.error();
  Result<std::unique_ptr<FileLock>> lock = LogStore::lock(files, options.directory);
  if (!lock) return lock.error();
  std::unique_ptr<LogStore> store(new LogStore);
  store->database_ = std::make_unique<Database>();
  Database& database = *store->database_;
  database.directory = options.directory;
  database.clock = &clock;
  database.lock = *std::move(lock);
  if (const Result<void> cut = store->cut_tail(files, options.only_read); !cut) return cut.error();
  if (const Result<void> opened = store->open_database(files, options); !opened) return opened.error();
  if (const Result<void> read = store->read_beginnings(random, options.only_read); !read) return read.error();
  return store;
}

Result<void> LogStore::cut_tail(Files& files, bool only_read) {
  Database& database = *database_;
  Result<TailReport> tail = only_read ? find_torn_tail(files, database.directory) : cut_torn_tail(files, database.directory);
  if (!tail && tail.error().kind == ErrorKind::kCorrupt) {
    return database.error_of(rocksdb::Status::Corruption(tail.error().text));
  }
  if (!tail) return tail.error();
  if (only_read) {
    database.cut_files = std::make_unique<CutFiles>(files, std::move(tail->cuts));
    return {};
  }
  for (const TailCut& cut : tail->cuts) {
    log_warning("the log ended in an unfinished write, which was cut off bytes={} file={} offset={}", cut.bytes, cut.file,
                cut.offset);
  }
  return {};
}

Result<void> LogStore::open_database(Files& files, const LogStoreOptions& options) {
  Database& database = *database_;
  database.env = make_rocks_env(options.only_read ? *database.cut_files : files);
  database.drop_expired = std::make_unique<DropExpired>(*database.clock);
  database.drop_receipts = std::make_unique<DropOldReceipts>(*database.clock, options.key_ms);
  const Opening how = opening(database.env.get(), options, {database.drop_receipts.get(), database.drop_expired.get()});
  rocksdb::DB* db = nullptr;
  std::vector<rocksdb::ColumnFamilyHandle*> handles;
  const rocksdb::Status status =
      options.only_read ? rocksdb::DB::OpenForReadOnly(how.database, options.directory, how.families, &handles, &db)
                        : rocksdb::DB::Open(how.database, options.directory, how.families, &handles, &db);
  if (!status.ok()) return database.error_of(status);
  database.db.reset(db);
  std::copy(handles.begin(), handles.end(), database.families.begin());
  for (std::uint32_t family = 0; family < kFamilies; ++family) CHECK(database.families[family]->GetID() == family);
  return {};
}

Result<void> LogStore::read_tables(Files& files, const std::string& directory, LogStore& into) {
  Database database;
  database.directory = directory;
  database.env = make_rocks_env(files);
  Opening how = opening(database.env.get(), {}, {nullptr, nullptr});
  rocksdb::Status status = rocksdb::RepairDB(directory, how.database, how.families);
  if (!status.ok()) return database.error_of(status);
  // Of a family without tables it knows nothing.
  std::vector<std::string> names;
  status = rocksdb::DB::ListColumnFamilies(how.database, directory, &names);
  if (!status.ok()) return database.error_of(status);
  std::erase_if(how.families, [&names](const auto& family) { return std::ranges::count(names, family.name) == 0; });
  rocksdb::DB* db = nullptr;
  std::vector<rocksdb::ColumnFamilyHandle*> handles;
  status = rocksdb::DB::Open(how.database, directory, how.families, &handles, &db);
  if (!status.ok()) return database.error_of(status);
  database.db.reset(db);
  std::copy(handles.begin(), handles.end(), database.families.begin());
  for (std::size_t i = 0; i < handles.size(); ++i) {
    const std::size_t family = std::ranges::find(kFamilyNames, handles[i]->GetName()) - kFamilyNames.begin();
    if (family == kFamilies) continue;
    if (Result<void> copied = into.copy_family(database, handles[i], family); !copied) return copied;
  }
  return {};
}

Result<void> LogStore::copy_family(const Database& from, rocksdb::ColumnFamilyHandle* source, std::size_t family) {
  LogBatch batch(*this);
  const std::unique_ptr<rocksdb::Iterator> entry(from.db->NewIterator({}, source));
  for (entry->SeekToFirst(); entry->Valid(); entry->Next()) {
    check(batch.batch_->Put(database_->families[family], entry->key(), entry->value()));
    if (batch.bytes() < kCopiedBytes) continue;
    if (Result<void> written = write(batch, false); !written) return written;
    batch.clear();
  }
  if (!entry->status().ok()) return from.error_of(entry->status());
  return write(batch, false);
}

LogStore::~LogStore() = default;

Result<void> LogStore::read_beginnings(Random& random, bool only_read) {
  run_ = static_cast<std::uint32_t>(random.next_u64());
  const Database& database = *database_;
  std::string format, beginnings;
  rocksdb::Status status = database.db->Get({}, database.families[kDefault], slice(kFormatKey), &format);
  if (status.ok()) {
    if (format != kFormat) {
      return Error{ErrorKind::kInvalid,
                   fmt::format("the log in {} says `{}`; this program reads `{}`", database.directory, format, kFormat)};
    }
    status = database.db->Get({}, database.families[kDefault], slice(kBeginningsKey), &beginnings);
    if (!status.ok()) return database.error_of(status);
    if (beginnings.size() != 16) return database.error_of(rocksdb::Status::Corruption("beginnings"));
    next_number_ = read_big_endian(beginnings);
    epoch_ = read_big_endian(std::string_view(beginnings).substr(8));
    return {};
  }
  if (!status.IsNotFound()) return database.error_of(status);
  if (only_read) return database.error_of(rocksdb::Status::Corruption("it does not say its format"));
  epoch_ = random.next_u64() >> 16 | 1;  // 48 bits: exact as a number wherever it may be read.
  LogBatch batch(*this);
  batch.put_beginnings(next_number_, epoch_);
  check(batch.batch_->Put(database.families[kDefault], slice(kFormatKey), slice(kFormat)));
  return write(batch, true);
}

// ---- Writing ----

Result<void> LogStore::write(LogBatch& batch, bool synced) {
  rocksdb::WriteOptions options;
  options.sync = synced;
  const rocksdb::Status status = database_->db->Write(options, batch.batch_.get());
  if (!status.ok()) return database_->error_of(status);
  return {};
}

Result<void> LogStore::write_again(std::string_view log_record) {
  rocksdb::WriteBatch batch{std::string(log_record)};
  const rocksdb::Status status = database_->db->Write({}, &batch);
  if (!status.ok()) return database_->error_of(status);
  return {};
}

Result<void> LogStore::sync() {
  const rocksdb::Status status = database_->db->SyncWAL();
  if (!status.ok()) return database_->error_of(status);
  return {};
}

Result<void> LogStore::resume() {
  const rocksdb::Status status = database_->db->Resume();
  if (!status.ok()) return database_->error_of(status);
  return {};
}

// ---- Reading ----

Result<std::optional<LogChannelRecord>> LogStore::channel(std::string_view name) const {
  rocksdb::PinnableSlice value;
  const rocksdb::Status status = database_->db->Get({}, database_->families[kChannels], slice(name), &value);
  if (status.IsNotFound()) return std::optional<LogChannelRecord>();
  if (!status.ok()) return database_->error_of(status);
  std::optional<LogChannelRecord> record = read_channel(view(value));
  if (!record) return database_->error_of(rocksdb::Status::Corruption("the record of channel " + std::string(name)));
  return record;
}

Result<std::vector<std::pair<std::string, LogChannelRecord>>> LogStore::channels(std::string_view prefix,
                                                                                 std::string_view after,
                                                                                 std::size_t count_max) const {
  std::vector<std::pair<std::string, LogChannelRecord>> found;
  const auto iterator = database_->iterate(kChannels, {});
  iterator->Seek(slice(after < prefix ? prefix : after));
  if (iterator->Valid() && after >= prefix && view(iterator->key()) == after) iterator->Next();
  for (; iterator->Valid() && found.size() < count_max; iterator->Next()) {
    const std::string_view name = view(iterator->key());
    if (!name.starts_with(prefix)) break;
    const std::optional<LogChannelRecord> record = read_channel(view(iterator->value()));
    if (!record) return database_->error_of(rocksdb::Status::Corruption("the record of channel " + std::string(name)));
    found.emplace_back(name, *record);
  }
  if (!iterator->status().ok()) return database_->error_of(iterator->status());
  return found;
}

Result<void> LogStore::walk(std::uint64_t channel_number, std::uint64_t from, std::uint64_t to, bool reverse,
                            const LogVisitor& visitor) const {
  if (from >= to) return {};
  const std::string first = publication_key(channel_number, from), end = publication_key(channel_number, to);
  const rocksdb::Slice lower(first), upper(end);
  rocksdb::ReadOptions options;
  options.iterate_lower_bound = &lower;
  options.iterate_upper_bound = &upper;
  const auto iterator = database_->iterate(kPublications, options);
  for (reverse ? iterator->SeekToLast() : iterator->SeekToFirst(); iterator->Valid();
       reverse ? iterator->Prev() : iterator->Next()) {
    if (!visitor(read_big_endian(view(iterator->key()).substr(8)), view(iterator->value()))) break;
  }
  if (!iterator->status().ok()) return database_->error_of(iterator->status());
  return {};
}

Result<std::string> LogStore::publication(std::uint64_t channel_number, std::uint64_t offset) const {
  std::string record;
  const rocksdb::Status status =
      database_->db->Get({}, database_->families[kPublications], publication_key(channel_number, offset), &record);
  if (status.ok()) return record;
  if (status.IsNotFound()) return std::string();
  return database_->error_of(status);
}

Result<std::optional<Receipt>> LogStore::receipt(std::string_view channel, std::string_view key) const {
  std::string value;
  const rocksdb::Status status = database_->db->Get({}, database_->families[kKeys], receipt_key(channel, key), &value);
  if (status.IsNotFound()) return std::optional<Receipt>();
  if (!status.ok()) return database_->error_of(status);
  std::optional<Receipt> receipt = read_receipt(value);
  if (!receipt) return database_->error_of(rocksdb::Status::Corruption("the receipt of a key in " + std::string(channel)));
  return receipt;
}

Result<std::optional<std::string>> LogStore::state(std::string_view key) const {
  rocksdb::PinnableSlice value;
  const rocksdb::Status status = database_->db->Get({}, database_->families[kState], slice(key), &value);
  if (status.IsNotFound()) return std::optional<std::string>();
  if (!status.ok()) return database_->error_of(status);
  const std::optional<Expiring> expiring = read_expiring(view(value));
  if (!expiring) return database_->error_of(rocksdb::Status::Corruption("the state of " + std::string(key)));
  if (expiring->expires_at_ms != 0 && expiring->expires_at_ms <= database_->clock->unix_ms()) {
    return std::optional<std::string>();
  }
  return std::optional<std::string>(expiring->value);
}

Result<std::vector<StateRecord>> LogStore::states(std::string_view prefix, std::string_view after,
                                                  std::size_t count_max) const {
  std::vector<StateRecord> found;
  const std::string end = end_of(prefix);
  const rocksdb::Slice upper(end);
  rocksdb::ReadOptions options;
  if (!end.empty()) options.iterate_upper_bound = &upper;
  const auto iterator = database_->iterate(kState, options);
  iterator->Seek(slice(after < prefix ? prefix : after));
  if (iterator->Valid() && after >= prefix && view(iterator->key()) == after) iterator->Next();
  const std::int64_t now_ms = database_->clock->unix_ms();
  for (; iterator->Valid() && found.size() < count_max; iterator->Next()) {
    const std::optional<Expiring> expiring = read_expiring(view(iterator->value()));
    if (!expiring) {
      return database_->error_of(rocksdb::Status::Corruption("the state of " + iterator->key().ToString()));
    }
    if (expiring->expires_at_ms != 0 && expiring->expires_at_ms <= now_ms) continue;
    found.push_back({iterator->key().ToString(), std::string(expiring->value), expiring->expires_at_ms});
  }
  if (!iterator->status().ok()) return database_->error_of(iterator->status());
  return found;
}

std::uint64_t LogStore::channel_count() const {
  std::uint64_t count = 0;
  database_->db->GetIntProperty(database_->families[kChannels], "rocksdb.estimate-num-keys", &count);
  return count;
}

Result<void> LogStore::scan(LogFamily family, std::string_view prefix, const LogScanner& scanner) const {
  const std::string end = end_of(prefix);
  const rocksdb::Slice upper(end);
  rocksdb::ReadOptions options;
  options.fill_cache = false;
  options.readahead_size = 2u << 20;
  if (!end.empty()) options.iterate_upper_bound = &upper;
  const auto iterator = database_->iterate(static_cast<Family>(family), options);
  for (iterator->Seek(slice(prefix)); iterator->Valid(); iterator->Next()) {
    if (!scanner(view(iterator->key()), view(iterator->value()))) break;
  }
  if (!iterator->status().ok()) return database_->error_of(iterator->status());
  return {};
}

std::vector<LogTable> LogStore::tables() const {
  std::vector<rocksdb::LiveFileMetaData> files;
  database_->db->GetLiveFilesMetaData(&files);
  std::vector<LogTable> tables;
  for (const rocksdb::LiveFileMetaData& file : files) {
    tables.push_back({database_->directory + file.name, file.column_family_name, file.size});
  }
  return tables;
}

Result<void> LogStore::verify(Files& files, const std::string& path) {
  const std::unique_ptr<rocksdb::Env> env = make_rocks_env(files);
  rocksdb::Options options;
  options.env = env.get();
  options.info_log = std::make_shared<StoreLog>();
  rocksdb::SstFileReader reader(options);
  rocksdb::Status status = reader.Open(path);
  if (status.ok()) status = reader.VerifyChecksum();
  if (!status.ok()) return Error{ErrorKind::kCorrupt, status.ToString()};
  return {};
}

std::uint64_t LogStore::disk_bytes() const {
  std::uint64_t bytes = 0, part = 0;
  if (database_->db->GetAggregatedIntProperty("rocksdb.total-sst-files-size", &part)) bytes += part;
  if (database_->db->GetAggregatedIntProperty("rocksdb.cur-size-all-mem-tables", &part)) bytes += part;
  return bytes;
}

std::uint64_t LogStore::memory_bytes() const {
  std::uint64_t bytes = 0, part = 0;
  if (database_->db->GetAggregatedIntProperty("rocksdb.size-all-mem-tables", &part)) bytes += part;
  if (database_->db->GetIntProperty("rocksdb.block-cache-usage", &part)) bytes += part;
  return bytes;
}

}  // namespace carillon
