#include "protocol/phoenix/phoenix_polls.h"

#include <algorithm>

#include "base/log.h"
#include "protocol/phoenix/phoenix_poll_token.h"
#include "protocol/unanswered_exchange.h"
#include "wire/http/http_syntax.h"

namespace carillon {
namespace {

HttpResponse status_response(PhoenixPollStatus status) {
  return phoenix_poll_response(phoenix_poll_status(status));
}

// All fields of the name, as one list.
std::string joined_fields(const HttpHeaders& headers, std::string_view name) {
  std::string list;
  for (const auto& [field, value] : headers.fields()) {
    if (!equal_ignoring_case(field, name)) continue;
    if (!list.empty()) list += ", ";
    list += value;
  }
  return list;
}

HttpResponse no_such_method() {
  HttpResponse response = status_response(PhoenixPollStatus::kBadRequest);
  response.status = 400;
  return response;
}

// Of the query's tokens the last is the transport's, behind one of the application's own.
std::string poll_token(const HttpRequest& request) {
  if (const auto header = request.headers.find("X-Phoenix-Longpoll-Token")) return std::string(*header);
  const std::vector<std::string> tokens = request.query_values("token");
  return tokens.empty() ? std::string() : tokens.back();
}

// A request whose session is gone, as it looks to Identify: without the transport's token, which says nothing of the user.
UnansweredExchange opening_of(const Exchange& exchange) {
  HttpRequest request = exchange.request();
  std::string kept;
  for (std::string_view rest = request.query; !rest.empty();) {
    const std::string_view pair = rest.substr(0, rest.find('&'));
    rest.remove_prefix(std::min(pair.size() + 1, rest.size()));
    if (pair.starts_with("token=") && phoenix_poll_home(pair.substr(6))) continue;
    kept += (kept.empty() ? "" : "&") + std::string(pair);
  }
  request.query = std::move(kept);
  return {std::move(request), exchange.peer(), exchange.path_values()};
}

}  // namespace

PhoenixPolls::PhoenixPolls(PhoenixPollParts parts, const PhoenixPollLimits& limits)
    : parts_(std::move(parts)),
      limits_(limits),
      loop_(parts_.shared.shard.loop()),
      place_(parts_.siblings.add(loop_, *this)),
      deadlines_(loop_) {}

PhoenixPolls::~PhoenixPolls() = default;

void PhoenixPolls::answer(ExchangePtr exchange) {
  const HttpRequest& request = exchange->request();
  if (!parts_.may_use_origin(request)) return exchange->reply(phoenix_poll_origin_refused());
  if (request.method == "OPTIONS") {
    return exchange->reply(phoenix_poll_preflight(joined_fields(request.headers, "Access-Control-Request-Headers")));
  }
  if (request.method != "GET" && request.method != "POST") return exchange->reply(no_such_method());
  std::string token = poll_token(request);
  const std::optional<PhoenixPollHome> home = phoenix_poll_home(token);
  if (home && is_elsewhere(parts_.nodes, home->node, request))
    return forward(home->node, std::move(exchange), std::move(token));
  pass(std::move(exchange), std::move(token));
}

// What that node cannot answer is answered here, as of a session that has ended.
void PhoenixPolls::forward(std::uint16_t node, ExchangePtr exchange, std::string token) {
  parts_.nodes->forward(node, std::move(exchange),
                        [this, token = std::move(token)](ExchangePtr back, NodeForward::Unanswered why) mutable {
                          const bool polls = back->request().method == "GET";
                          if (why == NodeForward::Unanswered::kNotThere) return pass(std::move(back), std::move(token));
                          back->reply(polls ? phoenix_poll_response(phoenix_poll_messages(token, {}))
                                            : HttpResponse::error(503, "unavailable", "the server is stopping"));
                        });
}

void PhoenixPolls::pass(ExchangePtr exchange, std::string token) {
  const std::optional<PhoenixPollHome> home = phoenix_poll_home(token);
  if (!home || home->place >= parts_.siblings.count()) return serve(std::move(exchange), {});
  parts_.siblings.hand_over(
      place_, home->place, std::move(exchange),
      [token = std::move(token)](PhoenixPolls& polls, ExchangePtr taken) { polls.serve(std::move(taken), token); });
}

void PhoenixPolls::serve(ExchangePtr exchange, const std::string& token) {
  PhoenixPoll* const session = find(token);
  if (session == nullptr && was_forwarded(exchange->request())) return exchange->reply(not_here());
  if (exchange->request().method == "POST") return send(std::move(exchange), session);
  if (session == nullptr) return open(std::move(exchange));
  session->poll(std::move(exchange));
}

void PhoenixPolls::open(ExchangePtr exchange) {
  const Result<PhoenixOpening> opening = parts_.door.open(opening_of(*exchange));
  if (!opening) return exchange->reply(status_response(PhoenixPollStatus::kForbidden));
  if (!has_room()) return exchange->reply(status_response(PhoenixPollStatus::kForbidden));
  std::string token = make_phoenix_poll_token({number_of(parts_.nodes), place_}, parts_.random);
  auto session = std::make_unique<PhoenixPoll>(*this, token, exchange->peer());
  session->open(std::make_unique<PhoenixDialog>(parts_.shared, *session,
                                                PhoenixStart{.encoding = &parts_.encodings.of(opening->form),
                                                             .identity = opening->identity,
                                                             .user_agent = opening->user_agent,
                                                             .presence_key = opening->presence_key}));
  exchange->reply(phoenix_poll_response(phoenix_poll_opened(token)));
  sessions_.emplace(std::move(token), std::move(session));
}

bool PhoenixPolls::has_room() {
  const std::size_t loops = parts_.siblings.count();
  if (sessions_.size() < (limits_.sessions_max + loops - 1) / loops) return true;
  if (log_.may_write(loop_.now())) {
    log_warning("phoenix long-poll session refused: there are {} on this loop already; others_unlogged={}", sessions_.size(),
                log_.take_left_out());
  }
  return false;
}

// What a body holds is taken whole or not at all, but for frames behind one that ends the session.
void PhoenixPolls::send(ExchangePtr exchange, PhoenixPoll* session) {
  if (session == nullptr) return exchange->reply(status_response(PhoenixPollStatus::kGone));
  const HttpRequest& request = exchange->request();
  const auto frames = read_phoenix_poll_body(request.headers.get("Content-Type"), request.body);
  const auto too_large = [this](const PhoenixPollFrame& frame) { return frame.bytes().size() > limits_.message_bytes_max; };
  if (!frames && frames.error().kind != ErrorKind::kTooLarge) {
    return exchange->reply(status_response(PhoenixPollStatus::kBadRequest));
  }
  if (!frames || std::ranges::any_of(*frames, too_large)) {
    return exchange->reply(status_response(PhoenixPollStatus::kTooLarge));
  }
  for (const PhoenixPollFrame& frame : *frames) {
    if (!session->take(frame.bytes(), frame.kind)) return exchange->reply(status_response(PhoenixPollStatus::kGone));
  }
  exchange->reply(status_response(PhoenixPollStatus::kOk));
}

PhoenixPoll* PhoenixPolls::find(std::string_view token) {
  const auto found = sessions_.find(token);
  return found == sessions_.end() ? nullptr : found->second.get();
}

// --- For sessions

const Encoding& PhoenixPolls::framed(const Encoding& inner) {
  for (const auto& known : encodings_) {
    if (&known->inner() == &inner) return *known;
  }
  return *encodings_.emplace_back(std::make_unique<PhoenixPollEncoding>(inner));
}

void PhoenixPolls::remove(PhoenixPoll& session) {
  const auto found = sessions_.find(session.token());
  if (found == sessions_.end()) return;
  std::unique_ptr<Disposable> closed = std::move(found->second);
  sessions_.erase(found);
  loop_.dispose(std::move(closed));
}

}  // namespace carillon
