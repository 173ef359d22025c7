// Outbox: frames waiting for one client, oldest first. Bounded by its session, which decides what happens at the limit.
//
// The first frame may be partly sent; it is then neither dropped nor overtaken. One loop, no locks. An idle outbox is 16 bytes
// and one that holds a single frame needs no more; only several frames at once are kept in a queue on the heap.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include "base/unique_function.h"
#include "hub/frame.h"

namespace carillon {

class Outbox {
 public:
  Outbox() = default;
  ~Outbox() { clear(); }
  Outbox(const Outbox&) = delete;
  Outbox& operator=(const Outbox&) = delete;

  bool empty() const { return content_ == 0; }
  std::size_t bytes() const;  // Waiting, without what has left.
  std::size_t frame_count() const;
  // From the front; until the visitor says false.
  void walk(UniqueFunction<bool(const Frame&)> visit) const;

  void push(FramePtr frame);
  // Ahead of all that waits, but never inside a message that has begun to leave (a pong, a close).
  void push_urgent(FramePtr frame);

  // Fills `pieces` from the front; returns how many were filled.
  std::size_t gather(std::span<std::string_view> pieces) const;
  // The first `count` bytes have left, and with them every frame that has no byte left.
  void consume(std::size_t count);
  // Takes the first frame out whole, for links that carry frames apart. Must not be empty or partly sent.
  FramePtr pop();

  // Removes the oldest droppable frame and returns it; null when nothing can be dropped.
  FramePtr drop_oldest();
  void clear();

 private:
  struct Queue;

  // `content_` is 0, a Frame that is owned, or, with the lowest bit set, a Queue that is owned.
  bool is_queue() const { return (content_ & 1) != 0; }
  Frame* single() const { return reinterpret_cast<Frame*>(content_); }
  Queue& queue() const { return *reinterpret_cast<Queue*>(content_ - 1); }
  // The queue, made around what is there.
  Queue& make_queue();
  const Frame& front() const;
  FramePtr take_front();
  void free_queue_if_empty();

  std::uintptr_t content_ = 0;
  std::uint32_t sent_of_front_ = 0;  // Bytes of the first frame that have left.
};

static_assert(sizeof(Outbox) == 16);

}  // namespace carillon
