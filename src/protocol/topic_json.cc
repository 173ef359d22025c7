#include "protocol/topic_json.h"

#include "base/uuid_text.h"
#include "wire/json/json_slicer.h"
#include "wire/json/json_writer.h"

namespace carillon {

void append_topic_json(std::string& out, const Topic& topic) {
  JsonWriter json(out);
  json.begin_object().key("id").string(topic.id.text()).key("channel").string(topic_channel(topic.id));
  json.key("name").string(topic.name).key("creator").string(topic.creator);
  json.key("created_ms").number(topic.created_ms).key("lasting").boolean(topic.lasting).end_object();
}

std::string topic_change_json(const Topic& topic, TopicChange change) {
  std::string out = R"({"change":)";
  out += change == TopicChange::kCreated ? R"("created","topic":)" : R"("removed","topic":)";
  append_topic_json(out, topic);
  return out += '}';
}

std::optional<ToldTopicChange> read_topic_change(std::string_view json) {
  JsonSlicer slicer;
  const auto text_of = [](const JsonDocument& document, std::string_view key) {
    const JsonSpan* const span = document.find(key);
    return span == nullptr ? std::optional<std::string>() : decode_json_string(span->text);
  };
  const Result<JsonDocument> outer = slicer.slice(json);
  if (!outer) return std::nullopt;
  const std::optional<std::string> change = text_of(*outer, "change");
  const JsonSpan* const topic = outer->find("topic");
  if (!change || topic == nullptr || topic->type != JsonType::kObject) return std::nullopt;
  const Result<JsonDocument> members = slicer.slice(topic->text);
  if (!members) return std::nullopt;
  const auto id_text = text_of(*members, "id");
  const auto id = id_text ? parse_uuid(*id_text) : std::nullopt;
  auto name = text_of(*members, "name"), creator = text_of(*members, "creator");
  const JsonSpan* const created = members->find("created_ms");
  const JsonSpan* const lasting = members->find("lasting");
  if (!id || !name || !creator || created == nullptr || lasting == nullptr) return std::nullopt;
  ToldTopicChange told;
  told.change = *change == "created" ? TopicChange::kCreated : TopicChange::kRemoved;
  told.topic = {.id = *id,
                .name = *std::move(name),
                .creator = *std::move(creator),
                .created_ms = json_i64(created->text).value_or(0),
                .lasting = lasting->type == JsonType::kTrue};
  return told;
}

}  // namespace carillon
