<<<<<<< HEAD
// Under which key a client is present: never under a name that somebody else would be taken for. Any thread.
=======
// presence_key: under which name a client is present. Any thread.
//
// The user of its identity; "anonymous:<session>" where nobody is known. Another name is taken from trusted clients only: who
// is present is what others are shown, so it must not be the client's to choose.
>>>>>>> native_presence
#pragma once

#include <string>
#include <string_view>

<<<<<<< HEAD
=======
#include "carillon/result.h"
>>>>>>> native_presence
#include "hub/publication.h"

namespace carillon {

<<<<<<< HEAD
// The identity's user; without one, what a trusted client asks for; else, and without that, "anonymous:<session id>".
std::string presence_key(const Identity& identity, std::string_view asked, SessionId session);
=======
// `asked` is the key that the client wants; empty: none. Errors: kForbidden.
Result<std::string> presence_key(const Identity& identity, SessionId session, std::string_view asked);
>>>>>>> native_presence

}  // namespace carillon
