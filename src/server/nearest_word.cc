#include "server/nearest_word.h"

#include <fmt/core.h>

#include <algorithm>
#include <vector>

namespace carillon {
namespace {

// Longer words are no misspelling of anything; the table below would grow with their square.
constexpr std::size_t kWordSizeMax = 64;

char lower(char character) {
  return character >= 'A' && character <= 'Z' ? static_cast<char>(character + 32) : character;
}

}  // namespace

std::size_t edit_distance(std::string_view a, std::string_view b) {
  // The last three rows of the usual table: `rows[i % 3][j]` is the distance of a's first i letters to b's first j.
  std::vector<std::size_t> rows[3];
  for (auto& row : rows) row.resize(b.size() + 1);
  for (std::size_t j = 0; j <= b.size(); ++j) rows[0][j] = j;
  for (std::size_t i = 1; i <= a.size(); ++i) {
    auto& row = rows[i % 3];
    const auto& above = rows[(i - 1) % 3];
    row[0] = i;
    for (std::size_t j = 1; j <= b.size(); ++j) {
      const std::size_t replaced = above[j - 1] + (lower(a[i - 1]) == lower(b[j - 1]) ? 0 : 1);
      row[j] = std::min({above[j] + 1, row[j - 1] + 1, replaced});
      const bool swapped = i > 1 && j > 1 && lower(a[i - 1]) == lower(b[j - 2]) && lower(a[i - 2]) == lower(b[j - 1]);
      if (swapped) row[j] = std::min(row[j], rows[(i - 2) % 3][j - 2] + 1);
    }
  }
  return rows[a.size() % 3][b.size()];
}

std::string_view nearest_word(std::string_view misspelt, std::span<const std::string_view> known) {
  if (misspelt.size() > kWordSizeMax) return {};
  std::string_view nearest;
  std::size_t nearest_distance = std::max<std::size_t>(1, misspelt.size() / 3) + 1;
  for (const std::string_view word : known) {
    const std::size_t distance = edit_distance(misspelt, word);
    if (distance >= nearest_distance || distance >= word.size()) continue;
    nearest = word;
    nearest_distance = distance;
  }
  return nearest;
}

std::string did_you_mean(std::string_view misspelt, std::span<const std::string_view> known) {
  const std::string_view nearest = nearest_word(misspelt, known);
  return nearest.empty() ? std::string() : fmt::format("; did you mean `{}`?", nearest);
}

}  // namespace carillon
