// NameSegments: walks a channel's name or a pattern segment by segment. The first `:` and every `/` after it end one
// (hub/channel_name.h).
#pragma once

#include <string_view>

namespace carillon {

class NameSegments {
 public:
  explicit NameSegments(std::string_view text) : rest_(text) {}

  bool done() const { return done_; }

  std::string_view next() {
    const std::size_t end = rest_.find(seen_colon_ ? '/' : ':');
    const std::string_view segment = rest_.substr(0, end);
    if (end == std::string_view::npos) {
      done_ = true;
    } else {
      seen_colon_ = true;
      rest_.remove_prefix(end + 1);
    }
    return segment;
  }

 private:
  std::string_view rest_;
  bool seen_colon_ = false;
  bool done_ = false;
};

}  // namespace carillon
