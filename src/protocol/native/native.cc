#include "protocol/native/native.h"

#include "protocol/event_json.h"

namespace carillon {

void NativeRoom::EventEncoding::encode(const Publication& publication, std::string& out) const {
  append_event_json(out, publication, names_);
}

void NativeRoom::EventEncoding::encode_presence(const PresenceUpdate& diff, std::string& out) const {
  append_native_presence_diff(out, diff);
}

void NativeRoom::EventEncoding::encode_presence_counts(std::string_view channel, const PresenceCounts& counts,
                                                       std::string& out) const {
  out += native_presence_stats(channel, {}, counts);
}

NativeRoom::NativeRoom(Shard& shard, DurableSubscriptions& durable, Identify identify, const NativeOptions& options,
                       const LimitsOptions& limits, std::string server)
    : shared_{.shard = shard,
              .durable = durable,
              .text_options = {.refuse_unknown_types = options.refuse_unknown_types},
              .history_page_max = limits.history_page_max},
      identify_(std::move(identify)),
      options_(options),
      limits_(limits),
      server_(std::move(server)) {}

void NativeRoom::add_routes(Routes& routes) {
  routes.add("GET", options_.path, [this](ExchangePtr exchange) { accept(std::move(exchange)); });
}

std::unique_ptr<NativeDialog> NativeRoom::open(Link& link, IdentityPtr identity, std::string_view user_agent) {
  return std::make_unique<NativeDialog>(shared_, link,
                                        NativeStart{.names = options_.event_names,
                                                    .encoding = &encoding_of(options_.event_names),
                                                    .identity = std::move(identity),
                                                    .user_agent = user_agent});
}

// `?v=2` asks for a hello; `?events=dotted|underscore` chooses how event kinds are written.
void NativeRoom::accept(ExchangePtr exchange) {
  const HttpRequest& request = exchange->request();
  NativeStart start{.names = options_.event_names};
  bool hello = false;
  if (!request.query.empty()) {
    hello = request.query_value("v") == "2";
    const auto names = request.query_value("events");
    if (names == "dotted") start.names = EventNames::kDotted;
    if (names == "underscore") start.names = EventNames::kUnderscore;
  }
  start.encoding = &encoding_of(start.names);
  Result<IdentityPtr> identity = identify_(*exchange, {});
  if (!identity) return exchange->reply(refused_identity(identity.error(), request));
  start.identity = *std::move(identity);
  const std::string user_agent(request.headers.get("User-Agent"));
  start.user_agent = user_agent;
  exchange->accept_websocket({}, [this, &start, hello](Link& link) -> std::unique_ptr<Dialog> {
    auto dialog = std::make_unique<NativeDialog>(shared_, link, start);
    if (hello) dialog->send_hello(server_, limits_);
    return dialog;
  });
}

}  // namespace carillon
