#pragma once

#include <unistd.h>

#include <cstdio>
#include <filesystem>
#include <fstream>
#include <string>

namespace carillon {

// For tests: the path of a file that no other test uses, in this process or in another that runs at the same time. Removed at
// the end. Nothing exists there before write().
class ScratchFile {
 public:
  explicit ScratchFile(const std::string& suffix = "")
      : path_((std::filesystem::temp_directory_path() /
               ("carillon_" + std::to_string(getpid()) + "_" + std::to_string(++made_) + suffix))
                  .string()) {}
  ~ScratchFile() { remove(); }
  ScratchFile(const ScratchFile&) = delete;
  ScratchFile& operator=(const ScratchFile&) = delete;

  const std::string& path() const { return path_; }
  void write(const std::string& text) const { std::ofstream(path_) << text; }
  void remove() const { std::remove(path_.c_str()); }

 private:
  static inline int made_ = 0;
  const std::string path_;
};

// For tests: the path of a directory that no other test uses, there from the beginning; removed with all it holds at the end.
class ScratchDirectory {
 public:
  ScratchDirectory() { std::filesystem::create_directory(path()); }
  ~ScratchDirectory() { std::filesystem::remove_all(path()); }
  ScratchDirectory(const ScratchDirectory&) = delete;
  ScratchDirectory& operator=(const ScratchDirectory&) = delete;

  const std::string& path() const { return name_.path(); }

 private:
  const ScratchFile name_{"_directory"};
};

}  // namespace carillon
