// What stands behind a LocalHub: a runtime, its own or a running server's, and the door to the clients in this program.
#pragma once

#include <memory>

#include "carillon/local_hub.h"
#include "server/local_door.h"
#include "server/runtime.h"

namespace carillon {

class LocalHub::Parts {
 public:
  // Beside a running server, whose runtime outlives this.
  explicit Parts(Runtime& beside);
  // With a runtime of its own, stopped at the end.
  explicit Parts(std::unique_ptr<Runtime> own);

  Result<EmitReceipt> emit(std::string_view channel, std::string_view event, std::string_view data);

  Runtime& runtime() { return runtime_; }
  const std::shared_ptr<LocalDoor>& door() { return door_; }

 private:
  const std::unique_ptr<Runtime> own_;
  Runtime& runtime_;
  const std::shared_ptr<LocalDoor> door_;
};

}  // namespace carillon
