// What stands behind the handles of routes.h: the way from the program's threads to the loops, the hub and the state store,
// which may have stopped.
#pragma once

#include <condition_variable>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "carillon/routes.h"
#include "protocol/routes/routes_common.h"
#include "server/answer.h"

namespace carillon {

class Hub;
class Runtime;
class WorkerPool;

// What calls and states of the program share with a server. Any thread.
class RouteBackend {
 public:
  RouteBackend(Hub& hub, StateStore& state, const Clock& clock, std::size_t payload_bytes_max)
      : hub_(&hub), state_(&state), clock_(&clock), payload_bytes_max_(payload_bytes_max) {}

  // After it nothing is asked any more; what was asked is still answered.
  void close();
  // Calls the function with the hub, or the store and the clock. False: closed.
  template <class Ask>
  bool with_hub(Ask ask) {
    const std::lock_guard lock(mutex_);
    if (closed_) return false;
    ask(*hub_);
    return true;
  }
  template <class Ask>
  bool with_state(Ask ask) {
    const std::lock_guard lock(mutex_);
    if (closed_) return false;
    ask(*state_, *clock_);
    return true;
  }
  std::size_t payload_bytes_max() const { return payload_bytes_max_; }

 private:
  std::mutex mutex_;  // Held while a question is asked, not while its answer is awaited.
  Hub* hub_;
  StateStore* state_;
  const Clock* clock_;
  const std::size_t payload_bytes_max_;
  bool closed_ = false;
};

class RouteState::Parts {
 public:
  explicit Parts(std::shared_ptr<RouteBackend> behind) : backend(std::move(behind)) {}
  const std::shared_ptr<RouteBackend> backend;
};

class RouteCall::Parts {
 public:
  // Messages on their way to the loop; beyond it send() waits.
  static constexpr std::size_t kSendsMax = 256;

  Parts(RoutesJobPtr of, std::shared_ptr<RoutesDoor> through, std::shared_ptr<RouteBackend> behind)
      : job(std::move(of)), door(std::move(through)), backend(std::move(behind)) {}
  // The request is over.
  ~Parts();

  Result<void> send(RouteMessage message);

  const RoutesJobPtr job;
  const std::shared_ptr<RoutesDoor> door;
  const std::shared_ptr<RouteBackend> backend;

 private:
  struct Slots {
    std::mutex mutex;
    std::condition_variable freed;
    std::size_t used = 0;
  };
  // One message on its way; gives its place back when it has arrived or is dropped.
  class Slot;

  const std::shared_ptr<Slots> slots_ = std::make_shared<Slots>();
};

class RouteHub::Parts {
 public:
  explicit Parts(Runtime& runtime) : runtime_(runtime) {}
  Runtime& runtime() { return runtime_; }

 private:
  Runtime& runtime_;
};

// Checks what a program says, and completes it. `route` and `user`: those of the request. Errors: kInvalid, kTooLarge.
Result<RoutesOutgoing> routes_outgoing(RouteMessage message, std::string_view route, const RouteUser* user,
                                       std::size_t payload_bytes_max);
// Waits. Errors: kInvalid, kUnavailable.
Result<std::vector<RouteMember>> route_members(RouteBackend& backend, std::string_view channel);

// Has handlers called on the pool's threads. All that is given must outlive the pool's threads.
std::function<bool(RoutesJobPtr)> route_launcher(WorkerPool& pool, std::function<std::shared_ptr<RoutesDoor>()> door,
                                                 std::shared_ptr<RouteBackend> backend);

// Hooks whose routes are none, are there twice or say nothing; kInvalid.
Result<void> check_route_hooks(const RouteHooks& hooks);

}  // namespace carillon
