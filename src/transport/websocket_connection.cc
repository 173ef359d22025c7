#include "transport/websocket_connection.h"

#include <algorithm>

#include "base/check.h"
#include "transport/outbox_writer.h"

namespace carillon {
namespace {

bool has_passed(std::uint32_t now, std::uint32_t since, Millis limit) {
  return Millis{100} * static_cast<std::int64_t>(now - since) >= limit;
}

std::uint16_t in_deciseconds(Millis time) {
  return static_cast<std::uint16_t>(std::clamp<std::int64_t>(time.count() / 100, 0, UINT16_MAX));
}

Framing framing(MessageKind kind, std::uint8_t window_bits) {
  return {.kind = kind == MessageKind::kText ? Framing::Kind::kWebSocketText : Framing::Kind::kWebSocketBinary,
          .window_bits = window_bits};
}

}  // namespace

class WebSocketConnection::DecoderSink final : public WebSocketDecoder::Sink {
 public:
  explicit DecoderSink(WebSocketConnection& connection) : connection_(connection) {}

  void on_message(WebSocketOpcode opcode, std::string_view message) override {
    if (connection_.state_ != State::kOpen) return;
    if (connection_.heartbeat_ != nullptr && opcode == WebSocketOpcode::kText) {
      connection_.heartbeat_->message_at = connection_.edge_.deciseconds();
    }
    connection_.dialog_->on_message(message, opcode == WebSocketOpcode::kText ? MessageKind::kText : MessageKind::kBinary);
    if (connection_.state_ == State::kGone) connection_.decoder_.stop();
  }
  void on_ping(std::string_view payload) override { connection_.on_ping(payload); }
  void on_pong(std::string_view) override {
    if (connection_.heartbeat_ != nullptr) connection_.heartbeat_->answered = true;
  }
  void on_close(std::optional<std::uint16_t> code, std::string_view) override {
    connection_.on_peer_close(code.value_or(kCloseNoStatus));
  }
  void on_fault(std::uint16_t code, std::string_view reason) override { connection_.fail(code, reason); }

