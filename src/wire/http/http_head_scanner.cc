#include "wire/http/http_head_scanner.h"

#include <algorithm>

#include "wire/http/http_syntax.h"

namespace carillon {

HttpHeadScanner::Found HttpHeadScanner::next(std::string_view head) {
  if (line_start_ < head.size() && is_http_space(head[line_start_])) return fail("a line begins with white space");

  const std::size_t line_feed = head.find('\n', scanned_);
  const std::size_t end = std::min(line_feed, head.size());
  const std::size_t carriage_return = std::min(head.substr(0, end).find('\r', scanned_), end);
  if (carriage_return + 1 < end) return fail("a carriage return without a line feed");
  scanned_ = carriage_return;
  if (line_feed == std::string_view::npos) return Found::kMore;
  if (carriage_return == end) return fail("a line feed without a carriage return");

  line_ = head.substr(line_start_, carriage_return - line_start_);
  line_start_ = scanned_ = line_feed + 1;
  return line_.empty() ? Found::kEnd : Found::kLine;
}

HttpHeadScanner::Found HttpHeadScanner::fail(const char* text) {
  fault_ = text;
  return Found::kFault;
}

}  // namespace carillon
