// Files: the port through which the program reaches a disk. os/system_files.h is the machine's, base/simulated_disk.h one that
// loses power, fills up and fails when a test wants it to.
//
// Paths are the system's. Errors of every function: kNotFound (no such file or directory), kForbidden (no right to it),
// kConflict (it exists, or another process holds it), kLimit (the disk is full, or a quota is), kInvalid (a path that cannot
// be), kCorrupt (the disk cannot read what it has), kInternal (anything else of the system); texts name the path and the
// system's reason.
//
// Any thread; one file object is used by one thread at a time, but for FileForReading, and for FileForAppend::sync.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "carillon/result.h"

namespace carillon {

// Written from its end on. Closed by the destructor, which does not sync.
class FileForAppend {
 public:
  virtual ~FileForAppend() = default;
  // All of it, or an error; then some of it may be there.
  virtual Result<void> append(std::string_view bytes) = 0;
  // What was appended until now survives a loss of power. After an error nobody knows what does: it is not to be asked again.
  // May run while another thread appends; then what was appended before the call does.
  virtual Result<void> sync() = 0;
  // Cuts the file, or lengthens it by zeroes; appending goes on from there.
  virtual Result<void> truncate(std::uint64_t size) = 0;
  virtual Result<void> close() = 0;
  virtual std::uint64_t size() const = 0;
};

class FileForReading {
 public:
  virtual ~FileForReading() = default;
  // How many bytes there were; fewer than asked for only at the file's end. Any thread.
  virtual Result<std::size_t> read(std::uint64_t offset, std::span<char> into) const = 0;
};

// Held by this object until it ends, or its process does.
class FileLock {
 public:
  virtual ~FileLock() = default;
};

struct FileInfo {
  std::uint64_t size = 0;
  std::int64_t modified_ms = 0;  // Unix time.
  bool directory = false;
};

class Files {
 public:
  virtual ~Files() = default;

  // Empty, whatever there was.
  virtual Result<std::unique_ptr<FileForAppend>> create(const std::string& path) = 0;
  // Made when it is not there.
  virtual Result<std::unique_ptr<FileForAppend>> append_to(const std::string& path) = 0;
  virtual Result<std::unique_ptr<FileForReading>> read_from(const std::string& path) = 0;
  // kConflict while another holds it, in this process too.
  virtual Result<std::unique_ptr<FileLock>> lock(const std::string& path) = 0;

  virtual Result<FileInfo> info(const std::string& path) = 0;
  // Names within the directory, without "." and "..", in no order.
  virtual Result<std::vector<std::string>> list(const std::string& directory) = 0;
  virtual Result<void> make_directory(const std::string& path) = 0;
  virtual Result<void> remove_directory(const std::string& path) = 0;  // Empty ones only.
  virtual Result<void> remove(const std::string& path) = 0;
  // Replaces what is called `to`.
  virtual Result<void> rename(const std::string& from, const std::string& to) = 0;
  virtual Result<void> link(const std::string& from, const std::string& to) = 0;
  // Names made, renamed and removed in it until now survive a loss of power.
  virtual Result<void> sync_directory(const std::string& path) = 0;
  // What this process could still write there.
  virtual Result<std::uint64_t> free_bytes(const std::string& path) = 0;
};

}  // namespace carillon
