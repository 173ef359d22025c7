// Bodies of the publishing routes: whatever is accepted is a draft that the hub takes, with its data found in the body.
#include "base/check.h"
#include "feature/api/publish_request.h"
#include "hub/hub.h"

using namespace carillon;

static void check_accepted(const Draft& draft, std::string_view body) {
  CHECK(check_draft(draft).has_value());
  CHECK(body.find(draft.payload.view()) != std::string_view::npos);
  JsonSlicer slicer;
  CHECK(slicer.check(draft.payload.view()).has_value());
}

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static PublishReader reader({.payload_bytes_max = 1000, .batch_max = 4});
  const std::string_view body(reinterpret_cast<const char*>(data), size);
  if (const auto draft = reader.read_publish(body)) check_accepted(*draft, body);
  for (const auto& items : {reader.read_broadcast(body), reader.read_batch(body)}) {
    if (!items) continue;
    CHECK(items->size() <= 4);
    for (const PublishReader::Item& item : *items) {
      if (item.draft) check_accepted(*item.draft, body);
    }
  }
  const auto text = reader.read_announcement(body);
  CHECK(!text || text->size() <= 1000);
  return 0;
}
