#include "feature/api/publish_request.h"

#include <fmt/format.h>

#include <utility>

#include "feature/api/body_fields.h"
#include "hub/hub.h"
#include "protocol/native_channels.h"

namespace carillon {
namespace {

constexpr std::size_t kIdempotencyKeyBytesMax = 255;

Result<std::string> find_idempotency_key(const JsonDocument& document) {
  constexpr std::string_view kField = "idempotency_key";
  Result<std::optional<std::string>> key = find_text_if_any(document, kField);
  if (!key) return key.error();
  if (!*key) return std::string();
  const std::size_t size = (*key)->size();
  if (size == 0 || size > kIdempotencyKeyBytesMax) {
    return invalid_body(fmt::format("field `{}` must have 1 to {} bytes, not {}", kField, kIdempotencyKeyBytesMax, size));
  }
  return **std::move(key);
}

Error too_large(std::string_view field, std::size_t size, std::size_t most) {
  return {ErrorKind::kTooLarge, fmt::format("field `{}` has {} bytes, at most {} are allowed", field, size, most)};
}

}  // namespace

Result<Draft> PublishReader::read_publish(std::string_view body) {
  const Result<JsonDocument> document = read_object(body_, body);
  if (!document) return document.error();
  const Result<std::string> channel = find_text(*document, "channel");
  if (!channel) return channel.error();
  Result<Draft> content = read_content(*document);
  return content ? address(*std::move(content), *channel) : content;
}

Result<std::vector<PublishReader::Item>> PublishReader::read_broadcast(std::string_view body) {
  const Result<JsonDocument> document = read_object(body_, body);
  if (!document) return document.error();
  const Result<std::span<const JsonSpan>> channels = read_list(*document, "channels");
  if (!channels) return channels.error();
  const Result<Draft> content = read_content(*document);
  if (!content) return content.error();
  std::vector<Item> items;
  items.reserve(channels->size());
  for (const JsonSpan& value : *channels) {
    Result<std::string> channel = read_text(value, "channels");
    if (!channel) return channel.error();
    Result<Draft> draft = address(*content, *channel);
    items.push_back({*std::move(channel), std::move(draft)});
  }
  return items;
}

Result<std::vector<PublishReader::Item>> PublishReader::read_batch(std::string_view body) {
  const Result<JsonDocument> document = read_object(body_, body);
  if (!document) return document.error();
  const Result<std::span<const JsonSpan>> publications = read_list(*document, "publications");
  if (!publications) return publications.error();
  std::vector<Item> items;
  items.reserve(publications->size());
  for (const JsonSpan& value : *publications) items.push_back(read_item(value));
  return items;
}

PublishReader::Item PublishReader::read_item(JsonSpan value) {
  if (value.type != JsonType::kObject) {
    return {"", invalid_body(fmt::format("a publication must be an object, not {}", type_phrase(value.type)))};
  }
  // Part of a valid text, so only the number of its members can be at fault.
  const Result<JsonDocument> document = item_.slice(value.text);
  if (!document) return {"", document.error()};
  Result<std::string> channel = find_text(*document, "channel");
  if (!channel) return {"", channel.error()};
  Result<Draft> content = read_content(*document);
  if (!content) return {*std::move(channel), content.error()};
  Result<Draft> draft = address(*std::move(content), *channel);
  return {*std::move(channel), std::move(draft)};
}

Result<std::string> PublishReader::read_announcement(std::string_view body) {
  const Result<JsonDocument> document = read_object(body_, body);
  if (!document) return document.error();
  Result<std::string> text = find_text(*document, "text");
  if (text && text->size() > limits_.payload_bytes_max) return too_large("text", text->size(), limits_.payload_bytes_max);
  return text;
}

// The views lie in the body; the list lives until the next call.
Result<std::span<const JsonSpan>> PublishReader::read_list(const JsonDocument& document, std::string_view field) {
  const Result<JsonSpan> value = find_required(document, field);
  if (!value) return value.error();
  if (value->type != JsonType::kArray) {
    return invalid_body(fmt::format("field `{}` must be an array, not {}", field, type_phrase(value->type)));
  }
  // Part of a valid text, so only the number of its items can be at fault.
  const Result<JsonDocument> list = list_.slice(value->text);
  if (!list) {
    return Error{ErrorKind::kTooLarge, fmt::format("field `{}` may have at most {} items", field, limits_.batch_max)};
  }
  return list->items;
}

// Everything but the channel, and checked.
Result<Draft> PublishReader::read_content(const JsonDocument& document) {
  Result<std::string> event = find_text(document, "event");
  if (!event) return event.error();
  const Result<JsonSpan> data = find_required(document, "data");
  if (!data) return data.error();
  if (data->text.size() > limits_.payload_bytes_max) return too_large("data", data->text.size(), limits_.payload_bytes_max);
  Result<std::string> key = find_idempotency_key(document);
  if (!key) return key.error();
  Draft draft;
  draft.channel = "all";  // Stands in for the check.
  draft.event = *std::move(event);
  draft.payload = Bytes::copy_of(data->text);
  draft.idempotency_key = *std::move(key);
  if (Result<void> checked = check_draft(draft); !checked) return checked.error();
  return draft;
}

Result<Draft> PublishReader::address(Draft draft, std::string_view channel) {
  Result<std::string> name = named_channel(channel, limits_.channels);
  if (!name) return name.error();
  draft.channel = *std::move(name);
  return draft;
}

}  // namespace carillon
