#include "protocol/event_json.h"

#include <charconv>
#include <cstring>

#include "carillon/event.h"
#include "hub/group_call.h"
#include "wire/json/json_writer.h"
#include "wire/text/base64.h"

namespace carillon {
namespace {

template <std::size_t N>
char* put(char* at, const char (&literal)[N]) {
  std::memcpy(at, literal, N - 1);
  return at + N - 1;
}

char* put_number(char* at, std::uint64_t value) {
  return std::to_chars(at, at + 20, value).ptr;
}

char* put_epoch(char* at, std::uint64_t epoch) {
  for (int shift = 60; shift >= 0; shift -= 4) *at++ = "0123456789abcdef"[epoch >> shift & 15];
  return at;
}

// ,"dead_letter":{"channel":…,"group":…,"event_id":…,"epoch":…,"offset":…,"deliveries":…,"reason":…}, all texts but the
// numbers.
void append_dead_letter(std::string& out, const Tags& tags) {
  bool first = true;
  for (const auto& [name, value] : tags) {
    if (!name.starts_with(kDeadLetterTag)) continue;
    out += std::exchange(first, false) ? R"(,"dead_letter":{)" : ",";
    const std::string_view key = std::string_view(name).substr(kDeadLetterTag.size());
    append_json_string(out, key);
    out += ':';
    if (key == "offset" || key == "deliveries") {
      out += value;
    } else {
      append_json_string(out, value);
    }
  }
  if (!first) out += '}';
}

}  // namespace

std::string_view spelled_event_name(std::string_view name, EventNames names) {
  const bool dotted = names == EventNames::kDotted;
  // Most names have nothing to change; the table is only asked about the others.
  if (name.find(dotted ? '_' : '.') == std::string_view::npos) return name;
  return dotted ? dotted_event_name(name) : wire_event_name(name);
}

void append_payload_json(std::string& out, const Publication& publication) {
  if (publication.format == PayloadFormat::kJson) {
    out += publication.payload.view();
    return;
  }
  out += '"';
  append_base64(out, publication.payload.view());
  out += '"';
}

void append_event_json(std::string& out, const Publication& publication, EventNames names) {
  out += R"({"type":"event","channel":)";
  append_json_string(out, publication.channel);
  out += R"(,"event":)";
  append_json_string(out, spelled_event_name(publication.event, names));
  out += R"(,"data":)";
  append_payload_json(out, publication);

  char tail[192];
  char* at = put(tail, ",\"timestamp\":");
  at = std::to_chars(at, at + 20, publication.time_ms / 1000).ptr;
  at = put(at, ",\"event_id\":\"");
  publication.id.write_text(at);
  at = put(at + Uuid::kTextSize, "\"");
  if (publication.position) {
    at = put(at, ",\"epoch\":\"");
    at = put_epoch(at, publication.position->epoch);
    at = put(at, "\",\"offset\":");
    at = put_number(at, publication.position->offset);
  }
  out.append(tail, static_cast<std::size_t>(at - tail));
  if (!publication.tags.empty()) append_dead_letter(out, publication.tags);
  out += '}';
}

}  // namespace carillon
