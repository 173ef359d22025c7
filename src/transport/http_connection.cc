#include "transport/http_connection.h"

#include <algorithm>

#include "transport/event_stream.h"
#include "transport/http_exchange.h"
#include "transport/websocket_connection.h"
#include "wire/websocket/websocket_handshake.h"

namespace carillon {
namespace {

// Bytes of later requests that are read while one is answered; then the socket waits.
constexpr std::size_t kHeldBytes = 64 << 10;
// Answers that wait to leave while further requests are taken.
constexpr std::size_t kOutBytes = 256 << 10;
// A body up to here is copied behind its head, so that both leave as one piece; the kernel takes two at a higher price.
constexpr std::size_t kBytesWithHead = 8 << 10;
constexpr std::size_t kRequestIdBytesMax = 128;

bool is_request_id(std::string_view id) {
  return !id.empty() && id.size() <= kRequestIdBytesMax &&
         std::all_of(id.begin(), id.end(), [](char c) { return c > ' ' && c < 0x7F; });
}

}  // namespace

HttpConnection::HttpConnection(Edge& edge, std::unique_ptr<Stream> stream) : edge_(edge), stream_(std::move(stream)) {
  stream_->set_handler(*this);
  wait_until(edge_.options().request_time);
}

HttpConnection::~HttpConnection() {
  if (lent_ != nullptr) lent_->leave_home();
  if (exchange_ != nullptr) exchange_->connection_gone();
  tell_unsent();
}

PeerAddress HttpConnection::peer() const {
  return stream_ == nullptr ? PeerAddress{} : stream_->peer();
}

// --- Requests in

void HttpConnection::on_bytes(std::span<char> bytes) {
  if (may_take_more() && held_.empty()) {
    consume(bytes);
    return go_on();
  }
  hold(bytes);
}

void HttpConnection::hold(std::span<char> bytes) {
  if (!reads_requests() && state_ != State::kAnswering) return;
  held_.append(bytes.data(), bytes.size());
  if (held_.size() > kHeldBytes) stream_->pause_reading();
}

bool HttpConnection::may_take_more() const {
  return reads_requests() && out_.size() - out_sent_ < kOutBytes;
}

// Called with nothing held. What cannot be taken now is held.
void HttpConnection::consume(std::span<char> bytes) {
  consuming_ = true;
  while (!bytes.empty() && may_take_more()) {
    const std::size_t used = parser().feed({bytes.data(), bytes.size()});
    bytes = bytes.subspan(used);
    if (const HttpFault* const fault = parser_->fault()) {
      edge_.counters().faults_total.add();
      fail(fault->status, fault->text);
      break;
    }
    if (parser_->done()) {
      consuming_ = !bytes.empty();
      dispatch();
      continue;
    }
    if (state_ == State::kWaiting && parser_->started()) {
      state_ = State::kReading;
      wait_until(edge_.options().request_time);
    }
    if (parser_->expects_continue() && !std::exchange(continued_, true)) out_ += "HTTP/1.1 100 Continue\r\n\r\n";
  }
  consuming_ = false;
  release_parser();  // It may be long until the next request comes.
  if (next_ != nullptr) return pass_on(bytes);
  hold(bytes);
}

HttpRequestParser& HttpConnection::parser() {
  if (parser_ == nullptr) parser_ = edge_.take_parser();
  return *parser_;
}

// One that has begun to read is kept.
void HttpConnection::release_parser() {
  if (parser_ != nullptr && parser_->fresh()) edge_.give_back(std::move(parser_));
}

void HttpConnection::dispatch() {
  state_ = State::kAnswering;
  continued_ = false;
  std::unique_ptr<HttpExchange> exchange = spare_ == nullptr ? std::make_unique<HttpExchange>() : std::move(spare_);
  exchange->begin(*this, *parser_);
  if (lent_ != nullptr) lent_->leave_home();
  lent_ = exchange_ = exchange.get();
  const HttpRequest& asked = exchange_->request();
  close_after_ = !asked.keep_alive || edge_.draining();
  Router::Match match = edge_.router().match(asked.method, asked.target, asked.path, exchange_->take_path_values());
  if (ended_) exchange_->client_ended();
  if (match.handler != nullptr) {
    exchange_->set_path_values(std::move(match.values));
    return (*match.handler)(std::move(exchange));
  }
  // "OPTIONS *" asks about the server as a whole (RFC 9110, section 9.3.7).
  if (match.allowed.empty() && asked.target != "*") {
    return exchange->reply(HttpResponse::error(404, "not_found", "there is nothing at " + asked.path));
  }
  HttpResponse response;
  if (asked.method == "OPTIONS") {
    response.status = 204;
    if (const std::string_view wanted = asked.headers.get("Access-Control-Request-Headers"); !wanted.empty()) {
      response.headers.add("Access-Control-Allow-Headers", wanted);
      response.headers.add("Access-Control-Allow-Methods", match.allowed);
      response.headers.add("Access-Control-Max-Age", "600");
    }
  } else {
    response = HttpResponse::error(405, "method_not_allowed", asked.path + " takes " + match.allowed + ", not " + asked.method);
  }
  if (!match.allowed.empty()) response.headers.add("Allow", match.allowed);
  exchange->reply(std::move(response));
}

void HttpConnection::on_end() {
  ended_ = true;
  if (state_ == State::kLingering) return finish();
  if (exchange_ != nullptr) exchange_->client_ended();
  go_on();
}

void HttpConnection::on_lost() {
  finish();
}

// --- Answers out

void HttpConnection::reply(HttpResponse response, ReplySent sent) {
  const auto digit = static_cast<std::size_t>(std::clamp(response.status / 100, 0, 5));
  edge_.counters().requests_total[digit].add();
  add_common_fields(response);
  if (response.headers.has_token("Connection", "close")) close_after_ = true;
  const ResponseContext how = context();
  exchange_ = nullptr;
  if (consuming_ || !out_.empty()) {
    write_response(out_, response, how);
  } else {
    send(response, how);
  }
  answered(std::move(sent));
}

void HttpConnection::answered(ReplySent sent) {
  if (close_after_) {
    begin_closing();
  } else {
    state_ = State::kWaiting;
    wait_until(edge_.options().keep_alive_time);
  }
  if (sent && out_.empty()) {
    sent(true);  // Who is told may answer another request of this connection.
  } else if (sent) {
    leaving_.push_back({out_.size(), std::move(sent)});
  }
  if (!consuming_) go_on();
}

bool HttpConnection::take_back(HttpExchange& exchange) {
  lent_ = nullptr;
  if (spare_ != nullptr || (!reads_requests() && state_ != State::kAnswering)) return false;
  spare_.reset(&exchange);
  return true;
}

ResponseContext HttpConnection::context() {
  const HttpRequest& request = exchange_->request();
  return {.keep_alive = !close_after_,
          .head_only = request.method == "HEAD",
          .minor_version = request.minor_version,
          .date = edge_.date()};
}

// What every answer carries: the request's id, and leave for a page of an allowed origin to read it, unless the room has said
// who may.
void HttpConnection::add_common_fields(HttpResponse& response) {
  if (!exchange_->asks_for_fields()) return response.headers.add(kRequestIdField, edge_.next_request_id());
  const HttpHeaders& asked = exchange_->request().headers;
  const std::string_view id = asked.get(kRequestIdField);
  response.headers.add(kRequestIdField, is_request_id(id) ? id : edge_.next_request_id());
  const std::string_view origin = asked.get("Origin");
  if (origin.empty()) return;
  response.headers.add("Vary", "Origin");
  if (!edge_.origins().may_use(origin, asked.get("Host"))) return;
  response.headers.add("Access-Control-Expose-Headers", kRequestIdField);
  if (response.headers.has("Access-Control-Allow-Origin")) return;
  response.headers.add("Access-Control-Allow-Origin", origin);
  response.headers.add("Access-Control-Allow-Credentials", "true");
}

void HttpConnection::fail(int status, std::string_view text) {
  const bool too_large = status == 413 || status == 414 || status == 431;
  HttpResponse response = HttpResponse::error(status,
                                              status == 408 ? "timeout"
                                              : too_large   ? "too_large"
                                                            : "bad_request",
                                              text);
  response.headers.add(kRequestIdField, edge_.next_request_id());
  refuse(std::move(response));
}

void HttpConnection::refuse(HttpResponse response) {
  edge_.counters().requests_total[static_cast<std::size_t>(response.status / 100)].add();
  write_response(out_, response, {.keep_alive = false, .date = edge_.date()});
  begin_closing();
  if (!consuming_) go_on();
}

// Sends what waits and takes the requests that were held back, until something must be waited for.
void HttpConnection::go_on() {
  if (state_ == State::kHandedOver) return;
  for (;;) {
    write_out();
    if (held_.empty() || !may_take_more()) break;
    std::string held = std::exchange(held_, {});
    stream_->resume_reading();
    consume(held);
    if (state_ == State::kHandedOver) return;
  }
  if (ended_ && held_.empty() && reads_requests()) begin_closing();
  if (state_ == State::kClosing && out_.empty()) begin_linger();
}

// With nothing ahead of it. What does not leave at once waits.
void HttpConnection::send(const HttpResponse& response, const ResponseContext& how) {
  std::string& text = edge_.scratch();
  std::string_view body = write_response_head(text, response, how);
  if (body.size() <= kBytesWithHead) {
    text += body;
    body = {};
  }
  const std::string_view pieces[] = {text, body};
  const std::size_t left = stream_->write({pieces, body.empty() ? 1u : 2u});
  if (left == text.size() + body.size()) return;
  out_ = std::string_view(text).substr(std::min(left, text.size()));
  out_ += body.substr(std::max(left, text.size()) - text.size());
}

void HttpConnection::write_out() {
  if (out_.empty()) return;
  const std::string_view waiting = std::string_view(out_).substr(out_sent_);
  out_sent_ += stream_->write({&waiting, 1});
  const std::size_t left = out_sent_;
  if (out_sent_ == out_.size()) {
    std::string().swap(out_);
    out_sent_ = 0;
  } else if (out_sent_ > out_.size() / 2) {
    out_.erase(0, std::exchange(out_sent_, 0));
  }
  if (!leaving_.empty()) tell_sent(left, left - out_sent_);
}

// `erased` bytes of the `left` ones are no more in `out_`. Who is told may answer another request of this connection.
void HttpConnection::tell_sent(std::size_t left, std::size_t erased) {
  const auto first_waiting = std::find_if(leaving_.begin(), leaving_.end(), [&](const Leaving& one) { return one.end > left; });
  std::vector<Leaving> told(std::make_move_iterator(leaving_.begin()), std::make_move_iterator(first_waiting));
  leaving_.erase(leaving_.begin(), first_waiting);
  for (Leaving& waiting : leaving_) waiting.end -= erased;
  for (Leaving& one : told) one.sent(true);
}

void HttpConnection::tell_unsent() {
  for (Leaving& one : std::exchange(leaving_, {})) one.sent(false);
}

void HttpConnection::on_writable() {
  // Each time something leaves, the time to take the rest begins anew.
  if (state_ == State::kClosing) wait_until(edge_.options().stall_time);
  if (state_ == State::kWaiting) wait_until(edge_.options().keep_alive_time);
  go_on();
}

void HttpConnection::begin_closing() {
  state_ = State::kClosing;
  parser_.reset();
  held_.clear();
  wait_until(edge_.options().stall_time);
}

void HttpConnection::begin_linger() {
  if (ended_) return finish();
  state_ = State::kLingering;
  wait_until(edge_.options().linger_time);
  stream_->resume_reading();
  stream_->shutdown_write();
}

// --- Becoming something else

void HttpConnection::open_stream(HttpResponse head, StreamOptions options, OpenDialog open) {
  const HttpRequest& request = exchange_->request();
  edge_.counters().requests_total[static_cast<std::size_t>(head.status / 100)].add();
  add_common_fields(head);
  const bool chunked = request.minor_version >= 1;
  const bool head_only = request.method == "HEAD";
  if (!head_only || !chunked) close_after_ = true;  // A stream ends with its connection.
  write_stream_head(out_, head, context());
  exchange_ = nullptr;
  if (head_only) return answered({});
  auto made = std::make_unique<EventStream>(edge_, release_stream(), chunked, options.quiet_time);
  EventStream& event_stream = *made;
  state_ = State::kHandedOver;
  edge_.replace(*this, std::move(made));
  event_stream.open(std::move(open), std::string_view(out_).substr(out_sent_));
  hand_over(event_stream);
}

void HttpConnection::accept_websocket(WebSocketAcceptance acceptance, OpenDialog open) {
  const HttpRequest& request = exchange_->request();
  const auto checked = check_handshake(request);
  if (const auto* const refusal = std::get_if<WebSocketRefusal>(&checked)) return reply(refusal->response(), {});
  const auto& upgrade = std::get<WebSocketUpgrade>(checked);
  if (!edge_.origins().may_use(upgrade.origin, request.headers.get("Host"))) {
    return reply(HttpResponse::error(
                     403, "forbidden",
                     "pages of this origin may not open a WebSocket here; the operator allows origins by server.origins"),
                 {});
  }
  std::optional<DeflateAgreement> deflate;
  if (edge_.options().compression) deflate = upgrade.deflate;
  edge_.counters().requests_total[1].add();
  edge_.counters().handshakes_total.add();
  write_handshake_response(out_, upgrade.key, acceptance.subprotocol, deflate);
  const std::string_view id = request.headers.get(kRequestIdField);
  out_.resize(out_.size() - 2);
  out_ += "x-request-id: ";
  if (is_request_id(id)) {
    out_ += id;
  } else {
    out_ += edge_.next_request_id();
  }
  out_ += "\r\n\r\n";
  exchange_ = nullptr;
  auto made = std::make_unique<WebSocketConnection>(
      edge_, release_stream(),
      WebSocketConnection::Settings{.window_bits = static_cast<std::uint8_t>(deflate ? deflate->server_window_bits : 0),
                                    .message_bytes_max = acceptance.message_bytes_max == 0 ? edge_.options().message_bytes_max
                                                                                           : acceptance.message_bytes_max,
                                    .ping_interval = acceptance.ping_interval,
                                    .idle_time = acceptance.idle_time,
                                    .heartbeat = std::move(acceptance.heartbeat)});
  WebSocketConnection& websocket = *made;
  state_ = State::kHandedOver;
  edge_.replace(*this, std::move(made));
  websocket.open(std::move(open), std::string_view(out_).substr(out_sent_));
  hand_over(websocket);
}

// It may have been paused for requests that were held.
std::unique_ptr<Stream> HttpConnection::release_stream() {
  stream_->resume_reading();
  return std::move(stream_);
}

void HttpConnection::hand_over(StreamHandler& next) {
  next_ = &next;
  if (consuming_) return;
  std::string held = std::exchange(held_, {});
  pass_on(held);
}

// What was read beyond the request belongs to the next connection.
void HttpConnection::pass_on(std::span<char> bytes) {
  StreamHandler& next = *std::exchange(next_, nullptr);
  if (!bytes.empty()) next.on_bytes(bytes);
  if (ended_) next.on_end();
}

// --- Time

void HttpConnection::on_sweep(Millis now) {
  if (state_ == State::kWaiting) spare_.reset();
  if (state_ == State::kAnswering || now < deadline_) return;
  if (state_ == State::kReading || state_ == State::kClosing) edge_.counters().timeouts_total.add();
  if (state_ == State::kReading) return fail(408, "the request did not arrive in time");
  finish();
}

void HttpConnection::on_drain() {
  close_after_ = true;
  if (exchange_ != nullptr) return exchange_->draining();
  if (state_ != State::kWaiting) return;
  if (out_.empty()) return finish();
  begin_closing();
}

void HttpConnection::wait_until(Millis delay) {
  deadline_ = edge_.loop().now() + delay;
}

void HttpConnection::finish() {
  if (state_ == State::kGone || state_ == State::kHandedOver) return;
  state_ = State::kGone;
  stream_->close();
  edge_.remove(*this);
  // The answer may still come in this turn, even in one of these calls.
  if (exchange_ != nullptr) std::exchange(exchange_, nullptr)->connection_gone();
  tell_unsent();
}

}  // namespace carillon
