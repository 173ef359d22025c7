// Presence: who is in a channel right now: what the store tells of it. Immutable values, shared by all loops.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "carillon/channel_runtime.h"

namespace carillon {

struct PresenceCounts {
  std::uint64_t users = 0;    // Keys.
  std::uint64_t members = 0;  // Metas: one for each session that is present.
  friend bool operator==(const PresenceCounts&, const PresenceCounts&) = default;
};

// What happened in a channel at once: nobody is in it twice, and who came and went between is not in it at all.
struct PresenceUpdate {
  std::string channel;
  std::uint64_t version = 0;  // Grows from diff to diff of a channel.
  PresenceChanges changes;
  PresenceCounts counts;  // After it.
};
using PresenceUpdatePtr = std::shared_ptr<const PresenceUpdate>;

// In entries, here and in diffs, `client_id` is what the store calls a member; behind its last `/` stands the session as
// session_text() writes it.
struct PresenceState {
  std::string channel;
  std::uint64_t version = 0;  // Of the last diff that it shows; 0 where there never was one.
  std::vector<PresenceEntry> entries;
  PresenceCounts counts;
  // False: so many are present that watching clients hear only how many (HubOptions::presence_list_max); no entries then.
  bool named = true;
};
using PresenceStatePtr = std::shared_ptr<const PresenceState>;

}  // namespace carillon
