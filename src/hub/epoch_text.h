// An epoch as people and clients see it: 16 lower-case hexadecimal digits. A text, because JSON numbers lose digits beyond
// 2^53 in most readers.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace carillon {

inline constexpr std::size_t kEpochTextSize = 16;

std::string epoch_text(std::uint64_t epoch);
// 1 to 16 hexadecimal digits of either case.
std::optional<std::uint64_t> parse_epoch(std::string_view text);

}  // namespace carillon
