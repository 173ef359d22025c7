#include "client/subscriber.h"

#include <fmt/core.h>

#include <algorithm>
#include <thread>

namespace carillon {

namespace {

// A server that closes says why before it stops listening; that tells more than our failure to speak to it.
std::string reason_of_loss(WebSocketClient& socket, const std::string& otherwise) {
  const Result<WebSocketClient::Heard> heard = socket.receive(std::chrono::milliseconds(0));
  return heard && heard->kind == WebSocketClient::Heard::Kind::kClosed ? heard->text : otherwise;
}

}  // namespace

std::chrono::milliseconds Backoff::next(std::uint32_t random) {
  const std::int64_t whole = next_.count();
  next_ = std::min(next_ * 2, longest_);
  return std::chrono::milliseconds(whole - static_cast<std::int64_t>(random) % (whole / 2 + 1));
}

Subscriber::Subscriber(ClientUrl url, SubscriberOptions options, SubscriberListener& listener)
    : url_(std::move(url)),
      options_(std::move(options)),
      listener_(listener),
      talk_(options_.start),
      backoff_(options_.backoff_first, options_.backoff_longest) {}

Result<void> Subscriber::run() {
  const std::string target = options_.path + (options_.dotted ? "?events=dotted" : "");
  bool connected_before = false;
  while (true) {
    Error lost;
    Result<WebSocketClient> socket = WebSocketClient::connect(url_, target, {.bearer = options_.bearer});
    if (socket) {
      if (connected_before) listener_.on_notice("connected again");
      connected_before = true;
      const Talked talked = talk(*socket);
      if (talked.end == End::kEnough) return {};
      lost = {talked.end == End::kRefused ? ErrorKind::kInvalid : ErrorKind::kUnavailable, talked.text};
      if (talked.end == End::kRefused) return lost;
    } else {
      lost = socket.error();
      const bool for_good = lost.kind == ErrorKind::kUnauthorized || lost.kind == ErrorKind::kForbidden;
      if (!connected_before || for_good) return lost;
    }
    if (!options_.reconnect) return lost;
    const std::chrono::milliseconds wait = backoff_.next(random_u32());
    listener_.on_notice(fmt::format("{}; trying again in {:.1f} s", lost.text, static_cast<double>(wait.count()) / 1000));
    std::this_thread::sleep_for(wait);
  }
}

bool Subscriber::tell(const SubscriberTalk::Outcome& outcome) {
  const bool event = outcome.kind == SubscriberTalk::Outcome::Kind::kEvent;
  return event ? listener_.on_event(outcome.text) : listener_.on_presence(outcome.text);
}

// One connection's talk, to its end.
Subscriber::Talked Subscriber::talk(WebSocketClient& socket) {
  for (const std::string& command : talk_.on_connected()) {
    if (const Result<void> sent = socket.send_text(command); !sent)
      return {End::kLost, reason_of_loss(socket, sent.error().text)};
  }
  bool pinged = false;
  while (true) {
    const Result<WebSocketClient::Heard> heard = socket.receive(options_.silence_time);
    if (!heard) return {End::kLost, heard.error().text};
    switch (heard->kind) {
      case WebSocketClient::Heard::Kind::kClosed: return {End::kLost, heard->text};
      case WebSocketClient::Heard::Kind::kAlive: pinged = false; continue;
      case WebSocketClient::Heard::Kind::kNothing:
        if (pinged) return {End::kLost, "the server has fallen silent"};
        if (const Result<void> sent = socket.send_ping(); !sent) return {End::kLost, sent.error().text};
        pinged = true;
        continue;
      case WebSocketClient::Heard::Kind::kMessage: pinged = false; break;
    }
    const SubscriberTalk::Outcome outcome = talk_.on_message(heard->text);
    if (talk_.all_confirmed()) backoff_.reset();
    switch (outcome.kind) {
      case SubscriberTalk::Outcome::Kind::kNothing: break;
      case SubscriberTalk::Outcome::Kind::kNotice: listener_.on_notice(outcome.text); break;
      case SubscriberTalk::Outcome::Kind::kLater: socket.close(); return {End::kLost, outcome.text};
      case SubscriberTalk::Outcome::Kind::kRefused: socket.close(); return {End::kRefused, outcome.text};
      case SubscriberTalk::Outcome::Kind::kEvent:
      case SubscriberTalk::Outcome::Kind::kPresence: {
        const bool more = tell(outcome);
        if (!outcome.reply.empty()) {
          if (const Result<void> sent = socket.send_text(outcome.reply); !sent && more) {
            return {End::kLost, reason_of_loss(socket, sent.error().text)};
          }
        }
        if (more) break;
        socket.close();
        return {End::kEnough, {}};
      }
    }
  }
}

}  // namespace carillon
