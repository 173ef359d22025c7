// What is said of queue groups in JSON, as the native protocol and the HTTP API both say it: fields of a request, a delivery.
// Any thread.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>

#include "carillon/result.h"
#include "carillon/server_options.h"
#include "hub/group_call.h"
#include "wire/json/json_slicer.h"

namespace carillon {

// The fields as JSON; null where missing.
struct GroupFields {
  const JsonSpan* group = nullptr;
  const JsonSpan* in_flight = nullptr;
  const JsonSpan* start = nullptr;
  const JsonSpan* visibility_ms = nullptr;
  const JsonSpan* deliveries_max = nullptr;
  const JsonSpan* dead_letter = nullptr;
  const JsonSpan* delivery = nullptr;
  const JsonSpan* delay_ms = nullptr;
  const JsonSpan* count = nullptr;
  const JsonSpan* wait_ms = nullptr;
};
// By name.
std::span<const std::pair<std::string_view, const JsonSpan * GroupFields::*>> group_field_names();

struct GroupRequest {
  std::string name;
  GroupWish wish;
  std::size_t in_flight = kGroupInFlightDefault;
  std::size_t count = 1;  // Of a take.
  Millis wait{0};
};
// Errors of both: kInvalid, what is wrong with which field. What check_group_wish and check_group_settle look at is not looked
// at.
Result<GroupRequest> read_group_request(const GroupFields& fields);

struct GroupSettleRequest {
  std::string name;
  GroupSettle settle;
};
Result<GroupSettleRequest> read_group_settle(const GroupFields& fields, GroupSettle::Verb verb);

// Appends the event object of the publication, with the group, the delivery's token and its number:
// {"type":"event",…,"group":…,"delivery":…,"attempt":…}.
void append_delivery_json(std::string& out, std::string_view group, const GroupDelivery& delivery, EventNames names);

// Appends the members that say what was settled, without the braces.
void append_settled_json(std::string& out, const GroupSettled& settled);

}  // namespace carillon
