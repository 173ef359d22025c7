// What the publishing scripts answer, and the receipts they keep for idempotency keys.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/fast_random.h"
#include "carillon/result.h"
#include "engine/redis/resp.h"
#include "hub/publication.h"

namespace carillon {

struct RedisOutcome {
  std::optional<Error> error;
  Receipt receipt;  // Without the id, unless it is repeated.
};

// Of one batch.
struct RedisOutcomes {
  std::optional<Position> first;     // When all were published, one behind the other;
  std::vector<RedisOutcome> others;  // else of each.
  std::int64_t time_ms = 0;

  RedisOutcome of(std::size_t index) const;
};
// Absent: it is no such answer.
std::optional<RedisOutcomes> read_outcomes(const RespValue& reply, std::size_t count);

// What became of a batch that went by commands, behind which redis_scripts::announce told of it: `count` answers of XADD, the
// script's, and that of PUBLISH.
struct RedisAdded {
  std::optional<Position> first;       // Of its publications, one behind the other; absent: nothing was published.
  bool told = false;                   // The nodes hear of them.
  std::optional<std::int64_t> now_ms;  // By Redis' clock.
};
RedisAdded read_added(const RespValue& reply, std::size_t count);

// "<position> <time> <id>"; of a channel that keeps no history the position is "-".
std::string redis_receipt_text(const Receipt& receipt);
// Of a publication that was published before, behind `mark`.
std::optional<Receipt> parse_redis_receipt(std::string_view text, std::string_view mark);

Uuid random_uuid(FastRandom& random);

}  // namespace carillon
