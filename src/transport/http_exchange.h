// HttpExchange: one request on an HttpConnection and its answer. Knows when the connection has gone.
//
// Whoever answers owns it, as any exchange. But when it is let go while its connection goes on, its memory goes back there and
// serves for the next request (HttpConnection::take_back).
#pragma once

#include <new>

#include "protocol/exchange.h"
#include "wire/http/http_request_parser.h"

namespace carillon {

class HttpConnection;

inline constexpr std::string_view kRequestIdField = "x-request-id";

class HttpExchange final : public Exchange {
 public:
  HttpExchange() = default;
  // Answers 500 when nobody has answered; then ends, or is kept.
  static void operator delete(HttpExchange* exchange, std::destroying_delete_t);

  // Whether the answer must look at the request: it has an id of its own, or comes from a page.
  bool asks_for_fields() const { return asks_for_fields_; }

  // For the connection: it begins anew, with the request that the parser has.
  void begin(HttpConnection& connection, HttpRequestParser& parser);
  // Whoever lets it go frees it.
  void leave_home() { home_ = nullptr; }

  const HttpRequest& request() const override { return request_; }
  PeerAddress peer() const override;
  const PathValues& path_values() const override { return path_values_; }
  void on_gone(Task hook) override;
  void on_drain(Task hook) override;
  using Exchange::reply;
  void reply(HttpResponse response, ReplySent sent) override;
  void open_stream(HttpResponse head, StreamOptions options, OpenDialog open) override;
  void accept_websocket(WebSocketAcceptance acceptance, OpenDialog open) override;

  void set_path_values(PathValues values) { path_values_ = std::move(values); }
  PathValues take_path_values() { return std::move(path_values_); }

  // For the connection. Each may end in the exchange's end.
  void connection_gone();
  void client_ended();
  void draining();

 private:
  enum class State : std::uint8_t {
    kOpen,
    kEnded,  // The client sends nothing more; it may hear the answer.
    kGone,   // The connection is no more.
    kAnswered,
  };

  // The connection, when it is there to be answered; from then on the exchange is answered.
  HttpConnection* take_connection();

  HttpConnection* connection_ = nullptr;  // Null when gone or answered.
  HttpConnection* home_ = nullptr;        // Null when gone, or when it has lent out a newer one.
  State state_ = State::kAnswered;
  bool asks_for_fields_ = false;
  bool large_ = false;  // The request: its memory is not kept.
  Task gone_hook_;
  Task drain_hook_;
  // An answer to a request that was parked has no need to touch these, which are in no cache any more.
  HttpRequest request_;
  PathValues path_values_;
};

}  // namespace carillon
