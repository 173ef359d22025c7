#include "engine/redis/redis_failure.h"

#include <string_view>

namespace carillon {

std::optional<Error> redis_failure(const Result<RespValue>& reply) {
  if (!reply) return reply.error();
  const RespValue::Error* error = reply->error();
  if (error == nullptr) {
    // One of a transaction's commands failed.
    const RespValue::Array* const all = reply->array();
    if (all == nullptr) return std::nullopt;
    for (const RespValue& one : *all) {
      if ((error = one.error()) != nullptr) break;
    }
    if (error == nullptr) return std::nullopt;
  }
  const std::string_view text = error->text;
  const bool is_full = text.starts_with("OOM") || text.find("-OOM") != std::string_view::npos;
  if (is_full) return Error{ErrorKind::kLimit, "Redis has no memory left: " + error->text};
  if (text.starts_with("WRONGTYPE"))
    return Error{ErrorKind::kCorrupt, "Redis holds something else under this key: " + error->text};
  return Error{ErrorKind::kUnavailable, "Redis refused: " + error->text};
}

}  // namespace carillon
