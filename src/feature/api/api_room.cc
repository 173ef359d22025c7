#include "feature/api/api_room.h"

#include <fmt/format.h>

#include <algorithm>
#include <memory>
#include <utility>

#include "base/utf8.h"
#include "feature/api/api_query.h"
#include "feature/api/openapi_document.h"
#include "hub/epoch_text.h"
#include "hub/session_text.h"
#include "protocol/http_error.h"
#include "protocol/native_channels.h"
#include "wire/http/http_syntax.h"
#include "wire/json/json_writer.h"

namespace carillon {
namespace {

// What a route takes.
enum class Body { kNone, kJson };

Error invalid(std::string text) {
  return {ErrorKind::kInvalid, std::move(text)};
}

// A missing type is taken for JSON; a page cannot send the others across origins without asking first.
bool is_json(const HttpRequest& request) {
  const std::optional<std::string_view> field = request.headers.find("Content-Type");
  if (!field) return true;
  const std::string_view type = trim_http_space(field->substr(0, field->find(';')));
  constexpr std::string_view kSuffix = "+json";
  return equal_ignoring_case(type, "application/json") ||
         (type.size() > kSuffix.size() && equal_ignoring_case(type.substr(type.size() - kSuffix.size()), kSuffix));
}

// ?since=EPOCH:OFFSET
Result<std::optional<Position>> read_since(const HttpRequest& request) {
  const std::optional<std::string> text = request.query_value("since");
  if (!text) return std::optional<Position>();
  const std::string_view view = *text;
  const std::size_t colon = view.find(':');
  const std::optional<std::uint64_t> epoch = parse_epoch(view.substr(0, colon));
  const std::optional<std::uint64_t> offset =
      colon == std::string_view::npos ? std::nullopt : read_content_length(view.substr(colon + 1));
  if (!epoch || !offset) return invalid("parameter `since` must be a position EPOCH:OFFSET, such as 000063f2a91c07d4:17");
  return std::optional<Position>(Position{.epoch = *epoch, .offset = *offset});
}

// ?from_ms=UNIX MILLISECONDS
Result<std::optional<std::int64_t>> read_from(const HttpRequest& request) {
  const std::optional<std::string> text = request.query_value("from_ms");
  if (!text) return std::optional<std::int64_t>();
  const std::optional<std::uint64_t> time_ms = read_content_length(*text);
  if (!time_ms || *time_ms > std::uint64_t{1} << 53) return invalid("parameter `from_ms` must be a Unix time in milliseconds");
  return std::optional(static_cast<std::int64_t>(*time_ms));
}

Result<bool> read_flag(const HttpRequest& request, std::string_view name) {
  const std::optional<std::string> text = request.query_value(name);
  if (!text || *text == "false") return false;
  if (*text == "true") return true;
  return invalid(fmt::format("parameter `{}` must be true or false", name));
}

Result<HistoryQuery> read_history_query(const Exchange& exchange, const ApiOptions& options) {
  Result<std::string> channel = named_channel(exchange.path_value("name"), options.publish.channels);
  if (!channel) return channel.error();
  const Result<std::size_t> limit = read_limit(exchange.request(), options.history_page_max);
  if (!limit) return limit.error();
  const Result<std::optional<Position>> since = read_since(exchange.request());
  if (!since) return since.error();
  const Result<std::optional<std::int64_t>> from_ms = read_from(exchange.request());
  if (!from_ms) return from_ms.error();
  if (*since && *from_ms) return invalid("parameters `since` and `from_ms` say two things; give one of them");
  const Result<bool> reverse = read_flag(exchange.request(), "reverse");
  if (!reverse) return reverse.error();
  HistoryQuery query{.channel = *std::move(channel), .since = *since, .count_max = *limit, .reverse = *reverse};
  query.from_time_ms = *from_ms;
  return query;
}

HttpResponse wants_json() {
  return HttpResponse::error(415, "unsupported_media_type", "the body must be JSON (Content-Type: application/json)");
}

Error no_session(std::string_view id) {
  return {ErrorKind::kNotFound, fmt::format("there is no session {}", id)};
}

}  // namespace

struct ApiRoom::Route {
  const char* method;
  const char* path;
  Handler handler;
  enum class Access { kChecked, kOpen } access = Access::kChecked;
  Body body = Body::kNone;
};

struct ApiRoom::UserRoute {
  const char* method;
  const char* path;
  UserHandler handler;
  Body body = Body::kNone;
};

// openapi_document.cc describes each.
const ApiRoom::Route ApiRoom::kRoutes[] = {
    {"POST", "/announce", &ApiRoom::announce, Route::Access::kChecked, Body::kJson},
    {"GET", "/channels", &ApiRoom::list_channels},
    {"GET", "/channels/{name}", &ApiRoom::show_channel},
    {"DELETE", "/channels/{name}/history", &ApiRoom::remove_history},
    {"POST", "/channels/close", &ApiRoom::close_channel, Route::Access::kChecked, Body::kJson},
    {"GET", "/sessions", &ApiRoom::list_sessions},
    {"GET", "/sessions/{id}", &ApiRoom::show_session},
    {"DELETE", "/sessions/{id}", &ApiRoom::end_session},
    {"POST", "/disconnect", &ApiRoom::disconnect, Route::Access::kChecked, Body::kJson},
    {"GET", "/groups", &ApiRoom::list_groups},
    {"DELETE", "/groups", &ApiRoom::remove_group},
    {"GET", "/nodes", &ApiRoom::list_nodes},
    {"GET", "/info", &ApiRoom::show_info},
    {"GET", "/realtime/stats", &ApiRoom::show_stats, Route::Access::kOpen},
    {"GET", "/openapi.json", &ApiRoom::show_openapi, Route::Access::kOpen},
};

const ApiRoom::UserRoute ApiRoom::kUserRoutes[] = {
    {"POST", "/publish", &ApiRoom::publish, Body::kJson},
    {"POST", "/broadcast", &ApiRoom::broadcast, Body::kJson},
    {"POST", "/batch", &ApiRoom::batch, Body::kJson},
    {"GET", "/channels/{name}/history", &ApiRoom::read_history},
    {"GET", "/topics", &ApiRoom::list_topics},
    {"POST", "/topics", &ApiRoom::create_topic, Body::kJson},
    {"GET", "/topics/{id}", &ApiRoom::show_topic},
    {"DELETE", "/topics/{id}", &ApiRoom::delete_topic},
    {"GET", "/presence", &ApiRoom::show_presence},
    {"GET", "/presence_stats", &ApiRoom::show_presence_stats},
    {"POST", "/groups/take", &ApiRoom::take_from_group, Body::kJson},
    {"POST", "/groups/ack", &ApiRoom::ack_in_group, Body::kJson},
    {"POST", "/groups/nack", &ApiRoom::nack_in_group, Body::kJson},
    {"POST", "/groups/extend", &ApiRoom::extend_in_group, Body::kJson},
};

ApiRoom::ApiRoom(Hub& hub, Loop& loop, const ApiAccess& access, Identify identify, const ApiTopics& topics, ApiOptions options,
                 ApiFacts facts)
    : hub_(hub),
      topics_(topics),
      loop_(loop),
      access_(access),
      options_(std::move(options)),
      facts_(std::move(facts)),
      identify_(std::move(identify)),
      trusted_(std::make_shared<const Identity>(Identity{.trusted = true})),
      openapi_(openapi_document(options_.path, facts_.version)),
      reader_(options_.publish),
      steer_reader_(options_.publish.channels),
      group_reader_(options_.publish.channels) {}

ApiRoom::~ApiRoom() = default;

void ApiRoom::add_routes(Routes& routes) {
  for (const Route& route : kRoutes) {
    routes.add(route.method, options_.path + route.path, [this, &route](ExchangePtr exchange) {
      if (route.access == Route::Access::kChecked) {
        if (const Result<void> allowed = access_.check(*exchange); !allowed) {
          return exchange->reply(error_response(allowed.error()));
        }
      }
      if (route.body == Body::kJson && !is_json(exchange->request())) return exchange->reply(wants_json());
      (this->*route.handler)(std::move(exchange));
    });
  }
  for (const UserRoute& route : kUserRoutes) {
    routes.add(route.method, options_.path + route.path, [this, &route](ExchangePtr exchange) {
      const HttpRequest& request = exchange->request();
      const Result<IdentityPtr> asking = asker(*exchange);
      if (!asking) return exchange->reply(refused_identity(asking.error(), request));
      if (route.body == Body::kJson && !is_json(request)) return exchange->reply(wants_json());
      (this->*route.handler)(std::move(exchange), *asking);
    });
  }
}

// A user with a token, or else somebody who may use all of the API.
Result<IdentityPtr> ApiRoom::asker(const Exchange& exchange) const {
  const bool shows_key = access_.has_key() && access_.check(exchange);
  if (!shows_key && !shown_token(exchange.request()).text.empty()) {
    Result<IdentityPtr> identity = identify_(exchange, {});
    if (!identity) return identity.error();
    if (*identity != nullptr && (*identity)->verified) return without_claims(*identity);
  }
  if (const Result<void> allowed = access_.check(exchange); !allowed) return allowed.error();
  return trusted_;
}

void ApiRoom::run_here(Task task) {
  if (loop_.in_loop_thread()) return task();
  loop_.post(std::move(task));
}

void ApiRoom::publish_draft(const IdentityPtr& asker, Draft draft, UniqueFunction<void(Result<Receipt>)> done) {
  if (const Result<void> allowed = hub_.policy().may_publish(*asker, draft.channel); !allowed) {
    return done(allowed.error());
  }
  draft.identity = asker;
  hub_.publish(std::move(draft), std::move(done));
}

void ApiRoom::publish(ExchangePtr exchange, const IdentityPtr& asker) {
  Result<Draft> draft = reader_.read_publish(exchange->request().body);
  if (!draft) return exchange->reply(error_response(draft.error()));
  auto answer = [channel = draft->channel](Result<Receipt> outcome) {
    if (!outcome) return error_response(outcome.error());
    std::string body = "{";
    append_outcome_members(body, channel, outcome);
    return HttpResponse::json(200, body + "}");
  };
  publish_draft(asker, *std::move(draft), answer_later<Result<Receipt>>(std::move(exchange), std::move(answer)));
}

void ApiRoom::broadcast(ExchangePtr exchange, const IdentityPtr& asker) {
  auto items = reader_.read_broadcast(exchange->request().body);
  publish_each(std::move(exchange), asker, std::move(items));
}

void ApiRoom::batch(ExchangePtr exchange, const IdentityPtr& asker) {
  auto items = reader_.read_batch(exchange->request().body);
  publish_each(std::move(exchange), asker, std::move(items));
}

// The outcomes of one request, in the request's order.
struct ApiRoom::Gathering {
  ExchangePtr exchange;
  std::vector<std::string> results;
  std::size_t missing = 0;
};

void ApiRoom::publish_each(ExchangePtr exchange, const IdentityPtr& asker, Result<std::vector<PublishReader::Item>> items) {
  if (!items) return exchange->reply(error_response(items.error()));
  const std::uint64_t ticket = ++last_ticket_;
  auto gathering = std::make_unique<Gathering>();
  gathering->exchange = std::move(exchange);
  gathering->results.resize(items->size());
  gathering->missing = items->size();
  if (items->empty()) return finish(*gathering);
  gatherings_.emplace(ticket, std::move(gathering));
  for (std::size_t i = 0; i < items->size(); ++i) {
    PublishReader::Item& item = (*items)[i];
    if (!item.draft) {
      take_outcome(ticket, i, item.channel, item.draft.error());
      continue;
    }
    std::string channel = item.draft->channel;
    publish_draft(asker, *std::move(item.draft),
                  [this, ticket, i, channel = std::move(channel)](Result<Receipt> outcome) mutable {
                    run_here([this, ticket, i, channel = std::move(channel), outcome = std::move(outcome)] {
                      take_outcome(ticket, i, channel, outcome);
                    });
                  });
  }
}

void ApiRoom::take_outcome(std::uint64_t ticket, std::size_t index, const std::string& channel,
                           const Result<Receipt>& outcome) {
  const auto found = gatherings_.find(ticket);
  Gathering& gathering = *found->second;
  append_outcome_members(gathering.results[index], channel, outcome);
  if (--gathering.missing > 0) return;
  finish(gathering);
  gatherings_.erase(found);
}

void ApiRoom::finish(Gathering& gathering) {
  std::string body;
  JsonWriter writer(body);
  writer.begin_object().key("results").begin_array();
  for (const std::string& result : gathering.results) writer.begin_object().raw(result).end_object();
  writer.end_array().end_object();
  gathering.exchange->reply(HttpResponse::json(200, std::move(body)));
}

void ApiRoom::announce(ExchangePtr exchange) {
  const Result<std::string> text = reader_.read_announcement(exchange->request().body);
  if (!text) return exchange->reply(error_response(text.error()));
  hub_.announce(Bytes::copy_of(*text));
  std::string body;
  JsonWriter(body).begin_object().key("sessions").number(hub_.stats().sessions).end_object();
  exchange->reply(HttpResponse::json(200, std::move(body)));
}

void ApiRoom::read_history(ExchangePtr exchange, const IdentityPtr& asker) {
  Result<HistoryQuery> query = read_history_query(*exchange, options_);
  if (!query) return exchange->reply(error_response(query.error()));
  if (const Result<void> allowed = hub_.policy().may_read_history(*asker, query->channel); !allowed) {
    return exchange->reply(error_response(allowed.error()));
  }
  auto answer = [this, channel = query->channel](Result<HistoryPage> page) {
    if (!page) return error_response(page.error());
    return HttpResponse::json(200, history_json(channel, *page, options_.event_names, options_.history_bytes_max));
  };
  hub_.history(*std::move(query), answer_later<Result<HistoryPage>>(std::move(exchange), std::move(answer)));
}

void ApiRoom::remove_history(ExchangePtr exchange) {
  Result<std::string> channel = named_channel(exchange->path_value("name"), options_.publish.channels);
  if (!channel) return exchange->reply(error_response(channel.error()));
  auto answer = [channel = *channel](Result<void> outcome) {
    if (!outcome) return error_response(outcome.error());
    std::string body;
    JsonWriter(body).begin_object().key("channel").string(channel).key("removed").boolean(true).end_object();
    return HttpResponse::json(200, std::move(body));
  };
  hub_.remove_history(*std::move(channel), answer_later<Result<void>>(std::move(exchange), std::move(answer)));
}

void ApiRoom::list_channels(ExchangePtr exchange) {
  const HttpRequest& request = exchange->request();
  const Result<std::size_t> limit = read_limit(request, options_.list_page_max);
  if (!limit) return exchange->reply(error_response(limit.error()));
  std::string prefix = request.query_value("prefix").value_or("");
  std::string after = request.query_value("after").value_or("");
  auto answer = [limit = *limit](Result<std::vector<Hub::ChannelInfo>> channels) {
    return channels ? HttpResponse::json(200, channels_json(*channels, limit)) : error_response(channels.error());
  };
  hub_.list_channels(loop_, std::move(prefix), std::move(after), *limit + 1,
                     answer_later<Result<std::vector<Hub::ChannelInfo>>>(std::move(exchange), std::move(answer)));
}

// Of all names that begin with this one, it comes first. A channel that keeps nothing and that nobody hears is no different
// from one that does not exist: both have no subscribers and no history.
void ApiRoom::show_channel(ExchangePtr exchange) {
  Result<std::string> channel = named_channel(exchange->path_value("name"), options_.publish.channels);
  if (!channel) return exchange->reply(error_response(channel.error()));
  auto answer = [channel = *channel](Result<std::vector<Hub::ChannelInfo>> channels) {
    if (!channels) return error_response(channels.error());
    Hub::ChannelInfo shown;
    shown.record.name = channel;
    if (!channels->empty() && channels->front().record.name == channel) shown = channels->front();
    return HttpResponse::json(200, channel_json(shown));
  };
  hub_.list_channels(loop_, *std::move(channel), "", 1,
                     answer_later<Result<std::vector<Hub::ChannelInfo>>>(std::move(exchange), std::move(answer)));
}

void ApiRoom::list_sessions(ExchangePtr exchange) {
  const HttpRequest& request = exchange->request();
  const Result<std::size_t> limit = read_limit(request, options_.list_page_max);
  if (!limit) return exchange->reply(error_response(limit.error()));
  const std::optional<SessionId> after = parse_session(request.query_value("after").value_or("0"));
  if (!after) return exchange->reply(error_response(invalid("parameter `after` must be a session's id")));
  auto answer = [limit = *limit](std::vector<SessionInfo> sessions) {
    return HttpResponse::json(200, sessions_json(sessions, limit));
  };
  hub_.list_sessions(loop_, *after, *limit + 1, answer_later<std::vector<SessionInfo>>(std::move(exchange), std::move(answer)));
}

void ApiRoom::show_session(ExchangePtr exchange) {
  const std::string text(exchange->path_value("id"));
  const std::optional<SessionId> id = parse_session(text);
  if (!id || *id == 0) return exchange->reply(error_response(no_session(text)));
  auto answer = [text, id = *id](std::vector<SessionInfo> sessions) {
    if (sessions.empty() || sessions.front().id != id) return error_response(no_session(text));
    return HttpResponse::json(200, session_json(sessions.front()));
  };
  hub_.list_sessions(loop_, *id - 1, 1, answer_later<std::vector<SessionInfo>>(std::move(exchange), std::move(answer)));
}

void ApiRoom::end_session(ExchangePtr exchange) {
  const std::string text(exchange->path_value("id"));
  const std::optional<SessionId> id = parse_session(text);
  if (!id || *id == 0) return exchange->reply(error_response(no_session(text)));
  std::string reason = exchange->request().query_value("reason").value_or("disconnected by an operator");
  // It becomes part of a close frame, which holds UTF-8 (RFC 6455, section 5.5.1).
  if (!is_utf8(reason)) return exchange->reply(error_response(invalid("parameter `reason` must be UTF-8")));
  auto answer = [text, id = *id](bool was_there) {
    if (!was_there) return error_response(no_session(text));
    std::string body;
    JsonWriter(body).begin_object().key("id").string(session_text(id)).key("disconnected").boolean(true).end_object();
    return HttpResponse::json(200, std::move(body));
  };
  hub_.disconnect(loop_, *id, std::move(reason), answer_later<bool>(std::move(exchange), std::move(answer)));
}

Result<std::string> ApiRoom::presence_channel(const Exchange& exchange, const Identity& asker) const {
  const std::optional<std::string> asked = exchange.request().query_value("channel");
  if (!asked) return invalid("parameter `channel` is missing");
  Result<std::string> channel = named_channel(*asked, options_.publish.channels);
  if (!channel) return channel;
  if (const Result<void> allowed = hub_.policy().may_see_presence(asker, *channel); !allowed) return allowed.error();
  return channel;
}

void ApiRoom::show_presence(ExchangePtr exchange, const IdentityPtr& asker) {
  Result<std::string> channel = presence_channel(*exchange, *asker);
  if (!channel) return exchange->reply(error_response(channel.error()));
  const PresenceSessions sessions = asker->trusted ? PresenceSessions::kShown : PresenceSessions::kHidden;
  auto answer = [sessions](Result<PresenceStatePtr> state) {
    return state ? HttpResponse::json(200, presence_json(**state, sessions)) : error_response(state.error());
  };
  hub_.presence(*std::move(channel), answer_later<Result<PresenceStatePtr>>(std::move(exchange), std::move(answer)));
}

void ApiRoom::show_presence_stats(ExchangePtr exchange, const IdentityPtr& asker) {
  Result<std::string> channel = presence_channel(*exchange, *asker);
  if (!channel) return exchange->reply(error_response(channel.error()));
  auto answer = [channel = *channel](Result<PresenceCounts> counts) {
    return counts ? HttpResponse::json(200, presence_stats_json(channel, *counts)) : error_response(counts.error());
  };
  hub_.presence_counts(*std::move(channel), answer_later<Result<PresenceCounts>>(std::move(exchange), std::move(answer)));
}

void ApiRoom::close_channel(ExchangePtr exchange) {
  Result<Hub::CloseChannel> close = steer_reader_.read_close(exchange->request().body);
  if (!close) return exchange->reply(error_response(close.error()));
  auto answer = [](std::size_t closed) {
    std::string body;
    JsonWriter(body).begin_object().key("closed").number(closed).end_object();
    return HttpResponse::json(200, std::move(body));
  };
  hub_.close_channel(loop_, *std::move(close), answer_later<std::size_t>(std::move(exchange), std::move(answer)));
}

void ApiRoom::disconnect(ExchangePtr exchange) {
  Result<SteerReader::Disconnect> asked = steer_reader_.read_disconnect(exchange->request().body);
  if (!asked) return exchange->reply(error_response(asked.error()));
  auto done = answer_later<std::size_t>(std::move(exchange), [](std::size_t count) {
    std::string body;
    JsonWriter(body).begin_object().key("disconnected").number(count).end_object();
    return HttpResponse::json(200, std::move(body));
  });
  if (std::string* const user = std::get_if<std::string>(&asked->whom)) {
    return hub_.disconnect_user(loop_, std::move(*user), std::move(asked->reason), std::move(done));
  }
  hub_.disconnect(loop_, std::get<SessionId>(asked->whom), std::move(asked->reason),
                  [done = std::move(done)](bool was_there) mutable { done(was_there ? 1 : 0); });
}

void ApiRoom::show_info(ExchangePtr exchange) {
  exchange->reply(HttpResponse::json(200, info_json(facts_, hub_.clock().unix_ms())));
}

void ApiRoom::show_stats(ExchangePtr exchange) {
  exchange->reply(HttpResponse::json(200, stats_json(hub_.stats())));
}

void ApiRoom::show_openapi(ExchangePtr exchange) {
  exchange->reply(HttpResponse::json(200, openapi_));
}

}  // namespace carillon
