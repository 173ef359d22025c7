// A position as clients see it and give it back: "<epoch>:<offset>", the epoch as epoch_text.h has it, the offset in decimal.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "hub/publication.h"

namespace carillon {

std::string position_text(const Position& position);
// The offset without leading zeros.
std::optional<Position> parse_position_text(std::string_view text);

}  // namespace carillon
