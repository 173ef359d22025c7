#include "hub/publication.h"

namespace carillon {

std::unique_ptr<Publication> publication_of(Draft&& draft) {
  auto publication = std::make_unique<Publication>();
  publication->channel = std::move(draft.channel);
  publication->event = std::move(draft.event);
  publication->payload = std::move(draft.payload);
  publication->format = draft.format;
  publication->identity = std::move(draft.identity);
  publication->publisher_session = draft.publisher_session;
  publication->to_others = draft.to_others;
  publication->tags = std::move(draft.tags);
  return publication;
}

}  // namespace carillon
