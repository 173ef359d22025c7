#include "hub/subscriber_list.h"

#include <deque>
#include <utility>
#include <vector>

namespace carillon {
namespace {

constexpr std::uint64_t kStays = UINT64_MAX;
constexpr std::size_t kSparePlaces = 16;  // A short list is not moved for each few who leave.

}  // namespace

// A deque: a place keeps its address while the log grows, so a visitor may let others subscribe.
struct Recipients::Log {
  struct Place {
    std::string subscriber;
    std::uint64_t left_at = kStays;
  };
  std::deque<Place> places;
};

const std::string* Recipients::subscriber_at(std::size_t place) const {
  const Log::Place& found = log_->places[place];
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
  if (!place_of_.try_emplace(std::string(subscriber), log_->places.size()).second) return false;
  log_->places.push_back({.subscriber = std::string(subscriber)});
  return true;
}

bool SubscriberList::remove(std::string_view subscriber) {
  const auto found = place_of_.find(subscriber);
  if (found == place_of_.end()) return false;
  log_->places[found->second].left_at = ++moment_;
  place_of_.erase(found);
  if (places() > 2 * size() + kSparePlaces) move_to_new_log();
  return true;
}

void SubscriberList::move_to_new_log() {
  const bool others_read_it = log_.use_count() > 1;
  const auto next = std::make_shared<Recipients::Log>();
  for (Recipients::Log::Place& place : log_->places) {
    if (place.left_at != kStays) continue;
    place_of_.find(place.subscriber)->second = next->places.size();
    if (others_read_it) {
      next->places.push_back(place);
    } else {
      next->places.push_back(std::move(place));
    }
  }
  moved_ += next->places.size();
  log_ = next;
}

std::size_t SubscriberList::places() const {
  return log_->places.size();
}

Recipients SubscriberList::all() const {
  Recipients recipients;
  recipients.log_ = log_;
  recipients.places_ = places();
  recipients.moment_ = moment_;
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
