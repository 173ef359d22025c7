// ChannelRules: which rule holds on a channel. Immutable after it was made; any thread may ask.
#pragma once

#include <string_view>
#include <vector>

#include "carillon/result.h"
#include "carillon/server_options.h"

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

 private:
  std::vector<ChannelRule> rules_;
  ChannelRule default_rule_;
};

}  // namespace carillon
