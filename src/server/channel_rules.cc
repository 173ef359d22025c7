#include "server/channel_rules.h"

#include <fmt/core.h>

#include <algorithm>
#include <utility>

#include "base/utf8.h"
#include "server/channel_set.h"
#include "server/name_segments.h"

namespace carillon {
namespace {

constexpr std::size_t kPatternBytesMax = 255;  // As long as a channel name.

constexpr std::string_view kUser = "{user}";

// Stands for any one segment.
bool is_any(std::string_view segment) {
  return segment == "*" || segment == kUser;
}

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
  NameSegments segments(pattern);
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
  NameSegments wanted(pattern);
  NameSegments given(channel);
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
  NameSegments segments(pattern);
  while (!segments.done()) {
    if (segments.next() == kUser) return true;
  }
  return false;
}

std::string_view channel_owner(std::string_view pattern, std::string_view channel) {
  NameSegments wanted(pattern);
  NameSegments given(channel);
  while (!wanted.done() && !given.done()) {
    const std::string_view name = given.next();
    if (wanted.next() == kUser) return name;
  }
  return {};
}

bool channel_pattern_covers(std::string_view wide, std::string_view narrow) {
  return ChannelSet::of_pattern(wide).holds(ChannelSet::of_pattern(narrow));
}

const ChannelRule& ChannelRules::find(std::string_view channel) const {
  for (const ChannelRule& rule : rules_) {
    if (channel_pattern_fits(rule.match, channel)) return rule;
  }
  return default_rule_;
}

const ChannelRule* ChannelRules::first_under(const Selector& selector, const Refuses& refuses) const {
  const ChannelSet asked = ChannelSet::of_selector(selector);
  for (std::size_t i = 0; i < rules_.size(); ++i) {
    const std::optional<ChannelSet> part = ChannelSet::common(asked, ChannelSet::of_pattern(rules_[i].match));
    if (!part) continue;
    const auto decides_all = [&](const ChannelRule& earlier) { return ChannelSet::of_pattern(earlier.match).holds(*part); };
    const auto here = rules_.begin() + static_cast<std::ptrdiff_t>(i);
    if (refuses(rules_[i], part->owner()) && std::none_of(rules_.begin(), here, decides_all)) return &rules_[i];
    if (part->holds(asked)) return nullptr;  // No later rule decides on anything of it.
  }
  return refuses(default_rule_, {}) ? &default_rule_ : nullptr;
}

}  // namespace carillon
