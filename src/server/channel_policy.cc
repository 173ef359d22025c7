#include "server/channel_policy.h"

#include <fmt/format.h>

namespace carillon {
namespace {

Result<void> decide(ChannelAccess access, const Identity& identity, std::string_view what, std::string_view channel) {
  switch (access) {
    case ChannelAccess::kOpen: return {};
    case ChannelAccess::kKey:
      if (identity.trusted) return {};
      return Error{ErrorKind::kUnauthorized, fmt::format("{} {} needs the API key", what, channel)};
    case ChannelAccess::kNobody: break;
  }
  return Error{ErrorKind::kForbidden, fmt::format("{} {} is not allowed to clients", what, channel)};
}

}  // namespace

Result<void> ChannelPolicy::may_subscribe(const Identity& identity, std::string_view channel) const {
  // Every channel at once is for operators, as it would pass by every rule.
  if (channel.empty()) return decide(ChannelAccess::kKey, identity, "subscribing to", "all channels");
  return decide(rules_.find(channel).subscribe, identity, "subscribing to", channel);
}

Result<void> ChannelPolicy::may_publish(const Identity& identity, std::string_view channel) const {
  return decide(rules_.find(channel).publish, identity, "publishing to", channel);
}

Result<void> ChannelPolicy::may_read_history(const Identity& identity, std::string_view channel) const {
  return decide(rules_.find(channel).subscribe, identity, "reading", channel);
}

Result<void> ChannelPolicy::may_see_presence(const Identity& identity, std::string_view channel) const {
  const ChannelRule& rule = rules_.find(channel);
  if (!rule.presence) {
    return Error{ErrorKind::kForbidden, fmt::format("{} has no presence: set `presence = true` in its rule", channel)};
  }
  return decide(rule.subscribe, identity, "the presence of", channel);
}

}  // namespace carillon
