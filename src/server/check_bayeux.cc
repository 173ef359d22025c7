#include "server/check_bayeux.h"

#include <fmt/core.h>

#include <algorithm>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "server/settings.h"
#include "server/unit_text.h"

namespace carillon {
namespace {

Error refused(std::string text) {
  return {ErrorKind::kInvalid, std::move(text)};
}

Result<void> check_times(const BayeuxOptions& bayeux) {
  if (bayeux.timeout > bayeux.timeout_max) {
    return refused(fmt::format("bayeux.timeout ({}) is longer than bayeux.timeout_max ({})", duration_text(bayeux.timeout),
                               duration_text(bayeux.timeout_max)));
  }
  if (bayeux.max_processing != Milliseconds(0) && bayeux.max_processing <= bayeux.timeout) {
    return refused(fmt::format("bayeux.max_processing ({}) is not longer than bayeux.timeout ({})",
                               duration_text(bayeux.max_processing), duration_text(bayeux.timeout)));
  }
  return {};
}

Result<void> check_cookies(const BayeuxOptions& bayeux) {
  if (bayeux.cookie_same_site == SameSite::kNone && bayeux.cookie_secure == CookieSecure::kNever) {
    return refused(
        "bayeux.cookie_same_site is \"none\" and bayeux.cookie_secure \"never\": browsers take such a cookie only when it is "
        "Secure");
  }
  return {};
}

enum class Fits { kBroadcasts, kServicesToo };

Result<void> check_pattern(std::string_view pattern, const BayeuxOptions& bayeux, Fits fits) {
  const Result<BayeuxChannelKind> kind = bayeux_channel_kind(pattern, bayeux_alphabet(bayeux));
  if (!kind) return refused(fmt::format("`{}` is no channel: {}", pattern, kind.error().text));
  if (*kind == BayeuxChannelKind::kMeta) return refused(fmt::format("`{}` is a channel of the protocol itself", pattern));
  if (*kind == BayeuxChannelKind::kService && fits == Fits::kBroadcasts) {
    return refused(fmt::format("`{}` is a service channel, which nobody hears", pattern));
  }
  return {};
}

Result<void> check_lazy_channels(const BayeuxOptions& bayeux) {
  for (const std::string& pattern : bayeux.lazy_channels) {
    const Result<void> checked = check_pattern(pattern, bayeux, Fits::kBroadcasts);
    if (!checked) return refused(fmt::format("bayeux.lazy_channels: {}", checked.error().text));
  }
  return {};
}

bool is_reason(std::string_view text) {
  return !text.empty() && std::none_of(text.begin(), text.end(), [](char character) {
    return character == ':' || static_cast<unsigned char>(character) < 0x20 || character == 0x7F;
  });
}

Result<void> check_authorizer(const BayeuxAuthorizerRule& rule, const ServerOptions& options) {
  if (Result<void> checked = check_pattern(rule.channel, options.bayeux, Fits::kServicesToo); !checked) return checked;
  for (const auto& setting : bayeux_authorizer_settings()) {
    const Result<void> checked = setting.check(rule);
    if (!checked) return refused(fmt::format("{} {}", setting.key, checked.error().text));
  }
  if (!is_reason(rule.reason)) {
    return refused(fmt::format("reason takes a text without `:` and control characters, not \"{}\"", rule.reason));
  }
  if (!rule.user.empty() && options.auth.jwt_secrets.empty()) {
    return refused(fmt::format(
        "it is for the user `{}` and never used: a user is who a token says, and no auth.jwt_secrets are set", rule.user));
  }
  return {};
}

Result<void> check_authorizers(const ServerOptions& options) {
  const std::vector<BayeuxAuthorizerRule>& rules = options.bayeux.authorizers;
  for (std::size_t i = 0; i < rules.size(); ++i) {
    const Result<void> checked = check_authorizer(rules[i], options);
    if (checked) continue;
    return refused(fmt::format("bayeux.authorizers rule {} (`{}`): {}", i + 1, rules[i].channel, checked.error().text));
  }
  return {};
}

// The names in braces, each a whole segment, once.
Result<void> check_parameters(std::string_view pattern) {
  std::vector<std::string_view> names;
  while (!pattern.empty()) {
    pattern.remove_prefix(1);  // The slash.
    const std::string_view segment = pattern.substr(0, pattern.find('/'));
    pattern.remove_prefix(segment.size());
    if (segment.find_first_of("{}") == std::string_view::npos) continue;
    const std::string_view name = segment.substr(1, std::max<std::size_t>(segment.size(), 2) - 2);
    const bool whole = segment.starts_with('{') && segment.ends_with('}') && !name.empty() &&
                       name.find_first_of("{}") == std::string_view::npos;
    if (!whole) return refused(fmt::format("`{}` is no parameter; one is a whole segment, such as {{name}}", segment));
    if (std::find(names.begin(), names.end(), name) != names.end()) {
      return refused(fmt::format("it has the parameter `{}` twice", name));
    }
    names.push_back(name);
  }
  return {};
}

Result<void> check_service(std::string_view pattern) {
  // Braces are letters of CometD's alphabet.
  const Result<BayeuxChannelKind> kind = bayeux_channel_kind(pattern, BayeuxAlphabet::kCometd);
  if (!kind) return refused(fmt::format("it is no channel: {}", kind.error().text));
  if (*kind != BayeuxChannelKind::kService) return refused("it is no service channel, such as /service/echo");
  return check_parameters(pattern);
}

}  // namespace

Result<void> check_bayeux(const ServerOptions& options) {
  for (const Result<void>& checked : {check_times(options.bayeux), check_cookies(options.bayeux),
                                      check_lazy_channels(options.bayeux), check_authorizers(options)}) {
    if (!checked) return checked.error();
  }
  return {};
}

Result<void> check_bayeux_hooks(const BayeuxHooks& hooks, const BayeuxOptions& options) {
  for (const BayeuxAuthorizer& authorizer : hooks.authorizers) {
    const Result<void> checked = check_pattern(authorizer.pattern, options, Fits::kServicesToo);
    if (!checked) return refused(fmt::format("a Bayeux authorizer's pattern: {}", checked.error().text));
    if (!authorizer.judge) return refused(fmt::format("the Bayeux authorizer of `{}` has no function", authorizer.pattern));
  }
  for (const BayeuxService& service : hooks.services) {
    const Result<void> checked = check_service(service.pattern);
    if (!checked) return refused(fmt::format("the Bayeux service `{}`: {}", service.pattern, checked.error().text));
    if (!service.handle) return refused(fmt::format("the Bayeux service `{}` has no function", service.pattern));
  }
  return {};
}

BayeuxAlphabet bayeux_alphabet(const BayeuxOptions& options) {
  return options.strict_channels ? BayeuxAlphabet::kStrict : BayeuxAlphabet::kCometd;
}

}  // namespace carillon
