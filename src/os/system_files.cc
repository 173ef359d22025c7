#include "os/system_files.h"

#include <dirent.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <sys/statvfs.h>

#include <cerrno>
#include <cstdio>
#include <cstring>

#include "os/file_descriptor.h"

namespace carillon {
namespace {

constexpr mode_t kFileMode = 0640;
constexpr mode_t kDirectoryMode = 0750;

ErrorKind kind_of(int reason) {
  switch (reason) {
    case ENOENT: return ErrorKind::kNotFound;
    case EACCES:
    case EPERM:
    case EROFS: return ErrorKind::kForbidden;
    case EEXIST:
    case ENOTEMPTY:
    case EBUSY:
    case EAGAIN: return ErrorKind::kConflict;
    case ENOSPC:
    case EDQUOT:
    case EFBIG: return ErrorKind::kLimit;
    case ENOTDIR:
    case EISDIR:
    case ENAMETOOLONG:
    case ELOOP:
    case EINVAL: return ErrorKind::kInvalid;
    case EBADMSG:
    case EUCLEAN: return ErrorKind::kCorrupt;
    default: return ErrorKind::kInternal;
  }
}

// What the system just refused.
Error refusal(std::string_view what, const std::string& path) {
  const int reason = errno;
  return Error{kind_of(reason), fmt::format("cannot {} {}: {}", what, path, std::strerror(reason))};
}

// Repeats a call that a signal interrupted.
template <class Call>
auto uninterrupted(Call call) {
  decltype(call()) result;
  do result = call();
  while (result < 0 && errno == EINTR);
  return result;
}

FileDescriptor opened(const std::string& path, int flags) {
  return FileDescriptor(uninterrupted([&] { return ::open(path.c_str(), flags | O_CLOEXEC, kFileMode); }));
}

class SystemFileForAppend final : public FileForAppend {
 public:
  SystemFileForAppend(FileDescriptor file, std::string path, std::uint64_t size)
      : file_(std::move(file)), path_(std::move(path)), size_(size) {}

  Result<void> append(std::string_view bytes) override {
    while (!bytes.empty()) {
      const ssize_t written = uninterrupted([&] { return ::write(file_.get(), bytes.data(), bytes.size()); });
      if (written < 0) return refusal("write", path_);
      size_ += static_cast<std::uint64_t>(written);
      bytes.remove_prefix(static_cast<std::size_t>(written));
    }
    return {};
  }

  Result<void> sync() override {
    if (uninterrupted([&] { return ::fdatasync(file_.get()); }) != 0) return refusal("sync", path_);
    return {};
  }

  Result<void> truncate(std::uint64_t size) override {
    const auto length = static_cast<off_t>(size);
    if (uninterrupted([&] { return ::ftruncate(file_.get(), length); }) != 0) return refusal("truncate", path_);
    size_ = size;
    return {};
  }

  Result<void> close() override {
    // Linux closes it even when a signal interrupts that.
    if (::close(file_.release()) != 0 && errno != EINTR) return refusal("close", path_);
    return {};
  }

  std::uint64_t size() const override { return size_; }

 private:
  FileDescriptor file_;
  const std::string path_;
  std::uint64_t size_;
};

class SystemFileForReading final : public FileForReading {
 public:
  SystemFileForReading(FileDescriptor file, std::string path) : file_(std::move(file)), path_(std::move(path)) {}

  Result<std::size_t> read(std::uint64_t offset, std::span<char> into) const override {
    std::size_t count = 0;
    while (count < into.size()) {
      const auto place = static_cast<off_t>(offset + count);
      const ssize_t got = uninterrupted([&] { return ::pread(file_.get(), into.data() + count, into.size() - count, place); });
      if (got < 0) return failure();
      if (got == 0) break;
      count += static_cast<std::size_t>(got);
    }
    return count;
  }

 private:
  Error failure() const {
    const bool unreadable = errno == EIO;
    Error error = refusal("read", path_);
    if (unreadable) error.kind = ErrorKind::kCorrupt;
    return error;
  }

  const FileDescriptor file_;
  const std::string path_;
};

// The lock ends with the descriptor.
class SystemFileLock final : public FileLock {
 public:
  explicit SystemFileLock(FileDescriptor file) : file_(std::move(file)) {}

