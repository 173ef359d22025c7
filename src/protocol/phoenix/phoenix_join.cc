#include "protocol/phoenix/phoenix_join.h"

#include "hub/epoch_text.h"
#include "hub/position_text.h"

namespace carillon {

Result<PhoenixJoin> PhoenixJoinReader::read(std::string_view payload) {
  PhoenixJoin join;
  if (payload == "{}") return join;
  const Result<JsonDocument> document = slicer_.slice(payload);
  if (!document) return document.error();
  if (const JsonSpan* const since = document->find("since")) {
    join.positions = true;
    if (since->type != JsonType::kNull) {
      const Result<Position> position = read_position(*since);
      if (!position) return position.error();
      join.since = *position;
    }
  }
  if (const JsonSpan* const presence = document->find("presence")) {
    if (const Result<void> read = read_presence(*presence, join); !read) return read.error();
  }
  return join;
}

Result<Position> PhoenixJoinReader::read_position(const JsonSpan& span) {
  const Error wrong{ErrorKind::kInvalid, R"(since must be {"offset": <number>, "epoch": "<hex>"}, "<epoch>:<offset>" or null)"};
  if (const std::optional<std::string> text = decode_json_string(span.text)) {
    const std::optional<Position> position = parse_position_text(*text);
    if (!position) return wrong;
    return *position;
  }
  if (span.type != JsonType::kObject) return wrong;
  const Result<JsonDocument> document = inner_slicer_.slice(span.text);
  if (!document) return document.error();
  const JsonSpan* const offset = document->find("offset");
  const JsonSpan* const epoch = document->find("epoch");
  if (offset == nullptr || epoch == nullptr) return wrong;
  const std::optional<std::uint64_t> number = json_u64(offset->text);
  const std::optional<std::string> text = decode_json_string(epoch->text);
  const std::optional<std::uint64_t> parsed = text ? parse_epoch(*text) : std::nullopt;
  if (!number || !parsed) return wrong;
  return Position{.epoch = *parsed, .offset = *number};
}

// An application may have a `presence` of its own in its joins: what is none of ours is left alone.
Result<void> PhoenixJoinReader::read_presence(const JsonSpan& span, PhoenixJoin& join) {
  if (span.type != JsonType::kObject) return {};
  const Result<JsonDocument> document = inner_slicer_.slice(span.text);
  if (!document) return document.error();
  if (const JsonSpan* const key = document->find("key")) {
    std::optional<std::string> text = decode_json_string(key->text);
    if (!text) return Error{ErrorKind::kInvalid, "presence.key must be a string"};
    join.presence_key = *std::move(text);
  }
  if (const JsonSpan* const meta = document->find("meta")) {
    if (meta->type != JsonType::kObject) return Error{ErrorKind::kInvalid, "presence.meta must be an object"};
    join.presence_meta = meta->text;
  }
  return {};
}

}  // namespace carillon
