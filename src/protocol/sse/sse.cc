#include "protocol/sse/sse.h"

#include <algorithm>

#include "protocol/http_error.h"
#include "protocol/native_channels.h"

namespace carillon {
namespace {

// The header is the client's own memory; a query parameter in a fixed URL is what it was told at first.
std::string resume_text(const HttpRequest& request) {
  if (const auto header = request.headers.find("Last-Event-ID")) return std::string(*header);
  for (const char* const name : {"lastEventId", "last_event_id", "lastEventID"}) {
    if (const auto value = request.query_value(name)) return *value;
  }
  return {};
}

}  // namespace

SseRoom::SseRoom(Shard& shard, Random& random, Identify identify, const SseOptions& options, EventNames names,
                 ChannelTextOptions text_options)
    : shard_(shard),
      random_(random),
      identify_(std::move(identify)),
      options_(options),
      names_(names),
      text_options_(text_options) {}

void SseRoom::add_routes(Routes& routes) {
  routes.add("GET", options_.path, [this](ExchangePtr exchange) { accept(std::move(exchange)); });
}

void SseRoom::accept(ExchangePtr exchange) {
  const HttpRequest& request = exchange->request();
  SseStart start{.names = names_};
  Result<IdentityPtr> identified = identify_(*exchange, {});
  if (!identified) return exchange->reply(refused_identity(identified.error(), request));
  start.identity = *std::move(identified);
  const std::vector<std::string> channels = request.query_values("channel");
  if (channels.empty()) {
    return exchange->reply(
        HttpResponse::error(400, "invalid", "name at least one channel: " + options_.path + "?channel=room:42"));
  }
  const std::size_t most = shard_.hub().options().subscriptions_per_session_max;
  if (channels.size() > most) {
    return exchange->reply(
        HttpResponse::error(400, "limit", "subscription limit exceeded: max " + std::to_string(most) + " subscriptions"));
  }
  static const Identity anonymous;
  const Identity& identity = start.identity == nullptr ? anonymous : *start.identity;
  for (const std::string& channel : channels) {
    Result<Selector> selector = subscription_selector(channel, text_options_);
    if (!selector) return exchange->reply(error_response(selector.error()));
    const Result<void> allowed = shard_.hub().policy().may_subscribe(identity, *selector);
    if (!allowed) return exchange->reply(error_response(allowed.error()));
    // One named twice would be recovered twice.
    const bool named = std::find(start.selectors.begin(), start.selectors.end(), *selector) != start.selectors.end();
    if (!named) start.selectors.push_back(*std::move(selector));
  }
  if (const std::string text = resume_text(request); !text.empty()) {
    start.cursor = parse_sse_cursor(text);
    start.cursor_lost = !start.cursor;
  }
  if (const auto names = request.query_value("events")) {
    if (names == "dotted") start.names = EventNames::kDotted;
    if (names == "underscore") start.names = EventNames::kUnderscore;
  }
  start.shared_encoding = start.names == EventNames::kDotted ? &dotted_ : &underscore_;
  const std::string user_agent(request.headers.get("User-Agent"));
  start.user_agent = user_agent;
  const auto spread = static_cast<std::uint64_t>((options_.retry_max - options_.retry_min).count()) + 1;
  start.retry_ms = options_.retry_min.count() + static_cast<std::int64_t>(random_.below(spread));

  HttpResponse head;
  head.headers.add("Content-Type", "text/event-stream; charset=utf-8");
  head.headers.add("Cache-Control", "no-cache, no-transform");
  head.headers.add("X-Accel-Buffering", "no");
  SseDialog* opened = nullptr;
  exchange->open_stream(std::move(head), {.quiet_time = options_.heartbeat}, [&](Link& link) -> std::unique_ptr<Dialog> {
    auto dialog = std::make_unique<SseDialog>(shard_, link, start);
    opened = dialog.get();
    return dialog;
  });
  // Not inside: what was missed may be more than an outbox holds, and must find an open link. Null: the client has gone, or
  // asked for the head only.
  if (opened != nullptr) opened->begin(start);
}

}  // namespace carillon
