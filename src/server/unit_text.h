// Sizes and durations as people write them: "64KiB", "32MB", "15s", "1h30m". Any thread.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>

#include "carillon/result.h"

namespace carillon {

// A whole number, then B, KB, MB, GB (powers of 1000), KiB, MiB, GiB (powers of 1024) in any case, or nothing for bytes. A
// bare K, M or G is refused, because it means either.
Result<std::uint64_t> parse_size(std::string_view text);
// The shortest text that parse_size reads as exactly this.
std::string size_text(std::uint64_t bytes);

// Whole numbers, each with its unit ms, s, m, h or d, from the largest unit to the smallest: "1h30m". A bare number is
// refused, because nobody knows its unit.
Result<std::chrono::milliseconds> parse_duration(std::string_view text);
// The shortest text of one unit that parse_duration reads as exactly this.
std::string duration_text(std::chrono::milliseconds duration);

}  // namespace carillon
