#include "protocol/presence_json.h"

#include <string_view>

#include "wire/json/json_writer.h"

namespace carillon {
namespace {

void write_meta(JsonWriter& json, const PresenceMeta& meta, PresenceSessions sessions) {
  json.begin_object().key("ref").string(meta.ref).key("online_at").number(meta.online_at_ms);
  if (!meta.meta.empty()) json.key("meta").raw(meta.meta);
  if (sessions == PresenceSessions::kShown) {
    const std::string_view member = meta.client_id;
    json.key("session").string(member.substr(member.rfind('/') + 1));
  }
  json.end_object();
}

}  // namespace

void append_presence_json(std::string& out, std::span<const PresenceEntry> entries, PresenceSessions sessions) {
  JsonWriter json(out);
  json.begin_object();
  for (const PresenceEntry& entry : entries) {
    json.key(entry.key).begin_object().key("metas").begin_array();
    for (const PresenceMeta& meta : entry.metas) write_meta(json, meta, sessions);
    json.end_array().end_object();
  }
  json.end_object();
}

void append_presence_counts(std::string& out, const PresenceCounts& counts) {
  JsonWriter(out).key("users").number(counts.users).key("members").number(counts.members);
}

void append_presence_state(std::string& out, const PresenceState& state, PresenceSessions sessions) {
  append_presence_counts(out, state.counts);
  out += R"(,"presence":)";
  append_presence_json(out, state.entries, sessions);
}

void append_presence_diff(std::string& out, const PresenceUpdate& diff) {
  out += R"("joins":)";
  append_presence_json(out, diff.changes.joins, PresenceSessions::kHidden);
  out += R"(,"leaves":)";
  append_presence_json(out, diff.changes.leaves, PresenceSessions::kHidden);
  out += ',';
  append_presence_counts(out, diff.counts);
}

}  // namespace carillon
