#include "engine/redis/redis_interests.h"

#include <utility>

namespace carillon {

void RedisInterests::add(const Selector& selector) {
  Interest& interest = interests_[selector];
  if (++interest.count > 1) return;
  if (selector.kind != Selector::Kind::kExact) {
    ++wide_count_;
  } else if (parts_.options.rule_for(selector.base).count_max == 0) {
    ++bare_count_;
  }
  subscribe(selector, interest);
}

void RedisInterests::subscribe(const Selector& selector, Interest& interest) {
  interest.number = ++subscriptions_;
  auto subscribed = guard_.wrap(
      [this, selector, number = interest.number](const Result<void>& outcome) { on_subscribed(selector, number, outcome); });
  if (selector.kind == Selector::Kind::kExact) {
    parts_.client.subscribe(parts_.keys.publications(selector.base), subscriber_, std::move(subscribed));
  } else {
    parts_.client.subscribe_pattern(parts_.keys.publications_glob(selector.base), subscriber_, std::move(subscribed));
  }
}

bool RedisInterests::remove(const Selector& selector) {
  Interest* const interest = interests_.find(selector);
  if (interest == nullptr || --interest->count > 0) return false;
  if (selector.kind == Selector::Kind::kExact) {
    parts_.client.unsubscribe(parts_.keys.publications(selector.base), subscriber_);
    if (parts_.options.rule_for(selector.base).count_max == 0) --bare_count_;
  } else {
    parts_.client.unsubscribe_pattern(parts_.keys.publications_glob(selector.base), subscriber_);
    --wide_count_;
  }
  // Nothing has to be heard first any more.
  std::vector<Waiting> waiting = std::move(interest->waiting);
  interests_.erase(selector);
  for (Waiting& one : waiting) one.heard({});
  return true;
}

bool RedisInterests::wants(std::string_view channel) const {
  bool wanted = false;
  interests_.for_each_match(channel, [&wanted](const Interest&) { wanted = true; });
  return wanted;
}

// `is_hearing` is of now; what was confirmed before a loss is wanted again by the client itself.
bool RedisInterests::hears(const Interest& interest, const std::string& channel) const {
  return interest.confirmed && parts_.client.is_hearing(parts_.client.master_of(parts_.keys.publications(channel)));
}

void RedisInterests::when_heard(const std::string& channel, RedisAnswer<void> heard) {
  Interest* wanted = nullptr;
  bool is_heard = false;
  interests_.for_each_match(channel, [&](Interest& interest) {
    wanted = &interest;
    is_heard = is_heard || hears(interest, channel);
  });
  if (wanted == nullptr || is_heard) return heard({});
  wanted->waiting.push_back({channel, parts_.loop.now() + parts_.options.wait_max, std::move(heard)});
}

void RedisInterests::on_subscribed(const Selector& selector, std::uint64_t number, const Result<void>& outcome) {
  Interest* const interest = interests_.find(selector);
  if (interest == nullptr || interest->number != number) return;
  // What could not be subscribed to now is when the master is heard again.
  interest->confirmed = true;
  if (outcome) tell(*interest, parts_.loop.now());
}

void RedisInterests::on_hearing() {
  interests_.for_each([this](Interest& interest) { tell(interest, parts_.loop.now()); });
}

void RedisInterests::expire(Millis now) {
  interests_.for_each([this, now](Interest& interest) { tell(interest, now); });
}

void RedisInterests::tell(Interest& interest, Millis now) {
  if (interest.waiting.empty()) return;
  std::vector<Waiting> waiting = std::exchange(interest.waiting, {});
  for (Waiting& one : waiting) {
    if (hears(interest, one.channel)) {
      one.heard({});
    } else if (one.deadline <= now) {
      one.heard(Error{ErrorKind::kUnavailable, "Redis cannot be heard now; try again later"});
    } else {
      interest.waiting.push_back({std::move(one.channel), one.deadline, std::move(one.heard)});
    }
  }
}

}  // namespace carillon
