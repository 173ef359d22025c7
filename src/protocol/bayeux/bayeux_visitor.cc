#include "protocol/bayeux/bayeux_visitor.h"

#include "protocol/unanswered_exchange.h"

namespace carillon {
BayeuxVisitor look_at_visitor(const Exchange& exchange, const Identify& identify, bool with_headers) {
  BayeuxVisitor visitor{.identity = identify(exchange, {}), .peer = exchange.peer()};
  visitor.user_agent = exchange.request().headers.get("User-Agent");
  if (with_headers) visitor.headers = exchange.request().headers.fields().copy();
  return visitor;
}

Result<IdentityPtr> identify_by_token(const Identify& identify, const PeerAddress& peer, std::string_view token) {
  return identify(UnansweredExchange(HttpRequest(), peer), token);
}

}  // namespace carillon
