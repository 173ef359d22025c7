#include "feature/api/group_request.h"

#include "feature/api/body_fields.h"
#include "hub/epoch_text.h"
#include "protocol/native_channels.h"
#include "wire/json/json_writer.h"

namespace carillon {
namespace {

constexpr std::string_view kKeyWord = "group/";

}  // namespace

Result<GroupReader::Body> GroupReader::read_body(std::string_view body) {
  const Result<JsonDocument> document = read_object(body_, body);
  if (!document) return document.error();
  const Result<std::string> channel = find_text(*document, "channel");
  if (!channel) return channel.error();
  Result<std::string> name = named_channel(*channel, channels_);
  if (!name) return name.error();
  Body read{.channel = *std::move(name), .fields = {}};
  for (const auto& [field, place] : group_field_names()) {
    const Result<const JsonSpan*> found = find_one(*document, field);
    if (!found) return found.error();
    read.fields.*place = *found;
  }
  return read;
}

Result<GroupReader::Take> GroupReader::read_take(std::string_view body) {
  Result<Body> read = read_body(body);
  if (!read) return read.error();
  Result<GroupRequest> request = read_group_request(read->fields);
  if (!request) return request.error();
  if (request->wish.dead_letter) {
    Result<std::string> dead_letter = named_channel(*request->wish.dead_letter, channels_);
    if (!dead_letter) return dead_letter.error();
    request->wish.dead_letter = *std::move(dead_letter);
  }
  GroupName name{.channel = std::move(read->channel), .name = request->name};
  return Take{.name = std::move(name), .request = *std::move(request)};
}

Result<GroupReader::Settle> GroupReader::read_settle(std::string_view body, GroupSettle::Verb verb) {
  Result<Body> read = read_body(body);
  if (!read) return read.error();
  Result<GroupSettleRequest> request = read_group_settle(read->fields, verb);
  if (!request) return request.error();
  return Settle{.name = {.channel = std::move(read->channel), .name = std::move(request->name)},
                .settle = std::move(request->settle)};
}

std::string group_place(const GroupName& name) {
  return group_key(name).substr(kKeyWord.size());
}

std::optional<GroupName> parse_group_place(std::string_view text) {
  return parse_group_key(std::string(kKeyWord) + std::string(text));
}

std::string taken_json(const GroupName& name, const std::vector<GroupDelivery>& deliveries, EventNames names) {
  std::string out;
  JsonWriter writer(out);
  writer.begin_object().key("channel").string(name.channel).key("group").string(name.name).key("deliveries").begin_array();
  for (const GroupDelivery& delivery : deliveries) {
    std::string event;
    append_delivery_json(event, name.name, delivery, names);
    writer.raw(event);
  }
  writer.end_array().end_object();
  return out;
}

std::string settled_json(const GroupName& name, const GroupSettled& settled) {
  std::string out;
  JsonWriter writer(out);
  writer.begin_object().key("channel").string(name.channel).key("group").string(name.name);
  out += ',';
  append_settled_json(out, settled);
  writer.end_object();
  return out;
}

std::string groups_json(const GroupPage& page) {
  std::string out;
  JsonWriter writer(out);
  writer.begin_object().key("groups").begin_array();
  for (const GroupInfo& info : page.groups) {
    writer.begin_object().key("channel").string(info.name.channel).key("group").string(info.name.name);
    if (!info.fault.empty()) {
      writer.key("fault").string(info.fault).end_object();
      continue;
    }
    writer.key("epoch").string(epoch_text(info.cursor.epoch)).key("offset").number(info.cursor.offset);
    writer.key("lag").number(info.lag).key("in_flight").number(info.in_flight).key("members").number(info.members);
    writer.key("visibility_ms").number(info.settings.visibility.count());
    writer.key("deliveries_max").number(info.settings.deliveries_max).key("dead_letter").string(info.settings.dead_letter);
    writer.key("delivered").number(info.totals.delivered).key("redelivered").number(info.totals.redelivered);
    writer.key("acked").number(info.totals.acked).key("dead").number(info.totals.dead).key("lost").number(info.totals.lost);
    writer.end_object();
  }
  writer.end_array();
  if (page.next) writer.key("next").string(group_place(*page.next));
  writer.end_object();
  return out;
}

}  // namespace carillon
