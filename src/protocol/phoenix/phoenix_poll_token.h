// The token by which a long-poll client names its session: "<place>.<32 hexadecimal digits>". The place says on which loop the
// session lives (protocol/siblings.h), so that a poll that arrives on another finds it; the rest cannot be guessed. Any thread.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

#include "base/random.h"

namespace carillon {

std::string make_phoenix_poll_token(std::size_t place, Random& random);
// The place that such a token names; nothing for any other text, as an application's own token.
std::optional<std::size_t> phoenix_poll_place(std::string_view token);

}  // namespace carillon
