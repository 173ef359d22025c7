// What a reply of Redis means as an Error of the engine's port.
#pragma once

#include <optional>

#include "carillon/result.h"
#include "engine/redis/resp.h"

namespace carillon {

// Absent: the command was executed, and its value can be read. kLimit: Redis has no memory for it (OOM). kCorrupt: under this
// key lies what is not ours (WRONGTYPE). kUnavailable: everything else; it may have been executed.
std::optional<Error> redis_failure(const Result<RespValue>& reply);

}  // namespace carillon
