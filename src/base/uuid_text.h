// A UUID as people and clients write it. Any thread.
#pragma once

#include <optional>
#include <string_view>

#include "base/id.h"

namespace carillon {

// Digits of either case: hyphenated, 32 digits, either of these in braces, or hyphenated behind `urn:uuid:` (RFC 9562,
// section 4). Any version and variant.
std::optional<Uuid> parse_uuid(std::string_view text);

}  // namespace carillon
