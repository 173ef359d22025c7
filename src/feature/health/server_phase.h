// Where in its life the server is. Set by the server, read by all loops.
#pragma once

#include <atomic>
#include <cstdint>

namespace carillon {

enum class Phase : std::uint8_t {
  kStarting,  // Not all loops run yet.
  kRunning,
  kDraining,  // Stopping: no new connections, clients are being closed.
};

class ServerPhase {
 public:
  void set(Phase phase) { phase_.store(phase, std::memory_order_release); }
  Phase get() const { return phase_.load(std::memory_order_acquire); }

 private:
  std::atomic<Phase> phase_{Phase::kStarting};
};

}  // namespace carillon
