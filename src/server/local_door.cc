#include "server/local_door.h"

namespace carillon {

void LocalDoor::post(UniqueFunction<void(LocalRoom&)> task) {
  const std::lock_guard lock(mutex_);
  if (loop_ == nullptr) return;
  loop_->post([this, task = std::move(task)]() mutable { task(room_); });
}

void LocalDoor::close() {
  // What was published before is delivered at the end of a turn; that one first.
  ask<bool>([](LocalRoom&) { return true; });
  ask<bool>([](LocalRoom& room) {
    room.close_all("the hub has stopped");
    return true;
  });
  const std::lock_guard lock(mutex_);
  loop_ = nullptr;
}

}  // namespace carillon
