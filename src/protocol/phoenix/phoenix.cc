#include "protocol/phoenix/phoenix.h"

namespace carillon {

PhoenixRoom::PhoenixRoom(PhoenixParts parts, const PhoenixOptions& options)
    : shared_(parts.shard, std::move(parts.rule_for), parts.text_options, options.topics_max),
      door_(parts.shard.loop(), std::move(parts.identify), options.event_names),
      polls_({.shared = shared_,
              .encodings = encodings_,
              .door = door_,
              .random = parts.random,
              .may_use_origin = std::move(parts.may_use_origin),
              .siblings = parts.siblings,
              .nodes = parts.nodes},
             {.window = Millis(options.poll_window),
              .sessions_max = options.poll_sessions_max,
              .message_bytes_max = parts.message_bytes_max}),
      options_(options) {}

void PhoenixRoom::add_routes(Routes& routes) {
  routes.add("*", options_.path + "/websocket", [this](ExchangePtr exchange) { accept(std::move(exchange)); });
  routes.add("*", options_.path + "/longpoll", [this](ExchangePtr exchange) { polls_.answer(std::move(exchange)); });
}

void PhoenixRoom::accept(ExchangePtr exchange) {
  const HttpRequest& request = exchange->request();
  if (request.method != "GET") return exchange->reply(HttpResponse{.status = 400});
  Result<PhoenixOpening> opening = door_.open(*exchange);
  if (!opening) return exchange->reply(HttpResponse{.status = 403});
  opening->form.binary_link = true;
  WebSocketAcceptance acceptance;
  if (request.headers.has_token("Sec-WebSocket-Protocol", "phoenix")) acceptance.subprotocol = "phoenix";
  exchange->accept_websocket(std::move(acceptance),
                             [this, client = *std::move(opening)](Link& link) -> std::unique_ptr<Dialog> {
                               return std::make_unique<PhoenixDialog>(shared_, link,
                                                                      PhoenixStart{.encoding = &encodings_.of(client.form),
                                                                                   .identity = client.identity,
                                                                                   .user_agent = client.user_agent,
                                                                                   .presence_key = client.presence_key});
                             });
}

}  // namespace carillon
