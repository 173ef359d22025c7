// GroupTable: the queue groups in use on one loop, found by name, by number and by channel, and those with something to do at
// this turn's end. What the keepers of groups (group_keeper.h) share. A `Group` derives from GroupInUse and is made with a
// function that its timer calls.
#pragma once

#include <fmt/format.h>

#include <boost/unordered/unordered_flat_map.hpp>
#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "base/hash.h"
#include "carillon/result.h"
#include "hub/group_call.h"

namespace carillon {

struct GroupInUse {
  std::uint64_t id = 0;  // Never given again, so what comes later finds the group, or that it has gone.
  GroupName name;
  std::string key;
  bool active = false;  // Has something to do at this turn's end.
};

template <class Group>
class GroupTable {
 public:
  // Groups in use on one loop; one more is refused.
  static constexpr std::size_t kGroupsMax = 10'000;

  std::size_t size() const { return by_id_.size(); }
  Group* find(const GroupName& name) const {
    const auto found = by_key_.find(group_key(name));
    return found == by_key_.end() ? nullptr : found->second;
  }
  Group* find(std::uint64_t id) const {
    const auto found = by_id_.find(id);
    return found == by_id_.end() ? nullptr : found->second.get();
  }

  // A new one, which is active when its timer fires. Error: kLimit.
  Result<Group*> add(const GroupName& name) {
    if (size() >= kGroupsMax) {
      return Error{ErrorKind::kLimit, fmt::format("{} groups are in use on this loop, one more is too many", kGroupsMax)};
    }
    const std::uint64_t id = ++last_id_;
    auto made = std::make_unique<Group>([this, id] {
      if (Group* const due = find(id)) activate(*due);
    });
    Group* const group = made.get();
    group->id = id;
    group->name = name;
    group->key = group_key(name);
    by_id_.emplace(id, std::move(made));
    by_key_.emplace(group->key, group);
    by_channel_[name.channel].push_back(group);
    return group;
  }
  void remove(Group& group) {
    const auto beside = by_channel_.find(group.name.channel);
    std::erase(beside->second, &group);
    if (beside->second.empty()) by_channel_.erase(beside);
    by_key_.erase(group.key);
    by_id_.erase(group.id);
  }

  // The channel's groups; all, when the name is empty. None is added or removed meanwhile.
  template <class See>
  void for_each(const std::string& channel, See see) const {
    if (channel.empty()) {
      for (const auto& [id, group] : by_id_) see(*group);
    } else if (const auto found = by_channel_.find(channel); found != by_channel_.end()) {
      for (Group* const group : found->second) see(*group);
    }
  }

  void activate(Group& group) {
    if (!std::exchange(group.active, true)) active_.push_back(group.id);
  }
  bool any_active() const { return !active_.empty(); }
  // Calls it with those that are active, which they are no more then.
  template <class Work>
  void work(Work work) {
    for (const std::uint64_t id : std::exchange(active_, {})) {
      Group* const group = find(id);
      if (group == nullptr) continue;
      group->active = false;
      work(*group);
    }
  }

 private:
  boost::unordered_flat_map<std::uint64_t, std::unique_ptr<Group>> by_id_;
  boost::unordered_flat_map<std::string, Group*, NameHash, NameEqual> by_key_;
  boost::unordered_flat_map<std::string, std::vector<Group*>, NameHash, NameEqual> by_channel_;
  std::uint64_t last_id_ = 0;
  std::vector<std::uint64_t> active_;
};

}  // namespace carillon
