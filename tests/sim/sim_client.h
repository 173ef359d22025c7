// SimClient: a client of the simulated world on one connection at a time: HTTP requests, a WebSocket, or an event stream.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "sim/sim_server.h"
#include "wire/http/http_response_parser.h"
#include "wire/websocket/websocket_decoder.h"
#include "wire/websocket/websocket_handshake.h"

namespace carillon {

// What a client hears. The client may be given new orders in any call, but not another connection.
class SimClientEvents {
 public:
  virtual void on_open() {}                       // The WebSocket or the event stream is there.
  virtual void on_message(std::string_view) {}    // Of a WebSocket: a text,
  virtual void on_binary(std::string_view) {}     // or bytes.
  virtual void on_line(std::string_view) {}       // Of an event stream, without its end.
  virtual void on_ping() {}                       // Also when it is not answered.
  virtual void on_answer(const HttpResponse&) {}  // To a request; also a refusal.
  virtual void on_gone(std::uint16_t) {}          // The connection has ended; a WebSocket's close code, or 1006.

 protected:
  ~SimClientEvents() = default;
};

class SimClient final : private StreamHandler, private WebSocketDecoder::Sink {
 public:
  using Fields = std::vector<HttpHeaders::Field>;

  SimClient(SimServer& server, const SimNetworkOptions& network, SimClientEvents& events);
  ~SimClient() override = default;

  // Each on a new connection.
  void open_websocket(std::string_view target, const Fields& fields = {});
  void listen(std::string_view target, const Fields& fields = {});
  // On the connection there is, unless there is none.
  void ask(std::string_view method, std::string_view target, std::string_view body = {}, const Fields& fields = {});
  // Connects and sends these bytes, whatever they are; the answer is read as one to a request.
  void send_raw(std::string_view bytes);

  void say(std::string_view message, WebSocketOpcode opcode = WebSocketOpcode::kText);
  // As a polite client goes: a close frame, or the end of the connection.
  void close(std::uint16_t code = 1000);
  // The network breaks, also between two bytes of a frame. No on_gone follows.
  void cut();
  // As cut, but the server hears nothing of it.
  void vanish();
  void pause();
  void resume();
  // Leaves pings and close frames unanswered.
  void play_dead() { dead_ = true; }
  bool connected() const { return stream_ != nullptr; }

 private:
  enum class Mode { kNone, kHttp, kWebSocket, kEventStream };

  void connect(Mode mode);
  void forget();
  void send(std::string_view bytes);
  void flush();
  void gone();
  void read_head(std::string_view& bytes);
  void read_lines(std::string_view text);
  void frame(WebSocketOpcode opcode, std::string_view payload);

  void on_bytes(std::span<char> bytes) override;
  void on_end() override;
  void on_writable() override { flush(); }
  void on_lost() override;
  void on_message(WebSocketOpcode opcode, std::string_view message) override;
  void on_ping(std::string_view payload) override;
  void on_pong(std::string_view) override {}
  void on_close(std::optional<std::uint16_t> code, std::string_view reason) override;
  void on_fault(std::uint16_t code, std::string_view reason) override;

  SimServer& server_;
  const SimNetworkOptions network_;
  SimClientEvents& events_;
  std::shared_ptr<SimConnection> connection_;
  std::unique_ptr<Stream> stream_;
  Mode wanted_ = Mode::kNone;
  Mode mode_ = Mode::kNone;
  HttpResponseParser parser_;
  WebSocketDecoder decoder_;
  std::string out_;
  std::string line_;
  std::string key_;
  std::uint16_t code_ = kCloseAbnormal;
  bool said_goodbye_ = false;
  bool dead_ = false;
};

}  // namespace carillon
