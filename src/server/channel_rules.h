// ChannelRules: which rule holds on a channel. Immutable after it was made; any thread may ask.
#pragma once

#include <functional>
#include <string_view>
#include <vector>

#include "carillon/result.h"
#include "carillon/server_options.h"
#include "hub/selector.h"

namespace carillon {

// Says what is wrong with a rule's `match`, or nothing.
Result<void> check_channel_pattern(std::string_view pattern);

// Whether the pattern (see ChannelRule::match) fits the channel. The pattern must have passed check_channel_pattern.
bool channel_pattern_fits(std::string_view pattern, std::string_view channel);

// Whether one of its segments is `{user}`.
bool channel_pattern_has_user(std::string_view pattern);

// The channel's segment where the pattern, which fits it, has `{user}`; empty when it has none.
std::string_view channel_owner(std::string_view pattern, std::string_view channel);

// Whether every channel that `narrow` fits is one that `wide` fits too.
bool channel_pattern_covers(std::string_view wide, std::string_view narrow);

class ChannelRules {
 public:
  explicit ChannelRules(std::vector<ChannelRule> rules) : rules_(std::move(rules)) {}

  // The first rule that fits, or the default rule. Lives as long as this object.
  const ChannelRule& find(std::string_view channel) const;

  // The first rule that decides on some channel of the selector and of which `refuses` says true; null when there is none.
  // A rule that earlier ones leave nothing of the selector to decide on does not count, as far as one of them does so alone;
  // where only several together do it counts, so an answer may err to the refusing side. `refuses` also hears the segment
  // that is `{user}` in the rule's match, or an empty one where it may be any.
  using Refuses = std::function<bool(const ChannelRule& rule, std::string_view owner)>;
  const ChannelRule* first_under(const Selector& selector, const Refuses& refuses) const;

 private:
  std::vector<ChannelRule> rules_;
  ChannelRule default_rule_;
};

}  // namespace carillon
