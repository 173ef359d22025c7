#include "hub/group_call.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/utf8.h"
#include "hub/channel_name.h"

namespace carillon {
namespace {

constexpr std::string_view kKeyWord = "group/";

void append_escaped(std::string& out, std::string_view text) {
  for (const char c : text) {
    if (c == '~') {
      out += "~0";
    } else if (c == '/') {
      out += "~1";
    } else {
      out += c;
    }
  }
}

std::optional<std::string> unescaped(std::string_view text) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '~') {
      out += text[i];
    } else if (i + 1 < text.size() && (text[i + 1] == '0' || text[i + 1] == '1')) {
      out += text[++i] == '0' ? '~' : '/';
    } else {
      return std::nullopt;
    }
  }
  return out;
}

Error invalid(std::string text) {
  return {ErrorKind::kInvalid, std::move(text)};
}

}  // namespace

Result<void> check_group_name(std::string_view name) {
  const bool control =
      std::any_of(name.begin(), name.end(), [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7F; });
  if (!name.empty() && name.size() <= kGroupNameBytesMax && !control && is_utf8(name)) return {};
  return invalid(fmt::format("invalid group: a name is 1 to {} bytes of UTF-8 without control characters", kGroupNameBytesMax));
}

std::string group_key(const GroupName& name) {
  std::string key(kKeyWord);
  append_escaped(key, name.channel);
  key += '/';
  append_escaped(key, name.name);
  return key;
}

std::optional<GroupName> parse_group_key(std::string_view key) {
  if (!key.starts_with(kKeyWord)) return std::nullopt;
  key.remove_prefix(kKeyWord.size());
  const std::size_t slash = key.find('/');
  if (slash == std::string_view::npos) return std::nullopt;
  std::optional<std::string> channel = unescaped(key.substr(0, slash));
  std::optional<std::string> name = unescaped(key.substr(slash + 1));
  if (!channel || !name) return std::nullopt;
  return GroupName{.channel = *std::move(channel), .name = *std::move(name)};
}

Result<void> check_group_wish(const GroupWish& wish, const GroupName& name) {
  if (Result<void> checked = check_group_name(name.name); !checked) return checked;
  if (wish.visibility && (*wish.visibility < kGroupVisibilityMin || *wish.visibility > kGroupVisibilityMax)) {
    return invalid(fmt::format("the visibility time is {} to {} ms", kGroupVisibilityMin.count(), kGroupVisibilityMax.count()));
  }
  if (wish.deliveries_max.value_or(0) > kGroupDeliveriesMax) {
    return invalid(fmt::format("deliveries_max is at most {}, or 0 for no end", kGroupDeliveriesMax));
  }
  if (!wish.dead_letter) return {};
  if (Result<void> checked = check_channel_name(*wish.dead_letter); !checked) {
    return invalid("dead_letter: " + checked.error().text);
  }
  if (*wish.dead_letter == name.channel) return invalid("a channel cannot be its own dead-letter channel");
  return {};
}

Error not_in_flight() {
  return {ErrorKind::kConflict, "no such delivery is in flight: it was settled before, delivered anew since, or never made"};
}

Result<void> check_group_settle(const GroupSettle& settle) {
  if (settle.deliveries.empty()) return invalid("name at least one delivery");
  if (settle.deliveries.size() > kGroupSettleMax) {
    return invalid(fmt::format("at most {} deliveries may be named at once", kGroupSettleMax));
  }
  if (!settle.time) return {};
  const bool extend = settle.verb == GroupSettle::Verb::kExtend;
  const Millis least = extend ? kGroupVisibilityMin : Millis(0);
  if (*settle.time >= least && *settle.time <= kGroupVisibilityMax) return {};
  return invalid(
      fmt::format("the {} is {} to {} ms", extend ? "visibility time" : "delay", least.count(), kGroupVisibilityMax.count()));
}

}  // namespace carillon
