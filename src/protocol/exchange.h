// Exchange: one HTTP request and its answer, now or later. Holding the exchange is what "parking a request" means.
//
// Used on one loop. Exactly one of the three answers is given; an exchange destroyed without answers 500. When the client
// has gone meanwhile, the answer is dropped.
//
// A parked exchange is waited for without end: no timeout of transport ends it, and it holds no buffer of its connection. How
// long it is parked is its owner's to limit. To answer on another loop: handover.h.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/stream.h"
#include "base/unique_function.h"
#include "protocol/dialog.h"
#include "wire/http/http_message.h"

namespace carillon {

// Pings that keep their own time, whatever the client sends: one at once, then one every `interval`.
struct WebSocketHeartbeat {
  Millis interval{0};
  std::string payload;     // Of the pings; up to 125 bytes.
  Millis pong_time{0};     // A client that has not answered a ping for so long is told goodbye (1001) and dropped.
  Millis message_time{0};  // Likewise one that has sent no text message for so long. 0: it may be silent for ever.
};

struct WebSocketAcceptance {
  std::string subprotocol;            // Chosen among those offered; empty: none.
  std::size_t message_bytes_max = 0;  // 0: the server's limit ([limits] message_bytes).
  // How long the client may be silent before it is pinged, and before it is told goodbye (1001) and dropped; less than an hour.
  // 0: the server's ([websocket]), which drops without a word.
  Millis ping_interval{0};
  Millis idle_time{0};
  std::optional<WebSocketHeartbeat> heartbeat;  // In place of the two.
};

struct StreamOptions {
  Millis quiet_time{0};  // Dialog::on_quiet is called when nothing was sent for so long; 0: never.
};

// True: the kernel has taken the whole answer and the connection stood until then; no proof that the client has read it. False:
// part of it never left, as far as is known. Called once, on the exchange's loop, maybe inside the reply.
using ReplySent = UniqueFunction<void(bool sent)>;

// The named parts of a route's path, decoded.
using PathValues = std::vector<std::pair<std::string, std::string>>;

class Exchange {
 public:
  virtual ~Exchange() = default;

  virtual const HttpRequest& request() const = 0;
  virtual PeerAddress peer() const = 0;
  virtual const PathValues& path_values() const = 0;
  // The value of `{name}` in the route's path; empty when the route has no such part.
  std::string_view path_value(std::string_view name) const {
    for (const auto& [known, value] : path_values()) {
      if (known == name) return value;
    }
    return {};
  }

  // For who parks. Each hook is called at most once, on the exchange's loop, and never once an answer was given; maybe inside
  // this call, when it has happened already: so keep the exchange first, then set the hooks. A hook may answer or destroy the
  // exchange. A later one takes the place of an earlier.
  //
  // The client has gone: its connection broke, or it sends nothing more. The latter is how nearly every client leaves; the few
  // that close only their sending side can still hear an answer, so it may be given, and is dropped if nobody is there. Not
  // seen while the client has sent so far ahead that its socket is not read: until it breaks.
  virtual void on_gone(Task hook) = 0;
  // The server is stopping: answer now with what there is. Connections are told one after the other over the time of the stop
  // (Edge::drain); who arrives meanwhile is told at once. What is not answered is cut off in the end.
  virtual void on_drain(Task hook) = 0;

  void reply(HttpResponse response) { reply(std::move(response), {}); }
  // `sent` may be empty.
  virtual void reply(HttpResponse response, ReplySent sent) = 0;

  // Keeps the body open; what the dialog queues is the body. The head leaves with the first of it, so that a client that sees
  // the head finds all done that the dialog does before. A client cannot send on such a link.
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
