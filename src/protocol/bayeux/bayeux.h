// The Bayeux room: Bayeux 1.0 as CometD's and faye's clients speak it, over long polls, JSONP, WebSocket and event streams. One
// per loop.
#pragma once

#include "protocol/bayeux/bayeux_sessions.h"
#include "protocol/exchange.h"

namespace carillon {

class BayeuxRoom {
 public:
  // Before the loops run.
  explicit BayeuxRoom(BayeuxParts parts) : sessions_(std::move(parts)) {}

  void add_routes(Routes& routes);

  BayeuxSessions& sessions() { return sessions_; }

 private:
  void answer(ExchangePtr exchange);
  void accept_websocket(ExchangePtr exchange);
  void open_stream(ExchangePtr exchange);
  void begin_stream(ExchangePtr exchange, const std::string& client_id, const std::string& cookie);
  bool offers(BayeuxTransport transport) const;

  BayeuxSessions sessions_;
};

}  // namespace carillon
