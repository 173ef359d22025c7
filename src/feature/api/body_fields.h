// The fields of a request's JSON body. Errors are kInvalid: line and column of what is no JSON, the field of what is the wrong
// JSON. A field that is asked for must not be there twice; others are nobody's business. One thread.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "carillon/result.h"
#include "wire/json/json_slicer.h"

namespace carillon {

Error invalid_body(std::string text);
// "a string", "null": as a sentence names a JSON type.
std::string_view type_phrase(JsonType type);

// The document lies in the body and in the slicer.
Result<JsonDocument> read_object(JsonSlicer& slicer, std::string_view json);
// The member of that name, or null.
Result<const JsonSpan*> find_one(const JsonDocument& document, std::string_view field);
Result<JsonSpan> find_required(const JsonDocument& document, std::string_view field);
Result<std::string> read_text(JsonSpan value, std::string_view field);
Result<std::string> find_text(const JsonDocument& document, std::string_view field);
// Nothing when it is missing or null.
Result<std::optional<std::string>> find_text_if_any(const JsonDocument& document, std::string_view field);
// False when it is missing.
Result<bool> find_flag(const JsonDocument& document, std::string_view field);

}  // namespace carillon
