#include "protocol/presence_key.h"

#include "hub/session_text.h"

namespace carillon {

std::string presence_key(const Identity& identity, std::string_view asked, SessionId session) {
  if (!identity.user.empty()) return identity.user;
  if (identity.trusted && !asked.empty()) return std::string(asked);
  return "anonymous:" + session_text(session);
}

}  // namespace carillon
