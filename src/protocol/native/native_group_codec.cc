#include "protocol/native/native_group_codec.h"

#include "hub/epoch_text.h"
#include "protocol/group_json.h"
#include "wire/json/json_writer.h"

namespace carillon {
namespace {

void write_group(JsonWriter& json, std::string_view type, std::string_view channel, std::string_view group,
                 std::string_view id) {
  json.begin_object().key("type").string(type).key("channel").string(channel).key("group").string(group);
  if (!id.empty()) json.key("id").raw(id);
}

const char* settled_word(GroupSettle::Verb verb) {
  switch (verb) {
    case GroupSettle::Verb::kAck: return "acked";
    case GroupSettle::Verb::kNack: return "nacked";
    case GroupSettle::Verb::kExtend: return "extended";
  }
  return "acked";
}

}  // namespace

std::string native_group_joined(std::string_view channel, std::string_view group, std::string_view id,
                                const GroupJoined& outcome) {
  std::string out;
  JsonWriter json(out);
  write_group(json, "subscribed", channel, group, id);
  if (!outcome.already) {
    json.key("epoch").string(epoch_text(outcome.cursor.epoch)).key("offset").number(outcome.cursor.offset);
    json.key("lag").number(outcome.lag).key("created").boolean(outcome.created);
  }
  json.end_object();
  return out;
}

std::string native_group_left(std::string_view channel, std::string_view group, std::string_view id) {
  std::string out;
  JsonWriter json(out);
  write_group(json, "unsubscribed", channel, group, id);
  json.end_object();
  return out;
}

std::string native_group_settled(std::string_view channel, std::string_view group, std::string_view id, GroupSettle::Verb verb,
                                 const GroupSettled& outcome) {
  std::string out;
  JsonWriter json(out);
  write_group(json, settled_word(verb), channel, group, id);
  out += ',';
  append_settled_json(out, outcome);
  json.end_object();
  return out;
}

std::string native_group_ended(const GroupName& name, std::string_view reason) {
  std::string out;
  JsonWriter json(out);
  write_group(json, "unsubscribed", name.channel, name.name, {});
  json.key("reason").string(reason).end_object();
  return out;
}

}  // namespace carillon
