// FrameScanner: walks through the WebSocket frames a server sends (RFC 6455, section 5.2) without keeping them.
//
// For whoever needs to know only that a message came, how long it was, and how it begins: no payload is copied unless a frame
// is torn between two reads, and then at most its head. One scanner a connection, on that connection's thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace carillon {

struct ScannedFrame {
  std::uint8_t opcode = 0;
  std::uint64_t length = 0;  // Of the payload.
  std::string_view head;     // The payload's first bytes, as many as the scanner shows. Valid during the call only.
};

class FrameScanner {
 public:
  static constexpr std::size_t kHeadMax = 256;

  FrameScanner() = default;
  // Shows the first `head_max` bytes of each payload.
  explicit FrameScanner(std::size_t head_max) : head_max_(head_max) {}

  // Walks on through the bytes of one read and calls visit(const ScannedFrame&) at each frame's last byte. False when the
  // bytes cannot be what a server sends (a masked frame, an opcode that is none); the connection is then of no more use.
  template <class Visit>
  bool scan(std::string_view bytes, Visit&& visit) {
    while (!bytes.empty()) {
      ScannedFrame frame;
      switch (step(bytes, frame)) {
        case Step::kMore: break;
        case Step::kFrame: visit(static_cast<const ScannedFrame&>(frame)); break;
        case Step::kBroken: return false;
      }
    }
    return true;
  }

 private:
  enum class Step { kMore, kFrame, kBroken };

  // Takes at least one byte from the front of `bytes`, one frame's at most.
  Step step(std::string_view& bytes, ScannedFrame& frame);
  Step begin(std::string_view& bytes, ScannedFrame& frame);
  Step gather_head(std::string_view& bytes, ScannedFrame& frame);
  Step finish(ScannedFrame& frame);

  // Where the last read ended: between frames, in a frame's header or head, or behind its head.
  enum class Place { kBetween, kHead, kRest };

  std::size_t head_max_ = kHeadMax;
  Place place_ = Place::kBetween;
  std::string torn_;        // Header and head of the frame that is torn.
  std::uint64_t left_ = 0;  // Payload bytes behind the head that are still to come.
};

}  // namespace carillon
