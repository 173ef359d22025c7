// Presence as the native protocol and the HTTP API write it. Any thread.
//
//   {"<key>":{"metas":[{"ref":"…","online_at":<Unix milliseconds>,"meta":{…},"session":"…"}]}}
//
// `meta` is there where the member gave one, byte for byte as it came. Everything is linear in the number of metas.
#pragma once

#include <cstdint>
#include <span>
#include <string>

#include "hub/presence.h"

namespace carillon {

// Whether metas name their session, which only those may see who steer sessions. Diffs are shared by all, and never do.
enum class PresenceSessions : std::uint8_t { kHidden, kShown };

// Appends the object above.
void append_presence_json(std::string& out, std::span<const PresenceEntry> entries, PresenceSessions sessions);

// Appends members without the braces: "users":…,"members":…
void append_presence_counts(std::string& out, const PresenceCounts& counts);
// "users":…,"members":…,"presence":{…}
void append_presence_state(std::string& out, const PresenceState& state, PresenceSessions sessions);
// "joins":{…},"leaves":{…},"users":…,"members":…
void append_presence_diff(std::string& out, const PresenceUpdate& diff);

}  // namespace carillon
