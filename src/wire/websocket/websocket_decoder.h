// WebSocketDecoder: what one peer sends, from bytes to whole messages (RFC 6455; RFC 7692 with an inflater).
//
// One per connection, on its loop. Two words while nothing is half-way; what is half-way (a torn frame, a fragmented
// message) lives on the heap until it is whole. Bytes are checked as they come: a fault is told at the first byte that
// makes it certain, also in the middle of a frame.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string_view>

#include "wire/websocket/websocket_frame.h"

namespace carillon {

class PerMessageInflater;

class WebSocketDecoder {
 public:
  enum class Role : std::uint8_t {
    kServer,  // Frames must be masked.
    kClient,  // Frames must not be.
  };

  // The same for many connections, so it is passed with each call. It must not change while a message is half-way.
  struct Settings {
    // Of one message, all fragments together, inflated. Beyond: a fault with 1009, as soon as a header announces it or the
    // inflated text passes it. Compressed bytes may be an eighth more, which no sane compressor needs.
    std::size_t message_bytes_max = 1024 * 1024;
    Role role = Role::kServer;
    PerMessageInflater* inflater = nullptr;  // Null: permessage-deflate was not agreed on, and RSV1 is a fault.
  };

  // Views live until the call returns. The sink may call stop(); it must neither destroy the decoder nor feed it.
  class Sink {
   public:
    virtual ~Sink() = default;
    virtual void on_message(WebSocketOpcode text_or_binary, std::string_view message) = 0;
    virtual void on_ping(std::string_view payload) = 0;
    virtual void on_pong(std::string_view payload) = 0;
    // The peer's close frame, checked. Nothing follows.
    virtual void on_close(std::optional<std::uint16_t> code, std::string_view reason) = 0;
    // The peer broke the protocol or a limit; fail the connection with this code. Nothing follows.
    virtual void on_fault(std::uint16_t close_code, std::string_view reason) = 0;
  };

  WebSocketDecoder();
  ~WebSocketDecoder();
  WebSocketDecoder(WebSocketDecoder&&) noexcept;
  WebSocketDecoder& operator=(WebSocketDecoder&&) noexcept;

  // Unmasks in place; messages that lie whole in `bytes` are handed on without a copy. False: a close frame, a fault or
  // stop() ended the talk; the rest of `bytes` and all later calls are ignored.
  bool feed(std::span<char> bytes, const Settings& settings, Sink& sink);

  // No more callbacks from here on.
  void stop() { stopped_ = true; }

  // Whether a frame or message is half-way (for idle and read timeouts).
  bool half_way() const { return partial_ != nullptr; }

 private:
  struct Header;
  struct Partial;
  class Turn;

  std::unique_ptr<Partial> partial_;
  bool stopped_ = false;
};

}  // namespace carillon
