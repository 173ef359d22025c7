#include "engine/log/write_ahead_logs.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cstring>
#include <optional>

namespace carillon {
namespace {

constexpr std::string_view kSuffix = ".log";

// Nothing for files that are no write-ahead logs.
std::optional<std::uint64_t> number_of(std::string_view name) {
  if (!name.ends_with(kSuffix)) return std::nullopt;
  name.remove_suffix(kSuffix.size());
  std::uint64_t number = 0;
  const auto [end, error] = std::from_chars(name.data(), name.data() + name.size(), number);
  if (error != std::errc() || end != name.data() + name.size()) return std::nullopt;
  return number;
}

}  // namespace

Result<std::vector<WriteAheadLog>> write_ahead_logs(Files& files, const std::string& directory, std::uint64_t first) {
  const Result<std::vector<std::string>> names = files.list(directory);
  if (!names) return names.error();
  std::vector<WriteAheadLog> logs;
  for (const std::string& name : *names) {
    const auto number = number_of(name);
    if (number && *number >= first) logs.push_back({*number, fmt::format("{}/{}", directory, name)});
  }
  std::ranges::sort(logs, std::less(), &WriteAheadLog::number);
  return logs;
}

// A record begins with its first change's number (8 bytes) and how many there are (4).
void LogSequences::add(std::string_view record) {
  std::uint64_t number = 0;
  std::uint32_t count = 0;
  if (record.size() < sizeof number + sizeof count) return;
  std::memcpy(&number, record.data(), sizeof number);
  std::memcpy(&count, record.data() + sizeof number, sizeof count);
  if (end == 0) first = number;
  end = number + count;
}

}  // namespace carillon
