// HttpConnection: one client speaking HTTP/1.1: requests one after the other, pipelined ones waiting for their turn.
//
// While it idles it holds no parser and no buffer, and after the next sweep no memory of its last request either. A request may
// turn it into something else (a WebSocket, an event stream): then its stream and what was read beyond the request go to that
// connection, and this one ends. While a room has the request the socket is still read, so that its owner hears when the client
// leaves; what is read beyond it is kept, to a limit.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "protocol/exchange.h"
#include "transport/connection.h"
#include "transport/edge.h"
#include "wire/http/http_request_parser.h"
#include "wire/http/http_response_writer.h"

namespace carillon {

class HttpExchange;

class HttpConnection final : public Connection, public StreamHandler {
 public:
  HttpConnection(Edge& edge, std::unique_ptr<Stream> stream);
  ~HttpConnection() override;

  // Answers without having been asked, and closes.
  void refuse(HttpResponse response);

  void on_sweep(Millis now) override;
  void on_drain() override;

 private:
  friend class HttpExchange;
  enum class State : std::uint8_t {
    kWaiting,     // For the first byte of a request.
    kReading,     // A request has begun.
    kAnswering,   // A room has the request.
    kClosing,     // What is written leaves, then we have said all.
    kLingering,   // We have said all; the peer's last bytes are read and dropped, so that it sees our answer (RFC 9112, 9.6).
    kHandedOver,  // The stream is another connection's.
    kGone,
  };
  // Somebody wants to know whether this answer has left.
  struct Leaving {
    std::size_t end;  // In `out_`.
    ReplySent sent;
  };

  void on_bytes(std::span<char> bytes) override;
  void on_end() override;
  void on_writable() override;
  void on_lost() override;

  // For the exchange.
  void reply(HttpResponse response, ReplySent sent);
  void open_stream(HttpResponse head, StreamOptions options, OpenDialog open);
  void accept_websocket(WebSocketAcceptance acceptance, OpenDialog open);
  PeerAddress peer() const;
  // Whether the exchange is kept for the next request; if not, it is to be freed.
  bool take_back(HttpExchange& exchange);
  bool draining() const { return edge_.draining(); }

  bool reads_requests() const { return state_ == State::kWaiting || state_ == State::kReading; }
  bool may_take_more() const;
  void consume(std::span<char> bytes);
  void hold(std::span<char> bytes);
  void dispatch();
  HttpRequestParser& parser();
  void release_parser();
  void fail(int status, std::string_view text);
  void answered(ReplySent sent);
  void go_on();
  void send(const HttpResponse& response, const ResponseContext& how);
  void write_out();
  void tell_sent(std::size_t left, std::size_t erased);
  void tell_unsent();
  std::unique_ptr<Stream> release_stream();
  void hand_over(StreamHandler& next);
  void pass_on(std::span<char> bytes);
  void add_common_fields(HttpResponse& response);
  ResponseContext context();
  void begin_closing();
  void begin_linger();
  void finish();
  void wait_until(Millis delay);

  Edge& edge_;
  std::unique_ptr<Stream> stream_;
  std::unique_ptr<HttpRequestParser> parser_;
  HttpExchange* exchange_ = nullptr;  // The one being answered; owned by whoever answers.
  HttpExchange* lent_ = nullptr;      // The one whose memory comes back here; being answered, or answered and not let go.
  std::unique_ptr<HttpExchange> spare_;
  std::string held_;  // Bytes of later requests: they wait for this answer, or for room in `out_`.
  std::string out_;   // Empty once all of it has left.
  std::size_t out_sent_ = 0;
  std::vector<Leaving> leaving_;   // In the order of `out_`.
  StreamHandler* next_ = nullptr;  // Whose the stream is now; until what was read beyond the request is passed on.
  Millis deadline_{0};             // Of the state.
  State state_ = State::kWaiting;
  bool consuming_ = false;    // More is to be read of what has come, so that answers wait to leave together.
  bool continued_ = false;    // "100 Continue" was sent for this request.
  bool close_after_ = false;  // No further request is read after this answer.
  bool ended_ = false;        // The peer sends nothing more; what it asked before is still answered.
};

}  // namespace carillon
