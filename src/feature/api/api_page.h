// The page that a request asks for: ?limit=. Any thread.
#pragma once

#include <algorithm>
#include <cstdint>
#include <optional>
#include <string>

#include "carillon/result.h"
#include "wire/http/http_message.h"
#include "wire/http/http_syntax.h"

namespace carillon {

// ?limit=, from 1; 100 unless given; more than `most` is `most`.
inline Result<std::size_t> read_limit(const HttpRequest& request, std::size_t most) {
  constexpr std::size_t kPageDefault = 100;
  const std::optional<std::string> text = request.query_value("limit");
  if (!text) return std::min(kPageDefault, most);
  const std::optional<std::uint64_t> limit = read_content_length(*text);
  if (!limit || *limit == 0) return Error{ErrorKind::kInvalid, "parameter `limit` must be a whole number from 1"};
  return static_cast<std::size_t>(std::min<std::uint64_t>(*limit, most));
}

}  // namespace carillon
