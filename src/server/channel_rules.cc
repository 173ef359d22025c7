#include "server/channel_rules.h"

#include <fmt/core.h>

#include <utility>

#include "base/utf8.h"

namespace carillon {
namespace {

constexpr std::size_t kPatternBytesMax = 255;  // As long as a channel name.

constexpr std::string_view kUser = "{user}";

// Stands for any one segment.
bool is_any(std::string_view segment) {
  return segment == "*" || segment == kUser;
}

// Walks a name or a pattern segment by segment: the first `:` and every `/` after it end one (hub/channel_name.h).
class Segments {
 public:
  explicit Segments(std::string_view text) : rest_(text) {}

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

}  // namespace

Result<void> check_channel_pattern(std::string_view pattern) {
  const auto refused = [&](std::string_view why) {
    return Error{ErrorKind::kInvalid, fmt::format("`{}` is not a channel pattern: {}", pattern, why)};
  };
  if (pattern.empty()) return refused("it is empty; `**` fits every channel");
  if (pattern.size() > kPatternBytesMax) {
    return Error{ErrorKind::kInvalid, fmt::format("a channel pattern is at most {} bytes long", kPatternBytesMax)};
  }
  if (!is_utf8(pattern)) return Error{ErrorKind::kInvalid, "a channel pattern is UTF-8 text"};
  for (const char character : pattern) {
    if (static_cast<unsigned char>(character) < 0x20 || character == 0x7F) {
      return Error{ErrorKind::kInvalid, "a channel pattern holds no control characters"};
    }
  }
  Segments segments(pattern);
  bool has_user = false;
  while (!segments.done()) {
    const std::string_view segment = segments.next();
    if (segment == kUser && std::exchange(has_user, true)) return refused("`{user}` may stand in it once");
    if (segment != kUser && segment.find(kUser) != std::string_view::npos) {
      return refused("`{user}` stands for a whole segment, never for a part of one");
    }
    if (segment == "**" && !segments.done()) return refused("`**` may only be its last segment");
    if (segment != "*" && segment != "**" && segment.find('*') != std::string_view::npos) {
      return refused("`*` stands for a whole segment, never for a part of one");
    }
  }
  return {};
}

bool channel_pattern_fits(std::string_view pattern, std::string_view channel) {
  Segments wanted(pattern);
  Segments given(channel);
  while (!wanted.done()) {
    const std::string_view segment = wanted.next();
    if (segment == "**") return true;
    if (given.done()) return false;
    const std::string_view name = given.next();
    if (!is_any(segment) && segment != name) return false;
  }
  return given.done();
}

bool channel_pattern_has_user(std::string_view pattern) {
  Segments segments(pattern);
  while (!segments.done()) {
    if (segments.next() == kUser) return true;
  }
  return false;
}

std::string_view channel_owner(std::string_view pattern, std::string_view channel) {
  Segments wanted(pattern);
  Segments given(channel);
  while (!wanted.done() && !given.done()) {
    const std::string_view name = given.next();
    if (wanted.next() == kUser) return name;
  }
  return {};
}

// As if `narrow` were a channel: its `*` is a segment like others, but its `**` is only covered by another.
bool channel_pattern_covers(std::string_view wide, std::string_view narrow) {
  Segments wanted(wide);
  Segments given(narrow);
  while (!wanted.done()) {
    const std::string_view segment = wanted.next();
    if (segment == "**") return true;
    if (given.done()) return false;
    const std::string_view other = given.next();
    if (other == "**" || (!is_any(segment) && segment != other)) return false;
  }
  return given.done();
}

const ChannelRule& ChannelRules::find(std::string_view channel) const {
  for (const ChannelRule& rule : rules_) {
    if (channel_pattern_fits(rule.match, channel)) return rule;
  }
  return default_rule_;
}

}  // namespace carillon
