#include "transport/http_exchange.h"

#include "transport/http_connection.h"

namespace carillon {

HttpExchange::~HttpExchange() {
  if (HttpConnection* const connection = take_connection()) {
    connection->reply(HttpResponse::error(500, "internal", "the server did not answer this request"));
  }
}

PeerAddress HttpExchange::peer() const {
  return connection_ == nullptr ? PeerAddress{} : connection_->peer();
}

std::string_view HttpExchange::path_value(std::string_view name) const {
  for (const auto& [known, value] : path_values_) {
    if (known == name) return value;
  }
  return {};
}

void HttpExchange::reply(HttpResponse response) {
  if (HttpConnection* const connection = take_connection()) connection->reply(std::move(response));
}

void HttpExchange::open_stream(HttpResponse head, StreamOptions options, OpenDialog open) {
  if (HttpConnection* const connection = take_connection()) connection->open_stream(std::move(head), options, std::move(open));
}

void HttpExchange::accept_websocket(WebSocketAcceptance acceptance, OpenDialog open) {
  if (HttpConnection* const connection = take_connection()) {
    connection->accept_websocket(std::move(acceptance), std::move(open));
  }
}

HttpConnection* HttpExchange::take_connection() {
  return std::exchange(connection_, nullptr);
}

}  // namespace carillon
