#include "hub/listener.h"
#include "protocol/event_json.h"
#include "server/local_hub_parts.h"

namespace carillon {

class EventListener::Parts {
 public:
  explicit Parts(std::shared_ptr<Listener> listener) : listener_(std::move(listener)) {}
  Listener& listener() { return *listener_; }

 private:
  const std::shared_ptr<Listener> listener_;
};

EventListener::EventListener(std::unique_ptr<Parts> parts) : parts_(std::move(parts)) {}
EventListener::EventListener(EventListener&&) noexcept = default;
EventListener& EventListener::operator=(EventListener&&) noexcept = default;
EventListener::~EventListener() = default;

std::optional<Event> EventListener::next(std::chrono::milliseconds wait) {
  const PublicationPtr publication = parts_->listener().next(wait);
  if (publication == nullptr) return std::nullopt;
  Event event{.channel = publication->channel,
              .event = publication->event,
              .data = {},
              .timestamp = publication->time_ms / 1000,
              .event_id = publication->id.text()};
  append_payload_json(event.data, *publication);
  return event;
}

std::uint64_t EventListener::take_lost() {
  return parts_->listener().take_lost();
}
bool EventListener::closed() const {
  return parts_->listener().closed();
}

EventListener LocalHub::listen(std::size_t capacity) {
  return EventListener(std::make_unique<EventListener::Parts>(parts_->runtime().hub().listen(capacity)));
}

}  // namespace carillon
