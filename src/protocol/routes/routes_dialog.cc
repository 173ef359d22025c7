#include "protocol/routes/routes_dialog.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "hub/channel_name.h"
#include "hub/session_text.h"
#include "protocol/presence_key.h"
#include "wire/json/json_object_reader.h"
#include "wire/json/json_writer.h"

namespace carillon {
namespace {

// RFC 6455, section 7.4.1 and the registry.
constexpr std::uint16_t kPolicyViolation = 1008;
constexpr std::uint16_t kTryAgainLater = 1013;

RouteError bad_request(std::string message) {
  return {RouteErrorCode::kBadRequest, std::move(message)};
}

Selector exactly(std::string_view channel) {
  return {.kind = Selector::Kind::kExact, .base = std::string(channel)};
}

std::string card_of(const RouteUser& user) {
  std::string out;
  JsonWriter json(out);
  json.begin_object().key("id").string(user.id).key("name").string(user.name);
  if (!user.email.empty()) json.key("email").string(user.email);
  if (!user.avatar_url.empty()) json.key("avatar_url").string(user.avatar_url);
  json.end_object();
  return out;
}

RouteConnectionPtr connection_of(const Session& session, const Link& link, RoutesStart& start) {
  RouteConnection connection{.id = session_text(session.id()),
                             .user = std::move(start.user),
                             .peer = link.peer().text,
                             .user_agent = std::string(start.user_agent)};
  return std::make_shared<const RouteConnection>(std::move(connection));
}

}  // namespace

RoutesDialog::RoutesDialog(RoutesDesk& desk, Link& link, RoutesStart start)
    : desk_(desk),
      link_(link),
      session_(desk.shard(), *this,
               {.protocol = "routes",
                .encoding = &link.framed(desk.encoding(start.positions), MessageKind::kText),
                .identity = start.identity,
                .user_agent = start.user_agent}),
      serial_(desk.add(*this)),
      identity_(without_claims(start.identity)),
      connection_(connection_of(session_, link, start)),
      sent_by_(sent_by_json(connection_->user)),
      tokens_(static_cast<double>(desk.common().options.requests_per_second)),
      refilled_at_(desk.loop().now()) {}

RoutesDialog::~RoutesDialog() {
  desk_.remove(serial_);
}

// A name that was only claimed hears what the channel's rule lets it.
void RoutesDialog::start() {
  if (std::exchange(started_, true) || session_.ended() || user().id.empty()) return;
  std::string channel = personal_channel(user().id);
  if (!check_channel_name(channel)) return;
  personal_ticket_ = ++last_ticket_;
  session_.subscribe({.selector = exactly(channel), .granted = user().verified, .ticket = personal_ticket_});
}

// --- Requests

void RoutesDialog::on_message(std::string_view message, MessageKind kind) {
  if (session_.ended()) return;
  start();
  const Question nothing{.route = kRoutesErrorRoute, .event = kRoutesErrorEvent, .id = {}};
  if (kind == MessageKind::kBinary) return refuse(nothing, bad_request("binary messages are not understood; send a JSON text"));
  RoutesReader& reader = desk_.reader();
  const Result<RoutesRequest> request = reader.read(message);
  const Question question{
      .route = reader.route().empty() ? kRoutesErrorRoute : reader.route(), .event = kRoutesErrorEvent, .id = reader.id()};
  if (!request) return refuse(question, request.error());
  if (!within_rate()) {
    desk_.common().refused_total.fetch_add(1, std::memory_order_relaxed);
    return refuse(question, bad_request(fmt::format("too many requests: {} a second are allowed",
                                                    desk_.common().options.requests_per_second)));
  }
  if (ask_channels(*request)) return;
  const RouteEntry* const entry = desk_.common().find(request->route);
  if (entry == nullptr) return refuse(question, RouteError{RouteErrorCode::kNotFound, "there is no such route"});
  if (!entry->leaves.empty()) return leave_objects(*entry, *request);
  call(*entry, *request);
}

// A bucket that holds what one second allows.
bool RoutesDialog::within_rate() {
  const double rate = static_cast<double>(desk_.common().options.requests_per_second);
  if (rate == 0) return true;
  const Millis now = desk_.loop().now();
  tokens_ = std::min(rate, tokens_ + rate * static_cast<double>((now - refilled_at_).count()) / 1000);
  refilled_at_ = now;
  if (tokens_ < 1) return false;
  tokens_ -= 1;
  return true;
}

void RoutesDialog::call(const RouteEntry& entry, const RoutesRequest& request) {
  RoutesCommon& common = desk_.common();
  const Question question{.route = request.route, .event = entry.error_event, .id = request.id};
  const auto too_many = [&](std::string text) {
    common.refused_total.fetch_add(1, std::memory_order_relaxed);
    refuse(question, bad_request(std::move(text)));
  };
  if (calls_.size() >= common.options.calls_per_connection) {
    return too_many(fmt::format("too many requests at a time: {} are allowed", common.options.calls_per_connection));
  }
  auto job = std::make_shared<RoutesJob>();
  job->place = desk_.place();
  job->serial = serial_;
  job->ticket = ++last_ticket_;
  job->session = session_.id();
  job->connection = connection_;
  job->identity = identity_;
  job->entry = &entry;
  job->payload = request.payload;
  job->id = request.id;
  job->cancelled = std::make_shared<std::atomic<bool>>(false);
  const std::uint64_t ticket = job->ticket;
  calls_.emplace(ticket, job->cancelled);
  common.calls.fetch_add(1, std::memory_order_relaxed);
  if (common.parts.launch(std::move(job))) {
    common.calls_total.fetch_add(1, std::memory_order_relaxed);
    return;
  }
  calls_.erase(ticket);
  common.calls.fetch_sub(1, std::memory_order_relaxed);
  too_many("the server has too many requests waiting; try again");
}

// {"id":"…"} or {"id":null}.
void RoutesDialog::leave_objects(const RouteEntry& entry, const RoutesRequest& request) {
  const Question question{.route = request.route, .event = entry.event, .id = request.id};
  JsonObjectReader fields("payload", request.payload);
  const std::optional<std::string> id = fields.optional_text("id");
  if (const Result<void> read = fields.status(); !read) return refuse(question, read.error());
  const std::string prefix = entry.leaves + ':';
  std::vector<std::string> left;
  if (id) {
    left.push_back(*id);
    unfollow(prefix + *id);  // Confirmed even if it was not followed.
  } else {
    for (const auto& [channel, follow] : follows_) {
      if (channel.starts_with(prefix)) left.push_back(channel.substr(prefix.size()));
    }
    for (const std::string& object : left) unfollow(prefix + object);
  }
  std::ranges::sort(left);
  std::string payload;
  JsonWriter json(payload);
  json.begin_array();
  for (const std::string& object : left) json.begin_object().key("id").string(object).end_object();
  json.end_array();
  answer(question, payload);
}

// --- What handlers say

void RoutesDialog::send(const RoutesJob& job, RoutesOutgoing outgoing) {
  if (session_.ended()) return;
  const bool for_sender = outgoing.method == SendMethod::kSenderOnly && !outgoing.system;
  // Who does not hear the channel is answered all the same.
  const bool follows = follows_.contains(outgoing.channel);
  std::string channel = outgoing.channel.empty() || (for_sender && !follows) ? personal_ : outgoing.channel;
  if (channel.empty()) {
    // Without a personal stream the connection is all that there is of the sender.
    if (outgoing.method == SendMethod::kAllButSender) return;
    return send_envelope({.route = outgoing.route,
                          .event = outgoing.event,
                          .payload = outgoing.payload.view(),
                          .sent_by = outgoing.sent_by,
                          .error = outgoing.error,
                          .method = outgoing.method,
                          .id = job.id});
  }
  std::string route = outgoing.route;
  std::string event = outgoing.event;
  auto done = desk_.later<Receipt>(serial_, [route = std::move(route), event = std::move(event), id = job.id](
                                                RoutesDialog& dialog, const Result<Receipt>& receipt) {
    if (!receipt) dialog.refuse({.route = route, .event = event, .id = id}, receipt.error());
  });
  desk_.hub().publish(routes_draft(std::move(outgoing), std::move(channel), identity_, session_.id(), job.id), std::move(done));
}

std::string RoutesDialog::presence_member() const {
  return desk_.hub().engine().presence().name_of(session_text(session_.id()));
}

std::string RoutesDialog::presence_key_text() const {
  const Result<std::string> key = presence_key(session_.identity(), session_.id(), {});
  return *key;  // The own one is never refused.
}

void RoutesDialog::follow(RouteFollow wish, std::string route, Followed done) {
  if (session_.ended()) return done(Error{ErrorKind::kUnavailable, "the connection has ended"});
  if (Result<void> checked = check_channel_name(wish.channel); !checked) return done(checked.error());
  const auto [found, is_new] = follows_.try_emplace(wish.channel);
  Follow& followed = found->second;
  const bool member = followed.granted;
  followed.granted = true;
  followed.route = std::move(route);
  if (wish.joined || is_new) followed.on_joined = std::move(wish.joined);
  if (wish.left || is_new) followed.on_left = std::move(wish.left);
  if (!wish.card.empty() || followed.card.empty()) followed.card = wish.card.empty() ? card_of(user()) : std::move(wish.card);
  if (member && followed.joined) {
    const Result<void> present = session_.set_presence(wish.channel, presence_key_text(), followed.card);
    if (!present) return done(present.error());
    return desk_.shard().when_presence_is_told([done = std::move(done)]() mutable { done(false); });
  }
  followed.waiting.push_back(std::move(done));
  if (member) return;  // The hub is being asked.
  const Ticket ticket = ++last_ticket_;
  joining_.emplace(ticket, wish.channel);
  followed.joined = false;
  session_.subscribe({.selector = exactly(wish.channel), .granted = true, .ticket = ticket});
}

void RoutesDialog::on_joined(const std::string& channel) {
  const auto found = follows_.find(channel);
  if (found == follows_.end()) return;
  if (!found->second.on_joined) return on_looked(channel, false);
  const std::string key = presence_key_text();
  const bool first = desk_.common().coming.begin(channel, key) == 0;
  desk_.look_who_is_there(channel, [&desk = desk_, serial = serial_, channel, key, first](const PresenceState& state) {
    RoutesDialog* const dialog = desk.find(serial);
    const bool is_news =
        first && state.named && dialog != nullptr && !others_of_key(state, key, session_text(dialog->session_.id()));
    if (dialog != nullptr) dialog->on_looked(channel, is_news);
    desk.shard().when_presence_is_told([&desk, channel, key] { desk.common().coming.end(channel, key); });
  });
}

// `is_news`: nobody else of this user is there.
void RoutesDialog::on_looked(const std::string& channel, bool is_news) {
  const auto found = follows_.find(channel);
  if (found == follows_.end() || session_.ended()) return;
  Follow& followed = found->second;
  if (const Result<void> present = session_.set_presence(channel, presence_key_text(), followed.card); !present) {
    return give_up(channel, present.error());
  }
  followed.joined = true;
  std::optional<Draft> joined;
  if (is_news && followed.on_joined) joined = news(channel, followed, *followed.on_joined, SendMethod::kAllButSender);
  // Whoever then asks for the members, and who hears of it and asks, finds this one among them.
  desk_.shard().when_presence_is_told(
      [&hub = desk_.hub(), joined = std::move(joined), waiting = std::exchange(followed.waiting, {})]() mutable {
        if (joined) hub.publish(*std::move(joined), [](Result<Receipt>) {});
        bool first = true;
        for (Followed& done : waiting) done(std::exchange(first, false));
      });
}

void RoutesDialog::give_up(const std::string& channel, const Error& error) {
  const auto found = follows_.find(channel);
  if (found == follows_.end()) return;
  std::vector<Followed> waiting = std::move(found->second.waiting);
  follows_.erase(found);
  session_.unsubscribe(exactly(channel));
  for (Followed& done : waiting) done(error);
}

Draft RoutesDialog::news(const std::string& channel, const Follow& follow, const RouteNews& news, SendMethod method) const {
  RoutesOutgoing outgoing{.route = follow.route,
                          .event = news.event.text(),
                          .payload = Bytes::copy_of(news.payload),
                          .method = method,
                          .sent_by = sent_by_};
  return routes_draft(std::move(outgoing), channel, identity_, session_.id(), {});
}

bool RoutesDialog::unfollow(std::string_view channel) {
  const auto found = follows_.find(channel);
  if (found == follows_.end()) return false;
  leave(found);
  return true;
}

void RoutesDialog::leave(Follows::iterator followed) {
  const std::string channel = followed->first;
  Follow follow = std::move(followed->second);
  follows_.erase(followed);
  session_.unsubscribe(exactly(channel));
  if (follow.granted && follow.joined) desk_.on_departure(departure_of(channel, follow));
  for (Followed& done : follow.waiting) done(Error{ErrorKind::kUnavailable, "it was left before it was followed"});
}

RoutesDesk::Departure RoutesDialog::departure_of(const std::string& channel, Follow& follow) {
  RoutesDesk::Departure departure{
      .channel = channel, .key = presence_key_text(), .member = presence_member(), .left = std::nullopt};
  if (follow.on_left) departure.left = news(channel, follow, *follow.on_left, SendMethod::kAll);
  return departure;
}

bool RoutesDialog::revoke(std::string_view channel, std::string_view text) {
  if (!unfollow(channel)) return false;
  tell_left(channel, text);
  return true;
}

// --- The hub

void RoutesDialog::on_subscribed(Ticket ticket, const Result<Subscribed>& outcome) {
  if (ticket == personal_ticket_) {
    if (outcome) personal_ = personal_channel(user().id);
    return;
  }
  if (const auto joining = joining_.find(ticket); joining != joining_.end()) {
    const std::string channel = std::move(joining->second);
    joining_.erase(joining);
    if (!outcome) return give_up(channel, outcome.error());
    return on_joined(channel);
  }
  const std::optional<Asked> asked = take(ticket);
  if (!asked) return;
  const Question question{.route = asked->route, .event = asked->event, .id = asked->id};
  if (!outcome) {
    const auto heard = session_.subscriptions();
    if (asked->channel == personal_ && std::ranges::find(heard, exactly(personal_)) == heard.end()) personal_.clear();
    const auto found = follows_.find(asked->channel);
    if (found != follows_.end() && !found->second.granted && !found->second.joined) follows_.erase(found);
    return refuse(question, outcome.error());
  }
  if (const auto found = follows_.find(asked->channel); found != follows_.end() && !found->second.granted) {
    found->second.joined = true;
  }
  std::string payload;
  JsonWriter json(payload);
  json.begin_object().key("channel").string(routes_of_channel(asked->channel));
  if (!outcome->positions.empty()) {
    const Position& position = outcome->positions.front().position;
    json.key("epoch").string(epoch_text(position.epoch)).key("offset").number(position.offset);
  }
  if (asked->recover) json.key("recovered").boolean(outcome->recovered);
  json.end_object();
  answer(question, payload);
  if (!asked->presence || session_.ended()) return;
  Result<void> present = session_.watch_presence(asked->channel);
  if (present) present = session_.set_presence(asked->channel, presence_key_text(), card_of(user()));
  if (!present) refuse(question, present.error());
}

void RoutesDialog::on_gap(std::span<const Gap> gaps) {
  for (const Gap& gap : gaps) {
    std::string payload;
    JsonWriter json(payload);
    json.begin_object().key("channel").string(routes_of_channel(gap.channel)).key("missed").number(gap.messages).end_object();
    std::string out;
    append_envelope(out, {.route = "/channels/gap", .event = "gap", .payload = payload});
    session_.outbox().push_urgent(link_.frame(out, MessageKind::kText));
  }
  link_.flush();  // The turn's own flush is over.
}

void RoutesDialog::on_presence_state(const PresenceState& state) {
  std::string out;
  if (state.named) {
    append_presence_state_envelope(out, state);
  } else {
    append_presence_stats_envelope(out, state.channel, state.counts);
  }
  session_.enqueue(link_.frame(out, MessageKind::kText));
}

void RoutesDialog::on_unsubscribed(std::string_view channel, std::string_view reason, bool) {
  if (channel == personal_) personal_.clear();
  if (const auto found = follows_.find(channel); found != follows_.end()) {
    Follow follow = std::move(found->second);
    const std::string name = found->first;
    follows_.erase(found);
    if (follow.granted && follow.joined) desk_.on_departure(departure_of(name, follow));
  }
  tell_left(channel, reason);
}

void RoutesDialog::tell_left(std::string_view channel, std::string_view reason) {
  std::string payload;
  JsonWriter json(payload);
  json.begin_array().begin_object().key("id").string(routes_of_channel(channel)).key("reason").string(reason);
  json.end_object().end_array();
  send_envelope({.route = "/channels/unsubscribe", .event = "unsubscribed", .payload = payload});
}

void RoutesDialog::on_announcement(const Bytes& text) {
  std::string payload;
  append_json_string(payload, text.view());
  send_envelope({.route = "/announcement", .event = "announcement", .payload = payload, .method = SendMethod::kAll});
}

void RoutesDialog::on_end_wanted(EndReason reason, std::string_view text) {
  if (reason == EndReason::kSlowConsumer) {
    // What it did not read in time would only hold up the reason.
    while (session_.outbox().drop_oldest() != nullptr) continue;
  }
  session_.end(reason);
  link_.close(reason == EndReason::kSlowConsumer ? kTryAgainLater
              : reason == EndReason::kExpired    ? kCloseUnauthorized
              : reason == EndReason::kShutdown   ? kCloseGoingAway
                                                 : kPolicyViolation,
              text);
}

// Handlers hear that nobody waits for them any more; who stays in the channels hears who has left.
void RoutesDialog::on_link_closed() {
  for (const auto& [ticket, cancelled] : calls_) cancelled->store(true, std::memory_order_relaxed);
  Follows follows = std::exchange(follows_, {});
  session_.end(EndReason::kClientLeft);
  for (auto& [channel, follow] : follows) {
    if (follow.granted && follow.joined) desk_.on_departure(departure_of(channel, follow));
    for (Followed& done : follow.waiting) done(Error{ErrorKind::kUnavailable, "the connection has ended"});
  }
  desk_.remove(serial_);
}

// --- Answers to this connection

void RoutesDialog::answer(const Question& question, std::string_view payload) {
  send_envelope({.route = question.route, .event = question.event, .payload = payload, .sent_by = sent_by_, .id = question.id});
}

void RoutesDialog::refuse(const Question& question, const Error& error) {
  refuse(question, route_error(error));
}

void RoutesDialog::refuse(const Question& question, const RouteError& error) {
  send_envelope({.route = question.route,
                 .event = question.event,
                 .sent_by = sent_by_,
                 .error = routes_error_json(error),
                 .id = question.id});
}

void RoutesDialog::send_envelope(const RoutesEnvelope& envelope) {
  std::string out;
  append_envelope(out, envelope);
  session_.enqueue(link_.frame(out, MessageKind::kText));
}

Ticket RoutesDialog::expect(const Question& question, std::string channel) {
  const Ticket ticket = ++last_ticket_;
  asked_.emplace(ticket, Asked{.route = std::string(question.route),
                               .event = std::string(question.event),
                               .id = std::string(question.id),
                               .channel = std::move(channel)});
  return ticket;
}

std::optional<RoutesDialog::Asked> RoutesDialog::take(Ticket ticket) {
  const auto found = asked_.find(ticket);
  if (found == asked_.end()) return std::nullopt;
  Asked asked = std::move(found->second);
  asked_.erase(found);
  return asked;
}

}  // namespace carillon
