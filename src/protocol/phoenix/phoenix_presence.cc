#include "protocol/phoenix/phoenix_presence.h"

#include <map>
#include <string_view>

#include "wire/json/json_slicer.h"
#include "wire/json/json_writer.h"

namespace carillon {
namespace {

class PresenceWriter {
 public:
  explicit PresenceWriter(std::string& out) : json_(out) {}

  JsonWriter& json() { return json_; }

  void write(std::span<const PresenceEntry> entries) {
    json_.begin_object();
    for (const PresenceEntry& entry : entries) {
      json_.key(entry.key).begin_object().key("metas").begin_array();
      for (const PresenceMeta& meta : entry.metas) write(meta);
      json_.end_array().end_object();
    }
    json_.end_object();
  }

 private:
  void write(const PresenceMeta& meta) {
    const std::span<const JsonMember> members = members_of(meta.meta);
    last_.clear();
    for (const JsonMember& member : members) last_[member.key] = &member;
    last_.erase("phx_ref");
    last_.erase("phx_ref_prev");

    json_.begin_object().key("phx_ref").string(meta.ref);
    if (!meta.previous_ref.empty()) json_.key("phx_ref_prev").string(meta.previous_ref);
    if (!last_.contains("online_at")) json_.key("online_at").number(meta.online_at_ms / 1000);
    for (const JsonMember& member : members) {
      const auto found = last_.find(member.key);
      if (found != last_.end() && found->second == &member) json_.key(member.key).raw(member.value.text);
    }
    json_.end_object();
  }

  std::span<const JsonMember> members_of(std::string_view meta) {
    if (meta.empty()) return {};
    const Result<JsonDocument> document = slicer_.slice(meta);
    return document ? document->members : std::span<const JsonMember>();
  }

  JsonWriter json_;
  JsonSlicer slicer_;
  // An ordered map: names are the clients', who could choose them to meet in a hash table.
  std::map<std::string_view, const JsonMember*> last_;
};

}  // namespace

std::string phoenix_presence_state(std::span<const PresenceEntry> entries) {
  std::string out;
  PresenceWriter(out).write(entries);
  return out;
}

std::string phoenix_presence_diff(const PresenceChanges& changes) {
  std::string out;
  PresenceWriter writer(out);
  writer.json().begin_object().key("joins");
  writer.write(changes.joins);
  writer.json().key("leaves");
  writer.write(changes.leaves);
  writer.json().end_object();
  return out;
}

}  // namespace carillon
