#include "engine/log/rocks_files.h"

#include <rocksdb/env.h>
#include <rocksdb/file_system.h>
#include <rocksdb/io_status.h>

#include <atomic>
#include <map>
#include <mutex>
#include <utility>

namespace carillon {
namespace {

using rocksdb::FileOptions;
using rocksdb::IODebugContext;
using rocksdb::IOOptions;
using rocksdb::IOStatus;
using rocksdb::Slice;

// What may pass is retryable: then DB::Resume() may be asked for again. Else RocksDB takes no write until it is opened anew.
IOStatus status_of(const Error& error) {
  if (error.kind == ErrorKind::kNotFound) return IOStatus::PathNotFound(error.text);
  IOStatus status = error.kind == ErrorKind::kLimit ? IOStatus::NoSpace(error.text) : IOStatus::IOError(error.text);
  status.SetRetryable(error.kind == ErrorKind::kLimit || error.kind == ErrorKind::kInternal);
  return status;
}

IOStatus status_of(const Result<void>& result) {
  return result ? IOStatus::OK() : status_of(result.error());
}

// RocksDB asks whether something is there and takes NotFound for no; anything else stops it.
IOStatus status_of_absence(const Error& error) {
  const bool absent =
      error.kind == ErrorKind::kNotFound || error.kind == ErrorKind::kForbidden || error.kind == ErrorKind::kInvalid;
  return absent ? IOStatus::NotFound(error.text) : status_of(error);
}

IOStatus read_into(const FileForReading& file, std::uint64_t offset, std::size_t count, Slice* result, char* scratch) {
  const Result<std::size_t> got = file.read(offset, {scratch, count});
  *result = Slice(scratch, got ? *got : 0);
  return got ? IOStatus::OK() : status_of(got.error());
}

class SequentialFile final : public rocksdb::FSSequentialFile {
 public:
  explicit SequentialFile(std::unique_ptr<FileForReading> file) : file_(std::move(file)) {}

  IOStatus Read(std::size_t count, const IOOptions&, Slice* result, char* scratch, IODebugContext*) override {
    IOStatus status = read_into(*file_, offset_, count, result, scratch);
    offset_ += result->size();
    return status;
  }
  IOStatus Skip(std::uint64_t count) override {
    offset_ += count;
    return IOStatus::OK();
  }

 private:
  const std::unique_ptr<FileForReading> file_;
  std::uint64_t offset_ = 0;
};

// Prefetch is not overridden: RocksDB then reads ahead into buffers of its own.
class RandomAccessFile final : public rocksdb::FSRandomAccessFile {
 public:
  explicit RandomAccessFile(std::unique_ptr<FileForReading> file) : file_(std::move(file)) {}

  IOStatus Read(std::uint64_t offset, std::size_t count, const IOOptions&, Slice* result, char* scratch,
                IODebugContext*) const override {
    return read_into(*file_, offset, count, result, scratch);
  }

 private:
  const std::unique_ptr<FileForReading> file_;
};

// A file that is not synced again while nothing was changed. Changing and syncing may run on two threads.
class SyncedFile {
 public:
  explicit SyncedFile(std::unique_ptr<FileForAppend> file) : file_(std::move(file)) {}

  Result<void> append(std::string_view bytes) { return changed(file_->append(bytes)); }
  Result<void> truncate(std::uint64_t size) { return changed(file_->truncate(size)); }
  Result<void> sync() {
    const std::uint64_t changes = changes_.load();
    if (changes == synced_.load()) return {};
    Result<void> synced = file_->sync();
    if (synced) synced_.store(changes);
    return synced;
  }
  Result<void> close() { return file_->close(); }
  std::uint64_t size() const { return file_->size(); }

 private:
  // After a failure too: some of it may be there.
  Result<void> changed(Result<void> result) {
    changes_.fetch_add(1);
    return result;
  }

  const std::unique_ptr<FileForAppend> file_;
  std::atomic<std::uint64_t> changes_{1};
  std::atomic<std::uint64_t> synced_{0};  // The changes there were before the last sync.
};

class WritableFile final : public rocksdb::FSWritableFile {
 public:
  WritableFile(std::shared_ptr<SyncedFile> file, const FileOptions& options)
      : FSWritableFile(options), file_(std::move(file)) {}

  using FSWritableFile::Append;
  IOStatus Append(const Slice& bytes, const IOOptions&, IODebugContext*) override {
    return status_of(file_->append({bytes.data(), bytes.size()}));
  }
  IOStatus Truncate(std::uint64_t size, const IOOptions&, IODebugContext*) override { return status_of(file_->truncate(size)); }
  IOStatus Close(const IOOptions&, IODebugContext*) override { return status_of(file_->close()); }
  IOStatus Flush(const IOOptions&, IODebugContext*) override { return IOStatus::OK(); }  // Nothing is buffered below.
  IOStatus Sync(const IOOptions&, IODebugContext*) override { return status_of(file_->sync()); }
  bool IsSyncThreadSafe() const override { return true; }
  std::uint64_t GetFileSize(const IOOptions&, IODebugContext*) override { return file_->size(); }

