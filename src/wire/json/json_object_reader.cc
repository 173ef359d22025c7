#include "wire/json/json_object_reader.h"

#include <fmt/format.h>

namespace carillon {

namespace {

const char* type_name(JsonType type) {
  switch (type) {
    case JsonType::kNull: return "null";
    case JsonType::kFalse:
    case JsonType::kTrue: return "a boolean";
    case JsonType::kNumber: return "a number";
    case JsonType::kString: return "a text";
    case JsonType::kArray: return "an array";
    case JsonType::kObject: return "an object";
  }
  return "something else";
}

}  // namespace

JsonObjectReader::JsonObjectReader(std::string_view what, std::string_view json) : what_(what) {
  const Result<JsonDocument> document = slicer_.slice(json);
  if (!document) {
    fail(fmt::format("is not JSON: {}", document.error().text));
  } else if (document->root.type != JsonType::kObject) {
    fail(fmt::format("must be an object, not {}", type_name(document->root.type)));
  } else {
    document_ = *document;
  }
}

const JsonSpan* JsonObjectReader::require(std::string_view field) {
  if (fault_) return nullptr;
  const JsonSpan* value = document_.find(field);
  if (value == nullptr) fail(fmt::format("missing field `{}`", field));
  return value;
}

std::string JsonObjectReader::text(std::string_view field) {
  const JsonSpan* value = require(field);
  if (value == nullptr) return {};
  std::optional<std::string> text = decode_json_string(value->text);
  if (!text) fail(fmt::format("field `{}` must be a text, not {}", field, type_name(value->type)));
  return std::move(text).value_or("");
}

std::optional<std::string> JsonObjectReader::optional_text(std::string_view field) {
  if (fault_) return std::nullopt;
  const JsonSpan* value = document_.find(field);
  if (value == nullptr || value->type == JsonType::kNull) return std::nullopt;
  return text(field);
}

std::int64_t JsonObjectReader::integer(std::string_view field) {
  const JsonSpan* value = require(field);
  if (value == nullptr) return 0;
  const std::optional<std::int64_t> number = json_i64(value->text);
  if (!number && value->type == JsonType::kNumber) {
    fail(fmt::format("field `{}` must be an integer of 64 bits", field));
  } else if (!number) {
    fail(fmt::format("field `{}` must be an integer, not {}", field, type_name(value->type)));
  }
  return number.value_or(0);
}

std::string JsonObjectReader::raw(std::string_view field) {
  const JsonSpan* value = require(field);
  return value != nullptr ? std::string(value->text) : std::string{};
}

std::size_t JsonObjectReader::one_of(std::string_view field, std::span<const std::string_view> names) {
  const std::string value = text(field);
  if (fault_) return 0;
  for (std::size_t i = 0; i < names.size(); ++i) {
    if (names[i] == value) return i;
  }
  fail(fmt::format("field `{}` must be one of {}, not `{}`", field, fmt::join(names, ", "), value));
  return 0;
}

void JsonObjectReader::fail(std::string text) {
  if (!fault_) fault_ = Error{ErrorKind::kInvalid, fmt::format("{}: {}", what_, text)};
}

Result<void> JsonObjectReader::status() const {
  if (fault_) return *fault_;
  return {};
}

}  // namespace carillon
