// WebSocketConnection: one client on a WebSocket (RFC 6455): messages to its dialog, frames from its outbox, and what the
// protocol asks of a server in between: pongs, pings, the closing handshake.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "protocol/dialog.h"
#include "protocol/exchange.h"
#include "transport/connection.h"
#include "transport/edge.h"
#include "wire/websocket/websocket_decoder.h"

namespace carillon {

class WebSocketConnection final : public Connection, public StreamHandler, public Link {
 public:
  struct Settings {
    std::uint8_t window_bits = 0;  // permessage-deflate's, 8 to 15; 0: not agreed on.
    std::size_t message_bytes_max = 0;
    Millis ping_interval{0};  // 0: the edge's. Both kept in tenths of seconds, in 16 bits.
    Millis idle_time{0};
    std::optional<WebSocketHeartbeat> heartbeat;
  };

  WebSocketConnection(Edge& edge, std::unique_ptr<Stream> stream, Settings settings);
  ~WebSocketConnection() override;

  // Makes the dialog; `handshake` leaves before anything the dialog says.
  void open(OpenDialog open, std::string_view handshake);

  const Encoding& framed(const Encoding& inner, MessageKind kind) override;
  void append_framed(std::string& out, std::string_view message, MessageKind kind) override;
  FramePtr frame(std::string_view message, MessageKind kind) override;
  void flush() override;
  void close(std::uint16_t code, std::string_view reason) override;
  PeerAddress peer() const override { return stream_->peer(); }

  void on_sweep(Millis now) override;
  void on_drain() override;

 private:
  enum class State : std::uint8_t {
    kOpen,
    kClosing,    // Our close frame waits or has left; the peer's is awaited.
    kEnding,     // Both said goodbye, or the peer broke the protocol: what waits leaves, then we end.
    kLingering,  // We have ended; the peer's last bytes are dropped until it has too.
    kGone,
  };
  class DecoderSink;
  struct Heartbeat {
    explicit Heartbeat(WebSocketHeartbeat asked) : wanted(std::move(asked)) {}
    const WebSocketHeartbeat wanted;
    std::uint32_t pinged_at = 0;   // In deciseconds, as below.
    std::uint32_t message_at = 0;  // The last text message.
    bool answered = true;
  };

  void on_bytes(std::span<char> bytes) override;
  void on_end() override { finish(); }
  void on_writable() override;
  void on_lost() override { finish(); }

  void on_ping(std::string_view payload);
  void on_peer_close(std::uint16_t code);
  Millis ping_interval() const;
  Millis idle_time() const;
  void on_silence();
  void beat(std::uint32_t now);
  void ping(std::string_view payload);
  void fail(std::uint16_t code, std::string_view reason);
  void queue_close(std::uint16_t code, std::string_view reason);
  void queue_pong(std::string_view payload);
  FramePtr control_frame(std::string_view bytes);
  void finish();

  Edge& edge_;
  std::unique_ptr<Stream> stream_;
  std::unique_ptr<Dialog> dialog_;
  std::unique_ptr<Heartbeat> heartbeat_;      // Null: the edge's way of finding out who is gone.
  std::unique_ptr<std::string> latest_ping_;  // Came while the outbox was blocked; the only one answered (RFC 6455, 5.5.3).
  WebSocketDecoder decoder_;
  // Times in deciseconds of the loop's clock, in 32 bits to keep an idle connection small.
  std::uint32_t heard_at_;
  std::uint32_t blocked_since_ = 0;  // 0: all that waited has left.
  std::uint32_t message_bytes_max_;
  std::uint16_t ping_interval_;  // In deciseconds; 0: the edge's.
  std::uint16_t idle_time_;
  std::uint8_t window_bits_;
  State state_ = State::kOpen;
  bool pinged_ = false;  // Since the peer was last heard.
};

}  // namespace carillon
