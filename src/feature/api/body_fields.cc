#include "feature/api/body_fields.h"

#include <fmt/format.h>

namespace carillon {

Error invalid_body(std::string text) {
  return {ErrorKind::kInvalid, std::move(text)};
}

std::string_view type_phrase(JsonType type) {
  switch (type) {
    case JsonType::kNull: return "null";
    case JsonType::kFalse:
    case JsonType::kTrue: return "a boolean";
    case JsonType::kNumber: return "a number";
    case JsonType::kString: return "a string";
    case JsonType::kArray: return "an array";
    case JsonType::kObject: return "an object";
  }
  return "unknown";
}

Result<JsonDocument> read_object(JsonSlicer& slicer, std::string_view json) {
  Result<JsonDocument> document = slicer.slice(json);
  if (!document) return invalid_body("invalid JSON: " + document.error().text);
  if (document->root.type != JsonType::kObject) {
    return invalid_body(fmt::format("the body must be an object, not {}", type_phrase(document->root.type)));
  }
  return document;
}

Result<const JsonSpan*> find_one(const JsonDocument& document, std::string_view field) {
  const JsonSpan* found = nullptr;
  for (const JsonMember& member : document.members) {
    if (member.key != field) continue;
    if (found != nullptr) return invalid_body(fmt::format("duplicate field `{}`", field));
    found = &member.value;
  }
  return found;
}

Result<JsonSpan> find_required(const JsonDocument& document, std::string_view field) {
  const Result<const JsonSpan*> found = find_one(document, field);
  if (!found) return found.error();
  if (*found == nullptr) return invalid_body(fmt::format("missing field `{}`", field));
  return **found;
}

Result<std::string> read_text(JsonSpan value, std::string_view field) {
  if (value.type != JsonType::kString) {
    return invalid_body(fmt::format("field `{}` must be a string, not {}", field, type_phrase(value.type)));
  }
  return decode_json_string(value.text).value_or("");
}

Result<std::string> find_text(const JsonDocument& document, std::string_view field) {
  const Result<JsonSpan> value = find_required(document, field);
  if (!value) return value.error();
  return read_text(*value, field);
}

Result<std::optional<std::string>> find_text_if_any(const JsonDocument& document, std::string_view field) {
  const Result<const JsonSpan*> value = find_one(document, field);
  if (!value) return value.error();
  if (*value == nullptr || (*value)->type == JsonType::kNull) return std::optional<std::string>();
  Result<std::string> text = read_text(**value, field);
  if (!text) return text.error();
  return std::optional<std::string>(*std::move(text));
}

Result<bool> find_flag(const JsonDocument& document, std::string_view field) {
  const Result<const JsonSpan*> value = find_one(document, field);
  if (!value) return value.error();
  if (*value == nullptr) return false;
  const JsonType type = (*value)->type;
  if (type == JsonType::kTrue || type == JsonType::kFalse) return type == JsonType::kTrue;
  return invalid_body(fmt::format("field `{}` must be a boolean, not {}", field, type_phrase(type)));
}

}  // namespace carillon
