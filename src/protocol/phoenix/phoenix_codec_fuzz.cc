// Any frame in both serializers and in binary: what is read is written again and reads back the same; what is broadcast is
// JSON.
#include "base/check.h"
#include "protocol/phoenix/phoenix_broadcast.h"

using namespace carillon;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static PhoenixReader reader, again;
  static JsonSlicer slicer;
  const std::string_view frame(reinterpret_cast<const char*>(data), size);
  static_cast<void>(phoenix_version(frame));
  for (const PhoenixVersion version : {PhoenixVersion::kV1, PhoenixVersion::kV2}) {
    for (const MessageKind kind : {MessageKind::kText, MessageKind::kBinary}) {
      const Result<PhoenixMessage> read = reader.read(version, frame, kind);
      CHECK(slicer.check(phoenix_reply(version, reader.address(), PhoenixStatus::kError)));
      if (!read) continue;
      CHECK(phoenix_binary_push(read->address.join_ref, read->address.topic, read->event, read->payload));
      CHECK(phoenix_binary_reply(read->address, PhoenixStatus::kOk, read->payload));
      const std::string_view payload = kind == MessageKind::kText ? read->payload : "{}";
      const std::string written = phoenix_message(version, read->address, read->event, payload);
      const Result<PhoenixMessage> same = again.read(version, written, MessageKind::kText);
      // A ref that came in binary may be longer as JSON than a client may write it.
      if (kind == MessageKind::kBinary && !same) continue;
      CHECK(same && same->event == read->event && same->payload == payload && same->address.ref == read->address.ref);
      CHECK(same->address.topic == read->address.topic);
      CHECK(version == PhoenixVersion::kV1 || same->address.join_ref == read->address.join_ref);
      Publication publication;
      publication.channel = read->address.topic, publication.event = read->event;
      publication.payload = Bytes::copy_of(read->payload);
      publication.format = kind == MessageKind::kText ? PayloadFormat::kJson : PayloadFormat::kBytes;
      std::string out;
      CHECK(append_phoenix_broadcast(out, publication, {.version = version}) == MessageKind::kText && slicer.check(out));
    }
  }
  return 0;
}
