#include "protocol/bayeux/bayeux_reply.h"

namespace carillon {

std::string bayeux_reply(const BayeuxReply& reply) {
  std::string out;
  append_bayeux_reply(out, reply);
  return out;
}

void append_bayeux_reply(std::string& out, const BayeuxReply& reply) {
  JsonWriter json(out);
  json.begin_object();
  if (!reply.id_json.empty()) json.key("id").raw(reply.id_json);
  if (!reply.channel.empty()) json.key("channel").string(reply.channel);
  if (!reply.subscription_json.empty()) json.key("subscription").raw(reply.subscription_json);
  json.key("successful").boolean(reply.error.empty());
  if (!reply.error.empty()) json.key("error").string(reply.error);
  if (!reply.client_id.empty()) json.key("clientId").string(reply.client_id);
  if (!reply.connection_types.empty()) {
    json.key("version").string("1.0").key("supportedConnectionTypes").begin_array();
    for (const std::string& type : reply.connection_types) json.string(type);
    json.end_array();
  }
  if (!reply.advice_json.empty()) json.key("advice").raw(reply.advice_json);
  if (!reply.ext_json.empty()) json.key("ext").raw(reply.ext_json);
  if (reply.messages_along != 0) json.key("x-messages").number(reply.messages_along);
  if (!reply.timestamp.empty()) json.key("timestamp").string(reply.timestamp);
  json.end_object();
}

void append_bayeux_connect_reply(std::string& out, std::string_view id_json) {
  out += '{';
  if (!id_json.empty()) out.append(R"("id":)").append(id_json).append(",");
  out += R"("channel":"/meta/connect","successful":true})";
}

BayeuxReply reply_to(const BayeuxMessage& message) {
  return {.id_json = message.id_json, .channel = message.channel, .subscription_json = message.subscription_json};
}

std::string bayeux_advice(const BayeuxAdvice& advice) {
  std::string out;
  JsonWriter json(out);
  json.begin_object();
  if (advice.multiple_clients) json.key("multiple-clients").boolean(true);
  json.key("reconnect").string(advice.reconnect);
  if (advice.timeout_ms) json.key("timeout").number(*advice.timeout_ms);
  json.key("interval").number(advice.interval_ms);
  if (advice.max_interval_ms) json.key("maxInterval").number(*advice.max_interval_ms);
  json.end_object();
  return out;
}

std::string merged_json(std::string_view first, std::string_view second) {
  JsonSlicer first_slicer, second_slicer;
  const Result<JsonDocument> base = first_slicer.slice(first);
  const Result<JsonDocument> over = second_slicer.slice(second);
  const bool has_base = base && base->root.type == JsonType::kObject;
  const bool has_over = over && over->root.type == JsonType::kObject;
  if (!has_over) return has_base ? std::string(base->root.text) : std::string();
  if (!has_base) return std::string(over->root.text);
  std::string out;
  JsonWriter json(out);
  json.begin_object();
  for (const JsonMember& member : base->members) {
    if (over->find(member.key) == nullptr) json.key(member.key).raw(member.value.text);
  }
  for (const JsonMember& member : over->members) json.key(member.key).raw(member.value.text);
  json.end_object();
  return out;
}

std::string bayeux_array(std::string_view deliveries, std::span<const std::string> replies, std::size_t first) {
  std::size_t size = deliveries.size() + 2;
  for (const std::string& reply : replies) size += reply.size() + 1;
  std::string out;
  out.reserve(size);
  out += '[';
  for (std::size_t i = 0; i < replies.size(); ++i) {
    if (i == first) out += deliveries;
    out += replies[i];
    out += ',';
  }
  if (first >= replies.size()) out += deliveries;
  if (out.back() == ',') out.pop_back();
  out += ']';
  return out;
}

}  // namespace carillon
