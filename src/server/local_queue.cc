#include "server/local_queue.h"

namespace carillon {

void append_local_length(std::string& out) {
  out.append(kLocalLengthBytes, '\0');
}

void set_local_length(std::string& out, std::size_t at) {
  const std::size_t length = out.size() - at - kLocalLengthBytes;
  for (std::size_t i = 0; i < kLocalLengthBytes; ++i) {
    out[at + i] = static_cast<char>(length >> 8 * (kLocalLengthBytes - 1 - i) & 0xFF);
  }
}

std::size_t local_length(std::string_view bytes) {
  std::size_t length = 0;
  for (std::size_t i = 0; i < kLocalLengthBytes; ++i) length = length << 8 | static_cast<unsigned char>(bytes[i]);
  return length;
}

bool LocalQueue::offer(std::string_view frame) {
  const std::lock_guard lock(mutex_);
  if (!frames_.empty() && bytes_ + frame.size() > bytes_max_) {
    refused_ = true;
    return false;
  }
  push_locked(frame);
  return true;
}

void LocalQueue::push(std::string_view frame) {
  const std::lock_guard lock(mutex_);
  push_locked(frame);
}

void LocalQueue::push_locked(std::string_view frame) {
  frames_.emplace_back(frame);
  bytes_ += frame.size();
  changed_.notify_one();
}

void LocalQueue::close(std::string_view reason) {
  const std::lock_guard lock(mutex_);
  if (closed_) return;
  closed_ = true;
  close_reason_ = reason;
  changed_.notify_all();
}

LocalQueue::Taken LocalQueue::take(std::chrono::milliseconds wait) {
  std::unique_lock lock(mutex_);
  changed_.wait_for(lock, wait, [this] { return closed_ || !frames_.empty(); });
  if (frames_.empty()) return {};
  const std::string_view rest = std::string_view(frames_.front()).substr(taken_of_first_);
  Taken taken{.message = std::string(rest.substr(kLocalLengthBytes, local_length(rest)))};
  const std::size_t bytes = kLocalLengthBytes + taken.message->size();
  bytes_ -= bytes;
  taken_of_first_ += bytes;
  if (taken_of_first_ == frames_.front().size()) {
    frames_.pop_front();
    taken_of_first_ = 0;
  }
  // Not for every message: the hub's loop is woken when half of the room is free.
  if (refused_ && bytes_ <= bytes_max_ / 2) {
    refused_ = false;
    taken.has_room = true;
  }
  return taken;
}

bool LocalQueue::closed() const {
  const std::lock_guard lock(mutex_);
  return closed_;
}

std::string LocalQueue::close_reason() const {
  const std::lock_guard lock(mutex_);
  return close_reason_;
}

}  // namespace carillon
