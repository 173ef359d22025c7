#include "feature/api/api_query.h"

#include <algorithm>
#include <optional>
#include <string>

#include "wire/http/http_syntax.h"

namespace carillon {
namespace {
constexpr std::size_t kPageDefault = 100;
}

Result<std::size_t> read_limit(const HttpRequest& request, std::size_t most) {
  const std::optional<std::string> text = request.query_value("limit");
  if (!text) return std::min(kPageDefault, most);
  const std::optional<std::uint64_t> limit = read_content_length(*text);
  if (!limit || *limit == 0) return Error{ErrorKind::kInvalid, "parameter `limit` must be a whole number from 1"};
  return static_cast<std::size_t>(std::min<std::uint64_t>(*limit, most));
}

}  // namespace carillon
