// Any text as a command: read or refused, and what is read lies inside the message or the reader; the id comes back as JSON.
#include "base/check.h"
#include "protocol/native/native_codec.h"

using namespace carillon;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static NativeReader reader;
  static JsonSlicer slicer;
  const std::string_view message(reinterpret_cast<const char*>(data), size);
  const Result<NativeCommand> command = reader.read(message);
  const std::string id(reader.id());
  CHECK(slicer.check(native_pong(id)));
  if (!command) {
    CHECK(command.error().text.starts_with("Invalid message format: "));
    return 0;
  }
  CHECK(slicer.check(message));
  Subscribed outcome;
  if (command->recover) outcome.positions = *command->recover;
  // Views of what was read, looked at once more.
  CHECK(
      slicer.check(native_subscribed(command->channel, id, outcome, {.own_name = command->channel, .asked_to_recover = true})));
  CHECK(slicer.check(native_error(command->event, command->idempotency_key, id)));
  if (command->verb == NativeVerb::kPublish) CHECK(slicer.check(command->data));
  if (command->presence) {
    const PresenceMeta meta{.ref = "r", .meta = command->presence->meta};
    const PresenceState state{.channel = "c", .entries = {{.key = command->presence->key, .metas = {meta}}}};
    CHECK(slicer.check(native_presence(command->channel, id, state, PresenceSessions::kShown)));
  }
  return 0;
}
