// Any text as a request: read or refused with a text; what was read, and what the answer to a bad one echoes, makes an envelope
// that is JSON.
#include "base/check.h"
#include "base/utf8.h"
#include "protocol/routes/routes_codec.h"

using namespace carillon;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static RoutesReader reader;
  static JsonSlicer slicer;
  const std::string_view message(reinterpret_cast<const char*>(data), size);
  const Result<RoutesRequest> request = reader.read(message);
  CHECK(reader.id().size() <= kRouteIdBytesMax && reader.route().size() <= kRouteBytesMax);
  CHECK(reader.id().empty() || slicer.check(reader.id()));
  std::string out;
  if (!request) {
    CHECK(request.error().kind == ErrorKind::kInvalid && is_utf8(request.error().text));
    const std::string error = routes_error_json(route_error(request.error()));
    append_envelope(out, {.route = reader.route(), .event = kRoutesErrorEvent, .error = error, .id = reader.id()});
  } else {
    CHECK(slicer.check(request->payload));
    append_envelope(out, {.route = request->route, .event = "e", .payload = request->payload, .id = request->id});
  }
  CHECK(slicer.check(out));
  if (const Result<std::string> channel = channel_of_routes(message)) {
    CHECK(*channel_of_routes(routes_of_channel(*channel)) == *channel);
    CHECK(route_of_channel(*channel).front() == '/');
  }
  return 0;
}
