// Frame: bytes that are ready for the wire, made once and shared by every outbox on its loop.
//
// A frame holds whole messages, framing included, one after the other: usually one, or the run of publications that one
// channel had in one turn. Counted without atomics: a frame never leaves its loop. Its bytes follow the object in memory.
#pragma once

#include <boost/smart_ptr/intrusive_ptr.hpp>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

namespace carillon {

// How many bytes of frames live on one loop, each counted once however many outboxes share it.
struct FrameMemory {
  std::size_t bytes = 0;
};

class Frame;
using FramePtr = boost::intrusive_ptr<Frame>;

class Frame {
 public:
  struct About {
    std::uint32_t messages = 1;
    // Of a publication's frame: its channel, for telling a client of a gap. Null: an answer, which is never dropped.
    std::shared_ptr<const std::string> channel;
    bool presence = false;  // It tells who came and went, no publications.
  };

  static FramePtr make(FrameMemory& memory, std::string_view bytes, About about);

  std::string_view bytes() const { return {reinterpret_cast<const char*>(this + 1), size_}; }
  std::uint32_t messages() const { return about_.messages; }
  bool tells_presence() const { return about_.presence; }
  bool droppable() const { return about_.channel != nullptr; }
  const std::string& channel() const { return *about_.channel; }

 private:
  Frame(FrameMemory& memory, std::uint32_t size, About about) : memory_(memory), size_(size), about_(std::move(about)) {}
  ~Frame() = default;
  void free();

  friend void intrusive_ptr_add_ref(Frame* frame) { ++frame->references_; }
  friend void intrusive_ptr_release(Frame* frame) {
    if (--frame->references_ == 0) frame->free();
  }

  FrameMemory& memory_;
  std::uint32_t references_ = 0;
  std::uint32_t size_;
  About about_;
};

}  // namespace carillon
