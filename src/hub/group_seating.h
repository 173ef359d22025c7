// GroupSeating: the members of a queue group on one node, and who of them gets the next delivery: of those with room the one
// with the fewest in flight, then whoever was served longest ago. One thread.
#pragma once

#include <boost/unordered/unordered_flat_map.hpp>
#include <cstdint>
#include <optional>
#include <set>
#include <tuple>

#include "hub/queue_group.h"

namespace carillon {

class GroupSeating {
 public:
  // May have `most` in flight. Seated anew it has none.
  void seat(GroupMember id, std::size_t most);
  void unseat(GroupMember id);

  // Who has one more now; absent: nobody has room.
  std::optional<GroupMember> serve();
  // One that it had is settled. Does nothing for who is not seated or has none.
  void clear(GroupMember id);
  void clear_all();

  // How many more deliveries could be made.
  std::size_t room() const { return room_; }
  std::size_t size() const { return members_.size(); }

 private:
  struct Member {
    std::size_t most = 0;
    std::size_t in_flight = 0;
    std::uint64_t served = 0;
  };
  void put(GroupMember id, const Member& member);
  void take(GroupMember id, const Member& member);

  boost::unordered_flat_map<GroupMember, Member> members_;
  std::set<std::tuple<std::size_t, std::uint64_t, GroupMember>> free_;  // In flight, when served, who.
  std::size_t room_ = 0;
  std::uint64_t served_ = 0;
};

}  // namespace carillon
