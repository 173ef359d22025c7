// `/echo`: WebSocket messages come back as they came, and so do HTTP request bodies on any method. For test suites from
// outside; off unless asked for. No hub, no sessions. One room per loop.
#pragma once

#include <string>

#include "protocol/exchange.h"

namespace carillon {

struct EchoOptions {
  std::string path = "/echo";
  // Echoes waiting for one client that sends but does not read; beyond it the connection is closed with 1013. Must have room
  // for one whole message.
  std::size_t outbox_bytes_max = 2u << 20;
};

class EchoRoom {
 public:
  explicit EchoRoom(EchoOptions options) : options_(std::move(options)) {}
  EchoRoom(const EchoRoom&) = delete;
  EchoRoom& operator=(const EchoRoom&) = delete;

  void add_routes(Routes& routes);

 private:
  void answer(ExchangePtr exchange) const;

  const EchoOptions options_;
};

}  // namespace carillon