 private:
  WebSocketConnection& connection_;
};

WebSocketConnection::WebSocketConnection(Edge& edge, std::unique_ptr<Stream> stream, Settings settings)
    : edge_(edge),
      stream_(std::move(stream)),
      heard_at_(edge.deciseconds()),
      message_bytes_max_(static_cast<std::uint32_t>(std::min<std::size_t>(settings.message_bytes_max, UINT32_MAX))),
      ping_interval_(in_deciseconds(settings.ping_interval)),
      idle_time_(in_deciseconds(settings.idle_time)),
      window_bits_(settings.window_bits) {
  if (settings.heartbeat) heartbeat_ = std::make_unique<Heartbeat>(*std::move(settings.heartbeat));
  stream_->set_handler(*this);
  edge_.counters().websockets.add();
}

WebSocketConnection::~WebSocketConnection() {
  if (state_ == State::kGone) return;
  edge_.counters().websockets.subtract();
  if (state_ == State::kOpen && dialog_ != nullptr) dialog_->on_link_closed();
}

void WebSocketConnection::open(OpenDialog open, std::string_view handshake) {
  dialog_ = open(*this);
  CHECK(dialog_ != nullptr);
  dialog_->outbox().push_urgent(control_frame(handshake));
  flush();
  if (heartbeat_ == nullptr || state_ != State::kOpen) return;
  heartbeat_->message_at = edge_.deciseconds();
  beat(heartbeat_->message_at);
}

const Encoding& WebSocketConnection::framed(const Encoding& inner, MessageKind kind) {
  return edge_.encodings().framed(inner, framing(kind, window_bits_));
}

void WebSocketConnection::append_framed(std::string& out, std::string_view message, MessageKind kind) {
  edge_.encodings().append(out, message, framing(kind, window_bits_));
}

FramePtr WebSocketConnection::frame(std::string_view message, MessageKind kind) {
  std::string bytes;
  append_framed(bytes, message, kind);
  return Frame::make(edge_.frame_memory(), bytes, {});
}

FramePtr WebSocketConnection::control_frame(std::string_view bytes) {
  return Frame::make(edge_.frame_memory(), bytes, {});
}

// --- In

void WebSocketConnection::on_bytes(std::span<char> bytes) {
  if (state_ == State::kLingering || state_ == State::kGone) return;
  if (state_ == State::kOpen) {
    heard_at_ = edge_.deciseconds();
    pinged_ = false;
  }
  DecoderSink sink(*this);
  decoder_.feed(bytes,
                {.message_bytes_max = message_bytes_max_,
                 .role = WebSocketDecoder::Role::kServer,
                 .inflater = window_bits_ == 0 ? nullptr : &edge_.inflater()},
                sink);
}

void WebSocketConnection::on_ping(std::string_view payload) {
  if (state_ != State::kOpen) return;
  if (blocked_since_ != 0) {
    latest_ping_ = std::make_unique<std::string>(payload);
    return;
  }
  queue_pong(payload);
  flush();
}

void WebSocketConnection::queue_pong(std::string_view payload) {
  std::string bytes;
  append_frame(bytes, WebSocketOpcode::kPong, payload);
  dialog_->outbox().push_urgent(control_frame(bytes));
}

void WebSocketConnection::on_peer_close(std::uint16_t code) {
  if (state_ == State::kOpen) queue_close(code, {});  // Its own code comes back (section 5.5.1).
  state_ = State::kEnding;
  flush();
}

void WebSocketConnection::fail(std::uint16_t code, std::string_view reason) {
  edge_.counters().protocol_errors_total.add();
  if (state_ == State::kOpen) queue_close(code, reason);
  state_ = State::kEnding;
  flush();
}

// --- Out

void WebSocketConnection::close(std::uint16_t code, std::string_view reason) {
  if (state_ != State::kOpen) return;
  queue_close(code, reason);
  flush();
}

// The last frame there is (section 5.5.1): the dialog is over, so that it queues nothing behind it.
void WebSocketConnection::queue_close(std::uint16_t code, std::string_view reason) {
  std::string bytes;
  append_close_frame(bytes, code, reason);
  state_ = State::kClosing;
  dialog_->outbox().push(control_frame(bytes));
  dialog_->on_link_closed();
  heard_at_ = edge_.deciseconds();  // From here counts the time to close.
}

void WebSocketConnection::flush() {
  if (state_ == State::kLingering || state_ == State::kGone) return;
  if (!write_outbox(*stream_, dialog_->outbox())) {
    if (blocked_since_ == 0) blocked_since_ = edge_.deciseconds();
    return;
  }
  blocked_since_ = 0;
  if (state_ != State::kEnding) return;
  state_ = State::kLingering;
  heard_at_ = edge_.deciseconds();
  stream_->shutdown_write();
}

void WebSocketConnection::on_writable() {
  blocked_since_ = 0;
  if (heartbeat_ != nullptr) heartbeat_->pinged_at = edge_.deciseconds();  // Until now the ping may have waited here.
  if (state_ == State::kOpen) {
    if (const auto ping = std::move(latest_ping_)) queue_pong(*ping);
    dialog_->on_room();
  } else {
    flush();
  }
}

// --- Time

void WebSocketConnection::on_sweep(Millis) {
  const EdgeOptions& options = edge_.options();
  const std::uint32_t now = edge_.deciseconds();
  const auto gave_up = [this] {
    edge_.counters().timeouts_total.add();
    finish();
  };
  if (blocked_since_ != 0 && has_passed(now, blocked_since_, options.stall_time)) return gave_up();
  if (state_ == State::kLingering) {
    if (has_passed(now, heard_at_, options.linger_time)) finish();
    return;
  }
  if (state_ != State::kOpen) {
    if (has_passed(now, heard_at_, options.close_time)) finish();
    return;
  }
  if (heartbeat_ != nullptr) return beat(now);
  if (has_passed(now, heard_at_, idle_time())) return on_silence();
  if (pinged_ || !has_passed(now, heard_at_, ping_interval())) return;
  pinged_ = true;
  ping({});
}

void WebSocketConnection::ping(std::string_view payload) {
  std::string bytes;
  append_frame(bytes, WebSocketOpcode::kPing, payload);
  dialog_->outbox().push_urgent(control_frame(bytes));
  flush();
}

// Who takes nothing is the stall time's.
void WebSocketConnection::beat(std::uint32_t now) {
  Heartbeat& heart = *heartbeat_;
  const WebSocketHeartbeat& wanted = heart.wanted;
  const auto goodbye = [this](std::string_view reason) {
    edge_.counters().timeouts_total.add();
    close(kCloseGoingAway, reason);
  };
  if (wanted.message_time.count() > 0 && has_passed(now, heart.message_at, wanted.message_time)) {
    return goodbye("no message came for too long");
  }
  if (blocked_since_ != 0) return;
  if (!heart.answered && has_passed(now, heart.pinged_at, wanted.pong_time)) return goodbye("a ping was not answered");
  if (heart.pinged_at != 0 && !has_passed(now, heart.pinged_at, wanted.interval)) return;
  heart.pinged_at = now;
  heart.answered = false;
  ping(wanted.payload);
}

Millis WebSocketConnection::ping_interval() const {
  return ping_interval_ == 0 ? edge_.options().ping_interval : Millis{100} * ping_interval_;
}

Millis WebSocketConnection::idle_time() const {
  return idle_time_ == 0 ? edge_.options().idle_time : Millis{100} * idle_time_;
}

void WebSocketConnection::on_silence() {
  edge_.counters().timeouts_total.add();
  if (idle_time_ == 0) return finish();
  close(kCloseGoingAway, "nothing was heard for too long");
}

void WebSocketConnection::on_drain() {
  if (state_ != State::kOpen) return;
  const std::uint16_t code = dialog_->on_drain();
  close(code, "the server is stopping");
}

void WebSocketConnection::finish() {
  if (state_ == State::kGone) return;
  const bool was_open = std::exchange(state_, State::kGone) == State::kOpen;
  edge_.counters().websockets.subtract();
  stream_->close();
  if (was_open) dialog_->on_link_closed();
  edge_.remove(*this);
}

}  // namespace carillon
