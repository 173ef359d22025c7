#include "hub/group_seating.h"

namespace carillon {

// Members are taken out of the set and the sum before they change, and put back after it.
void GroupSeating::put(GroupMember id, const Member& member) {
  room_ += member.most - member.in_flight;
  if (member.in_flight < member.most) free_.emplace(member.in_flight, member.served, id);
}

void GroupSeating::take(GroupMember id, const Member& member) {
  room_ -= member.most - member.in_flight;
  free_.erase({member.in_flight, member.served, id});
}

void GroupSeating::seat(GroupMember id, std::size_t most) {
  unseat(id);
  const Member member{.most = most, .in_flight = 0, .served = ++served_};
  members_.emplace(id, member);
  put(id, member);
}

void GroupSeating::unseat(GroupMember id) {
  const auto found = members_.find(id);
  if (found == members_.end()) return;
  take(id, found->second);
  members_.erase(found);
}

std::optional<GroupMember> GroupSeating::serve() {
  if (free_.empty()) return std::nullopt;
  const GroupMember id = std::get<2>(*free_.begin());
  Member& member = members_.find(id)->second;
  take(id, member);
  ++member.in_flight;
  member.served = ++served_;
  put(id, member);
  return id;
}

void GroupSeating::clear(GroupMember id) {
  const auto found = members_.find(id);
  if (found == members_.end() || found->second.in_flight == 0) return;
  take(id, found->second);
  --found->second.in_flight;
  put(id, found->second);
}

void GroupSeating::clear_all() {
  for (auto& [id, member] : members_) {
    take(id, member);
    member.in_flight = 0;
    put(id, member);
  }
}

}  // namespace carillon
