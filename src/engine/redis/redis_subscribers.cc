#include "engine/redis/redis_subscribers.h"

#include <algorithm>

namespace carillon {

bool RedisSubscribers::add(RedisNameKind kind, const std::string& name, RedisSubscriber& subscriber) {
  Wanted& wanted = names(kind)[name];
  const bool first = wanted.by.empty();
  const auto mine =
      std::find_if(wanted.by.begin(), wanted.by.end(), [&](const auto& by) { return by.subscriber == &subscriber; });
  if (mine != wanted.by.end()) {
    ++mine->count;
    return false;
  }
  wanted.by.push_back({.subscriber = &subscriber, .count = 1});
  const auto known = std::find(everybody_.begin(), everybody_.end(), &subscriber);
  if (known != everybody_.end()) {
    ++everybodys_[static_cast<std::size_t>(known - everybody_.begin())];
  } else {
    everybody_.push_back(&subscriber);
    everybodys_.push_back(1);
  }
  return first;
}

bool RedisSubscribers::remove(RedisNameKind kind, const std::string& name, RedisSubscriber& subscriber,
                              std::vector<Waiter>& left) {
  const auto found = names(kind).find(name);
  if (found == names(kind).end()) return false;
  Wanted& wanted = found->second;
  const auto mine =
      std::find_if(wanted.by.begin(), wanted.by.end(), [&](const auto& by) { return by.subscriber == &subscriber; });
  if (mine == wanted.by.end() || --mine->count > 0) return false;
  wanted.by.erase(mine);
  const auto place = std::find(everybody_.begin(), everybody_.end(), &subscriber) - everybody_.begin();
  if (--everybodys_[static_cast<std::size_t>(place)] == 0) {
    everybody_.erase(everybody_.begin() + place);
    everybodys_.erase(everybodys_.begin() + place);
  }
  if (!wanted.by.empty()) return false;
  left = std::move(wanted.waiters);
  names(kind).erase(found);
  return true;
}

RedisSubscribers::Wanted* RedisSubscribers::find(RedisNameKind kind, std::string_view name) {
  const auto found = names(kind).find(name);
  return found == names(kind).end() ? nullptr : &found->second;
}

bool RedisSubscribers::knows(const RedisSubscriber& subscriber) const {
  return std::find(everybody_.begin(), everybody_.end(), &subscriber) != everybody_.end();
}

bool RedisSubscribers::wants(RedisNameKind kind, std::string_view name, const RedisSubscriber& subscriber) {
  const Wanted* const wanted = find(kind, name);
  if (wanted == nullptr) return false;
  return std::any_of(wanted->by.begin(), wanted->by.end(), [&](const auto& by) { return by.subscriber == &subscriber; });
}

// A name by which the last message came already begins another message, however alike.
bool RedisSubscribers::is_copy(std::size_t master, RedisNameKind kind, std::string_view name, const std::string& channel,
                               const std::string& message) const {
  if (last_.names.empty() || last_.master != master || last_.channel != channel || last_.message != message) return false;
  return std::none_of(last_.names.begin(), last_.names.end(),
                      [&](const auto& came) { return came.first == kind && came.second == name; });
}

void RedisSubscribers::hand_on(std::size_t master, RedisNameKind kind, std::string_view name, const std::string& channel,
                               const std::string& message) {
  // Without patterns there are no copies.
  if (names(RedisNameKind::kPattern).empty()) {
    last_.names.clear();
    last_.handed.clear();
    return hand_to_all(master, kind, name, channel, message);
  }
  if (!is_copy(master, kind, name, channel, message)) {
    last_.master = master;
    last_.channel = channel;
    last_.message = message;
    last_.names.clear();
    last_.handed.clear();
  }
  last_.names.emplace_back(kind, name);
  hand_to_all(master, kind, name, channel, message);
}

// A subscriber may change what is wanted, by itself and others.
void RedisSubscribers::hand_to_all(std::size_t master, RedisNameKind kind, std::string_view name, const std::string& channel,
                                   const std::string& message) {
  const Wanted* const wanted = find(kind, name);
  if (wanted == nullptr) return;
  boost::container::small_vector<RedisSubscriber*, 4> to;
  for (const Wanted::By& by : wanted->by) {
    if (std::find(last_.handed.begin(), last_.handed.end(), by.subscriber) == last_.handed.end()) to.push_back(by.subscriber);
  }
  last_.handed.insert(last_.handed.end(), to.begin(), to.end());
  for (RedisSubscriber* const subscriber : to) {
    if (wants(kind, name, *subscriber)) subscriber->on_message(master, channel, message);
  }
}

}  // namespace carillon
