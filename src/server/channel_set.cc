#include "server/channel_set.h"

#include <algorithm>

#include "server/name_segments.h"

namespace carillon {

ChannelSet ChannelSet::of_pattern(std::string_view pattern) {
  ChannelSet set;
  NameSegments segments(pattern);
  while (!segments.done()) {
    const std::string_view segment = segments.next();
    const bool is_user = segment == "{user}";
    if (segment == "**") {
      set.open_ = true;
    } else if (is_user || segment == "*") {
      set.segments_.push_back({.name = std::nullopt, .is_user = is_user});
    } else {
      set.segments_.push_back({.name = segment});
    }
  }
  set.take_no_empty_name();
  return set;
}

ChannelSet ChannelSet::of_selector(const Selector& selector) {
  ChannelSet set;
  // The empty base is above all names, and none itself.
  NameSegments segments(selector.base);
  while (!selector.base.empty() && !segments.done()) set.segments_.push_back({.name = segments.next()});
  using Kind = Selector::Kind;
  if (selector.kind == Kind::kChildren || selector.kind == Kind::kBelow) set.segments_.push_back({});
  set.open_ = selector.kind == Kind::kTree || selector.kind == Kind::kBelow;
  set.take_no_empty_name();
  return set;
}

void ChannelSet::take_no_empty_name() {
  if (segments_.empty()) segments_.push_back({});
}

std::optional<ChannelSet> ChannelSet::common(const ChannelSet& one, const ChannelSet& other) {
  const ChannelSet& shorter = one.segments_.size() <= other.segments_.size() ? one : other;
  const ChannelSet& longer = &shorter == &one ? other : one;
  if (shorter.segments_.size() < longer.segments_.size() && !shorter.open_) return std::nullopt;
  ChannelSet both = longer;
  both.open_ = one.open_ && other.open_;
  for (std::size_t i = 0; i < shorter.segments_.size(); ++i) {
    const Segment& segment = shorter.segments_[i];
    Segment& narrowed = both.segments_[i];
    if (segment.name && narrowed.name && *segment.name != *narrowed.name) return std::nullopt;
    if (!narrowed.name) narrowed.name = segment.name;
    narrowed.is_user = narrowed.is_user || segment.is_user;
  }
  return both;
}

bool ChannelSet::holds(const ChannelSet& other) const {
  if (other.segments_.size() < segments_.size()) return false;
  if (!open_ && (other.open_ || other.segments_.size() > segments_.size())) return false;
  return std::equal(segments_.begin(), segments_.end(), other.segments_.begin(),
                    [](const Segment& wide, const Segment& narrow) { return !wide.name || wide.name == narrow.name; });
}

std::string_view ChannelSet::owner() const {
  const auto user = std::find_if(segments_.begin(), segments_.end(), [](const Segment& segment) { return segment.is_user; });
  return user == segments_.end() ? std::string_view() : user->name.value_or(std::string_view());
}

}  // namespace carillon
