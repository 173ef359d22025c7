// LocalDoor: the way from any thread of this program to the LocalRoom on its loop.
//
// Shared by the hub's handles and its clients' handles, which may outlive the runtime. 1. The runtime's stop closes the door:
// the room's clients go, and the loop is never touched again. 2. Then the loops end. 3. Handles find the door closed.
#pragma once

#include <memory>
#include <mutex>
#include <optional>

#include "base/loop.h"
#include "server/answer.h"
#include "server/local_room.h"

namespace carillon {

class LocalDoor {
 public:
  LocalDoor(Shard& shard, DurableSubscriptions& durable, const NativeOptions& options, const LimitsOptions& limits)
      : loop_(&shard.loop()), room_(shard, durable, options, limits) {}

  // Runs the task on the room's loop. A closed door destroys it. The runtime keeps the door until its loops have ended.
  void post(UniqueFunction<void(LocalRoom&)> task);

  // Asks the room and waits until the turn has ended, with all that it sent. Nothing: the door is closed. The question may
  // borrow from the asker.
  template <class T>
  std::optional<T> ask(UniqueFunction<T(LocalRoom&)> question) {
    Answer<T> answer;
    post([question = std::move(question), giver = answer.giver()](LocalRoom& room) mutable {
      giver.give(question(room));
      // Freed after the end of the turn, which is when the asker hears.
      room.loop().dispose(std::make_unique<Held<T>>(std::move(giver)));
    });
    return answer.wait();
  }

  // Not on the room's loop. All clients are gone when it returns. Idempotent.
  void close();

 private:
  template <class T>
  struct Held final : Disposable {
    explicit Held(typename Answer<T>::Giver given) : giver(std::move(given)) {}
    typename Answer<T>::Giver giver;
  };

  std::mutex mutex_;
  Loop* loop_;  // Under mutex_; null: closed.
  LocalRoom room_;
};

}  // namespace carillon
