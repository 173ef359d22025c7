#include "server/channel_policy.h"

#include <fmt/format.h>

namespace carillon {
namespace {

struct Question {
  ChannelAccess access;
  std::string_view owner;  // Whose channel it is; empty: nobody's.
  std::string_view what;
  std::string_view channel;
  std::string_view by;  // Of a wide subscription: the match of the rule that decides on a part of it.
};

Question about(const ChannelRule& rule, ChannelAccess access, std::string_view what, std::string_view channel) {
  const bool owned = access == ChannelAccess::kOwner;
  return {
      .access = access, .owner = owned ? channel_owner(rule.match, channel) : "", .what = what, .channel = channel, .by = ""};
}

// A name that was only claimed is as good as none.
bool is_owner(const Identity& identity, std::string_view owner) {
  return identity.verified && !identity.user.empty() && identity.user == owner;
}

bool allows(const Identity& identity, ChannelAccess access, std::string_view owner) {
  switch (access) {
    case ChannelAccess::kOpen: return true;
    case ChannelAccess::kUser: return identity.trusted || identity.verified;
    case ChannelAccess::kOwner: return identity.trusted || is_owner(identity, owner);
    case ChannelAccess::kKey: return identity.trusted;
    case ChannelAccess::kNobody: break;
  }
  return false;
}

Error refusal(const Identity& identity, const Question& asked) {
  const std::string by = asked.by.empty() ? "" : fmt::format(", by the rule `{}`", asked.by);
  const auto needs = [&](std::string_view needed) {
    return Error{ErrorKind::kUnauthorized, fmt::format("{} {} needs {}{}", asked.what, asked.channel, needed, by)};
  };
  const auto forbidden = [&](std::string_view why) {
    return Error{ErrorKind::kForbidden, fmt::format("{} {} is {}{}", asked.what, asked.channel, why, by)};
  };
  switch (asked.access) {
    case ChannelAccess::kUser: return needs("a token");
    case ChannelAccess::kOwner: return identity.verified ? forbidden("for its user only") : needs("its user's token");
    case ChannelAccess::kKey: return needs("the API key");
    case ChannelAccess::kOpen:
    case ChannelAccess::kNobody: break;
  }
  return forbidden("not allowed to clients");
}

Result<void> decide(const Identity& identity, const Question& asked) {
  if (allows(identity, asked.access, asked.owner)) return {};
  return refusal(identity, asked);
}

}  // namespace

Result<void> ChannelPolicy::may_subscribe(const Identity& identity, const Selector& selector) const {
  constexpr std::string_view kWhat = "subscribing to";
  if (selector.kind == Selector::Kind::kExact) {
    const ChannelRule& rule = rules_.find(selector.base);
    return decide(identity, about(rule, rule.subscribe, kWhat, selector.base));
  }
  const std::string_view name = selector.base.empty() ? "all channels" : std::string_view(selector.base);
  // Every channel at once is for operators, also where no rule forbids one.
  if (selector.base.empty() && !identity.trusted) {
    return refusal(identity, {.access = ChannelAccess::kKey, .owner = "", .what = kWhat, .channel = name, .by = ""});
  }
  const auto refuses = [&](const ChannelRule& rule, std::string_view owner) {
    return !allows(identity, rule.subscribe, owner);
  };
  const ChannelRule* const rule = rules_.first_under(selector, refuses);
  if (rule == nullptr) return {};
  return refusal(identity, {.access = rule->subscribe, .owner = "", .what = kWhat, .channel = name, .by = rule->match});
}

Result<void> ChannelPolicy::may_publish(const Identity& identity, std::string_view channel) const {
  const ChannelRule& rule = rules_.find(channel);
  return decide(identity, about(rule, rule.publish, "publishing to", channel));
}

Result<void> ChannelPolicy::may_read_history(const Identity& identity, std::string_view channel) const {
  const ChannelRule& rule = rules_.find(channel);
  return decide(identity, about(rule, rule.subscribe, "reading", channel));
}

Result<void> ChannelPolicy::may_see_presence(const Identity& identity, std::string_view channel) const {
  const ChannelRule& rule = rules_.find(channel);
  if (!rule.presence) {
    return Error{ErrorKind::kForbidden, fmt::format("{} has no presence: set `presence = true` in its rule", channel)};
  }
  return decide(identity, about(rule, rule.subscribe, "the presence of", channel));
}

}  // namespace carillon
