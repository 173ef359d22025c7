#include "protocol/native_channels.h"

#include <algorithm>
#include <utility>

#include "hub/channel_name.h"

namespace carillon {

Result<std::string> named_channel(std::string_view text, ChannelTextOptions options) {
  Result<std::string> name = canonical_channel(text, options);
  if (!name) return name;
  if (Result<void> checked = check_channel_name(*name); !checked) return checked.error();
  return name;
}

Result<Selector> subscription_selector(std::string_view text, ChannelTextOptions options) {
  if (text == kEveryChannel) return Selector{.kind = Selector::Kind::kTree, .base = ""};
  Result<std::string> name = named_channel(text, options);
  if (!name) return name.error();
  // The canonical text of a repository has one slash; a filter comes after a second.
  const bool whole_repository = name->starts_with("repo:") && std::count(name->begin(), name->end(), '/') == 1;
  return Selector{.kind = whole_repository ? Selector::Kind::kTree : Selector::Kind::kExact, .base = *std::move(name)};
}

std::string_view subscription_text(const Selector& selector) {
  return selector.base.empty() ? kEveryChannel : std::string_view(selector.base);
}

}  // namespace carillon
