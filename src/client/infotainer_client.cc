#include "client/infotainer_client.h"

#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>

#include "base/id.h"

namespace carillon {
namespace {

using Clock = std::chrono::steady_clock;

std::string random_session() {
  const std::string bytes = random_bytes(16);
  std::array<std::uint8_t, 16> random{};
  std::copy(bytes.begin(), bytes.end(), random.begin());
  return Uuid::from_random(random).text();
}

}  // namespace

Result<void> InfotainerClient::run() {
  const std::string session = options_.session.empty() ? random_session() : options_.session;
  Result<WebSocketClient> socket =
      WebSocketClient::connect(url_, options_.path + "/" + percent_encoded(session), {.bearer = options_.bearer});
  if (!socket) return socket.error();
  Clock::time_point ping_at = Clock::now() + options_.ping_time;
  while (true) {
    const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(ping_at - Clock::now());
    const Result<bool> ready = socket->wait(input_ended_ ? -1 : options_.input, std::max(left, std::chrono::milliseconds(0)));
    if (!ready) return ready.error();
    if (*ready) {
      if (Result<void> read = read_input(*socket); !read) return read;
    }
    const Result<bool> open = hear(*socket);
    if (!open) return open.error();
    if (!*open) return {};
    if (Clock::now() < ping_at) continue;
    if (leaving_) return {};  // The server does not say goodbye: what was sent before it has taken.
    if (Result<void> sent = socket->send_ping(); !sent) return sent;
    ping_at = Clock::now() + options_.ping_time;
  }
}

Result<void> InfotainerClient::read_input(WebSocketClient& socket) {
  std::array<char, 4096> piece;
  const ssize_t count = ::read(options_.input, piece.data(), piece.size());
  if (count < 0 && errno == EINTR) return {};
  if (count < 0) return Error{ErrorKind::kInternal, std::string("cannot read the input: ") + std::strerror(errno)};
  input_.append(piece.data(), static_cast<std::size_t>(count));
  for (std::size_t end; (end = input_.find('\n')) != std::string::npos; input_.erase(0, end + 1)) {
    if (Result<void> said = say(socket, std::string_view(input_).substr(0, end)); !said) return said;
  }
  if (count > 0) return {};
  input_ended_ = true;
  if (!input_.empty()) {
    if (Result<void> said = say(socket, input_); !said) return said;
  }
  if (options_.stay) return {};
  leaving_ = true;
  socket.close();
  return {};
}

Result<void> InfotainerClient::say(WebSocketClient& socket, std::string_view line) {
  const Result<std::string> message = infotainer_command(line);
  if (message) return socket.send_binary(*message);
  listener_.on_fault(message.error().text + "\n");
  return {};
}

// All that has come. False: the server has said goodbye.
Result<bool> InfotainerClient::hear(WebSocketClient& socket) {
  while (true) {
    const Result<WebSocketClient::Heard> heard = socket.receive(std::chrono::milliseconds(0));
    if (!heard) return leaving_ ? Result<bool>(false) : heard.error();
    switch (heard->kind) {
      case WebSocketClient::Heard::Kind::kNothing: return true;
      case WebSocketClient::Heard::Kind::kAlive: continue;
      case WebSocketClient::Heard::Kind::kClosed:
        if (leaving_) return false;
        return Error{ErrorKind::kUnavailable, heard->text};
      case WebSocketClient::Heard::Kind::kMessage: break;
    }
    const InfotainerHeard said = infotainer_heard(heard->text);
    if (said.fault) {
      listener_.on_fault(said.print);
    } else if (!said.print.empty()) {
      listener_.on_print(said.print);
    }
    if (said.answer.empty() || leaving_) continue;
    if (Result<void> sent = socket.send_binary(said.answer); !sent) return sent.error();
  }
}

}  // namespace carillon