 private:
  const std::shared_ptr<SyncedFile> file_;
};

std::string_view directory_of(std::string_view path) {
  const std::size_t slash = path.rfind('/');
  return slash == std::string_view::npos ? "." : path.substr(0, std::max<std::size_t>(slash, 1));
}

// The write-ahead log that is written to in each directory. RocksDB goes on in a new one without syncing the last, and its
// unsynced writes; were some of the new one's to survive a loss of power and some of the last one's not, the hole between them
// could not be told from damage. So the last one, and its name, survive before the new one begins.
class NewestLogs {
 public:
  explicit NewestLogs(Files& files) : files_(files) {}

  // Before a new one is made. After an error the last one is not synced again: nobody knows what it has.
  Result<void> sync_last(const std::string& path) {
    const std::shared_ptr<SyncedFile> last = take(directory_of(path));
    if (last == nullptr) return {};
    if (Result<void> synced = last->sync(); !synced) return synced;
    return files_.sync_directory(std::string(directory_of(path)));
  }
  void begin(const std::string& path, const std::shared_ptr<SyncedFile>& file) {
    const std::lock_guard lock(mutex_);
    newest_[std::string(directory_of(path))] = file;
  }

 private:
  std::shared_ptr<SyncedFile> take(std::string_view directory) {
    const std::lock_guard lock(mutex_);
    const auto found = newest_.find(directory);
    return found == newest_.end() ? nullptr : std::exchange(found->second, {}).lock();
  }

  Files& files_;
  std::mutex mutex_;
  // Not there any more: it was closed, because all it had lies in synced tables.
  std::map<std::string, std::weak_ptr<SyncedFile>, std::less<>> newest_;
};

class Directory final : public rocksdb::FSDirectory {
 public:
  Directory(Files& files, std::string path) : files_(files), path_(std::move(path)) {}

  IOStatus Fsync(const IOOptions&, IODebugContext*) override { return status_of(files_.sync_directory(path_)); }
  IOStatus Close(const IOOptions&, IODebugContext*) override { return IOStatus::OK(); }

 private:
  Files& files_;
  const std::string path_;
};

struct HeldLock final : rocksdb::FileLock {
  explicit HeldLock(std::unique_ptr<carillon::FileLock> held) : lock(std::move(held)) {}
  const std::unique_ptr<carillon::FileLock> lock;
};

class RocksFiles final : public rocksdb::FileSystem {
 public:
  explicit RocksFiles(Files& files) : files_(files), logs_(files) {}
  const char* Name() const override { return "CarillonFiles"; }

  // ---- files ----

  IOStatus NewSequentialFile(const std::string& path, const FileOptions&, std::unique_ptr<rocksdb::FSSequentialFile>* result,
                             IODebugContext*) override {
    return open_for_reading<SequentialFile>(path, result);
  }
  IOStatus NewRandomAccessFile(const std::string& path, const FileOptions&,
                               std::unique_ptr<rocksdb::FSRandomAccessFile>* result, IODebugContext*) override {
    return open_for_reading<RandomAccessFile>(path, result);
  }
  IOStatus NewWritableFile(const std::string& path, const FileOptions& options,
                           std::unique_ptr<rocksdb::FSWritableFile>* result, IODebugContext*) override {
    result->reset();
    const bool is_log = path.ends_with(".log");
    if (is_log) {
      if (const Result<void> synced = logs_.sync_last(path); !synced) return status_of(synced.error());
    }
    Result<std::unique_ptr<FileForAppend>> made = files_.create(path);
    if (!made) return status_of(made.error());
    const auto file = std::make_shared<SyncedFile>(*std::move(made));
    if (is_log) logs_.begin(path, file);
    *result = std::make_unique<WritableFile>(file, options);
    return IOStatus::OK();
  }
  IOStatus ReopenWritableFile(const std::string& path, const FileOptions& options,
                              std::unique_ptr<rocksdb::FSWritableFile>* result, IODebugContext*) override {
    result->reset();
    Result<std::unique_ptr<FileForAppend>> file = files_.append_to(path);
    if (!file) return status_of(file.error());
    *result = std::make_unique<WritableFile>(std::make_shared<SyncedFile>(*std::move(file)), options);
    return IOStatus::OK();
  }
  IOStatus Truncate(const std::string& path, std::size_t size, const IOOptions&, IODebugContext*) override {
    if (const Result<FileInfo> info = files_.info(path); !info) return status_of(info.error());
    const Result<std::unique_ptr<FileForAppend>> file = files_.append_to(path);
    return file ? status_of((*file)->truncate(size)) : status_of(file.error());
  }

  // ---- what is known of a path ----

