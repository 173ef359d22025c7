#include "hub/subscriber_list.h"

#include <deque>
#include <utility>
#include <vector>

#include "hub/member_log.h"

namespace carillon {
namespace {

constexpr std::uint64_t kStays = UINT64_MAX;

}  // namespace

// A deque: a visitor is given the text itself, and may let others subscribe.
struct Recipients::Log {
  struct Place {
    std::string subscriber;
    std::uint64_t left_at = kStays;

    bool left() const { return left_at != kStays; }
    void leave(std::uint64_t moment) { left_at = moment; }
  };
  MemberLog<Place, std::deque<Place>> members;
};

const std::string* Recipients::subscriber_at(std::size_t place) const {
  const Log::Place& found = log_->members[place];
  return found.left_at > moment_ && place != left_out_ ? &found.subscriber : nullptr;
}

std::vector<std::string> Recipients::to_list() const {
  std::vector<std::string> list;
  list.reserve(size_);
  for_each([&list](const std::string& subscriber) { list.push_back(subscriber); });
  return list;
}

SubscriberList::SubscriberList() : log_(std::make_shared<Recipients::Log>()) {}

bool SubscriberList::add(std::string_view subscriber) {
  if (!place_of_.try_emplace(std::string(subscriber), places()).second) return false;
  log_->members.join({.subscriber = std::string(subscriber)});
  return true;
}

bool SubscriberList::remove(std::string_view subscriber) {
  const auto found = place_of_.find(subscriber);
  if (found == place_of_.end()) return false;
  log_->members.leave(found->second);
  place_of_.erase(found);
  if (log_->members.sparse()) compact();
  return true;
}

void SubscriberList::compact() {
  const auto moved = [this](const Recipients::Log::Place& member, std::size_t place) {
    place_of_.find(member.subscriber)->second = place;
    ++moved_;
  };
  const bool others_read_it = log_.use_count() > 1;
  if (others_read_it) {
    log_ = std::make_shared<Recipients::Log>(Recipients::Log{log_->members.compacted(moved)});
  } else {
    log_->members.compact(moved);
  }
}

std::size_t SubscriberList::places() const {
  return log_->members.reach();
}

Recipients SubscriberList::all() const {
  Recipients recipients;
  recipients.log_ = log_;
  recipients.places_ = places();
  recipients.moment_ = log_->members.moment();
  recipients.size_ = size();
  return recipients;
}

Recipients SubscriberList::without(std::string_view subscriber) const {
  Recipients recipients = all();
  if (const auto found = place_of_.find(subscriber); found != place_of_.end()) {
    recipients.left_out_ = found->second;
    --recipients.size_;
  }
  return recipients;
}

}  // namespace carillon
