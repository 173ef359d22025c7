#include "transport/event_stream.h"

#include "base/check.h"
#include "transport/outbox_writer.h"
#include "wire/http/http_response_writer.h"

namespace carillon {
namespace {

Framing framing(bool chunked) {
  return {.kind = chunked ? Framing::Kind::kChunk : Framing::Kind::kPlain};
}

}  // namespace

EventStream::EventStream(Edge& edge, std::unique_ptr<Stream> stream, bool chunked, Millis quiet_time)
    : edge_(edge), stream_(std::move(stream)), quiet_time_(quiet_time), sent_at_(edge.loop().now()), chunked_(chunked) {
  stream_->set_handler(*this);
  edge_.counters().event_streams.add();
}

EventStream::~EventStream() {
  if (state_ == State::kGone) return;
  edge_.counters().event_streams.subtract();
  if (state_ == State::kOpen && dialog_ != nullptr) dialog_->on_link_closed();
}

void EventStream::open(OpenDialog open, std::string_view head) {
  dialog_ = open(*this);
  CHECK(dialog_ != nullptr);
  dialog_->outbox().push_urgent(Frame::make(edge_.frame_memory(), head, {}));
}

const Encoding& EventStream::framed(const Encoding& inner, MessageKind) {
  return edge_.encodings().framed(inner, framing(chunked_));
}

void EventStream::append_framed(std::string& out, std::string_view message, MessageKind) {
  edge_.encodings().append(out, message, framing(chunked_));
}

FramePtr EventStream::frame(std::string_view message, MessageKind kind) {
  std::string bytes;
  append_framed(bytes, message, kind);
  return Frame::make(edge_.frame_memory(), bytes, {});
}

void EventStream::flush() {
  if (state_ == State::kLingering || state_ == State::kGone) return;
  const Millis now = edge_.loop().now();
  if (!write_outbox(*stream_, dialog_->outbox())) {
    if (blocked_since_ == Millis{0}) blocked_since_ = now;
    return;
  }
  blocked_since_ = Millis{0};
  sent_at_ = now;
  if (state_ != State::kEnding) return;
  state_ = State::kLingering;
  stream_->shutdown_write();
}

void EventStream::close(std::uint16_t, std::string_view) {
  if (state_ != State::kOpen) return;
  state_ = State::kEnding;
  if (chunked_) dialog_->outbox().push(Frame::make(edge_.frame_memory(), kHttpLastChunk, {}));
  dialog_->on_link_closed();  // So that it queues nothing behind the end of the body.
  flush();
}

void EventStream::on_writable() {
  blocked_since_ = Millis{0};
  if (state_ == State::kOpen) return dialog_->on_room();
  flush();
}

void EventStream::on_sweep(Millis now) {
  if (blocked_since_ != Millis{0} && now - blocked_since_ >= edge_.options().stall_time) {
    edge_.counters().timeouts_total.add();
    return finish();
  }
  if (state_ == State::kLingering && now - sent_at_ >= edge_.options().linger_time) return finish();
  const bool quiet = state_ == State::kOpen && blocked_since_ == Millis{0} && quiet_time_ > Millis{0};
  if (quiet && now - sent_at_ >= quiet_time_) dialog_->on_quiet();
}

void EventStream::on_drain() {
  if (state_ != State::kOpen) return;
  const std::uint16_t code = dialog_->on_drain();
  close(code, {});
}

void EventStream::finish() {
  if (state_ == State::kGone) return;
  const bool was_open = std::exchange(state_, State::kGone) == State::kOpen;
  edge_.counters().event_streams.subtract();
  stream_->close();
  if (was_open) dialog_->on_link_closed();
  edge_.remove(*this);
}

}  // namespace carillon