  IOStatus FileExists(const std::string& path, const IOOptions&, IODebugContext*) override {
    const Result<FileInfo> info = files_.info(path);
    return info ? IOStatus::OK() : status_of_absence(info.error());
  }
  IOStatus GetChildren(const std::string& path, const IOOptions&, std::vector<std::string>* names, IODebugContext*) override {
    names->clear();
    Result<std::vector<std::string>> listed = files_.list(path);
    if (!listed) return status_of_absence(listed.error());
    *names = std::move(*listed);
    return IOStatus::OK();
  }
  IOStatus GetFileSize(const std::string& path, const IOOptions&, std::uint64_t* size, IODebugContext*) override {
    const Result<FileInfo> info = files_.info(path);
    *size = info ? info->size : 0;
    return info ? IOStatus::OK() : status_of(info.error());
  }
  IOStatus GetFileModificationTime(const std::string& path, const IOOptions&, std::uint64_t* seconds,
                                   IODebugContext*) override {
    const Result<FileInfo> info = files_.info(path);
    *seconds = info ? static_cast<std::uint64_t>(info->modified_ms / 1000) : 0;
    return info ? IOStatus::OK() : status_of(info.error());
  }
  IOStatus IsDirectory(const std::string& path, const IOOptions&, bool* directory, IODebugContext*) override {
    const Result<FileInfo> info = files_.info(path);
    *directory = info && info->directory;
    return info ? IOStatus::OK() : status_of(info.error());
  }
  IOStatus GetFreeSpace(const std::string& path, const IOOptions&, std::uint64_t* bytes, IODebugContext*) override {
    const Result<std::uint64_t> free = files_.free_bytes(path);
    *bytes = free ? *free : 0;
    return free ? IOStatus::OK() : status_of(free.error());
  }
  // Only compared with other paths that were given to RocksDB.
  IOStatus GetAbsolutePath(const std::string& path, const IOOptions&, std::string* absolute, IODebugContext*) override {
    *absolute = path;
    return IOStatus::OK();
  }

  // ---- names ----

  IOStatus DeleteFile(const std::string& path, const IOOptions&, IODebugContext*) override {
    return status_of(files_.remove(path));
  }
  IOStatus RenameFile(const std::string& from, const std::string& to, const IOOptions&, IODebugContext*) override {
    return status_of(files_.rename(from, to));
  }
  IOStatus LinkFile(const std::string& from, const std::string& to, const IOOptions&, IODebugContext*) override {
    return status_of(files_.link(from, to));
  }

  // ---- directories ----

  IOStatus NewDirectory(const std::string& path, const IOOptions&, std::unique_ptr<rocksdb::FSDirectory>* result,
                        IODebugContext*) override {
    result->reset();
    const Result<FileInfo> info = files_.info(path);
    if (!info) return status_of(info.error());
    if (!info->directory) return IOStatus::IOError(path, "it is no directory");
    *result = std::make_unique<Directory>(files_, path);
    return IOStatus::OK();
  }
  IOStatus CreateDir(const std::string& path, const IOOptions&, IODebugContext*) override {
    return status_of(files_.make_directory(path));
  }
  IOStatus CreateDirIfMissing(const std::string& path, const IOOptions&, IODebugContext*) override {
    const Result<void> made = files_.make_directory(path);
    if (made || made.error().kind != ErrorKind::kConflict) return status_of(made);
    const Result<FileInfo> info = files_.info(path);
    return info && info->directory ? IOStatus::OK() : IOStatus::IOError(path, "it exists and is no directory");
  }
  IOStatus DeleteDir(const std::string& path, const IOOptions&, IODebugContext*) override {
    return status_of(files_.remove_directory(path));
  }

  // ---- locks, and what we do not have ----

  IOStatus LockFile(const std::string& path, const IOOptions&, rocksdb::FileLock** lock, IODebugContext*) override {
    Result<std::unique_ptr<carillon::FileLock>> held = files_.lock(path);
    *lock = held ? new HeldLock(std::move(*held)) : nullptr;  // RocksDB gives it back to UnlockFile.
    return held ? IOStatus::OK() : status_of(held.error());
  }
  IOStatus UnlockFile(rocksdb::FileLock* lock, const IOOptions&, IODebugContext*) override {
    delete lock;
    return IOStatus::OK();
  }
  IOStatus GetTestDirectory(const IOOptions&, std::string*, IODebugContext*) override {
    return IOStatus::NotSupported("test directories");
  }
  IOStatus NewLogger(const std::string&, const IOOptions&, std::shared_ptr<rocksdb::Logger>*, IODebugContext*) override {
    return IOStatus::NotSupported("log files; give RocksDB an info_log");
  }

 private:
  template <class Opened, class Port>
  IOStatus open_for_reading(const std::string& path, std::unique_ptr<Port>* result) {
    result->reset();
    Result<std::unique_ptr<FileForReading>> file = files_.read_from(path);
    if (!file) return status_of(file.error());
    *result = std::make_unique<Opened>(std::move(*file));
    return IOStatus::OK();
  }

  Files& files_;
  NewestLogs logs_;
};

}  // namespace

std::unique_ptr<rocksdb::Env> make_rocks_env(Files& files) {
  return rocksdb::NewCompositeEnv(std::make_shared<RocksFiles>(files));
}

}  // namespace carillon
