#include "server/channel_policy.h"

#include <fmt/format.h>

namespace carillon {
namespace {

struct Question {
  ChannelAccess access;
  std::string_view match;  // Of the rule that holds.
  std::string_view what;
  std::string_view channel;
};

// A name that was only claimed is as good as none.
bool is_owner(const Identity& identity, const Question& asked) {
  return identity.verified && !identity.user.empty() && identity.user == channel_owner(asked.match, asked.channel);
}

Result<void> decide(const Identity& identity, const Question& asked) {
  const auto needs = [&](std::string_view needed) {
    return Error{ErrorKind::kUnauthorized, fmt::format("{} {} needs {}", asked.what, asked.channel, needed)};
  };
  const bool trusted = identity.trusted;
  switch (asked.access) {
    case ChannelAccess::kOpen: return {};
    case ChannelAccess::kUser:
      if (trusted || identity.verified) return {};
      return needs("a token");
    case ChannelAccess::kOwner:
      if (trusted || is_owner(identity, asked)) return {};
      if (!identity.verified) return needs("its user's token");
      return Error{ErrorKind::kForbidden, fmt::format("{} {} is for its user only", asked.what, asked.channel)};
    case ChannelAccess::kKey:
      if (trusted) return {};
      return needs("the API key");
    case ChannelAccess::kNobody: break;
  }
  return Error{ErrorKind::kForbidden, fmt::format("{} {} is not allowed to clients", asked.what, asked.channel)};
}

}  // namespace

Result<void> ChannelPolicy::may_subscribe(const Identity& identity, std::string_view channel) const {
  // Every channel at once is for operators, as it would pass by every rule.
  if (channel.empty()) {
    return decide(identity, {.access = ChannelAccess::kKey, .what = "subscribing to", .channel = "all channels"});
  }
  const ChannelRule& rule = rules_.find(channel);
  return decide(identity, {rule.subscribe, rule.match, "subscribing to", channel});
}

Result<void> ChannelPolicy::may_publish(const Identity& identity, std::string_view channel) const {
  const ChannelRule& rule = rules_.find(channel);
  return decide(identity, {rule.publish, rule.match, "publishing to", channel});
}

Result<void> ChannelPolicy::may_read_history(const Identity& identity, std::string_view channel) const {
  const ChannelRule& rule = rules_.find(channel);
  return decide(identity, {rule.subscribe, rule.match, "reading", channel});
}

Result<void> ChannelPolicy::may_see_presence(const Identity& identity, std::string_view channel) const {
  const ChannelRule& rule = rules_.find(channel);
  if (!rule.presence) {
    return Error{ErrorKind::kForbidden, fmt::format("{} has no presence: set `presence = true` in its rule", channel)};
  }
  return decide(identity, {rule.subscribe, rule.match, "the presence of", channel});
}

}  // namespace carillon
