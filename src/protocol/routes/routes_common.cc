#include "protocol/routes/routes_common.h"

#include <utility>

#include "protocol/routes/routes_codec.h"

namespace carillon {

bool RoutesDoor::post(std::size_t place, UniqueFunction<void(RoutesDesk&)> task) {
  const std::lock_guard lock(mutex_);
  if (siblings_ == nullptr || place >= siblings_->count()) return false;
  siblings_->post(place, std::move(task));
  return true;
}

std::size_t RoutesDoor::count() {
  const std::lock_guard lock(mutex_);
  return siblings_ == nullptr ? 0 : siblings_->count();
}

void RoutesDoor::close() {
  const std::lock_guard lock(mutex_);
  siblings_ = nullptr;
}

namespace {

// No channel has a line break in its name.
std::string move_of(std::string_view channel, std::string_view key) {
  return std::string(channel) + '\n' + std::string(key);
}

}  // namespace

std::size_t RoutesMoves::begin(std::string_view channel, std::string_view key) {
  const std::lock_guard lock(mutex_);
  return moving_[move_of(channel, key)]++;
}

std::size_t RoutesMoves::end(std::string_view channel, std::string_view key) {
  const std::lock_guard lock(mutex_);
  const auto found = moving_.find(move_of(channel, key));
  if (--found->second > 0) return found->second;
  moving_.erase(found);
  return 0;
}

RoutesCommon::RoutesCommon(const RoutesOptions& of, RouteHooks with, Parts given)
    : options(of), hooks(std::move(with)), parts(std::move(given)), door(std::make_shared<RoutesDoor>(siblings)) {
  for (const RouteEntry& entry : hooks.routes) table_.emplace(entry.route, &entry);
}

const RouteEntry* RoutesCommon::find(std::string_view route) const {
  const auto found = table_.find(route);
  return found == table_.end() ? nullptr : found->second;
}

namespace {

// Who caused nothing has no sender: everybody hears it.
DeliverTo deliver_to(const RoutesOutgoing& outgoing) {
  const bool connection = outgoing.sender == SenderIs::kConnection;
  if (outgoing.system) return DeliverTo::kAll;
  switch (outgoing.method) {
    case SendMethod::kSenderOnly: return connection ? DeliverTo::kOwnSession : DeliverTo::kOwnUser;
    case SendMethod::kAllButSender: return connection ? DeliverTo::kOtherSessions : DeliverTo::kOtherUsers;
    case SendMethod::kAll: break;
  }
  return DeliverTo::kAll;
}

}  // namespace

Draft routes_draft(RoutesOutgoing outgoing, std::string channel, const IdentityPtr& identity, SessionId session,
                   std::string_view id) {
  Draft draft;
  draft.channel = std::move(channel);
  draft.deliver_to = deliver_to(outgoing);
  draft.tags = routes_tags(
      {.route = outgoing.route, .method = outgoing.method, .sent_by = outgoing.sent_by, .error = outgoing.error, .id = id});
  draft.event = std::move(outgoing.event);
  draft.payload = std::move(outgoing.payload);
  draft.identity = identity;
  draft.publisher_session = session;
  draft.own_form = !id.empty();
  return draft;
}

std::string routes_state_key(std::string_view key) {
  return std::string("routes/") += key;
}

std::string routes_draft_key(std::string_view channel) {
  return routes_state_key(std::string("draft:") += channel);
}

}  // namespace carillon
