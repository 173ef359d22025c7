// What stands behind the Bayeux handle: the server's runtime, which outlives it.
#pragma once

#include <functional>
#include <optional>
#include <string_view>

#include "carillon/bayeux.h"
#include "protocol/bayeux/bayeux_sessions.h"
#include "server/runtime.h"

namespace carillon {

class Bayeux::Parts {
 public:
  explicit Parts(Runtime& runtime) : runtime_(runtime) {}

  Runtime& runtime() { return runtime_; }
  BayeuxCommon& common() { return runtime_.bayeux(); }
  // Runs the task on the loop where the session lives, if it lives. Whether it found the session; on a thread of the server's
  // own, which must not wait for another, whether it was asked.
  bool ask(std::string_view client_id, std::function<bool(BayeuxSessions&)> task);

 private:
  Runtime& runtime_;
};

}  // namespace carillon
