#include "engine/log/cut_files.h"

#include <fmt/format.h>

#include <algorithm>

namespace carillon {
namespace {

class CutFile final : public FileForReading {
 public:
  CutFile(std::unique_ptr<FileForReading> file, std::uint64_t size) : file_(std::move(file)), size_(size) {}

  Result<std::size_t> read(std::uint64_t offset, std::span<char> into) const override {
    const std::uint64_t left = size_ - std::min(offset, size_);
    return file_->read(offset, into.first(std::min<std::uint64_t>(into.size(), left)));
  }

 private:
  const std::unique_ptr<FileForReading> file_;
  const std::uint64_t size_;
};

}  // namespace

Result<std::unique_ptr<FileForReading>> CutFiles::read_from(const std::string& path) {
  Result<std::unique_ptr<FileForReading>> file = files_.read_from(path);
  const TailCut* const cut = cut_of(path);
  if (!file || cut == nullptr) return file;
  return std::unique_ptr<FileForReading>(std::make_unique<CutFile>(*std::move(file), cut->offset));
}

Result<FileInfo> CutFiles::info(const std::string& path) {
  Result<FileInfo> info = files_.info(path);
  const TailCut* const cut = cut_of(path);
  if (info && cut != nullptr) info->size = std::min(info->size, cut->offset);
  return info;
}

Result<void> CutFiles::make_directory(const std::string& path) {
  if (!files_.info(path)) return refusal(path);
  return Error{ErrorKind::kConflict, fmt::format("{} is there", path)};
}

Error CutFiles::refusal(const std::string& path) {
  return {ErrorKind::kForbidden, fmt::format("{} is only read", path)};
}

const TailCut* CutFiles::cut_of(const std::string& path) const {
  const auto found = std::ranges::find(cuts_, path, &TailCut::file);
  return found == cuts_.end() ? nullptr : &*found;
}

}  // namespace carillon
