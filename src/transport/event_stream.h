// EventStream: one client that only listens: an HTTP response whose body goes on (server-sent events).
#pragma once

#include <cstdint>
#include <memory>

#include "protocol/dialog.h"
#include "transport/connection.h"
#include "transport/edge.h"

namespace carillon {

class EventStream final : public Connection, public StreamHandler, public Link {
 public:
  // `chunked`: HTTP/1.1's framing of the body; else it ends with the connection.
  EventStream(Edge& edge, std::unique_ptr<Stream> stream, bool chunked, Millis quiet_time);
  ~EventStream() override;

  // Makes the dialog; `head` leaves before anything the dialog says. A dialog may say more than its outbox holds while it is
  // made, and even want to close: nothing leaves before it is there.
  void open(OpenDialog open, std::string_view head);

  const Encoding& framed(const Encoding& inner, MessageKind kind) override;
  void append_framed(std::string& out, std::string_view message, MessageKind kind) override;
  FramePtr frame(std::string_view message, MessageKind kind) override;
  void flush() override;
  void close(std::uint16_t code, std::string_view reason) override;
  PeerAddress peer() const override { return stream_->peer(); }

  void on_sweep(Millis now) override;
  void on_drain() override;

 private:
  enum class State : std::uint8_t { kOpen, kEnding, kLingering, kGone };

  void on_bytes(std::span<char>) override {}  // A client has nothing to say here.
  void on_end() override { finish(); }
  void on_writable() override;
  void on_lost() override { finish(); }
  void finish();

  Edge& edge_;
  std::unique_ptr<Stream> stream_;
  std::unique_ptr<Dialog> dialog_;
  Millis quiet_time_;
  Millis sent_at_;           // When all that waited had left last.
  Millis blocked_since_{0};  // 0: nothing waits.
  State state_ = State::kOpen;
  bool chunked_;
};

}  // namespace carillon
