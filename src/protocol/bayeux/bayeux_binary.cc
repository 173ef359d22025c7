#include "protocol/bayeux/bayeux_binary.h"

#include <algorithm>

#include "wire/json/json_writer.h"
#include "wire/text/z85.h"

namespace carillon {
namespace {

constexpr std::string_view kNotLast = "bayeux.not_last";
constexpr std::string_view kMeta = "bayeux.meta";

const std::string* find_tag(const Tags& tags, std::string_view name) {
  const auto found = std::ranges::find_if(tags, [&](const auto& tag) { return tag.first == name; });
  return found == tags.end() ? nullptr : &found->second;
}

}  // namespace

Result<void> take_bayeux_binary(Draft& draft, std::string_view data_json, JsonSlicer& slicer) {
  const Result<JsonDocument> data = slicer.slice(data_json);
  const JsonSpan* const text = data && data->root.type == JsonType::kObject ? data->find("data") : nullptr;
  const std::optional<std::string> z85 = text == nullptr ? std::nullopt : decode_json_string(text->text);
  const std::optional<std::string> bytes = z85 ? z85_decode(*z85) : std::nullopt;
  if (!bytes) return Error{ErrorKind::kInvalid, "binary data is {\"data\":\"<Z85>\",\"last\":true}"};
  draft.payload = Bytes::copy_of(*bytes);
  draft.format = PayloadFormat::kBytes;
  const JsonSpan* const last = data->find("last");
  if (last != nullptr && last->type == JsonType::kFalse) draft.tags.emplace_back(kNotLast, "1");
  const JsonSpan* const meta = data->find("meta");
  if (meta != nullptr && meta->type == JsonType::kObject) draft.tags.emplace_back(kMeta, meta->text);
  return {};
}

void append_bayeux_binary(std::string& out, const Publication& publication) {
  JsonWriter json(out);
  json.begin_object().key("data").string(z85_encode(publication.payload.view()));
  json.key("last").boolean(find_tag(publication.tags, kNotLast) == nullptr);
  if (const std::string* const meta = find_tag(publication.tags, kMeta)) json.key("meta").raw(*meta);
  json.end_object();
}

}  // namespace carillon
