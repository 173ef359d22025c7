// The native protocol's messages about queue groups: fields of commands, and answers. No state of a talk.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "carillon/result.h"
#include "carillon/server_options.h"
#include "hub/group_call.h"
#include "wire/json/json_slicer.h"

namespace carillon {

// What a command says of a group. Of a subscribe: wish and in_flight; of ack, nack and extend: settle.
struct NativeGroup {
  std::string name;
  GroupWish wish;
  std::size_t in_flight = kGroupInFlightDefault;
  GroupSettle settle;
};

// The fields of a command that speaks of a group, as JSON; null where missing.
struct NativeGroupFields {
  const JsonSpan* group = nullptr;
  const JsonSpan* in_flight = nullptr;
  const JsonSpan* start = nullptr;
  const JsonSpan* visibility_ms = nullptr;
  const JsonSpan* deliveries_max = nullptr;
  const JsonSpan* dead_letter = nullptr;
  const JsonSpan* delivery = nullptr;
  const JsonSpan* delay_ms = nullptr;
};

// Errors: kInvalid, what is wrong with which field.
Result<NativeGroup> read_native_group(const NativeGroupFields& fields);
// Also what is to become of which deliveries.
Result<NativeGroup> read_native_settle(const NativeGroupFields& fields, GroupSettle::Verb verb);

// --- Answers. `id` is a JSON text or empty.

std::string native_group_joined(std::string_view channel, std::string_view group, std::string_view id,
                                const GroupJoined& outcome);
std::string native_group_left(std::string_view channel, std::string_view group, std::string_view id);
std::string native_group_settled(std::string_view channel, std::string_view group, std::string_view id, GroupSettle::Verb verb,
                                 const GroupSettled& outcome);
std::string native_group_ended(const GroupName& name, std::string_view reason);
// The event object of the publication, with the group, the delivery's token and its number.
std::string native_group_delivery(const GroupName& name, const GroupDelivery& delivery, EventNames names);

}  // namespace carillon
