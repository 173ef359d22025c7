#include "protocol/presence_key.h"

#include "hub/session_text.h"

namespace carillon {

Result<std::string> presence_key(const Identity& identity, SessionId session, std::string_view asked) {
  std::string own = identity.user.empty() ? "anonymous:" + session_text(session) : identity.user;
  if (asked.empty() || asked == own) return own;
  if (identity.trusted) return std::string(asked);
  return Error{ErrorKind::kForbidden, "presence key: only who is trusted may be present under another name than the own one"};
}

}  // namespace carillon
