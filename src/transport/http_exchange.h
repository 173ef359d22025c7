// HttpExchange: one request on an HttpConnection and its answer. Knows when the connection has gone.
#pragma once

#include "protocol/exchange.h"
#include "transport/router.h"

namespace carillon {

class HttpConnection;

class HttpExchange final : public Exchange {
 public:
  HttpExchange(HttpConnection& connection, HttpRequest request) : connection_(&connection), request_(std::move(request)) {}
  ~HttpExchange() override;

  const HttpRequest& request() const override { return request_; }
  PeerAddress peer() const override;
  std::string_view path_value(std::string_view name) const override;
  void reply(HttpResponse response) override;
  void open_stream(HttpResponse head, StreamOptions options, OpenDialog open) override;
  void accept_websocket(WebSocketAcceptance acceptance, OpenDialog open) override;

  void set_path_values(PathValues values) { path_values_ = std::move(values); }
  void connection_gone() { connection_ = nullptr; }

 private:
  // The connection, the first time it is asked for; null when it has gone or was answered.
  HttpConnection* take_connection();

  HttpConnection* connection_;
  HttpRequest request_;
  PathValues path_values_;
};

}  // namespace carillon
