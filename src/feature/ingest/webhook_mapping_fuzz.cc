// The mapping of any payload: it is refused with a text, or becomes events with valid channels, names and JSON. The first
// line of the input is the event's name, the rest the payload.
#include "base/check.h"
#include "feature/ingest/webhook_mapping.h"
#include "hub/channel_name.h"
#include "wire/json/json_slicer.h"

using namespace carillon;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static JsonSlicer slicer({.depth_max = 2000});
  const std::string_view input(reinterpret_cast<const char*>(data), size);
  const std::size_t line_end = input.find('\n');
  if (line_end == std::string_view::npos) return 0;
  const std::string_view event = input.substr(0, line_end);
  const std::string_view payload = input.substr(line_end + 1);
  for (const WebhookSource source : {WebhookSource::github, WebhookSource::gitea}) {
    for (const bool keep_raw : {false, true}) {
      const auto events = map_webhook(source, event, payload, {.keep_raw = keep_raw});
      if (!events) {
        CHECK(events.error().kind == ErrorKind::kInvalid && !events.error().text.empty());
        continue;
      }
      CHECK(!events->empty());
      for (const MappedEvent& mapped : *events) {
        CHECK(check_channel_name(mapped.channel).has_value());
        CHECK(check_channel_name(mapped.event).has_value());  // Names of events have the same rule.
        const auto root = slicer.check(mapped.data);
        CHECK(root.has_value() && root->type == JsonType::kObject);
      }
    }
  }
  return 0;
}
