// Under which key a client is present: never under a name that somebody else would be taken for. Any thread.
#pragma once

#include <string>
#include <string_view>

#include "hub/publication.h"

namespace carillon {

// The identity's user; without one, what a trusted client asks for; else, and without that, "anonymous:<session id>".
std::string presence_key(const Identity& identity, std::string_view asked, SessionId session);

}  // namespace carillon
