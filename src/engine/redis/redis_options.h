// RedisOptions: how the Redis engine finds its Redis, and its limits.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/dialer.h"
#include "hub/engine.h"

namespace carillon {

struct RedisOptions {
  struct Server {
    std::string host = "127.0.0.1";
    std::uint16_t port = 6379;
  };
  // One server; or several of a cluster, or a master and its replicas: the first that answers and takes writes is used, and the
  // others are tried when it is lost.
  std::vector<Server> servers = {{}};
  bool cluster = false;  // The servers tell of all masters (CLUSTER SLOTS).
  std::optional<DialTls> tls;
  std::string user;            // Empty: "default".
  std::string password;        // Empty: no AUTH.
  std::uint32_t database = 0;  // Not with a cluster.
  // All keys and channels begin with it: servers of one prefix share one channel space.
  std::string prefix = "carillon:";

  Millis connect_timeout{5'000};
  // A connection on which nothing comes for so long, though a command waits for its answer, is given up.
  Millis command_timeout{5'000};
  // How long a command may wait for a connection before it is answered kUnavailable.
  Millis wait_max{5'000};
  // Commands and their bytes that may wait or be unanswered; beyond it kLimit.
  std::size_t waiting_max = 200'000;
  std::size_t waiting_bytes_max = 64u << 20;
  // Pauses between attempts to connect: doubled from the first to the last, with some chance.
  Millis retry_min{50};
  Millis retry_max{5'000};

  // Payloads of so many bytes or more are kept and sent compressed (gzip) where that makes them smaller. 0: never.
  std::size_t compress_bytes = 4096;
  std::int64_t idempotency_ms = 120'000;
  // A channel that nobody published to for so long is forgotten, with its epoch. 0: never.
  std::int64_t idle_ms = 7ll * 24 * 3600 * 1000;
  std::function<HistoryRule(std::string_view channel)> rule_for;  // Any thread.
};

}  // namespace carillon
