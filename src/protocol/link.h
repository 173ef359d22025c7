// Link: carries whole messages to one client (a WebSocket, an event stream). Owned by transport; used on one loop.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/stream.h"
#include "hub/encoding.h"
#include "hub/frame.h"

namespace carillon {

enum class MessageKind : std::uint8_t { kText, kBinary };

class Link {
 public:
  // The encoding with this link's framing around it. Equal links give the same object, so that frames are shared. Lives as
  // long as the loop; `inner` must too.
  virtual const Encoding& framed(const Encoding& inner, MessageKind kind) = 0;
  // Appends one message, framed for this link; for encodings that only one session uses.
  virtual void append_framed(std::string& out, std::string_view message, MessageKind kind) = 0;
  // One message, framed for this link.
  virtual FramePtr frame(std::string_view message, MessageKind kind) = 0;
  // Sends what waits in the dialog's outbox, gathered; what the link cannot take now stays there, and the link goes on by
  // itself when there is room.
  virtual void flush() = 0;
  // Sends what waits, then closes: a WebSocket with this code (RFC 6455, section 7.4) and reason (cut to 123 bytes), an
  // event stream by ending. Dialog::on_link_closed follows, maybe inside the call. Idempotent.
  virtual void close(std::uint16_t code, std::string_view reason) = 0;
  virtual PeerAddress peer() const = 0;

 protected:
  ~Link() = default;
};

}  // namespace carillon
