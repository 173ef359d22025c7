#include "protocol/bayeux/bayeux.h"

#include <algorithm>

#include "wire/http/http_syntax.h"

namespace carillon {
namespace {

// A comment goes through a stream that is silent for so long, so that proxies keep it open.
constexpr Millis kQuietTime{15'000};

HttpResponse plain(int status, std::string_view text) {
  return HttpResponse::text(status, std::string(text) + "\n");
}

// Leave to send what clients send; that the origin may read answers, transport says.
HttpResponse preflight() {
  HttpResponse response{.status = 204};
  response.headers.add("Access-Control-Allow-Methods", "POST, GET, PUT, DELETE, OPTIONS");
  response.headers.add("Access-Control-Allow-Headers", "Accept, Authorization, Content-Type, Pragma, X-Requested-With");
  response.headers.add("Access-Control-Max-Age", "86400");
  return response;
}

std::string_view last_segment(std::string_view path) {
  return path.substr(path.rfind('/') + 1);
}

}  // namespace

void BayeuxRoom::add_routes(Routes& routes) {
  const BayeuxOptions& options = sessions_.common().options;
  const auto add = [&](const std::string& path) {
    routes.add("*", path, [this](ExchangePtr exchange) { answer(std::move(exchange)); });
  };
  add(options.path);
  add(options.path + "/{rest...}");
  const auto under = [](const std::string& base, const char* name) { return (base == "/" ? "" : base) + name; };
  if (!options.subscribe_path.empty()) add(options.subscribe_path);
  if (!options.handshake_path.empty()) add(under(options.handshake_path, "/handshake"));
  if (!options.connect_path.empty()) add(under(options.connect_path, "/connect"));
  if (!options.disconnect_path.empty()) add(under(options.disconnect_path, "/disconnect"));
}

void BayeuxRoom::answer(ExchangePtr exchange) {
  const HttpRequest& request = exchange->request();
  if (request.headers.has_token("Upgrade", "websocket")) return accept_websocket(std::move(exchange));
  if (!sessions_.parts().may_use_origin(bayeux_origin(request), request.headers.get("Host"))) {
    return exchange->reply(plain(403, "this server takes no requests from pages of that origin"));
  }
  if (request.method == "OPTIONS") return exchange->reply(preflight());
  if (request.headers.has_token("Accept", "text/event-stream")) return open_stream(std::move(exchange));
  Result<BayeuxAsked> asked = read_bayeux_request(request);
  if (!asked) return exchange->reply(plain(400, "Bad request: " + asked.error().text));
  if (!offers(asked->transport)) {
    return exchange->reply(plain(400, "Unknown Bayeux transport: " + std::string(bayeux_transport_name(asked->transport))));
  }
  std::string text = asked->texts.empty() ? std::string() : joined_texts(asked->texts);
  if (std::max(text.size(), request.body.size()) > sessions_.parts().message_bytes_max) {
    return exchange->reply(plain(413, "the messages are too large for one request"));
  }
  sessions_.take(BayeuxAnswerer(std::move(exchange), asked->transport, std::move(asked->callback)), std::move(text));
}

void BayeuxRoom::accept_websocket(ExchangePtr exchange) {
  if (!offers(BayeuxTransport::kWebSocket)) return exchange->reply(plain(400, "Unknown Bayeux transport: websocket"));
  WebSocketAcceptance acceptance;
  // A client that asks for subprotocols wants one of them; they mean nothing here.
  std::string_view offered = exchange->request().headers.get("Sec-WebSocket-Protocol");
  acceptance.subprotocol = take_list_element(offered);
  BayeuxVisitor visitor = look_at_visitor(*exchange, sessions_.parts().identify, sessions_.wants_headers());
  if (sessions_.parts().nodes != nullptr) visitor.cookie = sessions_.cookie_of(exchange->request());
  exchange->accept_websocket(
      std::move(acceptance), [this, visitor = std::move(visitor)](Link& link) mutable -> std::unique_ptr<Dialog> {
        return std::make_unique<BayeuxSocket>(sessions_, link, BayeuxTransport::kWebSocket, std::move(visitor));
      });
}

// GET <mount>/<clientId>: deliveries as a stream; requests go on by POST.
void BayeuxRoom::open_stream(ExchangePtr exchange) {
  const HttpRequest& request = exchange->request();
  const std::string client_id(last_segment(request.path));
  const std::string cookie(sessions_.cookie_of(request));
  if (request.method != "GET" || !offers(BayeuxTransport::kEventSource) || !bayeux_place(client_id)) {
    return exchange->reply(plain(400, "Bad request: an event stream is at the mount's path and a client id"));
  }
  // An EventSource that hears of no session here gives up; one whose stream just ends would come again and again.
  sessions_.sockets().ask_for_session(client_id, cookie,
                                      [this, exchange = std::move(exchange), client_id, cookie](bool is) mutable {
                                        if (!is) return exchange->reply(plain(404, "there is no such session"));
                                        begin_stream(std::move(exchange), client_id, cookie);
                                      });
}

void BayeuxRoom::begin_stream(ExchangePtr exchange, const std::string& client_id, const std::string& cookie) {
  HttpResponse head;
  head.headers.add("Content-Type", "text/event-stream; charset=utf-8");
  head.headers.add("Cache-Control", "no-cache, no-store, no-transform");
  head.headers.add("X-Accel-Buffering", "no");
  BayeuxSocket* opened = nullptr;
  exchange->open_stream(std::move(head), {.quiet_time = kQuietTime}, [this, &opened](Link& link) -> std::unique_ptr<Dialog> {
    auto socket = std::make_unique<BayeuxSocket>(sessions_, link, BayeuxTransport::kEventSource, BayeuxVisitor());
    opened = socket.get();
    return socket;
  });
  if (opened != nullptr) opened->begin_stream(client_id, cookie);
}

bool BayeuxRoom::offers(BayeuxTransport transport) const {
  const std::vector<std::string>& offered = sessions_.parts().common.options.transports;
  return std::ranges::find(offered, bayeux_transport_name(transport)) != offered.end();
}

}  // namespace carillon
