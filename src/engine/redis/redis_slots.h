// The slots of a Redis Cluster: which a key belongs to, and what CLUSTER SLOTS tells of who has them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "engine/redis/redis_options.h"
#include "engine/redis/resp.h"

namespace carillon {

inline constexpr std::size_t kRedisSlots = 16'384;

// CRC-16/XMODEM of the key, or of what stands between its first { and the next } if that is not empty.
std::uint16_t redis_slot_of(std::string_view key);

struct RedisSlotRange {
  std::uint16_t first = 0;
  std::uint16_t last = 0;
  RedisOptions::Server master;
  std::vector<RedisOptions::Server> replicas;
};

// `asked`: the server that answered, which may leave its own address out. Absent: it is no answer to CLUSTER SLOTS.
std::optional<std::vector<RedisSlotRange>> read_cluster_slots(const RespValue& answer, const RedisOptions::Server& asked);

// "MOVED 3999 127.0.0.1:6381", "ASK …": where to go. Absent: it is neither.
struct RedisRedirection {
  bool for_good = false;  // MOVED.
  std::uint16_t slot = 0;
  RedisOptions::Server to;
};
std::optional<RedisRedirection> read_redirection(std::string_view error, const RedisOptions::Server& asked);

bool operator==(const RedisOptions::Server& a, const RedisOptions::Server& b);
// "127.0.0.1:6379", "[::1]:6379".
std::string describe_server(const RedisOptions::Server& server);

}  // namespace carillon