 private:
  const FileDescriptor file_;
};

Result<std::unique_ptr<FileForAppend>> open_for_append(const std::string& path, int flags) {
  FileDescriptor file = opened(path, O_WRONLY | O_APPEND | O_CREAT | flags);
  if (!file) return refusal("open", path);
  struct stat status {};
  if (::fstat(file.get(), &status) != 0) return refusal("open", path);
  const auto size = static_cast<std::uint64_t>(status.st_size);
  return std::unique_ptr<FileForAppend>(std::make_unique<SystemFileForAppend>(std::move(file), path, size));
}

// One that answers 0 when it could.
Result<void> outcome(int answer, std::string_view what, const std::string& path) {
  if (answer != 0) return refusal(what, path);
  return {};
}

}  // namespace

Result<std::unique_ptr<FileForAppend>> SystemFiles::create(const std::string& path) {
  return open_for_append(path, O_TRUNC);
}

Result<std::unique_ptr<FileForAppend>> SystemFiles::append_to(const std::string& path) {
  return open_for_append(path, 0);
}

Result<std::unique_ptr<FileForReading>> SystemFiles::read_from(const std::string& path) {
  FileDescriptor file = opened(path, O_RDONLY);
  if (!file) return refusal("open", path);
  return std::unique_ptr<FileForReading>(std::make_unique<SystemFileForReading>(std::move(file), path));
}

Result<std::unique_ptr<FileLock>> SystemFiles::lock(const std::string& path) {
  FileDescriptor file = opened(path, O_RDWR | O_CREAT);
  if (!file) return refusal("open", path);
  struct flock whole {};
  whole.l_type = F_WRLCK;
  whole.l_whence = SEEK_SET;
  if (uninterrupted([&] { return ::fcntl(file.get(), F_OFD_SETLK, &whole); }) == 0) {
    return std::unique_ptr<FileLock>(std::make_unique<SystemFileLock>(std::move(file)));
  }
  if (errno != EAGAIN && errno != EACCES) return refusal("lock", path);
  return Error{ErrorKind::kConflict,
               fmt::format("cannot lock {}: another process, or another part of this one, holds it", path)};
}

Result<FileInfo> SystemFiles::info(const std::string& path) {
  struct stat status {};
  if (::stat(path.c_str(), &status) != 0) return refusal("look at", path);
  return FileInfo{.size = static_cast<std::uint64_t>(status.st_size),
                  .modified_ms = status.st_mtim.tv_sec * 1000 + status.st_mtim.tv_nsec / 1'000'000,
                  .directory = S_ISDIR(status.st_mode)};
}

Result<std::vector<std::string>> SystemFiles::list(const std::string& directory) {
  const std::unique_ptr<DIR, int (*)(DIR*)> open(::opendir(directory.c_str()), ::closedir);
  if (open == nullptr) return refusal("list", directory);
  std::vector<std::string> names;
  for (;;) {
    errno = 0;
    const dirent* const entry = ::readdir(open.get());
    if (entry == nullptr) break;
    const std::string_view name = entry->d_name;
    if (name != "." && name != "..") names.emplace_back(name);
  }
  if (errno != 0) return refusal("list", directory);
  return names;
}

Result<void> SystemFiles::make_directory(const std::string& path) {
  return outcome(::mkdir(path.c_str(), kDirectoryMode), "make directory", path);
}

Result<void> SystemFiles::remove_directory(const std::string& path) {
  return outcome(::rmdir(path.c_str()), "remove directory", path);
}

Result<void> SystemFiles::remove(const std::string& path) {
  return outcome(::unlink(path.c_str()), "remove", path);
}

Result<void> SystemFiles::rename(const std::string& from, const std::string& to) {
  return outcome(::rename(from.c_str(), to.c_str()), "rename", fmt::format("{} to {}", from, to));
}

Result<void> SystemFiles::link(const std::string& from, const std::string& to) {
  return outcome(::link(from.c_str(), to.c_str()), "link", fmt::format("{} to {}", from, to));
}

Result<void> SystemFiles::sync_directory(const std::string& path) {
  const FileDescriptor directory = opened(path, O_RDONLY | O_DIRECTORY);
  if (!directory) return refusal("open", path);
  return outcome(uninterrupted([&] { return ::fsync(directory.get()); }), "sync", path);
}

Result<std::uint64_t> SystemFiles::free_bytes(const std::string& path) {
  struct statvfs status {};
  if (uninterrupted([&] { return ::statvfs(path.c_str(), &status); }) != 0) return refusal("ask for the free space of", path);
  return std::uint64_t{status.f_bavail} * status.f_frsize;
}

}  // namespace carillon
