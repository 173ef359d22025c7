// The native protocol's answers about queue groups, as JSON texts. `id` is a JSON text or empty.
#pragma once

#include <string>
#include <string_view>

#include "hub/group_call.h"

namespace carillon {

std::string native_group_joined(std::string_view channel, std::string_view group, std::string_view id,
                                const GroupJoined& outcome);
std::string native_group_left(std::string_view channel, std::string_view group, std::string_view id);
std::string native_group_settled(std::string_view channel, std::string_view group, std::string_view id, GroupSettle::Verb verb,
                                 const GroupSettled& outcome);
std::string native_group_ended(const GroupName& name, std::string_view reason);

}  // namespace carillon
