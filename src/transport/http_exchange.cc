#include "transport/http_exchange.h"

#include "protocol/node_forward.h"
#include "transport/http_connection.h"

namespace carillon {
namespace {

// The hook may destroy what holds it.
void call(Task& hook) {
  if (Task taken = std::exchange(hook, {})) taken();
}

}  // namespace

void HttpExchange::operator delete(HttpExchange* exchange, std::destroying_delete_t) {
  if (HttpConnection* const connection = exchange->take_connection()) {
    connection->reply(HttpResponse::error(500, "internal", "the server did not answer this request"), {});
  }
  if (HttpConnection* const home = std::exchange(exchange->home_, nullptr)) {
    if (exchange->large_) exchange->request_.reset();
    if (home->take_back(*exchange)) return;
  }
  exchange->~HttpExchange();
  ::operator delete(exchange);
}

void HttpExchange::begin(HttpConnection& connection, HttpRequestParser& parser) {
  connection_ = home_ = &connection;
  parser.take(request_);
  large_ = request_.is_large();
  asks_for_fields_ = request_.headers.has(kRequestIdField) || request_.headers.has("Origin");
  state_ = State::kOpen;
}

PeerAddress HttpExchange::peer() const {
  if (connection_ == nullptr) return {};
  PeerAddress peer = connection_->peer();
  // Another node is no program of this machine that asks for itself, wherever it runs.
  if (was_forwarded(request_)) peer.loopback = false;
  return peer;
}

void HttpExchange::on_gone(Task hook) {
  if (state_ == State::kAnswered) return;
  gone_hook_ = std::move(hook);
  if (state_ != State::kOpen) call(gone_hook_);
}

void HttpExchange::on_drain(Task hook) {
  if (state_ == State::kAnswered) return;
  drain_hook_ = std::move(hook);
  if (connection_ != nullptr && connection_->draining()) call(drain_hook_);
}

void HttpExchange::connection_gone() {
  connection_ = nullptr;
  state_ = State::kGone;
  call(gone_hook_);
}

void HttpExchange::client_ended() {
  state_ = State::kEnded;
  call(gone_hook_);
}

void HttpExchange::draining() {
  call(drain_hook_);
}

void HttpExchange::reply(HttpResponse response, ReplySent sent) {
  if (HttpConnection* const connection = take_connection()) return connection->reply(std::move(response), std::move(sent));
  if (sent) sent(false);
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
  state_ = State::kAnswered;
  gone_hook_ = {};
  drain_hook_ = {};
  return std::exchange(connection_, nullptr);
}

}  // namespace carillon
