// A publication as one event object, as the native protocol, SSE and the HTTP API all write it. Any thread.
#pragma once

#include <string>

#include "carillon/server_options.h"
#include "hub/publication.h"

namespace carillon {

// Appends {"type":"event","channel":…,"event":…,"data":…,"timestamp":<seconds>,"event_id":"<uuid>"}, the keys in guts' order;
// a publication with a position has ,"epoch":"<hex>","offset":<n> after them, a dead letter of a queue group
// ,"dead_letter":{…}. JSON payloads are copied byte for byte, so they may hold line breaks; payloads that are no JSON become a
// JSON string in Base64. Allocates nothing but the string's growth.
void append_event_json(std::string& out, const Publication& publication, EventNames names);

// Appends the payload as the event object's `data` shows it.
void append_payload_json(std::string& out, const Publication& publication);

// The event's name in the spelling asked for; a name that is no event kind stays as it is.
std::string_view spelled_event_name(std::string_view name, EventNames names);

}  // namespace carillon
