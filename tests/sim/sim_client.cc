#include "sim/sim_client.h"

#include <fmt/format.h>

#include "base/check.h"

namespace carillon {
namespace {

constexpr std::string_view kHost = "127.0.0.1:8080";

void append_fields(std::string& out, const SimClient::Fields& fields) {
  for (const auto& [name, value] : fields) out += fmt::format("{}: {}\r\n", name, value);
}

}  // namespace

SimClient::SimClient(SimServer& server, const SimNetworkOptions& network, SimClientEvents& events)
    : server_(server), network_(network), events_(events) {}

void SimClient::connect(Mode mode) {
  forget();
  wanted_ = mode;
  mode_ = Mode::kHttp;
  parser_ = HttpResponseParser();
  decoder_ = WebSocketDecoder();
  line_.clear();
  code_ = kCloseAbnormal;
  said_goodbye_ = dead_ = false;
  SimServer::Connected connected = server_.connect(network_);
  connection_ = std::move(connected.connection);
  stream_ = std::move(connected.stream);
  stream_->set_handler(*this);
}

void SimClient::forget() {
  if (stream_ != nullptr) stream_->close();
  stream_.reset();
  connection_.reset();
  mode_ = Mode::kNone;
  out_.clear();
}

// --- Out

void SimClient::open_websocket(std::string_view target, const Fields& fields) {
  connect(Mode::kWebSocket);
  std::uint8_t random[16];
  server_.world().random().fill(random);
  key_ = make_handshake_key({reinterpret_cast<const char*>(random), sizeof random});
  std::string request;
  write_handshake_request(request, {.host = kHost, .target = target, .key = key_, .subprotocols = {}, .more = fields});
  send(request);
}

void SimClient::listen(std::string_view target, const Fields& fields) {
  connect(Mode::kEventStream);
  std::string request = fmt::format("GET {} HTTP/1.1\r\nHost: {}\r\nAccept: text/event-stream\r\n", target, kHost);
  append_fields(request, fields);
  send(request + "\r\n");
}

void SimClient::ask(std::string_view method, std::string_view target, std::string_view body, const Fields& fields) {
  if (stream_ == nullptr) connect(Mode::kHttp);
  parser_ = HttpResponseParser({.to_head = method == "HEAD"});
  std::string request = fmt::format("{} {} HTTP/1.1\r\nHost: {}\r\n", method, target, kHost);
  append_fields(request, fields);
  if (!body.empty()) request += fmt::format("Content-Type: application/json\r\nContent-Length: {}\r\n", body.size());
  send(fmt::format("{}\r\n{}", request, body));
}

void SimClient::send_raw(std::string_view bytes) {
  connect(Mode::kHttp);
  send(bytes);
}

void SimClient::frame(WebSocketOpcode opcode, std::string_view payload) {
  if (stream_ == nullptr || mode_ != Mode::kWebSocket) return;
  std::string bytes;
  append_masked_frame(bytes, opcode, payload, static_cast<std::uint32_t>(server_.world().random().next_u64()));
  send(bytes);
}

void SimClient::say(std::string_view message, WebSocketOpcode opcode) {
  frame(opcode, message);
}

void SimClient::close(std::uint16_t code) {
  if (stream_ == nullptr) return;
  if (mode_ != Mode::kWebSocket) return forget();
  if (std::exchange(said_goodbye_, true)) return;
  frame(WebSocketOpcode::kClose, close_payload(code, {}));
}

void SimClient::cut() {
  if (stream_ == nullptr) return;
  connection_->cut();
  forget();
}

void SimClient::vanish() {
  if (stream_ == nullptr) return;
  connection_->vanish();
  forget();
}

void SimClient::pause() {
  if (stream_ != nullptr) stream_->pause_reading();
}

void SimClient::resume() {
  if (stream_ != nullptr) stream_->resume_reading();
}

void SimClient::send(std::string_view bytes) {
  out_ += bytes;
  flush();
}

void SimClient::flush() {
  while (stream_ != nullptr && !out_.empty()) {
    const std::string_view waiting = out_;
    const std::size_t taken = stream_->write({&waiting, 1});
    if (taken == 0) return;
    out_.erase(0, taken);
  }
}

// --- In

void SimClient::on_bytes(std::span<char> bytes) {
  std::string_view rest(bytes.data(), bytes.size());
  if (mode_ == Mode::kHttp) read_head(rest);
  if (mode_ == Mode::kEventStream) {
    parser_.feed(rest);
    return read_lines(parser_.take_body());
  }
  if (mode_ != Mode::kWebSocket || rest.empty()) return;
  decoder_.feed(bytes.last(rest.size()), {.message_bytes_max = 64 << 20, .role = WebSocketDecoder::Role::kClient}, *this);
}

void SimClient::read_head(std::string_view& bytes) {
  bytes.remove_prefix(parser_.feed(bytes));
  CHECK(parser_.fault() == nullptr);
  if (!parser_.head_done()) return;
  const HttpResponse& response = parser_.response();
  if (wanted_ == Mode::kWebSocket && response.status == 101) {
    const WebSocketRequest asked{.host = kHost, .target = "/", .key = key_};
    CHECK(check_handshake_response(response, asked).has_value());
    mode_ = Mode::kWebSocket;
    return events_.on_open();
  }
  if (wanted_ == Mode::kEventStream && response.status == 200) {
    mode_ = Mode::kEventStream;
    events_.on_open();
    return read_lines(parser_.take_body());
  }
  if (parser_.done()) events_.on_answer(response);
}

void SimClient::read_lines(std::string_view text) {
  for (const char c : text) {
    if (c != '\n') {
      line_ += c;
      continue;
    }
    const std::string line = std::exchange(line_, {});
    events_.on_line(line);
    if (mode_ != Mode::kEventStream) return;  // It was told to go.
  }
}

void SimClient::on_message(WebSocketOpcode opcode, std::string_view message) {
  if (opcode == WebSocketOpcode::kBinary) return events_.on_binary(message);
  events_.on_message(message);
}

void SimClient::on_ping(std::string_view payload) {
  events_.on_ping();
  if (!dead_) frame(WebSocketOpcode::kPong, payload);
}

void SimClient::on_close(std::optional<std::uint16_t> code, std::string_view) {
  code_ = code.value_or(kCloseNoStatus);
  if (dead_ || std::exchange(said_goodbye_, true)) return;
  frame(WebSocketOpcode::kClose, close_payload(code_, {}));
}

void SimClient::on_fault(std::uint16_t, std::string_view) {
  CHECK(!"a server that keeps to the protocol");
}

void SimClient::on_end() {
  if (dead_) return;
  gone();
}

void SimClient::on_lost() {
  gone();
}

void SimClient::gone() {
  const bool was_there = stream_ != nullptr;
  forget();
  if (was_there) events_.on_gone(code_);
}

}  // namespace carillon
