// Any body, as lines and as one text: what is read lies inside the body or is its Base64 decoded; what is answered is JSON.
#include "base/check.h"
#include "base/utf8.h"
#include "protocol/phoenix/phoenix_poll_codec.h"
#include "wire/json/json_slicer.h"
#include "wire/text/base64.h"

using namespace carillon;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static JsonSlicer slicer;
  const std::string_view body(reinterpret_cast<const char*>(data), size);
  for (const char* type : {"application/x-ndjson; charset=utf-8", "application/json"}) {
    const auto frames = read_phoenix_poll_body(type, body);
    if (!frames) continue;
    CHECK(frames->size() <= kPhoenixPollLinesMax);
    std::string collected;
    for (const PhoenixPollFrame& frame : *frames) {
      if (frame.kind == MessageKind::kText) {
        CHECK(is_utf8(frame.bytes()) && frame.bytes().data() >= body.data());
        CHECK(frame.bytes().data() + frame.bytes().size() <= body.data() + body.size());
      } else {
        CHECK(body.find(base64_encode(frame.bytes())) != std::string_view::npos);
      }
      append_phoenix_poll_message(collected, frame.bytes());
    }
    CHECK(slicer.check(phoenix_poll_messages(body, collected)));
  }
  CHECK(slicer.check(phoenix_poll_opened(body)));
  // The content type is the peer's too.
  static_cast<void>(read_phoenix_poll_body(body, body));
  return 0;
}
