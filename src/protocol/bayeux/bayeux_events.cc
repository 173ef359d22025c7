#include "protocol/bayeux/bayeux_events.h"

#include <algorithm>
#include <utility>

namespace carillon {

// --- One stream

BayeuxEventStream::BayeuxEventStream(std::size_t capacity) : capacity_(std::max<std::size_t>(capacity, 1)) {}

std::shared_ptr<BayeuxEventStream> BayeuxEventStream::copy() const {
  auto copied = std::make_shared<BayeuxEventStream>(capacity_);
  const std::lock_guard lock(mutex_);
  copied->waiting_ = waiting_;
  copied->lost_ = lost_;
  copied->closed_ = closed_;
  return copied;
}

void BayeuxEventStream::push(const BayeuxEventPtr& event) {
  BayeuxEventPtr dropped;  // What the program has put into it ends outside of the lock.
  const std::lock_guard lock(mutex_);
  if (closed_) return;
  if (waiting_.size() == capacity_) {
    dropped = std::move(waiting_.front());
    waiting_.pop_front();
    ++lost_;
  }
  waiting_.push_back(event);
  changed_.notify_one();
}

void BayeuxEventStream::close() {
  const std::lock_guard lock(mutex_);
  closed_ = true;
  changed_.notify_all();
}

std::optional<BayeuxEvent> BayeuxEventStream::next(std::chrono::milliseconds wait) {
  std::unique_lock lock(mutex_);
  // A wait without end, in numbers that the clock can still add to.
  changed_.wait_for(lock, std::min<std::chrono::milliseconds>(wait, std::chrono::hours{24 * 365}),
                    [this] { return closed_ || !waiting_.empty(); });
  if (waiting_.empty()) return std::nullopt;
  const BayeuxEventPtr event = std::move(waiting_.front());
  waiting_.pop_front();
  lock.unlock();
  return *event;
}

std::uint64_t BayeuxEventStream::take_lost() {
  const std::lock_guard lock(mutex_);
  return std::exchange(lost_, 0);
}

bool BayeuxEventStream::closed() const {
  const std::lock_guard lock(mutex_);
  return closed_;
}

// --- All of them

// With the lock held.
void BayeuxEvents::Streams::put(const std::shared_ptr<BayeuxEventStream>& stream) {
  if (closed_) return stream->close();
  std::erase_if(streams_, [](const std::weak_ptr<BayeuxEventStream>& weak) { return weak.expired(); });
  streams_.push_back(stream);
  count_.store(streams_.size(), std::memory_order_relaxed);
}

void BayeuxEvents::Streams::add(std::shared_ptr<BayeuxEventStream> stream) {
  const std::lock_guard lock(mutex_);
  put(stream);
}

// The lock is held over the copy too: what comes is in the copy, or is pushed into it later.
std::shared_ptr<BayeuxEventStream> BayeuxEvents::Streams::add_copy(const BayeuxEventStream& first) {
  const std::lock_guard lock(mutex_);
  auto stream = first.copy();
  put(stream);
  return stream;
}

void BayeuxEvents::Streams::push(const BayeuxEventPtr& event) {
  const std::lock_guard lock(mutex_);
  std::erase_if(streams_, [&](const std::weak_ptr<BayeuxEventStream>& weak) {
    const auto stream = weak.lock();
    if (stream != nullptr) stream->push(event);
    return stream == nullptr;
  });
  count_.store(streams_.size(), std::memory_order_relaxed);
}

void BayeuxEvents::Streams::close() {
  const std::lock_guard lock(mutex_);
  closed_ = true;
  for (const auto& weak : streams_) {
    if (const auto stream = weak.lock()) stream->close();
  }
  streams_.clear();
  count_.store(0, std::memory_order_relaxed);
}

BayeuxEvents::~BayeuxEvents() {
  close();
}

std::shared_ptr<BayeuxEventStream> BayeuxEvents::listen(std::size_t capacity) {
  auto stream = std::make_shared<BayeuxEventStream>(capacity);
  streams_->add(stream);
  return stream;
}

void BayeuxEvents::emit(BayeuxEvent event) {
  if (heard()) streams_->push(std::make_shared<const BayeuxEvent>(std::move(event)));
}

void BayeuxEvents::close() {
  streams_->close();
}

std::string_view bayeux_removal_text(bayeux_event::RemovalReason reason) {
  switch (reason) {
    case bayeux_event::RemovalReason::kDisconnected: return "disconnected";
    case bayeux_event::RemovalReason::kExpired: return "expired";
    case bayeux_event::RemovalReason::kRemoved: return "removed";
    case bayeux_event::RemovalReason::kSlow: return "slow";
    case bayeux_event::RemovalReason::kIdle: return "idle";
    case bayeux_event::RemovalReason::kTokenExpired: return "token_expired";
    case bayeux_event::RemovalReason::kShutdown: break;
  }
  return "shutdown";
}

}  // namespace carillon
