#include "hub/publication.h"

namespace carillon {

bool is_same_user(const Identity& identity, const Identity& other) {
  return !identity.user.empty() && identity.user == other.user && identity.verified == other.verified;
}

bool Publication::is_for(SessionId session, const Identity& hearer) const {
  const bool own_session = publisher_session != 0 && publisher_session == session;
  const auto own_user = [&] { return own_session || (identity != nullptr && is_same_user(*identity, hearer)); };
  switch (deliver_to) {
    case DeliverTo::kAll: return true;
    case DeliverTo::kOtherSessions: return !own_session;
    case DeliverTo::kOtherUsers: return !own_user();
    case DeliverTo::kOwnUser: return own_user();
    case DeliverTo::kOwnSession: return own_session;
  }
  return true;
}

std::unique_ptr<Publication> publication_of(Draft&& draft) {
  auto publication = std::make_unique<Publication>();
  publication->channel = std::move(draft.channel);
  publication->event = std::move(draft.event);
  publication->payload = std::move(draft.payload);
  publication->format = draft.format;
  publication->identity = std::move(draft.identity);
  publication->publisher_session = draft.publisher_session;
  publication->deliver_to = draft.deliver_to;
  publication->own_form = draft.own_form;
  publication->tags = std::move(draft.tags);
  return publication;
}

}  // namespace carillon
