#include "protocol/phoenix/phoenix_broadcast.h"

#include "base/check.h"
#include "hub/position_text.h"
#include "protocol/event_json.h"

namespace carillon {
namespace {

bool is_object(std::string_view json) {
  const std::size_t first = json.find_first_not_of(" \t\r\n");
  return first != std::string_view::npos && json[first] == '{';
}

}  // namespace

bool is_phoenix_own_event(std::string_view topic, std::string_view event) {
  return event.starts_with("phx_") || event.starts_with("chan_reply_") || event == "presence_state" ||
         event == "presence_diff" || event == "presence_stats" || event == kPhoenixGapEvent ||
         (topic == "phoenix" && event == "heartbeat");
}

MessageKind phoenix_broadcast_kind(const Publication& publication, const PhoenixForm& form) {
  if (publication.format == PayloadFormat::kJson || !form.binary_link || form.version != PhoenixVersion::kV2) {
    return MessageKind::kText;
  }
  const std::string_view event = spelled_event_name(publication.event, form.names);
  const bool fits = publication.channel.size() <= kPhoenixTextBytesMax && event.size() <= kPhoenixTextBytesMax;
  return fits && !is_phoenix_own_event(publication.channel, event) ? MessageKind::kBinary : MessageKind::kText;
}

MessageKind append_phoenix_broadcast(std::string& out, const Publication& publication, const PhoenixForm& form) {
  const std::string_view event = spelled_event_name(publication.event, form.names);
  if (phoenix_broadcast_kind(publication, form) == MessageKind::kBinary) {
    CHECK(append_phoenix_binary_broadcast(out, publication.channel, event, publication.payload.view()));
    return MessageKind::kBinary;
  }
  const bool own = is_phoenix_own_event(publication.channel, event);
  const bool json_payload = publication.format == PayloadFormat::kJson;
  std::string ref(kPhoenixNoRef);
  if (form.positions && publication.position) ref = '"' + position_text(*publication.position) + '"';
  JsonWriter json(out);
  begin_phoenix_message(json, form.version, {.ref = ref, .topic = publication.channel}, own ? kPhoenixStandInEvent : event);
  if (!own && json_payload && is_object(publication.payload.view())) {
    json.raw(publication.payload.view());
  } else {
    json.begin_object();
    if (own) json.key("event").string(event);
    json.key("data");
    append_payload_json(out, publication);
    if (!json_payload) json.key("encoding").string("base64");
    json.end_object();
  }
  end_phoenix_message(json, form.version);
  return MessageKind::kText;
}

}  // namespace carillon
