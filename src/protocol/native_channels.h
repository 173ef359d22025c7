// Channels as the native protocol, SSE and the HTTP API name them, towards the hub. Any thread.
#pragma once

#include <string>
#include <string_view>

#include "carillon/result.h"
#include "hub/selector.h"
#include "wire/guts/canonical_channel.h"

namespace carillon {

// Subscribing to it hears every channel there is, even where unknown types are refused.
inline constexpr std::string_view kEveryChannel = "all";

// The channel that a publish or a history query names, checked in full.
Result<std::string> named_channel(std::string_view text, ChannelTextOptions options = {});

// What a subscription to the text hears: a repository without a filter its sub-channels too, `all` everything, any other
// name exactly itself.
Result<Selector> subscription_selector(std::string_view text, ChannelTextOptions options = {});

// The text that a client would have subscribed with: the selector's base, or `all`.
std::string_view subscription_text(const Selector& selector);

}  // namespace carillon
