// The slicer against simdjson's DOM: both take or refuse a text, and see the same root. simdjson may also refuse a
// number for its size, which the slicer passes on.
#include <simdjson.h>

#include "base/check.h"
#include "wire/json/json_slicer.h"

using namespace carillon;

static void compare_members(const JsonDocument& document, const simdjson::dom::object& object) {
  std::size_t i = 0;
  for (const auto [key, value] : object) {
    CHECK(i < document.members.size() && document.members[i].key == key);
    const JsonSpan span = document.members[i++].value;
    CHECK((span.type == JsonType::kString) == value.is_string());
    if (value.is_string()) CHECK(decode_json_string(span.text) == std::string_view(value));
    if (value.is_uint64()) CHECK(json_u64(span.text).value_or(0) == std::uint64_t(value));  // "-0" is 0 there.
  }
  CHECK(i == document.members.size());
}

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static JsonSlicer slicer({.depth_max = 1000});
  static simdjson::dom::parser parser;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  simdjson::dom::element root;
  const auto error = parser.parse(text.data(), text.size()).get(root);
  if (error == simdjson::DEPTH_ERROR) return 0;
  const auto document = slicer.slice(text);
  CHECK(document.has_value() == slicer.check(text).has_value());
  if (error == simdjson::NUMBER_ERROR && document) return 0;
  CHECK(document.has_value() == (error == simdjson::SUCCESS));
  if (document && root.is_object()) compare_members(*document, simdjson::dom::object(root));
  if (document && root.is_array()) CHECK(document->items.size() == simdjson::dom::array(root).size());
  return 0;
}
