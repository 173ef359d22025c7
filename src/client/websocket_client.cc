#include "client/websocket_client.h"

#include <fmt/core.h>

#include <array>
#include <vector>

#include "client/hub_client.h"
#include "wire/http/http_response_parser.h"
#include "wire/websocket/websocket_handshake.h"

namespace carillon {
namespace {

ErrorKind refusal_kind(int status) {
  if (status == 401) return ErrorKind::kUnauthorized;
  if (status == 403) return ErrorKind::kForbidden;
  if (status == 429 || status >= 500) return ErrorKind::kUnavailable;
  return ErrorKind::kInvalid;
}

}  // namespace

// Turns what the decoder says into what receive() gives.
class WebSocketClient::Inbox : public WebSocketDecoder::Sink {
 public:
  explicit Inbox(WebSocketClient& client) : client_(client) {}

  void on_message(WebSocketOpcode, std::string_view message) override {
    client_.heard_.push_back({Heard::Kind::kMessage, std::string(message), 0});
  }
  void on_ping(std::string_view payload) override {
    pong_failed_ = pong_failed_ || !client_.send(WebSocketOpcode::kPong, payload);
    client_.heard_.push_back({Heard::Kind::kAlive, {}, 0});
  }
  void on_pong(std::string_view) override { client_.heard_.push_back({Heard::Kind::kAlive, {}, 0}); }
  void on_close(std::optional<std::uint16_t> code, std::string_view reason) override {
    const std::uint16_t shown = code.value_or(kCloseNoStatus);
    client_.heard_.push_back(
        {Heard::Kind::kClosed,
         fmt::format("the server closed the connection ({}{}{})", shown, reason.empty() ? "" : ": ", reason), shown});
    answer_close(code.value_or(kCloseNormal));
  }
  void on_fault(std::uint16_t close_code, std::string_view reason) override {
    client_.heard_.push_back({Heard::Kind::kClosed, fmt::format("the server broke the protocol: {}", reason), close_code});
    answer_close(close_code);
  }

  bool pong_failed() const { return pong_failed_; }

 private:
  void answer_close(std::uint16_t code) {
    // The end is told already; whether the server still hears the answer changes nothing.
    static_cast<void>(client_.send(WebSocketOpcode::kClose, close_payload(code, {})));
  }

  WebSocketClient& client_;
  bool pong_failed_ = false;
};

WebSocketClient::WebSocketClient(ClientSocket socket, WebSocketClientOptions options)
    : socket_(std::move(socket)), options_(std::move(options)) {}

Result<WebSocketClient> WebSocketClient::connect(const ClientUrl& url, const std::string& target,
                                                 WebSocketClientOptions options) {
  Result<ClientSocket> socket = ClientSocket::connect(url.host, url.port, options.connect_time);
  if (!socket) return socket.error();

  const std::string key = make_handshake_key(random_bytes(16));
  const std::string host = url.authority();
  const std::string whole_target = url.base_path + target;
  WebSocketRequest request{.host = host, .target = whole_target, .key = key, .subprotocols = {}, .more = {}};
  request.more.emplace_back("User-Agent", std::string("carillon/") + CARILLON_VERSION);
  if (!options.bearer.empty()) request.more.emplace_back("Authorization", "Bearer " + options.bearer);
  std::string text;
  write_handshake_request(text, request);
  if (const Result<void> written = socket->write(text, options.connect_time); !written) return written.error();

  HttpResponseParser parser;
  std::array<char, 16 * 1024> piece;
  std::vector<char> beyond;  // What came after the handshake already.
  while (!parser.done()) {
    const Result<ClientSocket::Read> read = socket->read(piece, options.connect_time);
    if (!read) return read.error();
    if (read->timed_out) return Error{ErrorKind::kUnavailable, "the server does not answer the handshake"};
    if (read->ended) parser.feed_end();
    const std::size_t used = parser.feed({piece.data(), read->count});
    beyond.assign(piece.begin() + static_cast<std::ptrdiff_t>(used), piece.begin() + static_cast<std::ptrdiff_t>(read->count));
    if (parser.fault() != nullptr) return Error{ErrorKind::kUnavailable, parser.fault()->text};
  }
  if (const int status = parser.response().status; status != 101) {
    return Error{refusal_kind(status),
                 fmt::format("the server refused the WebSocket with {}: {}", status, refusal_text(parser.response()))};
  }
  if (const Result<void> checked = check_handshake_response(parser.response(), request); !checked) return checked.error();

  WebSocketClient client(*std::move(socket), std::move(options));
  if (const Result<void> taken = client.take(beyond); !taken) return taken.error();
  return client;
}

Result<void> WebSocketClient::send_text(std::string_view text) {
  return send(WebSocketOpcode::kText, text);
}

Result<void> WebSocketClient::send_binary(std::string_view bytes) {
  return send(WebSocketOpcode::kBinary, bytes);
}

Result<bool> WebSocketClient::wait(int other_descriptor, std::chrono::milliseconds time_max) {
  return socket_.wait(other_descriptor, heard_.empty() ? time_max : std::chrono::milliseconds(0));
}

Result<void> WebSocketClient::send_ping() {
  return send(WebSocketOpcode::kPing, {});
}

Result<WebSocketClient::Heard> WebSocketClient::receive(std::chrono::milliseconds time_max) {
  std::array<char, 64 * 1024> piece;
  while (heard_.empty()) {
    const Result<ClientSocket::Read> read = socket_.read(piece, time_max);
    if (!read) return read.error();
    if (read->timed_out) return Heard{};
    if (read->ended) return Error{ErrorKind::kUnavailable, "the connection was lost"};
    if (const Result<void> taken = take({piece.data(), read->count}); !taken) return taken.error();
  }
  Heard next = std::move(heard_.front());
  heard_.pop_front();
  return next;
}

void WebSocketClient::close() {
  static_cast<void>(send(WebSocketOpcode::kClose, close_payload(kCloseNormal, {})));
}

Result<void> WebSocketClient::send(WebSocketOpcode opcode, std::string_view payload) {
  std::string frame;
  append_masked_frame(frame, opcode, payload, random_u32());
  return socket_.write(frame, options_.write_time);
}

Result<void> WebSocketClient::take(std::span<char> bytes) {
  Inbox inbox(*this);
  decoder_.feed(bytes, {.message_bytes_max = options_.message_bytes, .role = WebSocketDecoder::Role::kClient}, inbox);
  if (inbox.pong_failed()) return Error{ErrorKind::kUnavailable, "the connection was lost"};
  return {};
}

}  // namespace carillon
