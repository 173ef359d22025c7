#include "protocol/phoenix/phoenix_codec.h"

#include <fmt/format.h>

#include <array>
#include <initializer_list>
#include <span>
#include <utility>

#include "base/utf8.h"

namespace carillon {
namespace {

// The first byte of a binary frame. Clients send kPush only, and with a ref that the server's has not.
constexpr unsigned char kPush = 0;
constexpr unsigned char kReply = 1;
constexpr unsigned char kBroadcast = 2;

Error malformed(std::string_view text) {
  return {ErrorKind::kInvalid, fmt::format("Invalid message: {}", text)};
}

Error too_long(std::string_view name) {
  return {ErrorKind::kTooLarge, fmt::format("Invalid message: the {} is longer than {} bytes", name, kPhoenixTextBytesMax)};
}

// --- Reading.

Result<std::string_view> ref_of(const JsonSpan& span, std::string_view name) {
  const bool integer = span.type == JsonType::kNumber && span.text.find_first_of(".eE") == std::string_view::npos;
  if (!integer && span.type != JsonType::kString && span.type != JsonType::kNull) {
    return malformed(fmt::format("the {} must be a string, an integer or null", name));
  }
  const std::size_t quotes = span.type == JsonType::kString ? 2 : 0;
  if (span.text.size() - quotes > kPhoenixTextBytesMax) return too_long(name);
  return span.text;
}

Result<std::string_view> text_of(const JsonSpan& span, std::string_view name, std::string& scratch) {
  const std::optional<std::string_view> text = json_string(span.text, scratch);
  if (!text) return malformed(fmt::format("the {} must be a string", name));
  if (text->size() > kPhoenixTextBytesMax) return too_long(name);
  return *text;
}

// Takes the first bytes off the front.
std::string_view take(std::string_view& bytes, std::size_t count) {
  const std::string_view taken = bytes.substr(0, count);
  bytes.remove_prefix(count);
  return taken;
}

std::string_view ref_json(std::string_view bytes, std::string& scratch) {
  if (bytes.empty()) return kPhoenixNoRef;
  scratch.clear();
  append_json_string(scratch, bytes);
  return scratch;
}

// --- Writing.

std::string_view status_text(PhoenixStatus status) {
  return status == PhoenixStatus::kOk ? "ok" : "error";
}

// A ref as binary frames hold it.
std::string ref_bytes(std::string_view ref) {
  if (ref == kPhoenixNoRef) return {};
  return decode_json_string(ref).value_or(std::string(ref));
}

bool append_binary(std::string& out, unsigned char kind, std::initializer_list<std::string_view> texts, std::string_view data) {
  for (const std::string_view text : texts) {
    if (text.size() > kPhoenixTextBytesMax) return false;
  }
  out += static_cast<char>(kind);
  for (const std::string_view text : texts) out += static_cast<char>(text.size());
  for (const std::string_view text : texts) out += text;
  out += data;
  return true;
}

}  // namespace

// What a text message holds, still as JSON.
struct PhoenixReader::Fields {
  const JsonSpan* join_ref = nullptr;  // Null: none.
  const JsonSpan* ref = nullptr;
  const JsonSpan* topic = nullptr;
  const JsonSpan* event = nullptr;
  const JsonSpan* payload = nullptr;
};

Result<PhoenixMessage> PhoenixReader::read(PhoenixVersion version, std::string_view frame, MessageKind kind) {
  message_ = {};
  if (kind == MessageKind::kBinary) {
    if (version == PhoenixVersion::kV1) return malformed("binary frames need vsn=2.0.0");
    const Result<void> binary = read_binary(frame);
    if (!binary) return binary.error();
    return message_;
  }
  const Result<Fields> fields = version == PhoenixVersion::kV1 ? fields_v1(frame) : fields_v2(frame);
  if (!fields) return fields.error();
  const Result<void> text = read_text(*fields);
  if (!text) return text.error();
  return message_;
}

Result<PhoenixReader::Fields> PhoenixReader::fields_v1(std::string_view frame) {
  const Result<JsonDocument> document = slicer_.slice(frame);
  if (!document) return malformed(document.error().text);
  if (document->root.type != JsonType::kObject) return malformed("a V1 message is an object");
  Fields fields;
  constexpr std::pair<std::string_view, const JsonSpan * Fields::*> kKeys[] = {
      {"topic", &Fields::topic}, {"event", &Fields::event},       {"payload", &Fields::payload},
      {"ref", &Fields::ref},     {"join_ref", &Fields::join_ref},
  };
  for (const JsonMember& member : document->members) {
    for (const auto& [key, field] : kKeys) {
      if (member.key != key) continue;
      if (fields.*field != nullptr) return malformed(fmt::format("duplicate key `{}`", key));
      fields.*field = &member.value;
    }
  }
  for (const auto& [key, field] : kKeys) {
    if (fields.*field == nullptr && field != &Fields::join_ref) return malformed(fmt::format("missing key `{}`", key));
  }
  return fields;
}

Result<PhoenixReader::Fields> PhoenixReader::fields_v2(std::string_view frame) {
  const Result<JsonDocument> document = slicer_.slice(frame);
  if (!document) return malformed(document.error().text);
  const std::span<const JsonSpan> items = document->items;
  if (document->root.type != JsonType::kArray || items.size() < 5) {
    return malformed("a V2 message is an array of five: join_ref, ref, topic, event, payload");
  }
  return Fields{.join_ref = &items[0], .ref = &items[1], .topic = &items[2], .event = &items[3], .payload = &items[4]};
}

Result<void> PhoenixReader::read_text(const Fields& fields) {
  if (fields.join_ref != nullptr) {
    const Result<std::string_view> join_ref = ref_of(*fields.join_ref, "join_ref");
    if (!join_ref) return join_ref.error();
    message_.address.join_ref = *join_ref;
  }
  const Result<std::string_view> ref = ref_of(*fields.ref, "ref");
  if (!ref) return ref.error();
  message_.address.ref = *ref;
  // Kept though it may be too long: the refusal is answered on it.
  const std::optional<std::string_view> topic = json_string(fields.topic->text, topic_);
  if (!topic) return malformed("the topic must be a string");
  message_.address.topic = *topic;
  if (topic->size() > kPhoenixTextBytesMax) return too_long("topic");
  const Result<std::string_view> event = text_of(*fields.event, "event", event_);
  if (!event) return event.error();
  message_.event = *event;
  if (fields.payload->type != JsonType::kObject && fields.payload->type != JsonType::kNull) {
    return malformed("the payload must be an object");
  }
  message_.payload = fields.payload->type == JsonType::kNull ? "{}" : fields.payload->text;
  return {};
}

// 00 joinRefSize refSize topicSize eventSize joinRef ref topic event data
Result<void> PhoenixReader::read_binary(std::string_view frame) {
  if (frame.empty()) return malformed("an empty binary frame");
  const auto kind = static_cast<unsigned char>(frame[0]);
  if (kind == kReply || kind == kBroadcast) return malformed(fmt::format("binary frames of kind {} are the server's", kind));
  if (kind != kPush) return malformed(fmt::format("no binary frame has kind {}", kind));
  std::array<std::size_t, 4> sizes{};
  if (frame.size() < 1 + sizes.size()) return malformed("the binary frame ends within its sizes");
  std::size_t total = 0;
  for (std::size_t i = 0; i < sizes.size(); ++i) total += sizes[i] = static_cast<unsigned char>(frame[1 + i]);
  frame.remove_prefix(1 + sizes.size());
  if (frame.size() < total) return malformed("the binary frame ends within its texts");
  // Sequences may not be cut apart by the texts' borders, so each is checked alone.
  std::array<std::string_view, 4> texts;
  for (std::size_t i = 0; i < texts.size(); ++i) {
    texts[i] = take(frame, sizes[i]);
    if (!is_utf8(texts[i])) return malformed("a text of the binary frame is not UTF-8");
  }
  message_ = {.address = {.join_ref = ref_json(texts[0], join_ref_), .ref = ref_json(texts[1], ref_), .topic = texts[2]},
              .event = texts[3],
              .payload = frame,
              .kind = MessageKind::kBinary};
  return {};
}

void begin_phoenix_message(JsonWriter& json, PhoenixVersion version, const PhoenixAddress& address, std::string_view event) {
  if (version == PhoenixVersion::kV1) {
    json.begin_object()
        .key("topic")
        .string(address.topic)
        .key("event")
        .string(event)
        .key("ref")
        .raw(address.ref)
        .key("payload");
  } else {
    json.begin_array().raw(address.join_ref).raw(address.ref).string(address.topic).string(event);
  }
}

void end_phoenix_message(JsonWriter& json, PhoenixVersion version) {
  if (version == PhoenixVersion::kV1) {
    json.end_object();
  } else {
    json.end_array();
  }
}

std::string phoenix_message(PhoenixVersion version, const PhoenixAddress& address, std::string_view event,
                            std::string_view payload) {
  std::string out;
  JsonWriter json(out);
  begin_phoenix_message(json, version, address, event);
  json.raw(payload);
  end_phoenix_message(json, version);
  return out;
}

std::string phoenix_reply(PhoenixVersion version, const PhoenixAddress& address, PhoenixStatus status,
                          std::string_view response) {
  std::string out;
  JsonWriter json(out);
  begin_phoenix_message(json, version, address, "phx_reply");
  json.begin_object().key("status").string(status_text(status)).key("response").raw(response).end_object();
  end_phoenix_message(json, version);
  return out;
}

std::string phoenix_heartbeat_reply(PhoenixVersion version, std::string_view ref) {
  return phoenix_reply(version, {.ref = ref, .topic = "phoenix"}, PhoenixStatus::kOk);
}

std::string phoenix_push(PhoenixVersion version, std::string_view join_ref, std::string_view topic, std::string_view event,
                         std::string_view payload) {
  return phoenix_message(version, {.join_ref = join_ref, .topic = topic}, event, payload);
}

std::string phoenix_broadcast(PhoenixVersion version, std::string_view topic, std::string_view event,
                              std::string_view payload) {
  return phoenix_message(version, {.topic = topic}, event, payload);
}

// The ref of what ends a channel is that of its join.
std::string phoenix_close(PhoenixVersion version, std::string_view join_ref, std::string_view topic) {
  return phoenix_message(version, {.join_ref = join_ref, .ref = join_ref, .topic = topic}, "phx_close", "{}");
}

std::string phoenix_error(PhoenixVersion version, std::string_view join_ref, std::string_view topic, std::string_view reason) {
  std::string payload;
  JsonWriter(payload).begin_object().key("reason").string(reason).end_object();
  return phoenix_message(version, {.join_ref = join_ref, .ref = join_ref, .topic = topic}, "phx_error", payload);
}

std::optional<std::string> phoenix_binary_push(std::string_view join_ref, std::string_view topic, std::string_view event,
                                               std::string_view data) {
  std::string out;
  if (!append_binary(out, kPush, {ref_bytes(join_ref), topic, event}, data)) return std::nullopt;
  return out;
}

std::optional<std::string> phoenix_binary_reply(const PhoenixAddress& address, PhoenixStatus status, std::string_view data) {
  std::string out;
  const std::string join_ref = ref_bytes(address.join_ref), ref = ref_bytes(address.ref);
  if (!append_binary(out, kReply, {join_ref, ref, address.topic, status_text(status)}, data)) return std::nullopt;
  return out;
}

bool append_phoenix_binary_broadcast(std::string& out, std::string_view topic, std::string_view event, std::string_view data) {
  return append_binary(out, kBroadcast, {topic, event}, data);
}

}  // namespace carillon
