// RouteHub: the routes of a running server, for the rest of the program.
#include <utility>

#include "hub/hub.h"
#include "protocol/routes/routes_codec.h"
#include "protocol/routes/routes_desk.h"
#include "server/program_publish.h"
#include "server/route_handle.h"
#include "server/runtime.h"

namespace carillon {

RouteHub::RouteHub(std::unique_ptr<Parts> parts) : parts_(std::move(parts)) {}
RouteHub::~RouteHub() = default;

Result<void> RouteHub::send(RouteMessage message, const RouteUser* sender) {
  if (message.channel.empty()) return Error{ErrorKind::kInvalid, "a message of nobody's request needs a channel"};
  if (sender == nullptr) message.system = true;
  RouteBackend& backend = *parts_->runtime().route_backend();
  Result<RoutesOutgoing> outgoing = routes_outgoing(std::move(message), {}, sender, backend.payload_bytes_max());
  if (!outgoing) return outgoing.error();
  IdentityPtr identity;
  if (sender != nullptr && !sender->id.empty()) {
    identity = std::make_shared<const Identity>(Identity{.user = sender->id, .verified = sender->verified});
  }
  Answer<Result<Receipt>> answer;
  const bool open = backend.with_hub([&](Hub& hub) {
    std::string channel = outgoing->channel;
    hub.publish(routes_draft(*std::move(outgoing), std::move(channel), identity, 0, {}),
                [giver = answer.giver()](Result<Receipt> receipt) mutable { giver.give(std::move(receipt)); });
  });
  if (!open) return hub_has_stopped();
  const std::optional<Result<Receipt>> receipt = answer.wait();
  if (!receipt) return hub_has_stopped();
  if (!*receipt) return receipt->error();
  return {};
}

Result<void> RouteHub::send_to_user(std::string_view user, RouteMessage message) {
  message.channel = personal_channel(user);
  return send(std::move(message));
}

Result<std::vector<RouteMember>> RouteHub::members(std::string_view channel) {
  return route_members(*parts_->runtime().route_backend(), channel);
}

std::size_t RouteHub::revoke(std::string_view channel, std::string_view user, std::string_view text) {
  const std::shared_ptr<RoutesDoor> door = parts_->runtime().routes().door;
  std::size_t total = 0;
  for (std::size_t place = 0; place < door->count(); ++place) {
    Answer<std::size_t> answer;
    door->post(place, [channel = std::string(channel), user = std::string(user), text = std::string(text),
                       giver = answer.giver()](RoutesDesk& desk) mutable { giver.give(desk.revoke(channel, user, text)); });
    total += answer.wait().value_or(0);
  }
  return total;
}

Result<std::string> RouteHub::call(std::string_view route, const RouteUser& user, std::string payload) const {
  const RouteEntry* const entry = parts_->runtime().routes().find(route);
  if (entry == nullptr || !entry->pure) return Error{ErrorKind::kNotFound, "no pure handler answers this route"};
  static const std::function<bool()> kNeverCancelled = [] { return false; };
  return entry->pure({.user = user, .payload = payload, .cancelled = kNeverCancelled});
}

RouteState RouteHub::state() const {
  return RouteState(std::make_shared<RouteState::Parts>(parts_->runtime().route_backend()));
}

std::size_t RouteHub::connection_count() const {
  return parts_->runtime().routes().connections.load(std::memory_order_relaxed);
}

}  // namespace carillon
