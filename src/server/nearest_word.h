// "Did you mean …?": the known word that is nearest to a misspelt one. Any thread.
#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <string_view>

namespace carillon {

// How many insertions, removals, replacements and swaps of neighbours make one word the other, case disregarded.
std::size_t edit_distance(std::string_view a, std::string_view b);

// The nearest of the words, the first of several; empty when none is near enough to be what was meant (a third of the
// letters may differ).
std::string_view nearest_word(std::string_view misspelt, std::span<const std::string_view> known);

// "; did you mean `x`?", or nothing when no word is near.
std::string did_you_mean(std::string_view misspelt, std::span<const std::string_view> known);

}  // namespace carillon
