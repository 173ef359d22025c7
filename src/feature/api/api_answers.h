// What the HTTP API answers, as JSON. Values in, text out; no hub is asked here.
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "carillon/server_options.h"
#include "hub/hub.h"
#include "protocol/presence_json.h"

namespace carillon {

// What does not change while the server runs; told by the server.
struct ApiFacts {
  std::string version;
  std::int64_t started_unix_ms = 0;
  std::size_t loops = 1;
  std::string engine = "memory";
  // Name and path: {"native", "/ws"}.
  std::vector<std::pair<std::string, std::string>> protocols;
  LimitsOptions limits;
};

// Appends the members of a receipt or an error without the braces: "channel":…,"id":…; an empty channel is not shown.
void append_outcome_members(std::string& out, std::string_view channel, const Result<Receipt>& outcome);

// Events are written until the answer has `bytes_max`; the rest is left to the next page, but one is always written.
std::string history_json(const std::string& channel, const HistoryPage& page, EventNames names, std::size_t bytes_max);
std::string channel_json(const Hub::ChannelInfo& channel);
// One page of what may hold one more than the page, as a sign that there is more.
std::string channels_json(const std::vector<Hub::ChannelInfo>& channels, std::size_t page_size);
std::string session_json(const SessionInfo& session);
std::string sessions_json(const std::vector<SessionInfo>& sessions, std::size_t page_size);
// In full however many there are.
std::string presence_json(const PresenceState& state, PresenceSessions sessions);
std::string presence_stats_json(const std::string& channel, const PresenceCounts& counts);
std::string info_json(const ApiFacts& facts, std::int64_t now_unix_ms);
// Exactly guts' four keys.
std::string stats_json(const HubStats& stats);

}  // namespace carillon
