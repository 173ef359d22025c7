// presence_key: under which name a client is present. Any thread.
//
// The user of its identity; "anonymous:<session>" where nobody is known. Another name is taken from trusted clients only: who
// is present is what others are shown, so it must not be the client's to choose.
#pragma once

#include <string>
#include <string_view>

#include "carillon/result.h"
#include "hub/publication.h"

namespace carillon {

// `asked` is the key that the client wants; empty: none. Errors: kForbidden.
Result<std::string> presence_key(const Identity& identity, SessionId session, std::string_view asked);

}  // namespace carillon
