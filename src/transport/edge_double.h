// A world for transport's tests: an edge on a loop turned by hand, peers whose streams can be slow, paused, cut and lost, and
// routes whose answers the test gives when it likes. One thread.
#pragma once

#include <algorithm>
#include <cstring>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/check.h"
#include "base/manual_loop.h"
#include "transport/edge.h"
#include "wire/websocket/websocket_frame.h"

namespace carillon {

// The client's end of a stream. Outlives the stream.
class PeerDouble {
 public:
  static constexpr std::size_t kAll = SIZE_MAX;

  // What the server may write from now on; more waits for room().
  std::size_t takes = kAll;
  bool closed = false;      // The server closed, both ways.
  bool write_shut = false;  // The server said that it sends nothing more.
  bool paused = false;
  bool freed = false;

  // Everything received since the last call.
  std::string received() { return std::exchange(received_, {}); }

  // Bytes reach the server at once, or when it reads again. In a block of their own, so that a sanitizer sees who keeps them.
  void send(std::string_view bytes) {
    unread_ += bytes;
    deliver();
  }
  void end() {
    ended_ = true;
    deliver();
  }
  void lose() {
    if (closed) return;
    closed = true;
    handler_->on_lost();
  }
  // The server may write so much more, and hears of it if it waits.
  void room(std::size_t bytes) {
    takes = bytes;
    if (!closed && std::exchange(blocked_, false)) handler_->on_writable();
  }

 private:
  friend class StreamDouble;

  void deliver() {
    while (!unread_.empty() && !paused && !closed) {
      const std::string bytes = std::exchange(unread_, {});
      const std::unique_ptr<char[]> block(new char[bytes.size()]);
      std::memcpy(block.get(), bytes.data(), bytes.size());
      handler_->on_bytes({block.get(), bytes.size()});
    }
    if (ended_ && !paused && !closed && !std::exchange(told_end_, true)) handler_->on_end();
  }

  StreamHandler* handler_ = nullptr;
  std::string received_;
  std::string unread_;
  bool blocked_ = false;
  bool ended_ = false;
  bool told_end_ = false;
};

class StreamDouble final : public Stream {
 public:
  explicit StreamDouble(std::shared_ptr<PeerDouble> peer) : peer_(std::move(peer)) {}
  ~StreamDouble() override { peer_->closed = peer_->freed = true; }

  void set_handler(StreamHandler& handler) override { peer_->handler_ = &handler; }
  std::size_t write(std::span<const std::string_view> pieces) override {
    CHECK(!peer_->write_shut);
    std::size_t taken = 0;
    for (const std::string_view piece : pieces) {
      if (peer_->closed || peer_->blocked_) break;
      const std::size_t count = std::min(piece.size(), peer_->takes);
      peer_->received_ += piece.substr(0, count);
      if (peer_->takes != PeerDouble::kAll) peer_->takes -= count;
      peer_->blocked_ = count < piece.size();
      taken += count;
    }
    return taken;
  }
  void pause_reading() override { peer_->paused = true; }
  // As with epoll, what waits comes later and not inside the call: with the next send() or end().
  void resume_reading() override { peer_->paused = false; }
  void shutdown_write() override { peer_->write_shut = true; }
  void close() override { peer_->closed = true; }
  PeerAddress peer() const override { return {.text = "192.0.2.1:5000", .loopback = false}; }

 private:
  const std::shared_ptr<PeerDouble> peer_;
};

class DialogDouble final : public Dialog {
 public:
  explicit DialogDouble(Link& opened) : link(opened) {}
  ~DialogDouble() override { CHECK(closed); }

  Outbox& outbox() override { return outbox_; }
  void on_message(std::string_view message, MessageKind kind) override {
    CHECK(!closed);
    messages.push_back((kind == MessageKind::kText ? "text " : "binary ") + std::string(message));
    if (then_on_message) then_on_message(messages.back());
  }
  void on_room() override {
    CHECK(!closed);
    link.flush();
  }
  void on_quiet() override {
    CHECK(!closed);
    ++quiet;
    say(":\n\n");
  }
  std::uint16_t on_drain() override {
    CHECK(!closed);
    if (!last_word.empty()) say(last_word);
    return drain_code;
  }
  void on_link_closed() override { CHECK(!std::exchange(closed, true)); }

  void say(std::string_view message, MessageKind kind = MessageKind::kText) {
    outbox_.push(link.frame(message, kind));
    link.flush();
  }

  Link& link;
  std::vector<std::string> messages;
  std::function<void(const std::string&)> then_on_message;
  std::string last_word;  // Said when the server stops.
  std::uint16_t drain_code = kCloseGoingAway;
  int quiet = 0;
  bool closed = false;

 private:
  Outbox outbox_;
};

class ClockDouble final : public Clock {
 public:
  std::int64_t unix_ms() const override { return 784'111'777'000; }  // 6 November 1994, 08:49:37.
};

class CountingRandom final : public Random {
 public:
  void fill(std::span<std::uint8_t> bytes) override {
    for (std::uint8_t& byte : bytes) byte = ++last_;
  }

