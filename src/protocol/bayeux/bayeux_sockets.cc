#include "protocol/bayeux/bayeux_sockets.h"

#include <algorithm>

#include "protocol/bayeux/bayeux_codec.h"
#include "protocol/bayeux/bayeux_sessions.h"

namespace carillon {
namespace {

// "[…]" of messages with a comma behind each.
std::string array_of(const Frame& messages) {
  std::string out;
  out.reserve(messages.bytes().size() + 1);
  out += '[';
  out += messages.bytes();
  out.back() = ']';
  return out;
}

}  // namespace

BayeuxSocket::BayeuxSocket(BayeuxSessions& owner, Link& link, BayeuxTransport transport, BayeuxVisitor visitor)
    : owner_(owner),
      link_(link),
      transport_(transport),
      number_(owner.sockets().add(*this)),
      framing_(&link.framed(owner.encoding(), MessageKind::kText)),
      visitor_(std::move(visitor)) {}

BayeuxSocket::~BayeuxSocket() {
  on_link_closed();
}

// --- In

void BayeuxSocket::on_message(std::string_view message, MessageKind kind) {
  if (closed_) return;
  if (kind == MessageKind::kBinary) return end(kCloseUnsupportedData, "Bayeux messages are text");
  const std::string_view client_id = glance_at_client_id(message);
  if (BayeuxRelay* const relay = relay_for(client_id, message)) {
    const Result<void> taken = relay->take(message);
    if (!taken) end(taken.error().kind == ErrorKind::kLimit ? kCloseTryAgainLater : kCloseInternalError, taken.error().text);
    return;
  }
  const std::optional<std::size_t> shown = bayeux_place(client_id);
  if (shown && *shown < owner_.common().siblings.count()) {
    far_ = *shown == owner_.place() ? std::nullopt : shown;
  } else if (message.find("/meta/handshake") != std::string_view::npos) {
    far_.reset();
  }
  if (far_) {
    return owner_.common().siblings.post(*far_, [name = BayeuxSocketName{owner_.place(), number_}, transport = transport_,
                                                 text = std::string(message)](BayeuxSessions& there) {
      BayeuxFarLine& line = there.far_lines().line(name, transport);
      const Result<void> taken = there.take(line, text, nullptr);
      if (!taken) line.close(kCloseInternalError, taken.error().text);
    });
  }
  const Result<void> taken = owner_.take(*this, message, &visitor_);
  if (!taken) end(kCloseInternalError, taken.error().text);
}

// Null: the message is for this node.
BayeuxRelay* BayeuxSocket::relay_for(std::string_view client_id, std::string_view message) {
  NodeForward* const nodes = owner_.parts().nodes;
  if (nodes == nullptr || !owner_.common().relays) return nullptr;
  const bool goes_on = client_id.empty() && message.find("/meta/handshake") == std::string_view::npos;
  if (goes_on) return relay_.get();
  const std::uint16_t node = bayeux_node(client_id);
  if (!is_elsewhere(nodes, node, HttpRequest())) {
    relay_.reset();
  } else if (relay_ == nullptr || relay_->node() != node) {
    leave_session();
    relay_ = std::make_unique<BayeuxRelay>(owner_, *this, node, BayeuxRelay::Client{link_.peer(), visitor_.cookie});
  }
  return relay_.get();
}

void BayeuxSocket::begin_stream(std::string_view client_id, std::string_view cookie) {
  // Leaves when the session has the stream: a client that sees its head misses nothing from then on.
  outbox_.push(link_.frame("retry: 1000\n\n", MessageKind::kText));
  const std::optional<std::size_t> place = bayeux_place(client_id);
  if (!place || *place >= owner_.common().siblings.count()) return end(kCloseNormal, "no such session");
  if (*place == owner_.place()) {
    if (!owner_.attach(*this, client_id, cookie)) return end(kCloseNormal, "no such session");
    return flush();
  }
  far_ = place;
  owner_.common().siblings.post(*place, [name = BayeuxSocketName{owner_.place(), number_}, transport = transport_,
                                         id = std::string(client_id), cookie = std::string(cookie)](BayeuxSessions& there) {
    BayeuxFarLine& line = there.far_lines().line(name, transport);
    if (!there.attach(line, id, cookie)) return line.close(kCloseNormal, "no such session");
    there.common().siblings.post(name.place, [number = name.number](BayeuxSessions& back) { back.sockets().send(number, {}); });
  });
}

// --- Out

void BayeuxSocket::send(const FramePtr& messages) {
  if (closed_) return;
  if (transport_ == BayeuxTransport::kWebSocket) return outbox_.push(owner_.sockets().framed(messages, framing_, link_));
  outbox_.push(link_.frame(block(array_of(*messages)), MessageKind::kText));
}

void BayeuxSocket::send_array(std::string_view array) {
  if (closed_) return;
  outbox_.push(transport_ == BayeuxTransport::kWebSocket ? link_.frame(array, MessageKind::kText)
                                                         : link_.frame(block(array), MessageKind::kText));
}

// As an event of an event stream. Line ends are blanks to JSON, but not there.
std::string BayeuxSocket::block(std::string_view array) const {
  std::string out = "data: ";
  out += array;
  std::ranges::replace(out, '\n', ' ');
  std::ranges::replace(out, '\r', ' ');
  return out + "\n\n";
}

void BayeuxSocket::flush() {
  if (closed_) return;
  link_.flush();
  tell_left();
  // A client that asks must also read.
  if (outbox_.bytes() > owner_.shard().hub().options().outbox_bytes_max + kRoom) {
    end(kCloseTryAgainLater, "slow consumer: more waits for this client than the server keeps");
  }
}

void BayeuxSocket::on_room() {
  if (closed_) return;
  link_.flush();
  tell_left();
  if (session() != nullptr && has_room()) session()->on_line_room();
}

void BayeuxSocket::tell_left() {
  if (untold_ == 0 || !far_ || !has_room()) return;
  owner_.common().siblings.post(
      *far_, [name = BayeuxSocketName{owner_.place(), number_}, bytes = std::exchange(untold_, 0)](BayeuxSessions& there) {
        if (BayeuxFarLine* const line = there.far_lines().find(name)) line->on_left(bytes);
      });
}

void BayeuxSocket::on_quiet() {
  if (closed_) return;
  outbox_.push(link_.frame(":\n\n", MessageKind::kText));
  link_.flush();
}

void BayeuxSocket::take_far(const std::vector<std::string>& arrays) {
  for (const std::string& array : arrays) {
    untold_ += array.size();
    send_array(array);
  }
  flush();
}

// --- The end

void BayeuxSocket::close(std::uint16_t code, std::string_view reason) {
  end(code, reason);
}

void BayeuxSocket::end(std::uint16_t code, std::string_view reason) {
  if (!closed_) link_.close(code, reason);
}

void BayeuxSocket::on_link_closed() {
  if (std::exchange(closed_, true)) return;
  owner_.sockets().remove(number_);
  if (relay_ != nullptr) relay_->end();
  leave_session();
}

void BayeuxSocket::leave_session() {
  if (session() != nullptr) session()->on_line_gone(*this);
  if (!far_) return;
  owner_.common().siblings.post(
      *std::exchange(far_, std::nullopt),
      [name = BayeuxSocketName{owner_.place(), number_}](BayeuxSessions& there) { there.far_lines().forget(name); });
}

// --- All of a loop

BayeuxSockets::BayeuxSockets(BayeuxSessions& owner) : owner_(owner), forget_([this] { made_.clear(); }) {}

std::uint64_t BayeuxSockets::add(BayeuxSocket& socket) {
  all_.emplace(++last_, &socket);
  return last_;
}

void BayeuxSockets::send(std::uint64_t number, const std::vector<std::string>& arrays) {
  const auto found = all_.find(number);
  if (found != all_.end()) found->second->take_far(arrays);
}

void BayeuxSockets::close(std::uint64_t number, std::uint16_t code, std::string_view reason) {
  const auto found = all_.find(number);
  if (found != all_.end()) found->second->close(code, reason);
}

void BayeuxSockets::ask_for_session(std::string_view client_id, std::string_view cookie, UniqueFunction<void(bool)> then) {
  const std::optional<std::size_t> place = bayeux_place(client_id);
  if (!place || *place >= owner_.common().siblings.count()) return then(false);
  if (*place == owner_.place()) return then(owner_.has_session(client_id, cookie));
  questions_.emplace(++last_, std::move(then));
  owner_.common().siblings.post(*place, [from = owner_.place(), number = last_, id = std::string(client_id),
                                         shown = std::string(cookie)](BayeuxSessions& there) {
    there.common().siblings.post(
        from, [number, is = there.has_session(id, shown)](BayeuxSessions& back) { back.sockets().answer(number, is); });
  });
}

void BayeuxSockets::answer(std::uint64_t number, bool is) {
  const auto found = questions_.find(number);
  UniqueFunction<void(bool)> then = std::move(found->second);
  questions_.erase(found);
  then(is);
}

FramePtr BayeuxSockets::framed(const FramePtr& messages, const Encoding* framing, Link& link) {
  if (made_.empty()) owner_.loop().schedule(forget_, Millis{0});
  Made& made = made_[{messages.get(), framing}];
  if (made.frame == nullptr) made = {messages, link.frame(array_of(*messages), MessageKind::kText)};
  return made.frame;
}

}  // namespace carillon
