#include "hub/position_text.h"

#include <charconv>

#include "hub/epoch_text.h"

namespace carillon {

std::string position_text(const Position& position) {
  return epoch_text(position.epoch) + ':' + std::to_string(position.offset);
}

std::optional<Position> parse_position_text(std::string_view text) {
  const std::size_t colon = text.find(':');
  if (colon == std::string_view::npos) return std::nullopt;
  const std::optional<std::uint64_t> epoch = parse_epoch(text.substr(0, colon));
  const std::string_view digits = text.substr(colon + 1);
  std::uint64_t offset = 0;
  const char* const end = digits.data() + digits.size();
  const auto [at, fault] = std::from_chars(digits.data(), end, offset);
  if (!epoch || fault != std::errc{} || at != end || (digits.size() > 1 && digits[0] == '0')) return std::nullopt;
  return Position{.epoch = *epoch, .offset = offset};
}

}  // namespace carillon
