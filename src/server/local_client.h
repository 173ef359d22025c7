// What stands behind a LocalClient handle. The client's threads only; the hub's side is LocalRoom.
#pragma once

#include <memory>
#include <string>

#include "carillon/local_hub.h"
#include "server/local_door.h"

namespace carillon {

class LocalClient::Parts {
 public:
  // Errors: those of LocalHub::connect.
  static Result<std::shared_ptr<Parts>> connect(std::shared_ptr<LocalDoor> door, const LimitsOptions& limits,
                                                ClientMetadata metadata);

  Result<void> handle_command(std::string_view json);
  std::optional<std::string> receive(std::chrono::milliseconds wait);
  void close();

  const LocalQueue& queue() const { return *queue_; }
  const std::string& id() const { return id_text_; }
  const ClientMetadata& metadata() const { return metadata_; }

 private:
  Parts(std::shared_ptr<LocalDoor> door, const LimitsOptions& limits, ClientMetadata metadata);

  const std::shared_ptr<LocalDoor> door_;
  const std::shared_ptr<LocalQueue> queue_;
  const std::size_t message_bytes_max_;
  ClientMetadata metadata_;
  SessionId id_ = 0;
  std::string id_text_;
};

}  // namespace carillon
