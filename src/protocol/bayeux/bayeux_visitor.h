// BayeuxVisitor: who asks for a session, as far as the connection or the request shows it. Immutable.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "protocol/identify.h"

namespace carillon {

struct BayeuxVisitor {
  Result<IdentityPtr> identity = IdentityPtr();  // The error is why it may not shake hands.
  PeerAddress peer;
  std::string user_agent;
  std::string cookie;  // Of its browser, only where there are other nodes; empty: it has shown none.
  std::vector<std::pair<std::string, std::string>> headers;  // Only where somebody in the program would look at them.
};
BayeuxVisitor look_at_visitor(const Exchange& exchange, const Identify& identify, bool with_headers);

// Who shows this token in a message, from there.
Result<IdentityPtr> identify_by_token(const Identify& identify, const PeerAddress& peer, std::string_view token);

}  // namespace carillon
