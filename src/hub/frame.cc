#include "hub/frame.h"

#include <cstring>
#include <new>

#include "base/check.h"

namespace carillon {

FramePtr Frame::make(FrameMemory& memory, std::string_view bytes, About about) {
  CHECK(bytes.size() <= UINT32_MAX);
  void* place = ::operator new(sizeof(Frame) + bytes.size());
  auto* frame = new (place) Frame(memory, static_cast<std::uint32_t>(bytes.size()), std::move(about));
  std::memcpy(static_cast<void*>(frame + 1), bytes.data(), bytes.size());
  memory.bytes += sizeof(Frame) + bytes.size();
  return FramePtr(frame);
}

void Frame::free() {
  memory_.bytes -= sizeof(Frame) + size_;
  this->~Frame();
  ::operator delete(this);
}

}  // namespace carillon
