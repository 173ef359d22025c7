// Which serializer a Phoenix client asks for. Any thread.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "carillon/result.h"

namespace carillon {

enum class PhoenixVersion : std::uint8_t { kV1, kV2 };

// The serializer that the query's `vsn` asks for, as Elixir's Version.match? decides: `~> 1.0.0` is V1, `~> 2.0.0` is V2, none
// is 1.0.0. So 2.0.7, 2.0.1-rc and 2.0.0+build are V2; 2.1.0, 2.0.0-rc and the malformed `2` are errors.
Result<PhoenixVersion> phoenix_version(std::optional<std::string_view> vsn);

}  // namespace carillon
