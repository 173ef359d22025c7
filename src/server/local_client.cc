#include "server/local_client.h"

#include <fmt/format.h>

#include "hub/session_text.h"

namespace carillon {

LocalClient::Parts::Parts(std::shared_ptr<LocalDoor> door, const LimitsOptions& limits, ClientMetadata metadata)
    : door_(std::move(door)),
      queue_(std::make_shared<LocalQueue>(limits.outbox_bytes)),
      message_bytes_max_(limits.message_bytes),
      metadata_(std::move(metadata)) {
  if (metadata_.ip_address.empty()) metadata_.ip_address = "local";
}

Result<std::shared_ptr<LocalClient::Parts>> LocalClient::Parts::connect(std::shared_ptr<LocalDoor> door,
                                                                        const LimitsOptions& limits, ClientMetadata metadata) {
  std::shared_ptr<Parts> parts(new Parts(std::move(door), limits, std::move(metadata)));
  using Opened = Result<LocalRoom::Opened>;
  const std::optional<Opened> opened =
      parts->door_->ask<Opened>([&parts](LocalRoom& room) { return room.open(parts->metadata_, parts->queue_); });
  if (!opened) return Error{ErrorKind::kUnavailable, "the hub has stopped"};
  if (!*opened) return opened->error();
  parts->id_ = (*opened)->id;
  parts->id_text_ = session_text(parts->id_);
  parts->metadata_.connected_at = (*opened)->connected_at_ms / 1000;
  return parts;
}

Result<void> LocalClient::Parts::handle_command(std::string_view json) {
  if (json.size() > message_bytes_max_) {
    return Error{ErrorKind::kTooLarge, fmt::format("a command of {} bytes is larger than limits.message_bytes ({})",
                                                   json.size(), message_bytes_max_)};
  }
  const std::optional<bool> carried_out =
      door_->ask<bool>([id = id_, json](LocalRoom& room) { return room.command(id, json); });
  if (carried_out.value_or(false)) return {};
  const std::string reason = queue_->close_reason();
  return Error{ErrorKind::kUnavailable, fmt::format("the client is closed: {}", reason)};
}

std::optional<std::string> LocalClient::Parts::receive(std::chrono::milliseconds wait) {
  LocalQueue::Taken taken = queue_->take(wait);
  if (taken.has_room) door_->post([id = id_](LocalRoom& room) { room.on_room(id); });
  return std::move(taken.message);
}

void LocalClient::Parts::close() {
  if (queue_->closed()) return;
  door_->ask<bool>([id = id_](LocalRoom& room) {
    room.close(id, "closed by this program");
    return true;
  });
}

// --- The handle

LocalClient::LocalClient(std::shared_ptr<Parts> parts) : parts_(std::move(parts)) {}
LocalClient::LocalClient(LocalClient&&) noexcept = default;
LocalClient::~LocalClient() {
  if (parts_ != nullptr) parts_->close();
}
LocalClient& LocalClient::operator=(LocalClient&& other) noexcept {
  std::swap(parts_, other.parts_);  // `other` ends what this was, when it ends.
  return *this;
}

const std::string& LocalClient::id() const {
  return parts_->id();
}
const ClientMetadata& LocalClient::metadata() const {
  return parts_->metadata();
}
Result<void> LocalClient::handle_command(std::string_view json) {
  return parts_->handle_command(json);
}
std::optional<std::string> LocalClient::receive(std::chrono::milliseconds wait) {
  return parts_->receive(wait);
}
void LocalClient::close() {
  parts_->close();
}
bool LocalClient::closed() const {
  return parts_->queue().closed();
}
std::string LocalClient::close_reason() const {
  return parts_->queue().close_reason();
}

}  // namespace carillon
