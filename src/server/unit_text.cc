#include "server/unit_text.h"

#include <fmt/core.h>

#include <array>
#include <charconv>
#include <limits>
#include <optional>

namespace carillon {
namespace {

struct Unit {
  std::string_view name;
  std::uint64_t factor;
};

constexpr std::array<Unit, 7> kSizeUnits{{{"GiB", 1ULL << 30},
                                          {"GB", 1'000'000'000},
                                          {"MiB", 1ULL << 20},
                                          {"MB", 1'000'000},
                                          {"KiB", 1ULL << 10},
                                          {"KB", 1'000},
                                          {"B", 1}}};
constexpr std::array<Unit, 5> kTimeUnits{{{"d", 86'400'000}, {"h", 3'600'000}, {"m", 60'000}, {"s", 1'000}, {"ms", 1}}};

char lower(char character) {
  return character >= 'A' && character <= 'Z' ? static_cast<char>(character + 32) : character;
}

bool same_word(std::string_view a, std::string_view b) {
  if (a.size() != b.size()) return false;
  for (std::size_t i = 0; i < a.size(); ++i) {
    if (lower(a[i]) != lower(b[i])) return false;
  }
  return true;
}

// Takes the number at the front of `text`; nothing when there is none or it passes 64 bits.
std::optional<std::uint64_t> take_number(std::string_view& text) {
  std::uint64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc()) return std::nullopt;
  text.remove_prefix(static_cast<std::size_t>(end - text.data()));
  return value;
}

// Takes the letters at the front of `text`.
std::string_view take_word(std::string_view& text) {
  std::size_t size = 0;
  while (size < text.size() && lower(text[size]) >= 'a' && lower(text[size]) <= 'z') ++size;
  const std::string_view word = text.substr(0, size);
  text.remove_prefix(size);
  return word;
}

std::string_view trimmed(std::string_view text) {
  while (!text.empty() && text.front() == ' ') text.remove_prefix(1);
  while (!text.empty() && text.back() == ' ') text.remove_suffix(1);
  return text;
}

bool product_fits(std::uint64_t number, std::uint64_t factor) {
  return number <= static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max()) / factor;
}

Error not_a_size(std::string_view text) {
  return {ErrorKind::kInvalid, fmt::format("`{}` is not a size; write a whole number of bytes, KB, MB, GB (powers of 1000), "
                                           "KiB, MiB or GiB (powers of 1024), such as \"64KiB\"",
                                           text)};
}

Error not_a_duration(std::string_view text) {
  return {ErrorKind::kInvalid,
          fmt::format("`{}` is not a duration; write whole numbers with ms, s, m, h or d, such as \"15s\" or \"1h30m\"", text)};
}

}  // namespace

Result<std::uint64_t> parse_size(std::string_view text) {
  std::string_view rest = trimmed(text);
  const std::optional<std::uint64_t> number = take_number(rest);
  if (!number) return not_a_size(text);
  std::string_view unit = trimmed(rest);
  if (unit.empty()) unit = "B";
  for (const Unit& known : kSizeUnits) {
    if (!same_word(unit, known.name)) continue;
    if (!product_fits(*number, known.factor)) return not_a_size(text);
    return *number * known.factor;
  }
  for (const std::string_view bare : {"K", "M", "G"}) {
    if (!same_word(unit, bare)) continue;
    return Error{ErrorKind::kInvalid, fmt::format("`{}` may mean powers of 1000 or of 1024; write {}{}B or {}{}iB", text,
                                                  *number, bare, *number, bare)};
  }
  return not_a_size(text);
}

std::string size_text(std::uint64_t bytes) {
  for (const Unit& unit : kSizeUnits) {
    if (unit.factor > 1 && bytes != 0 && bytes % unit.factor == 0) return fmt::format("{}{}", bytes / unit.factor, unit.name);
  }
  return fmt::format("{}B", bytes);
}

Result<std::chrono::milliseconds> parse_duration(std::string_view text) {
  std::string_view rest = trimmed(text);
  std::uint64_t total = 0;
  std::size_t units_used = 0;  // How many of kTimeUnits may not come any more.
  do {
    const std::optional<std::uint64_t> number = take_number(rest);
    if (!number) return not_a_duration(text);
    const std::string_view word = take_word(rest);
    while (units_used < kTimeUnits.size() && kTimeUnits[units_used].name != word) ++units_used;
    if (units_used == kTimeUnits.size()) return not_a_duration(text);
    const std::uint64_t factor = kTimeUnits[units_used++].factor;
    if (!product_fits(*number, factor)) return not_a_duration(text);
    total += *number * factor;
    if (!product_fits(total, 1)) return not_a_duration(text);
  } while (!rest.empty());
  return std::chrono::milliseconds(static_cast<std::int64_t>(total));
}

std::string duration_text(std::chrono::milliseconds duration) {
  const std::int64_t ms = duration.count();
  for (const Unit& unit : kTimeUnits) {
    const auto factor = static_cast<std::int64_t>(unit.factor);
    if (ms != 0 && ms % factor == 0) return fmt::format("{}{}", ms / factor, unit.name);
  }
  return "0s";
}

}  // namespace carillon
