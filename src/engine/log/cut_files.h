// CutFiles: a database's files as they would be once their torn ends are cut, for reading only: nothing is changed on the disk.
#pragma once

#include <vector>

#include "base/file.h"
#include "engine/log/torn_tail.h"

namespace carillon {

// Files that are not named among the cuts are as they are; what would change anything answers kForbidden. Any thread.
class CutFiles final : public Files {
 public:
  // `files` outlives it, and what is opened.
  CutFiles(Files& files, std::vector<TailCut> cuts) : files_(files), cuts_(std::move(cuts)) {}

  Result<std::unique_ptr<FileForReading>> read_from(const std::string& path) override;
  Result<FileInfo> info(const std::string& path) override;
  Result<std::vector<std::string>> list(const std::string& directory) override { return files_.list(directory); }
  Result<std::uint64_t> free_bytes(const std::string& path) override { return files_.free_bytes(path); }

  Result<std::unique_ptr<FileForAppend>> create(const std::string& path) override { return refusal(path); }
  Result<std::unique_ptr<FileForAppend>> append_to(const std::string& path) override { return refusal(path); }
  Result<std::unique_ptr<FileLock>> lock(const std::string& path) override { return refusal(path); }
  Result<void> make_directory(const std::string& path) override;  // kConflict when it is there.
  Result<void> remove_directory(const std::string& path) override { return refusal(path); }
  Result<void> remove(const std::string& path) override { return refusal(path); }
  Result<void> rename(const std::string& from, const std::string&) override { return refusal(from); }
  Result<void> link(const std::string&, const std::string& to) override { return refusal(to); }
  Result<void> sync_directory(const std::string& path) override { return refusal(path); }

 private:
  static Error refusal(const std::string& path);
  const TailCut* cut_of(const std::string& path) const;

  Files& files_;
  const std::vector<TailCut> cuts_;
};

}  // namespace carillon
