// A session's id as operators and clients see it: 16 lower-case hexadecimal digits.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "hub/epoch_text.h"
#include "hub/publication.h"

namespace carillon {

inline std::string session_text(SessionId session) {
  return epoch_text(session);
}
inline std::optional<SessionId> parse_session(std::string_view text) {
  return parse_epoch(text);
}

}  // namespace carillon
