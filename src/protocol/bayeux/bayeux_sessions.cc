#include "protocol/bayeux/bayeux_sessions.h"

#include <algorithm>

#include "base/log.h"

namespace carillon {
namespace {

constexpr std::string_view kHandshake = "/meta/handshake";

std::string_view text_of(BayeuxAnswerer& answerer, const std::string& given) {
  return given.empty() ? answerer.exchange().request().body : given;
}

std::string joined(std::span<const std::string> texts) {
  std::string out;
  for (const std::string& text : texts) {
    // What stands between the colons of an error string.
    if (!out.empty()) out += ',';
    out += text;
  }
  return out;
}

}  // namespace

BayeuxSessions::BayeuxSessions(BayeuxParts parts)
    : parts_(std::move(parts)),
      place_(parts_.common.siblings.add(parts_.shard.loop(), *this)),
      encoding_({.alphabet = parts_.common.alphabet, .timestamps = parts_.common.options.timestamps}),
      encoding_with_positions_(
          {.alphabet = parts_.common.alphabet, .timestamps = parts_.common.options.timestamps, .positions = true}),
      reader_(parts_.common.options.batch_max),
      deadlines_(parts_.shard.loop()),
      sockets_(*this),
      far_lines_(*this) {}

BayeuxSessions::~BayeuxSessions() = default;

// --- Requests

void BayeuxSessions::take(BayeuxAnswerer answerer, std::string text) {
  if (parts_.nodes != nullptr) {
    const std::uint16_t node = bayeux_node(glance_at_client_id(text_of(answerer, text)));
    if (is_elsewhere(parts_.nodes, node, answerer.exchange().request()))
      return forward(node, std::move(answerer), std::move(text));
  }
  pass(std::move(answerer), std::move(text));
}

// What that node cannot answer is answered here, as of a session that nobody knows.
void BayeuxSessions::forward(std::uint16_t node, BayeuxAnswerer answerer, std::string text) {
  const BayeuxTransport transport = answerer.transport();
  std::string callback = answerer.callback();
  parts_.nodes->forward(node, answerer.take_exchange(),
                        [this, transport, callback = std::move(callback), text = std::move(text)](
                            ExchangePtr exchange, NodeForward::Unanswered why) mutable {
                          BayeuxAnswerer back(std::move(exchange), transport, std::move(callback));
                          if (why == NodeForward::Unanswered::kNotThere) return pass(std::move(back), std::move(text));
                          back.fail(503, "the server is stopping");  // Its client tries again.
                        });
}

void BayeuxSessions::pass(BayeuxAnswerer answerer, std::string text) {
  if (common().siblings.count() == 1) return take_here(std::move(answerer), text);
  const std::optional<std::size_t> shown = bayeux_place(glance_at_client_id(text_of(answerer, text)));
  if (!shown || *shown == place_ || *shown >= common().siblings.count()) return take_here(std::move(answerer), text);
  const BayeuxTransport transport = answerer.transport();
  std::string callback = answerer.callback();
  common().siblings.hand_over(
      place_, *shown, answerer.take_exchange(),
      [text = std::move(text), transport, callback = std::move(callback)](BayeuxSessions& there, ExchangePtr exchange) {
        there.take_here(BayeuxAnswerer(std::move(exchange), transport, callback), text);
      });
}

// The messages are views into the body: the exchange lives until it is answered, which is after all of them have been looked
// at.
void BayeuxSessions::take_here(BayeuxAnswerer answerer, const std::string& given) {
  const auto messages = reader_.read(text_of(answerer, given));
  if (!messages) {
    return answerer.fail(messages.error().kind == ErrorKind::kTooLarge ? 413 : 400, "Bad request: " + messages.error().text);
  }
  const HttpRequest& request = answerer.exchange().request();
  const std::string_view cookie = cookie_of(request);
  const bool forwarded = was_forwarded(request);
  if (messages->front().channel == kHandshake && !forwarded) {
    // It stands alone: what was sent along is not looked at.
    const BayeuxVisitor visitor = look_at_visitor(answerer.exchange(), parts_.identify, wants_headers());
    Handshaken done = handshake(messages->front(), visitor, cookie);
    const std::string set_cookie = done.browser.empty() ? "" : bayeux_cookie(done.browser, common().options, request);
    return answerer.answer_with_cookie(std::move(done.array), set_cookie);
  }
  BayeuxSession* session = nullptr;
  const auto named = std::ranges::find_if(*messages, [](const BayeuxMessage& message) { return !message.client_id.empty(); });
  if (named != messages->end()) session = find(named->client_id);
  const bool known = session != nullptr && session->may_speak(cookie);
  if (forwarded && (!known || messages->front().channel == kHandshake)) return answerer.take_exchange()->reply(not_here());
  if (!known) return answerer.answer(unknown_session(*messages));
  session->take(*messages, std::move(answerer));
}

Result<void> BayeuxSessions::take(BayeuxLine& line, std::string_view text, const BayeuxVisitor* visitor) {
  const auto messages = reader_.read(text);
  if (!messages) return messages.error();
  const BayeuxMessage& first = messages->front();
  if (first.channel == kHandshake && visitor != nullptr) {
    const Handshaken done = handshake(first, *visitor, {});
    if (done.session != nullptr) done.session->attach(line);
    line.send_array(done.array);
    line.flush();
    return {};
  }
  BayeuxSession* session = line.session();
  const auto named = std::ranges::find_if(*messages, [](const BayeuxMessage& message) { return !message.client_id.empty(); });
  if (named != messages->end() && (session == nullptr || named->client_id != session->client_id())) {
    session = find(named->client_id);
    // The session's WebSocket is the one that it shook hands on.
    if (common().options.handshake_per_websocket && session != nullptr) session = nullptr;
  }
  if (session == nullptr) {
    line.send_array(unknown_session(*messages));
    line.flush();
    return {};
  }
  session->take(*messages, line);
  line.flush();
  return {};
}

bool BayeuxSessions::attach(BayeuxLine& line, std::string_view client_id, std::string_view cookie) {
  if (!has_session(client_id, cookie)) return false;
  find(client_id)->attach(line);
  return true;
}

bool BayeuxSessions::has_session(std::string_view client_id, std::string_view cookie) {
  BayeuxSession* const session = find(client_id);
  return session != nullptr && session->may_speak(cookie);
}

// A client that hears this shakes hands again.
std::string BayeuxSessions::unknown_session(std::span<const BayeuxMessage> messages) const {
  std::vector<std::string> replies;
  for (const BayeuxMessage& message : messages) {
    BayeuxReply reply = reply_to(message);
    const bool readable = !message.channel.empty() && bayeux_channel_kind(message.channel, parts_.common.alphabet);
    reply.error = message.channel.empty() ? "400::channel_missing" : readable ? "402::session_unknown" : "405::channel_invalid";
    if (readable) reply.advice_json = bayeux_advice({.reconnect = "handshake"});
    replies.push_back(bayeux_reply(reply));
  }
  return bayeux_array({}, replies);
}

std::string_view BayeuxSessions::cookie_of(const HttpRequest& request) const {
  if (parts_.common.options.cookies == BayeuxCookies::kOff) return {};
  return cookie_value(request.headers.get("Cookie"), kBayeuxCookie);
}

// --- Handshakes

BayeuxSessions::Handshaken BayeuxSessions::handshake(const BayeuxMessage& message, const BayeuxVisitor& visitor,
                                                     std::string_view cookie) {
  BayeuxReply refused = reply_to(message);
  refused.connection_types = common().connection_types;
  refused.advice_json = bayeux_advice({.reconnect = "none"});
  refused.error = fault_of(message);
  const auto refuse = [&] {
    common().handshakes_refused.fetch_add(1, std::memory_order_relaxed);
    if (log_.may_write(loop().now())) {
      log_info("bayeux handshake refused: peer={} reason=\"{}\" others_unlogged={}", visitor.peer.text, refused.error,
               log_.take_left_out());
    }
    return Handshaken{.array = '[' + bayeux_reply(refused) + ']'};
  };
  if (!refused.error.empty()) return refuse();
  Result<IdentityPtr> identity = identity_of(message, visitor);
  if (!identity) {
    refused.error = "403::handshake_denied";
    return refuse();
  }
  BayeuxClient client{.user = *identity == nullptr ? std::string() : (*identity)->user,
                      .verified = *identity != nullptr && (*identity)->verified,
                      .peer = visitor.peer.text,
                      .user_agent = visitor.user_agent,
                      .headers = visitor.headers};
  BayeuxVerdict verdict = common().guard.may_handshake({.client = client, .ext = message.ext_json});
  if (!verdict.allowed) {
    refused.error = "403::handshake_denied";
    refused.advice_json = merged_json(refused.advice_json, verdict.advice);
    refused.ext_json = verdict.ext;
    return refuse();
  }
  if (!make_room()) {
    refused.error = "503::too_many_sessions";
    refused.advice_json = bayeux_advice({.reconnect = "retry", .interval_ms = 5000});
    return refuse();
  }
  const std::optional<JsonDocument> ext = message.ext_json.empty() ? std::nullopt : reader_.members(message.ext_json);
  const auto asks_for = [&ext](std::string_view extension) {
    const JsonSpan* const wish = ext ? ext->find(extension) : nullptr;
    return wish != nullptr && wish->type != JsonType::kFalse && wish->type != JsonType::kNull;
  };
  client.client_id = make_bayeux_client_id({number_of(parts_.nodes), place_}, shard().hub().clock(), parts_.random);
  client.data = std::move(verdict.data);
  const bool cookies = common().options.cookies != BayeuxCookies::kOff;
  const bool shows = cookies && is_bayeux_browser_id(cookie);
  Handshaken done{.browser = cookies && !shows ? make_bayeux_browser_id(shard().hub().clock(), parts_.random) : std::string()};
  BayeuxSession& session = open({.client = std::make_shared<const BayeuxClient>(std::move(client)),
                                 .identity = *std::move(identity),
                                 .browser = shows ? std::string(cookie) : done.browser,
                                 .shows_cookie = shows,
                                 .acknowledged = asks_for("ack"),
                                 .replays = asks_for("replay")});
  done.session = &session;
  for (const auto& [channel, data] : verdict.messages) {
    session.send(bayeux_delivery({.channel = channel, .data_json = data}), false);
  }
  done.array = welcome(message, session, verdict);
  return done;
}

std::string BayeuxSessions::fault_of(const BayeuxMessage& message) const {
  const BayeuxOptions& options = parts_.common.options;
  if (!message.fault.empty()) return std::string(message.fault);
  if (options.check_ids && !message.id_json.empty() && !is_bayeux_id(message.id_json)) return "405::message_id_invalid";
  if (message.version.empty()) return "402:version:Missing required parameter";
  if (!message.minimum_version.empty() && !bayeux_version_at_most(message.minimum_version, "1.0")) {
    return "300:" + std::string(message.minimum_version) + ":Version mismatch";
  }
  if (message.connection_types.empty()) return "402:supportedConnectionTypes:Missing required parameter";
  const bool common_type = std::ranges::any_of(message.connection_types, [&](const std::string& type) {
    return std::ranges::find(parts_.common.connection_types, type) != parts_.common.connection_types.end();
  });
  if (!common_type) return "301:" + joined(message.connection_types) + ":Connection types not supported";
  return {};
}

// A token in ext.authentication.token wins over what the connection showed.
Result<IdentityPtr> BayeuxSessions::identity_of(const BayeuxMessage& message, const BayeuxVisitor& visitor) {
  if (message.ext_json.empty()) return visitor.identity;
  const std::optional<JsonDocument> ext = reader_.members(message.ext_json);
  const JsonSpan* const authentication = ext ? ext->find("authentication") : nullptr;
  if (authentication == nullptr || authentication->type != JsonType::kObject) return visitor.identity;
  JsonSlicer slicer;
  const Result<JsonDocument> fields = slicer.slice(authentication->text);
  const JsonSpan* const token = fields ? fields->find("token") : nullptr;
  if (token == nullptr || token->type != JsonType::kString) return visitor.identity;
  return identify_by_token(parts_.identify, visitor.peer, decode_json_string(token->text).value_or(""));
}

std::string BayeuxSessions::welcome(const BayeuxMessage& message, BayeuxSession& session, const BayeuxVerdict& verdict) {
  BayeuxReply reply = reply_to(message);
  reply.client_id = session.client_id();
  reply.connection_types = common().connection_types;
  reply.advice_json = merged_json(session.default_advice(), verdict.advice);
  if (common().options.timestamps) reply.timestamp = bayeux_timestamp(unix_ms());
  const std::string deliveries = session.take_for_handshake(reply.messages_along);
  std::string ext;
  const std::optional<JsonDocument> asked = message.ext_json.empty() ? std::nullopt : reader_.members(message.ext_json);
  const JsonSpan* const timesync = asked ? asked->find("timesync") : nullptr;
  const auto sync = timesync == nullptr ? std::nullopt : read_timesync(timesync->text, unix_ms());
  const std::string synced = sync ? timesync_reply(*sync, unix_ms()) : std::string();
  if (session.acknowledges() || session.replays() || !synced.empty()) {
    JsonWriter json(ext);
    json.begin_object();
    if (session.acknowledges() && reply.messages_along == 0) json.key("ack").boolean(true);
    if (session.acknowledges() && reply.messages_along != 0) {
      json.key("ack").begin_object().key("enabled").boolean(true).key("batch").number(session.batch()).end_object();
    }
    if (session.replays()) json.key("replay").boolean(true);
    if (!synced.empty()) json.key("timesync").raw(synced);
    json.end_object();
  }
  reply.ext_json = merged_json(ext, verdict.ext);
  const std::string text = bayeux_reply(reply);
  return bayeux_array(deliveries, {&text, 1}, 1);
}

BayeuxSession& BayeuxSessions::open(BayeuxSession::Start start) {
  const BayeuxClientPtr client = start.client;
  auto session = std::make_unique<BayeuxSession>(*this, std::move(start));
  BayeuxSession& opened = *session;
  sessions_.emplace(*BayeuxClientKey::of(client->client_id), std::move(session));
  unconnected_.push_back(client->client_id);
  if (unconnected_.size() > 2 * sessions_.size() + 64) {
    std::erase_if(unconnected_, [this](const std::string& id) {
      const BayeuxSession* const known = find(id);
      return known == nullptr || known->connected();
    });
  }
  if (common().events.heard()) common().events.emit(bayeux_event::SessionAdded{.client = client});
  return opened;
}

// Who shook hands and never came back makes room for who does.
bool BayeuxSessions::make_room() {
  const std::size_t most = (common().options.sessions_max + common().loops - 1) / common().loops;
  while (sessions_.size() >= most && !unconnected_.empty()) {
    const std::string oldest = std::move(unconnected_.front());
    unconnected_.pop_front();
    BayeuxSession* const session = find(oldest);
    if (session != nullptr && !session->connected()) session->remove(bayeux_event::RemovalReason::kExpired);
  }
  return sessions_.size() < most;
}

bool BayeuxSessions::wants_headers() const {
  const BayeuxCommon& with = parts_.common;
  return with.hooks.may_handshake || with.hooks.policy || !with.hooks.authorizers.empty() || !with.hooks.services.empty() ||
         with.events.heard();
}

// --- For the program

bool BayeuxSessions::send_to(std::string_view client_id, std::string_view channel, std::string_view data_json, bool lazy) {
  BayeuxSession* const session = find(client_id);
  if (session == nullptr) return false;
  session->send(bayeux_delivery({.channel = channel, .data_json = data_json}), lazy);
  return true;
}

bool BayeuxSessions::remove(std::string_view client_id, bayeux_event::RemovalReason reason) {
  BayeuxSession* const session = find(client_id);
  if (session == nullptr) return false;
  session->remove(reason);
  return true;
}

// A session that is over is forgotten.
void BayeuxSessions::remove_all(bayeux_event::RemovalReason reason) {
  while (!sessions_.empty()) sessions_.begin()->second->remove(reason);
}

BayeuxSession* BayeuxSessions::find(std::string_view client_id) {
  const auto key = BayeuxClientKey::of(client_id);
  const auto found = key ? sessions_.find(*key) : sessions_.end();
  return found == sessions_.end() ? nullptr : found->second.get();
}

void BayeuxSessions::forget(BayeuxSession& session) {
  const auto found = sessions_.find(*BayeuxClientKey::of(session.client_id()));
  if (found == sessions_.end()) return;
  std::unique_ptr<Disposable> over = std::move(found->second);
  sessions_.erase(found);
  loop().dispose(std::move(over));
}

}  // namespace carillon
