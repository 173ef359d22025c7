#include "hub/epoch_text.h"

#include <charconv>

#include "base/id.h"

namespace carillon {

std::string epoch_text(std::uint64_t epoch) {
  return hex_text(epoch, static_cast<int>(kEpochTextSize));
}

std::optional<std::uint64_t> parse_epoch(std::string_view text) {
  std::uint64_t epoch = 0;
  const char* const end = text.data() + text.size();
  const auto [at, fault] = std::from_chars(text.data(), end, epoch, 16);
  if (text.empty() || text.size() > kEpochTextSize || fault != std::errc{} || at != end) return std::nullopt;
  return epoch;
}

}  // namespace carillon
