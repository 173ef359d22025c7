// SystemFiles: the machine's disks (base/file.h), by POSIX calls.
//
// New files are readable by their owner and its group (0640), new directories too (0750). Nothing is buffered here: each append
// is a write(2). Locks are the kernel's (F_OFD_SETLK): they hold against every other opening of the file, in this process and
// in others, and against programs that use fcntl(2)'s older locks. Any thread; it has no state of its own.
#pragma once

#include "base/file.h"

namespace carillon {

class SystemFiles final : public Files {
 public:
  Result<std::unique_ptr<FileForAppend>> create(const std::string& path) override;
  Result<std::unique_ptr<FileForAppend>> append_to(const std::string& path) override;
  Result<std::unique_ptr<FileForReading>> read_from(const std::string& path) override;
  Result<std::unique_ptr<FileLock>> lock(const std::string& path) override;

  Result<FileInfo> info(const std::string& path) override;
  Result<std::vector<std::string>> list(const std::string& directory) override;
  Result<void> make_directory(const std::string& path) override;
  Result<void> remove_directory(const std::string& path) override;
  Result<void> remove(const std::string& path) override;
  Result<void> rename(const std::string& from, const std::string& to) override;
  Result<void> link(const std::string& from, const std::string& to) override;
  Result<void> sync_directory(const std::string& path) override;
  Result<std::uint64_t> free_bytes(const std::string& path) override;
};

}  // namespace carillon
