#include "client/http_client.h"

#include <fmt/core.h>

#include <array>

#include "wire/http/http_response_parser.h"

namespace carillon {

Result<HttpResponse> HttpClient::call(const HttpCall& call) {
  const std::string request = write_request(call);
  const bool kept = socket_.has_value();
  Attempt first = attempt(request, call.method == "HEAD");
  // The server may close a kept connection in the very moment in which we use it again (RFC 9112, section 9.3.1).
  if (kept && first.nothing_came && call.repeatable) return attempt(request, call.method == "HEAD").outcome;
  return std::move(first.outcome);
}

HttpClient::Attempt HttpClient::attempt(std::string_view request, bool head) {
  if (!socket_) {
    Result<ClientSocket> connected = ClientSocket::connect(url_.host, url_.port, options_.connect_time);
    if (!connected) return {connected.error(), false};
    socket_ = *std::move(connected);
  }
  ClientSocket socket = *std::exchange(socket_, std::nullopt);

  // A server that refuses a request may answer and close before it has read it all: the answer tells more than our failure.
  const Result<void> written = socket.write(request, options_.answer_time);
  HttpResponseParser parser({.to_head = head, .body_bytes = options_.answer_bytes});
  std::array<char, 16 * 1024> piece;
  bool nothing_came = true;
  while (!parser.done()) {
    const Result<ClientSocket::Read> read = socket.read(piece, options_.answer_time);
    if (!read) return {written ? read.error() : written.error(), nothing_came};
    if (read->timed_out) return {Error{ErrorKind::kUnavailable, "the server does not answer"}, false};
    if (read->ended && nothing_came) {
      return {Error{ErrorKind::kUnavailable, "the server closed the connection without an answer"}, true};
    }
    nothing_came = false;
    if (read->ended) {
      parser.feed_end();
    } else {
      parser.feed({piece.data(), read->count});
    }
    if (parser.fault() != nullptr) return {*parser.fault(), false};
  }
  if (parser.keep_alive() && written) socket_ = std::move(socket);
  return {parser.response(), false};
}

std::string HttpClient::write_request(const HttpCall& call) const {
  std::string out = fmt::format("{} {}{} HTTP/1.1\r\nHost: {}\r\nUser-Agent: carillon/{}\r\nAccept: application/json\r\n",
                                call.method, url_.base_path, call.target, url_.authority(), CARILLON_VERSION);
  if (!options_.bearer.empty()) out += fmt::format("Authorization: Bearer {}\r\n", options_.bearer);
  if (!call.body.empty()) {
    out += fmt::format("Content-Type: application/json\r\nContent-Length: {}\r\n", call.body.size());
  }
  out += "\r\n";
  out += call.body;
  return out;
}

}  // namespace carillon
