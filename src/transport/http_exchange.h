// HttpExchange: one request on an HttpConnection and its answer. Knows when the connection has gone.
#pragma once

#include "protocol/exchange.h"

namespace carillon {

class HttpConnection;

class HttpExchange final : public Exchange {
 public:
  HttpExchange(HttpConnection& connection, HttpRequest request) : connection_(&connection), request_(std::move(request)) {}
  ~HttpExchange() override;

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

  HttpConnection* connection_;  // Null when gone or answered.
  HttpRequest request_;
  PathValues path_values_;
  Task gone_hook_;
  Task drain_hook_;
  State state_ = State::kOpen;
};

}  // namespace carillon
