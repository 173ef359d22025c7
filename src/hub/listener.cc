#include "hub/listener.h"

#include <algorithm>
#include <utility>

namespace carillon {

void Listener::push(const PublicationPtr& publication) {
  const std::lock_guard lock(mutex_);
  if (closed_) return;
  if (waiting_.size() == capacity_) {
    waiting_.pop_front();
    ++lost_;
  }
  waiting_.push_back(publication);
  came_.notify_one();
}

void Listener::close() {
  const std::lock_guard lock(mutex_);
  closed_ = true;
  came_.notify_all();
}

PublicationPtr Listener::next(std::chrono::milliseconds wait) {
  std::unique_lock lock(mutex_);
  // A wait without end, in numbers that the clock can still add to.
  came_.wait_for(lock, std::min<std::chrono::milliseconds>(wait, std::chrono::hours{24 * 365}),
                 [this] { return closed_ || !waiting_.empty(); });
  if (waiting_.empty()) return nullptr;
  PublicationPtr publication = std::move(waiting_.front());
  waiting_.pop_front();
  return publication;
}

bool Listener::closed() {
  const std::lock_guard lock(mutex_);
  return closed_;
}

std::uint64_t Listener::take_lost() {
  const std::lock_guard lock(mutex_);
  return std::exchange(lost_, 0);
}

}  // namespace carillon
