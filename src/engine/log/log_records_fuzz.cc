// Any bytes as a log: what was read before the end is read again from what is left when the rest is cut off.
#include <algorithm>
#include <vector>

#include "base/check.h"
#include "engine/log/log_records.h"

using namespace carillon;

namespace {

class MemoryFile final : public FileForReading {
 public:
  explicit MemoryFile(std::string_view bytes) : bytes_(bytes) {}
  Result<std::size_t> read(std::uint64_t offset, std::span<char> into) const override {
    return bytes_.substr(std::min<std::size_t>(offset, bytes_.size())).copy(into.data(), into.size());
  }

 private:
  const std::string_view bytes_;
};

std::vector<std::string> all(LogRecords& records) {
  std::vector<std::string> texts;
  while (const std::optional<std::string_view> record = *records.next()) texts.emplace_back(*record);
  return texts;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const MemoryFile file(std::string_view(reinterpret_cast<const char*>(data), size));
  LogRecords records(file, size, 9);
  const std::vector<std::string> texts = all(records);
  CHECK(records.whole_end() <= records.stopped_at() && records.stopped_at() <= size);
  CHECK(records.another_follows());

  LogRecords left(file, records.whole_end(), 9);
  CHECK(all(left) == texts && left.end() == LogRecords::End::kWhole);
  return 0;
}
