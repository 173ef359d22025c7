// PresenceRecord: one member of a channel as it lies in Redis, and what diffs of presence look like when they are published.
//
// A field of the channel's hash is `<node>/<member>`, its value
//   <version>-<index> <ref before> <incarnation> <online since> <ref> <length of the key> <key><meta>
// The first two words are the script's: where in the order of joins the member stands, and which ref it has taken the place of
// (`-`: none). The rest is the node's.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "hub/presence.h"

namespace carillon {

struct PresenceRecord {
  std::string key;
  PresenceMeta meta;
  std::uint64_t incarnation = 0;
  // Its place: members are shown in this order.
  std::uint64_t version = 0;
  std::uint64_t index = 0;

  bool is_before(const PresenceRecord& other) const {
    return version != other.version ? version < other.version : index < other.index;
  }
};

// What a node writes of one of its members: the value without the script's words.
std::string presence_record_text(std::uint64_t incarnation, std::int64_t online_at_ms, std::string_view ref,
                                 std::string_view key, std::string_view meta);
// Absent: it is no such value.
std::optional<PresenceRecord> parse_presence_record(std::string_view member, std::string_view value);

// Of the node that `member` (`<node>/<member>`) belongs to; empty: it is none of ours.
std::string_view node_of_member(std::string_view member);

// As it is published: `<version> <version before> <users> <members> <leaves> <joins>`, and, each behind a space, the length of
// a member's name, that of its value, and both: those that left first.
struct PresenceMessage {
  std::uint64_t version = 0;
  std::uint64_t before = 0;  // The channel's version until then; 0: nothing was known of it.
  PresenceCounts counts;
  std::vector<PresenceRecord> leaves, joins;
};
std::optional<PresenceMessage> parse_presence_message(std::string_view text);

// The records as entries, in their order: keys as they first appear.
std::vector<PresenceEntry> presence_entries(const std::vector<PresenceRecord>& records);

}  // namespace carillon