 private:
  std::uint8_t last_ = 0;
};

class EdgeWorld {
 public:
  explicit EdgeWorld(EdgeOptions options = {}, std::vector<std::string> origins = {}) {
    shared.options = options;
    shared.origins = Origins(std::move(origins), false);
    edge = std::make_unique<Edge>(shared, loop, clock_, random_, frame_memory);
    Router& router = edge->router();
    router.add("GET", "/now", [this](ExchangePtr exchange) {
      ++asked;
      HttpResponse response;
      response.body = "now " + exchange->request().query;
      exchange->reply(std::move(response));
    });
    router.add("POST", "/echo", [](ExchangePtr exchange) {
      HttpResponse response;
      response.body = exchange->request().body;
      exchange->reply(std::move(response));
    });
    router.add("GET", "/later", [this](ExchangePtr exchange) { parked.push_back(std::move(exchange)); });
    router.add("POST", "/later", [this](ExchangePtr exchange) { parked.push_back(std::move(exchange)); });
    router.add("GET", "/for_all", [](ExchangePtr exchange) {
      HttpResponse response;
      response.headers.add("Access-Control-Allow-Origin", "*");
      exchange->reply(std::move(response));
    });
    router.add("GET", "/never", [](ExchangePtr) {});
    router.add("GET", "/ws", [this](ExchangePtr exchange) { accept(std::move(exchange)); });
    router.add("GET", "/stream", [this](ExchangePtr exchange) {
      const std::size_t before = dialogs;
      open_stream(std::move(exchange));
      if (dialogs > before) dialog->link.flush();  // As a dialog that has said something.
    });
    router.add("GET", "/quiet_stream", [this](ExchangePtr exchange) { open_stream(std::move(exchange)); });
    edge->start();
  }
  // In the server's order: what rooms hold, then the edge, then the loop.
  ~EdgeWorld() {
    parked.clear();
    edge.reset();
  }

  std::shared_ptr<PeerDouble> connect() {
    auto peer = std::make_shared<PeerDouble>();
    edge->on_stream(std::make_unique<StreamDouble>(peer));
    return peer;
  }
  // What the server says to these bytes on a connection of their own.
  std::string ask(std::string_view request) {
    const auto peer = connect();
    peer->send(request);
    loop.settle();
    return peer->received();
  }

  void accept(ExchangePtr exchange) {
    exchange->accept_websocket({}, [this](Link& link) { return make_dialog(link); });
  }
  void open_stream(ExchangePtr exchange) {
    HttpResponse head;
    head.headers.add("Content-Type", "text/event-stream");
    exchange->open_stream(std::move(head), {.quiet_time = Millis{15'000}}, [this](Link& link) { return make_dialog(link); });
  }
  std::unique_ptr<Dialog> make_dialog(Link& link) {
    auto made = std::make_unique<DialogDouble>(link);
    dialog = made.get();
    ++dialogs;
    return made;
  }

  // A peer whose connection is a WebSocket; the handshake has been read off.
  std::shared_ptr<PeerDouble> connect_websocket(std::string_view more_fields = {}) {
    const auto peer = connect();
    peer->send(handshake(more_fields));
    CHECK(peer->received().starts_with("HTTP/1.1 101 "));
    loop.settle();
    return peer;
  }
  static std::string handshake(std::string_view more_fields = {}) {
    return "GET /ws HTTP/1.1\r\nHost: h\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
           "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n" +
           std::string(more_fields) + "\r\n";
  }

  FrameMemory frame_memory;
  ManualLoop loop{Millis{1'000'000}};
  EdgeShared shared;
  std::unique_ptr<Edge> edge;
  std::vector<ExchangePtr> parked;
  DialogDouble* dialog = nullptr;  // Made last.
  std::size_t dialogs = 0;         // Ever made.
  int asked = 0;

 private:
  ClockDouble clock_;
  CountingRandom random_;
};

// A frame as a client sends it.
inline std::string masked(WebSocketOpcode opcode, std::string_view payload, WebSocketFrameFlags flags = {}) {
  std::string frame;
  append_masked_frame(frame, opcode, payload, 0x12345678, flags);
  return frame;
}

inline std::string masked_close(std::uint16_t code, std::string_view reason = {}) {
  return masked(WebSocketOpcode::kClose, close_payload(code, reason));
}

// What a server sent, frame by frame: "text hello", "pong x", "close 1000 bye", "text* …" when compressed. A frame that is not
// whole is "torn".
inline std::vector<std::string> frames_of(std::string_view bytes) {
  std::vector<std::string> frames;
  while (!bytes.empty()) {
    const auto at = [&](std::size_t i) { return static_cast<unsigned char>(bytes[i]); };
    if (bytes.size() < 2) return frames.push_back("torn"), frames;
    const unsigned short_length = at(1) & 0x7F;
    const std::size_t length_bytes = short_length == 126 ? 2 : short_length == 127 ? 8 : 0;
    if (bytes.size() < 2 + length_bytes) return frames.push_back("torn"), frames;
    std::size_t length = length_bytes == 0 ? short_length : 0;
    for (std::size_t i = 0; i < length_bytes; ++i) length = length << 8 | at(2 + i);
    if (bytes.size() < 2 + length_bytes + length) return frames.push_back("torn"), frames;
    const std::string_view payload = bytes.substr(2 + length_bytes, length);
    std::string text;
    switch (static_cast<WebSocketOpcode>(at(0) & 0x0F)) {
      case WebSocketOpcode::kText: text = "text"; break;
      case WebSocketOpcode::kBinary: text = "binary"; break;
      case WebSocketOpcode::kPing: text = "ping"; break;
      case WebSocketOpcode::kPong: text = "pong"; break;
      case WebSocketOpcode::kClose: text = "close"; break;
      default: text = "?"; break;
    }
    if ((at(0) & 0x40) != 0) text += '*';
    if (text == "close" && payload.size() >= 2) {
      const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(payload[i]); };
      text += ' ' + std::to_string(byte(0) << 8 | byte(1));
      if (payload.size() > 2) text += ' ' + std::string(payload.substr(2));
    } else if (!payload.empty()) {
      text += ' ' + std::string(payload);
    }
    frames.push_back(std::move(text));
    bytes.remove_prefix(2 + length_bytes + length);
  }
  return frames;
}

}  // namespace carillon
