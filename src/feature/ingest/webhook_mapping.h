// What a webhook's delivery means: which channel, which event, which data. A pure function; any thread.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "carillon/result.h"

namespace carillon {

enum class WebhookSource : std::uint8_t { github, gitea };

// "github" or "gitea".
std::string_view webhook_source_name(WebhookSource source);

struct MappedEvent {
  std::string channel;  // Valid, see hub/channel_name.h.
  std::string event;    // An event kind's wire name, or "<webhook>.<action>" of what has no kind.
  std::string data;     // A JSON object.
};

struct WebhookMappingOptions {
  // Adds the payload itself to `data`, under `raw`, without blanks. Payloads reach 25 MB; subscribers get every byte.
  bool keep_raw = false;
};

// `event` is the name from the delivery's header, `payload` the JSON text. At least one event comes back: what has no kind of
// its own is published under its own name, what names no repository, organisation or account goes to `webhook:<source>`.
// A repository that got a new name or owner is told of under both names.
// Errors: kInvalid, when the payload is no JSON object or lacks what its event cannot be without; the text names the field.
Result<std::vector<MappedEvent>> map_webhook(WebhookSource source, std::string_view event, std::string_view payload,
                                             WebhookMappingOptions options = {});

}  // namespace carillon
