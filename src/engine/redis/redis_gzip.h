// gzip (RFC 1952) of payloads, by zlib. Any thread.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

namespace carillon {

// Nothing: it would not be smaller.
std::optional<std::string> gzip(std::string_view bytes);
// Nothing: it is no whole gzip member, or more than `bytes_max` would come of it.
std::optional<std::string> gunzip(std::string_view bytes, std::size_t bytes_max);

}  // namespace carillon
