// The labels and texts of channel_runtime.h.
#include <fmt/core.h>
#include <fmt/format.h>

#include <array>
#include <iterator>

#include "carillon/channel_runtime.h"

namespace carillon {
namespace {

using namespace channel_outbound;

// In quotes, on one line, and back without doubt: quotes, backslashes and control characters are escaped, other bytes stay.
std::string quoted(std::string_view text) {
  std::string out = "\"";
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (c == '"' || c == '\\') {
      out += '\\';
      out += c;
    } else if (byte < 0x20 || byte == 0x7f) {
      fmt::format_to(std::back_inserter(out), "\\x{:02x}", byte);
    } else {
      out += c;
    }
  }
  return out += '"';
}

// [("ref" "previous ref" 1700 "meta" "client") …]
std::string entry_text(const PresenceEntry& entry) {
  std::string out = quoted(entry.key) + '[';
  for (const PresenceMeta& meta : entry.metas) {
    if (out.back() != '[') out += ' ';
    fmt::format_to(std::back_inserter(out), "({} {} {} {} {})", quoted(meta.ref), quoted(meta.previous_ref), meta.online_at_ms,
                   quoted(meta.meta), quoted(meta.client_id));
  }
  return out += ']';
}

std::string fields(const Reply& reply) {
  return fmt::format(" {} {} {} {}", quoted(reply.client_id), quoted(reply.topic), quoted(reply.status), quoted(reply.payload));
}

std::string fields(const PushMessage& push) {
  return fmt::format(" {} {} {} {}", quoted(push.client_id), quoted(push.topic), quoted(push.event), quoted(push.payload));
}

std::string fields(const BroadcastMessage& broadcast) {
  std::string out = fmt::format(" {} {} [", quoted(broadcast.topic), quoted(broadcast.payload));
  broadcast.recipients.for_each([&out](const std::string& recipient) {
    if (out.back() != '[') out += ' ';
    out += quoted(recipient);
  });
  return out += ']';
}

std::string fields(const PresenceDiff& diff) {
  std::string out = ' ' + quoted(diff.topic);
  for (const PresenceEntry& entry : diff.changes.joins) out += " +" + entry_text(entry);
  for (const PresenceEntry& entry : diff.changes.leaves) out += " -" + entry_text(entry);
  return out;
}

std::string fields(const System& system) {
  return fmt::format(" {} {}", quoted(system.label), quoted(system.topic));
}

}  // namespace

std::string_view channel_event_label(const ChannelEvent& event) {
  static_assert(std::variant_size_v<ChannelEvent> == 7);
  constexpr std::array<std::string_view, 7> kLabels = {"join", "rejoin", "leave", "broadcast", "push", "crash", "restart"};
  return kLabels[event.index()];
}

std::string_view channel_outbound_label(const ChannelOutbound& outbound) {
  static_assert(std::variant_size_v<ChannelOutbound> == 5);
  constexpr std::array<std::string_view, 5> kLabels = {"reply", "push_message", "broadcast_message", "presence_diff", "system"};
  return kLabels[outbound.index()];
}

std::string channel_outbound_text(const ChannelOutbound& outbound) {
  const std::string rest = std::visit([](const auto& one) { return fields(one); }, outbound);
  return std::string(channel_outbound_label(outbound)) + rest;
}

}  // namespace carillon
