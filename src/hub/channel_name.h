// The canonical form of a channel's name: UTF-8, 1 to 255 bytes, no control characters. Every protocol maps to it.
//
// Segments, for subscriptions that hear more than one channel: the first `:` and every `/` after it end a segment, so
// `repo:alice/app/prs` lies below `repo:alice/app`, `repo:alice` and `repo`. A name without `:` is one segment.
#pragma once

#include <cstddef>
#include <string_view>

#include "carillon/result.h"

namespace carillon {

inline constexpr std::size_t kChannelNameBytesMax = 255;

// Says what is wrong with the name, or nothing.
Result<void> check_channel_name(std::string_view name);

// The name that ends just before the last separator; empty for a name of one segment.
std::string_view parent_channel(std::string_view name);

}  // namespace carillon
