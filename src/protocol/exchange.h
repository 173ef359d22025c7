// Exchange: one HTTP request and its answer, now or later. Holding the exchange is what "parking a request" means.
//
// Used on one loop. Exactly one of the three answers is given; an exchange destroyed without answers 500. When the client
// has gone meanwhile, the answer is dropped.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/stream.h"
#include "base/unique_function.h"
#include "protocol/dialog.h"
#include "wire/http/http_message.h"

namespace carillon {

struct WebSocketAcceptance {
  std::string subprotocol;            // Chosen among those offered; empty: none.
  std::size_t message_bytes_max = 0;  // 0: the server's limit ([limits] message_bytes).
};

struct StreamOptions {
  Millis quiet_time{0};  // Dialog::on_quiet is called when nothing was sent for so long; 0: never.
};

class Exchange {
 public:
  virtual ~Exchange() = default;

  virtual const HttpRequest& request() const = 0;
  virtual PeerAddress peer() const = 0;
  // The value of `{name}` in the route's path; empty when the route has no such part.
  virtual std::string_view path_value(std::string_view name) const = 0;

  virtual void reply(HttpResponse response) = 0;

  // Sends the head now and keeps the body open; what the dialog queues is the body. A client cannot send on such a link.
  virtual void open_stream(HttpResponse head, StreamOptions options, OpenDialog open) = 0;

  // Completes the WebSocket handshake. A request that is no proper handshake, or whose Origin is not allowed, is refused
  // here with the fitting status (400, 403, 426), and `open` is not called.
  virtual void accept_websocket(WebSocketAcceptance acceptance, OpenDialog open) = 0;
};
using ExchangePtr = std::unique_ptr<Exchange>;

using RouteHandler = UniqueFunction<void(ExchangePtr)>;

// Where rooms claim what they answer. One per loop; filled before the loop runs.
class Routes {
 public:
  // `path` is literal but for whole segments `{name}`, and a last segment `{name...}` that takes all the rest. `method` "*"
  // takes any. A literal segment wins over a named one. HEAD is answered by GET's handler without the body.
  virtual void add(std::string_view method, std::string_view path, RouteHandler handler) = 0;

 protected:
  ~Routes() = default;
};

}  // namespace carillon
