// Phoenix Channels' messages: frames of the V1 and V2 serializers to messages, and messages to frames. No state of a talk.
//
// What clients and server say is that of phoenix.js and Phoenix 1.8: V2 text is an array of five, V1 text an object of the same
// fields, V2 binary a byte for the kind, a byte for the size of each text, the texts, and data.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "carillon/result.h"
#include "protocol/link.h"
#include "protocol/phoenix/phoenix_version.h"
#include "wire/json/json_slicer.h"
#include "wire/json/json_writer.h"

namespace carillon {

// What fits into the binary form's one byte; a longer text is refused in every form, so that each answer fits too.
inline constexpr std::size_t kPhoenixTextBytesMax = 255;

// A ref that is not there.
inline constexpr std::string_view kPhoenixNoRef = "null";

// Where a message belongs. Refs are JSON texts (a string, an integer or null), so that an echo is exact to the byte.
struct PhoenixAddress {
  std::string_view join_ref = kPhoenixNoRef;
  std::string_view ref = kPhoenixNoRef;
  std::string_view topic = {};
};

// Texts are views into the frame, or into the reader when they had escapes; both live until the next frame is read.
struct PhoenixMessage {
  PhoenixAddress address;
  std::string_view event;
  std::string_view payload;  // The text of a JSON object, as it came; of a binary frame its data.
  MessageKind kind = MessageKind::kText;
};

class PhoenixReader {
 public:
  // Refs may be strings, integers or null. A text's payload must be an object; null, which some clients send with phx_leave and
  // heartbeat, is read as {}. A binary frame is V2's client push; its empty refs are null. The error is kInvalid, or kTooLarge
  // for a text beyond kPhoenixTextBytesMax.
  Result<PhoenixMessage> read(PhoenixVersion version, std::string_view frame, MessageKind kind);
  // Of the frame read last, what was understood of it, so that a refusal can be answered. Without a topic it cannot.
  const PhoenixAddress& address() const { return message_.address; }

 private:
  struct Fields;

  Result<Fields> fields_v1(std::string_view frame);
  Result<Fields> fields_v2(std::string_view frame);
  Result<void> read_text(const Fields& fields);
  Result<void> read_binary(std::string_view frame);

  JsonSlicer slicer_;
  PhoenixMessage message_;
  std::string join_ref_, ref_, topic_, event_;
};

// --- Text frames. Payloads, responses and refs are JSON texts. V1 has no place for a join_ref.

enum class PhoenixStatus : std::uint8_t { kOk, kError };

std::string phoenix_message(PhoenixVersion version, const PhoenixAddress& address, std::string_view event,
                            std::string_view payload);
std::string phoenix_reply(PhoenixVersion version, const PhoenixAddress& address, PhoenixStatus status,
                          std::string_view response = "{}");
std::string phoenix_heartbeat_reply(PhoenixVersion version, std::string_view ref);
// To one client's channel.
std::string phoenix_push(PhoenixVersion version, std::string_view join_ref, std::string_view topic, std::string_view event,
                         std::string_view payload);
std::string phoenix_broadcast(PhoenixVersion version, std::string_view topic, std::string_view event, std::string_view payload);
// The channel has ended: by agreement, or by a fault after which the client joins again.
std::string phoenix_close(PhoenixVersion version, std::string_view join_ref, std::string_view topic);
std::string phoenix_error(PhoenixVersion version, std::string_view join_ref, std::string_view topic, std::string_view reason);

// A message whose payload the caller writes in between, with the same writer.
void begin_phoenix_message(JsonWriter& json, PhoenixVersion version, const PhoenixAddress& address, std::string_view event);
void end_phoenix_message(JsonWriter& json, PhoenixVersion version);

// --- Binary frames of V2. Nothing: a text is longer than kPhoenixTextBytesMax. What the reader has read always fits.

std::optional<std::string> phoenix_binary_push(std::string_view join_ref, std::string_view topic, std::string_view event,
                                               std::string_view data);
std::optional<std::string> phoenix_binary_reply(const PhoenixAddress& address, PhoenixStatus status, std::string_view data);
// Appends; false, and nothing appended, when it does not fit.
bool append_phoenix_binary_broadcast(std::string& out, std::string_view topic, std::string_view event, std::string_view data);

}  // namespace carillon
