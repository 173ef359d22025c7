#include "hub/outbox.h"

#include <algorithm>
#include <boost/container/small_vector.hpp>
#include <utility>

#include "base/check.h"

namespace carillon {

// Frames in order, with null where one has left or was dropped.
struct Outbox::Queue {
  boost::container::small_vector<FramePtr, 6> frames;
  std::uint32_t front = 0;           // Index of the first frame; null there only when there is none.
  std::uint32_t count = 0;           // Frames that are not null.
  std::uint32_t droppable_from = 0;  // No frame before this index can be dropped: dropping looks at each frame once.
  std::size_t bytes = 0;

  void push(FramePtr frame) {
    if (frames.size() == frames.capacity() && count <= frames.size() / 2) close_up();
    bytes += frame->bytes().size();
    ++count;
    frames.push_back(std::move(frame));
  }

  void push_at(std::uint32_t place, FramePtr frame) {
    if (front == 0) {
      // Room for several, so that many urgent frames in a row do not each move all that waits.
      const std::uint32_t room = static_cast<std::uint32_t>(frames.size()) / 2 + 1;
      frames.insert(frames.begin(), room, FramePtr());
      front += room;
      droppable_from += room;
      place += room;
    }
    std::move(frames.begin() + front, frames.begin() + place, frames.begin() + front - 1);
    --front;
    bytes += frame->bytes().size();
    ++count;
    frames[place - 1] = std::move(frame);
  }

  FramePtr take(std::uint32_t place, std::uint32_t sent) {
    FramePtr taken = std::move(frames[place]);
    bytes -= taken->bytes().size() - sent;
    --count;
    while (front < frames.size() && frames[front] == nullptr) ++front;
    droppable_from = std::max(droppable_from, front);
    return taken;
  }

  void close_up() {
    std::uint32_t kept = 0, before_droppable = 0;
    for (std::uint32_t i = front; i < frames.size(); ++i) {
      if (i == droppable_from) before_droppable = kept;
      if (frames[i] == nullptr) continue;
      if (i != kept) frames[kept] = std::move(frames[i]);
      ++kept;
    }
    droppable_from = droppable_from >= frames.size() ? kept : before_droppable;
    frames.resize(kept);
    front = 0;
  }
};

std::size_t Outbox::bytes() const {
  if (empty()) return 0;
  return is_queue() ? queue().bytes : single()->bytes().size() - sent_of_front_;
}

void Outbox::walk(UniqueFunction<bool(const Frame&)> visit) const {
  if (empty()) return;
  if (!is_queue()) {
    visit(*single());
    return;
  }
  const Queue& waiting = queue();
  for (std::uint32_t i = waiting.front; i < waiting.frames.size(); ++i) {
    if (waiting.frames[i] != nullptr && !visit(*waiting.frames[i])) return;
  }
}

std::size_t Outbox::frame_count() const {
  if (empty()) return 0;
  return is_queue() ? queue().count : 1;
}

Outbox::Queue& Outbox::make_queue() {
  if (is_queue()) return queue();
  auto* const made = new Queue;
  if (!empty()) made->push(FramePtr(single(), false));
  made->bytes -= sent_of_front_;
  content_ = reinterpret_cast<std::uintptr_t>(made) | 1;
  return *made;
}

void Outbox::push(FramePtr frame) {
  if (empty()) {
    content_ = reinterpret_cast<std::uintptr_t>(frame.detach());
  } else {
    make_queue().push(std::move(frame));
  }
}

void Outbox::push_urgent(FramePtr frame) {
  if (empty()) return push(std::move(frame));
  Queue& waiting = make_queue();
  waiting.push_at(waiting.front + (sent_of_front_ > 0 ? 1 : 0), std::move(frame));
}

const Frame& Outbox::front() const {
  return is_queue() ? *queue().frames[queue().front] : *single();
}

FramePtr Outbox::take_front() {
  const std::uint32_t sent = std::exchange(sent_of_front_, 0);
  if (!is_queue()) return FramePtr(reinterpret_cast<Frame*>(std::exchange(content_, 0)), false);
  FramePtr taken = queue().take(queue().front, sent);
  free_queue_if_empty();
  return taken;
}

void Outbox::free_queue_if_empty() {
  if (queue().count > 0) return;
  delete &queue();
  content_ = 0;
}

std::size_t Outbox::gather(std::span<std::string_view> pieces) const {
  if (empty() || pieces.empty()) return 0;
  pieces[0] = front().bytes().substr(sent_of_front_);
  if (!is_queue()) return 1;
  std::size_t filled = 1;
  const Queue& waiting = queue();
  for (std::size_t i = waiting.front + 1; i < waiting.frames.size() && filled < pieces.size(); ++i) {
    if (waiting.frames[i] != nullptr) pieces[filled++] = waiting.frames[i]->bytes();
  }
  return filled;
}

void Outbox::consume(std::size_t count) {
  CHECK(count <= bytes());
  while (!empty()) {
    const std::size_t left = front().bytes().size() - sent_of_front_;
    if (count < left) {
      sent_of_front_ += static_cast<std::uint32_t>(count);
      if (is_queue()) queue().bytes -= count;
      return;
    }
    count -= left;
    take_front();
  }
}

FramePtr Outbox::pop() {
  CHECK(!empty() && sent_of_front_ == 0);
  return take_front();
}

FramePtr Outbox::drop_oldest() {
  if (empty()) return nullptr;
  if (!is_queue()) return sent_of_front_ == 0 && single()->droppable() ? take_front() : nullptr;
  Queue& waiting = queue();
  std::uint32_t place = std::max(waiting.droppable_from, waiting.front + (sent_of_front_ > 0 ? 1 : 0));
  while (place < waiting.frames.size() && (waiting.frames[place] == nullptr || !waiting.frames[place]->droppable())) ++place;
  waiting.droppable_from = place;
  if (place == waiting.frames.size()) return nullptr;
  FramePtr dropped = waiting.take(place, 0);
  free_queue_if_empty();
  return dropped;
}

void Outbox::clear() {
  if (is_queue()) {
    delete &queue();
  } else if (!empty()) {
    intrusive_ptr_release(single());
  }
  content_ = 0;
  sent_of_front_ = 0;
}

}  // namespace carillon
