#include "protocol/phoenix/phoenix_poll.h"

#include "base/check.h"
#include "protocol/phoenix/phoenix_polls.h"

namespace carillon {

PhoenixPoll::PhoenixPoll(PhoenixPolls& owner, std::string token, PeerAddress peer)
    : owner_(owner), token_(std::move(token)), peer_(std::move(peer)) {}

PhoenixPoll::~PhoenixPoll() {
  owner_.deadlines_.remove(*this, deadline_);
  if (!closed_ && dialog_ != nullptr) dialog_->on_link_closed();
}

void PhoenixPoll::open(std::unique_ptr<Dialog> dialog) {
  dialog_ = std::move(dialog);
  wait_until(owner_.loop_.now() + owner_.limits_.window * 3 / 2);
}

// --- In

void PhoenixPoll::poll(ExchangePtr exchange) {
  if (held_ != nullptr) held_->reply(phoenix_poll_response(phoenix_poll_messages(token_, {})));
  held_ = std::move(exchange);
  wait_until(owner_.loop_.now() + owner_.limits_.window);
  // The hooks end with the exchange, and that with this.
  held_->on_gone([this] {
    held_.reset();
    wait_until(owner_.loop_.now() + owner_.limits_.window * 3 / 2);
  });
  if (held_ != nullptr) held_->on_drain([this] { answer(); });
  dialog_->on_room();
  if (!closed_) flush();
}

bool PhoenixPoll::take(std::string_view frame, MessageKind kind) {
  if (!closed_) dialog_->on_message(frame, kind);
  return !closed_;
}

// --- Out

const Encoding& PhoenixPoll::framed(const Encoding& inner, MessageKind) {
  return owner_.framed(inner);
}

void PhoenixPoll::append_framed(std::string& out, std::string_view message, MessageKind kind) {
  CHECK(kind == MessageKind::kText);  // Only forms with a `binary_link` have other messages.
  append_phoenix_poll_message(out, message);
}

FramePtr PhoenixPoll::frame(std::string_view message, MessageKind kind) {
  std::string bytes;
  append_framed(bytes, message, kind);
  return Frame::make(owner_.parts_.shared.shard.frame_memory(), bytes, {});
}

void PhoenixPoll::flush() {
  const bool waits = !unsent_.empty() || !dialog_->outbox().empty();
  if (held_ != nullptr && waits && leaving_.empty()) answer();
}

// At most about one outbox full at a time, so that what could not leave does not grow from poll to poll.
void PhoenixPoll::answer() {
  std::string messages;
  if (leaving_.empty()) {
    messages = std::exchange(unsent_, {});
    const std::size_t most = owner_.parts_.shared.shard.hub().options().outbox_bytes_max;
    while (!dialog_->outbox().empty() && messages.size() < most) messages += dialog_->outbox().pop()->bytes();
  }
  wait_until(owner_.loop_.now() + owner_.limits_.window * 3 / 2);
  const ExchangePtr exchange = std::move(held_);
  HttpResponse response = phoenix_poll_response(phoenix_poll_messages(token_, messages));
  if (messages.empty()) return exchange->reply(std::move(response));
  leaving_ = std::move(messages);
  exchange->reply(std::move(response), [&polls = owner_, token = token_](bool sent) {
    if (PhoenixPoll* const session = polls.find(token)) session->on_sent(sent);
  });
}

void PhoenixPoll::on_sent(bool sent) {
  if (!sent) unsent_ = std::move(leaving_);
  leaving_.clear();
  if (!closed_) flush();
}

void PhoenixPoll::close(std::uint16_t, std::string_view) {
  if (std::exchange(closed_, true)) return;
  if (held_ != nullptr) answer();
  dialog_->on_link_closed();
  owner_.remove(*this);
}

// --- Time

void PhoenixPoll::on_deadline() {
  if (held_ != nullptr) return answer();
  close(kCloseGoingAway, "no poll came");
}

void PhoenixPoll::wait_until(Millis deadline) {
  owner_.deadlines_.remove(*this, deadline_);
  deadline_ = deadline;
  owner_.deadlines_.add(*this, deadline_);
}

// --- Shared frames

template <class Encode>
void PhoenixPollEncoding::append(std::string& out, Encode encode) const {
  std::string message;
  encode(message);
  if (!message.empty()) append_phoenix_poll_message(out, message);
}

void PhoenixPollEncoding::encode(const Publication& publication, std::string& out) const {
  append(out, [&](std::string& message) { inner_.encode(publication, message); });
}

void PhoenixPollEncoding::encode_presence(const PresenceUpdate& diff, std::string& out) const {
  append(out, [&](std::string& message) { inner_.encode_presence(diff, message); });
}

void PhoenixPollEncoding::encode_presence_counts(std::string_view channel, const PresenceCounts& counts,
                                                 std::string& out) const {
  append(out, [&](std::string& message) { inner_.encode_presence_counts(channel, counts, message); });
}

}  // namespace carillon
