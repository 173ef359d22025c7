#include "protocol/group_json.h"

#include <fmt/format.h>

#include "hub/epoch_text.h"
#include "protocol/event_json.h"
#include "wire/json/json_writer.h"

namespace carillon {
namespace {

constexpr std::pair<std::string_view, const JsonSpan * GroupFields::*> kNames[] = {
    {"group", &GroupFields::group},
    {"in_flight", &GroupFields::in_flight},
    {"start", &GroupFields::start},
    {"visibility_ms", &GroupFields::visibility_ms},
    {"deliveries_max", &GroupFields::deliveries_max},
    {"dead_letter", &GroupFields::dead_letter},
    {"delivery", &GroupFields::delivery},
    {"delay_ms", &GroupFields::delay_ms},
    {"count", &GroupFields::count},
    {"wait_ms", &GroupFields::wait_ms},
};

Error invalid(std::string text) {
  return {ErrorKind::kInvalid, std::move(text)};
}

Result<std::string> text_of(const JsonSpan* span, std::string_view name) {
  if (span == nullptr) return invalid(fmt::format("missing field `{}`", name));
  std::optional<std::string> text = span->type == JsonType::kString ? decode_json_string(span->text) : std::nullopt;
  if (!text) return invalid(fmt::format("field `{}` must be a string", name));
  return *std::move(text);
}

bool is_absent(const JsonSpan* span) {
  return span == nullptr || span->type == JsonType::kNull;
}

// Absent: nothing.
Result<std::optional<std::uint64_t>> number_of(const JsonSpan* span, std::string_view name, std::uint64_t most) {
  if (is_absent(span)) return std::optional<std::uint64_t>();
  const std::optional<std::uint64_t> number = json_u64(span->text);
  if (!number || *number > most) return invalid(fmt::format("field `{}` must be a whole number, at most {}", name, most));
  return number;
}

Result<std::optional<Millis>> time_of(const JsonSpan* span, std::string_view name) {
  const Result<std::optional<std::uint64_t>> number =
      number_of(span, name, static_cast<std::uint64_t>(kGroupVisibilityMax.count()));
  if (!number) return number.error();
  return *number ? std::optional(Millis(static_cast<std::int64_t>(**number))) : std::nullopt;
}

// "now", "beginning", or a position: after it.
Result<GroupStart> start_of(const JsonSpan* span) {
  if (is_absent(span)) return GroupStart{};
  const Error fault = invalid(R"(field `start` must be "now", "beginning" or a position {"epoch","offset"})");
  if (span->type == JsonType::kString) {
    if (span->text == R"("now")") return GroupStart{};
    if (span->text == R"("beginning")") return GroupStart{.kind = GroupStart::Kind::kBeginning, .position = {}};
    return fault;
  }
  if (span->type != JsonType::kObject) return fault;
  JsonSlicer slicer;
  const Result<JsonDocument> object = slicer.slice(span->text);
  const JsonSpan* const epoch = object ? object->find("epoch") : nullptr;
  const JsonSpan* const offset = object ? object->find("offset") : nullptr;
  if (epoch == nullptr || offset == nullptr || epoch->type != JsonType::kString) return fault;
  const std::optional<std::uint64_t> epoch_value = parse_epoch(decode_json_string(epoch->text).value_or(""));
  const std::optional<std::uint64_t> offset_value = json_u64(offset->text);
  if (!epoch_value || !offset_value) return fault;
  return GroupStart{.kind = GroupStart::Kind::kPosition, .position = {.epoch = *epoch_value, .offset = *offset_value}};
}

// One token, or several.
Result<std::vector<std::string>> deliveries_of(const JsonSpan* span) {
  if (span == nullptr) return invalid("missing field `delivery`");
  std::vector<std::string> deliveries;
  if (span->type == JsonType::kString) {
    deliveries.push_back(decode_json_string(span->text).value_or(""));
    return deliveries;
  }
  JsonSlicer slicer;
  const Result<JsonDocument> list = slicer.slice(span->text);
  if (!list || list->root.type != JsonType::kArray) return invalid("field `delivery` must be a string, or an array of strings");
  for (const JsonSpan& item : list->items) {
    if (item.type != JsonType::kString) return invalid("field `delivery` must be a string, or an array of strings");
    deliveries.push_back(decode_json_string(item.text).value_or(""));
  }
  return deliveries;
}

}  // namespace

std::span<const std::pair<std::string_view, const JsonSpan * GroupFields::*>> group_field_names() {
  return kNames;
}

Result<GroupRequest> read_group_request(const GroupFields& fields) {
  GroupRequest group;
  Result<std::string> name = text_of(fields.group, "group");
  if (!name) return name.error();
  group.name = *std::move(name);
  const Result<std::optional<std::uint64_t>> in_flight = number_of(fields.in_flight, "in_flight", kGroupInFlightMax);
  if (!in_flight) return in_flight.error();
  if (*in_flight == std::uint64_t{0}) return invalid("field `in_flight` must be at least 1");
  if (*in_flight) group.in_flight = static_cast<std::size_t>(**in_flight);
  const Result<std::optional<std::uint64_t>> count = number_of(fields.count, "count", kGroupTakeMax);
  if (!count) return count.error();
  if (*count == std::uint64_t{0}) return invalid("field `count` must be at least 1");
  if (*count) group.count = static_cast<std::size_t>(**count);
  const Result<std::optional<std::uint64_t>> wait =
      number_of(fields.wait_ms, "wait_ms", static_cast<std::uint64_t>(kGroupWaitMax.count()));
  if (!wait) return wait.error();
  group.wait = Millis(static_cast<std::int64_t>(wait->value_or(0)));
  const Result<GroupStart> start = start_of(fields.start);
  if (!start) return start.error();
  group.wish.start = *start;
  const Result<std::optional<Millis>> visibility = time_of(fields.visibility_ms, "visibility_ms");
  if (!visibility) return visibility.error();
  group.wish.visibility = *visibility;
  const Result<std::optional<std::uint64_t>> most = number_of(fields.deliveries_max, "deliveries_max", kGroupDeliveriesMax);
  if (!most) return most.error();
  if (*most) group.wish.deliveries_max = static_cast<std::uint32_t>(**most);
  if (is_absent(fields.dead_letter)) return group;
  Result<std::string> dead_letter = text_of(fields.dead_letter, "dead_letter");
  if (!dead_letter) return dead_letter.error();
  group.wish.dead_letter = *std::move(dead_letter);
  return group;
}

Result<GroupSettleRequest> read_group_settle(const GroupFields& fields, GroupSettle::Verb verb) {
  GroupSettleRequest group;
  Result<std::string> name = text_of(fields.group, "group");
  if (!name) return name.error();
  group.name = *std::move(name);
  group.settle.verb = verb;
  Result<std::vector<std::string>> deliveries = deliveries_of(fields.delivery);
  if (!deliveries) return deliveries.error();
  group.settle.deliveries = *std::move(deliveries);
  if (verb == GroupSettle::Verb::kAck) return group;
  const bool nack = verb == GroupSettle::Verb::kNack;
  const Result<std::optional<Millis>> time =
      nack ? time_of(fields.delay_ms, "delay_ms") : time_of(fields.visibility_ms, "visibility_ms");
  if (!time) return time.error();
  group.settle.time = *time;
  return group;
}

void append_delivery_json(std::string& out, std::string_view group, const GroupDelivery& delivery, EventNames names) {
  append_event_json(out, *delivery.publication, names);
  out.pop_back();  // The object goes on.
  out += R"(,"group":)";
  append_json_string(out, group);
  out += R"(,"delivery":)";
  append_json_string(out, delivery.token);
  out += R"(,"attempt":)";
  out += std::to_string(delivery.attempt);
  out += '}';
}

void append_settled_json(std::string& out, const GroupSettled& settled) {
  JsonWriter json(out);
  json.key("settled").number(settled.settled);
  if (settled.refused.empty()) return;
  json.key("refused").begin_array();
  for (const std::string& token : settled.refused) json.string(token);
  json.end_array();
}

}  // namespace carillon
