// The ids of Bayeux sessions, and of browsers: 40 lower-case hexadecimal digits. The first 14 are the time, the next two of a
// client's id say on which loop its session lives (protocol/siblings.h), so that a request that arrives on another finds it;
// the other 96 bits cannot be guessed. Any thread.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

#include "base/clock.h"
#include "base/random.h"

namespace carillon {

std::string make_bayeux_client_id(std::size_t place, const Clock& clock, Random& random);
// The place that such an id names; nothing for any other text.
std::optional<std::size_t> bayeux_place(std::string_view client_id);

std::string make_bayeux_browser_id(const Clock& clock, Random& random);
bool is_bayeux_browser_id(std::string_view text);

}  // namespace carillon
