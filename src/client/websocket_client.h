// WebSocketClient: one WebSocket to a server, blocking. One thread.
#pragma once

#include <chrono>
#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "carillon/result.h"
#include "client/client_socket.h"
#include "client/client_url.h"
#include "wire/websocket/websocket_decoder.h"

namespace carillon {

struct WebSocketClientOptions {
  std::string bearer;                                                 // The API key, or a token; empty: none is sent.
  std::chrono::milliseconds connect_time = std::chrono::seconds(10);  // To connect, and again for the handshake.
  std::chrono::milliseconds write_time = std::chrono::seconds(30);    // For the server to take what is sent.
  std::size_t message_bytes = 256 * 1024 * 1024;                      // A larger message ends the connection.
};

class WebSocketClient {
 public:
  // Errors: kUnavailable (no connection, 5xx: try again later), kUnauthorized and kForbidden (401, 403), kInvalid (anything
  // else that is no 101).
  static Result<WebSocketClient> connect(const ClientUrl& url, const std::string& target, WebSocketClientOptions options = {});

  Result<void> send_text(std::string_view text);
  Result<void> send_binary(std::string_view bytes);
  Result<void> send_ping();

  struct Heard {
    enum class Kind : std::uint8_t { kMessage, kAlive, kNothing, kClosed };
    Kind kind = Kind::kNothing;  // kAlive: a ping or pong; kNothing: the time is over.
    std::string text;            // The message; or why it was closed, for people.
    std::uint16_t close_code = 0;
  };
  // The next message; pings are answered on the way. An error or kClosed is the end.
  Result<Heard> receive(std::chrono::milliseconds time_max);

  // Waits until receive() has something to do or the other descriptor can be read (or is at its end), whichever comes first;
  // true: the other one can. -1: there is no other.
  Result<bool> wait(int other_descriptor, std::chrono::milliseconds time_max);

  // Says goodbye; does not wait for the answer.
  void close();

 private:
  class Inbox;

  WebSocketClient(ClientSocket socket, WebSocketClientOptions options);
  Result<void> send(WebSocketOpcode opcode, std::string_view payload);
  Result<void> take(std::span<char> bytes);

  ClientSocket socket_;
  WebSocketClientOptions options_;
  WebSocketDecoder decoder_;
  std::deque<Heard> heard_;
};

}  // namespace carillon
