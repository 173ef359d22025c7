// BayeuxSession's connects: how long each is held, what it is answered, and what becomes of one that a newer one follows.
#include <algorithm>

#include "protocol/bayeux/bayeux_session.h"
#include "protocol/bayeux/bayeux_sessions.h"

namespace carillon {
namespace {

// About what the reply to a connect takes.
constexpr std::size_t kReplyBytes = 160;

}  // namespace

BayeuxSession::HeldConnect BayeuxSession::read_connect(const BayeuxMessage& message) {
  HeldConnect asked;
  asked.id_json = message.id_json;
  asked.wants_advice = message.has_advice;
  if (message.ext_json.empty()) return asked;
  const std::optional<JsonDocument> ext = owner_.reader().members(message.ext_json);
  if (!ext) return asked;
  if (const JsonSpan* const timesync = ext->find("timesync")) asked.timesync = read_timesync(timesync->text, owner_.unix_ms());
  const JsonSpan* const ack = ext->find("ack");
  if (ack_ != nullptr && ack != nullptr) {
    if (const std::optional<std::uint64_t> batch = json_u64(ack->text)) ack_->acknowledge(*batch);
  }
  return asked;
}

// The newest connect is the client's: what it had waiting before is given up.
void BayeuxSession::connect(const BayeuxMessage& message, HeldConnect asked) {
  if (asked.answerer.waits()) begin_polling(message, asked.answerer.transport());
  supersede();
  const bool first = !connected_;
  connected_ = true;
  std::string advice;
  const Millis time = first ? Millis(0) : time_to_hold(message, asked, advice);
  if (asked.wants_advice || !advised_) advice = merged_json(default_advice(), advice);
  advised_ = true;
  hold(std::move(asked));
  // Who asks after a publish was answered hears it, also by an answer that goes out at once.
  if (!pushes()) session_.catch_up();
  if (!held_ || gone_) return;
  const bool idle = options().activity != BayeuxActivity::kOff && loop().now() - active_at_ > Millis(options().activity_time);
  if (idle) return end(bayeux_event::RemovalReason::kIdle, bayeux_advice({.reconnect = "none"}));
  // What is newer than the loss would hide it.
  if (ends_by_gap() && session_.has_gap()) return remove(bayeux_event::RemovalReason::kSlow);
  held_->heard_at = loop().now();
  held_->until = held_->heard_at + time;
  wait_with_connect(time, advice);
}

// A connect by HTTP: only an event stream is used beside it.
void BayeuxSession::begin_polling(const BayeuxMessage& message, BayeuxTransport transport) {
  const bool streams = line_ != nullptr && line_->transport() == BayeuxTransport::kEventSource &&
                       message.connection_type == bayeux_transport_name(BayeuxTransport::kEventSource);
  if (streams) return;
  give_up_line("the client polls now");
  if (std::exchange(transport_, transport) != transport) advised_ = false;
}

void BayeuxSession::wait_with_connect(Millis time, std::string_view advice) {
  const bool unacknowledged = ack_ != nullptr && !ack_->empty();
  const bool ready = !pushes() && !under_way() && holding_ == 0 && (has_deliveries() || unacknowledged) && !only_lazy();
  if (time == Millis(0) || ready) return answer_connect(advice);
  if (pushes()) deliver();
  // A line that is too full ends in that call, and the connect with it.
  if (!held_) return;
  if (!pushes() && !under_way() && (has_deliveries() || unacknowledged)) {
    if (lazy_at_ == Millis(0)) lazy_at_ = loop().now() + Millis(options().lazy_time);
    wait_until(lazy_at_);
  }
  wait_with_held();
}

// 0: the connect is answered at once. `advice`: what the client is told beside the usual.
Millis BayeuxSession::time_to_hold(const BayeuxMessage& message, HeldConnect& asked, std::string& advice) {
  Millis time(options().timeout);
  if (message.wishes.timeout) {
    const auto most = static_cast<std::uint64_t>(options().timeout_max.count());
    time = Millis(static_cast<std::int64_t>(std::min(*message.wishes.timeout, most)));
  }
  const bool one_of_several =
      asked.answerer.waits() && shows_cookie_ && browser_ != nullptr && options().polls_per_browser != 0;
  if (time == Millis(0) || !one_of_several) return time;
  if (browser_->polls.fetch_add(1, std::memory_order_relaxed) < options().polls_per_browser) {
    asked.counted = true;
    return time;
  }
  browser_->polls.fetch_sub(1, std::memory_order_relaxed);
  const auto pause = static_cast<std::uint64_t>(options().multi_session_interval.count());
  advice = bayeux_advice({.reconnect = pause == 0 ? "none" : "retry", .interval_ms = pause, .multiple_clients = true});
  return Millis(0);
}

void BayeuxSession::supersede() {
  if (!held_) return;
  std::optional<HeldConnect> old = take_held();
  if (old->line != nullptr) {
    std::string array = "[";
    append_connect_reply(array, *old, {});
    old->line->send_array(array + ']');
    return;
  }
  // No answer that its client would take for leave to connect again: there is a newer one.
  old->answerer.fail(409, "a newer connect of this client has taken the place of this one");
}

std::optional<BayeuxSession::HeldConnect> BayeuxSession::take_held() {
  if (!held_) return std::nullopt;
  owner_.common().held.fetch_sub(1, std::memory_order_relaxed);
  if (held_->counted) browser_->polls.fetch_sub(1, std::memory_order_relaxed);
  return std::exchange(held_, std::nullopt);
}

void BayeuxSession::hold(HeldConnect asked) {
  held_ = std::move(asked);
  owner_.common().held.fetch_add(1, std::memory_order_relaxed);
  if (!held_->answerer.waits()) return;
  // The hooks end with the exchange, and that with this.
  held_->answerer.exchange().on_gone([this] {
    take_held();
    touch(Millis(options().interval));
  });
  if (held_) held_->answerer.exchange().on_drain([this] { answer_connect(default_advice()); });
}

void BayeuxSession::answer_connect(std::string_view advice) {
  answer_held(advice, {});
  ask_for_more();
}

void BayeuxSession::answer_held(std::string_view advice, std::string_view error) {
  std::optional<HeldConnect> asked = take_held();
  touch(Millis(options().interval));
  BayeuxFrames frames;
  std::string array;
  array.reserve(session_.outbox().bytes() + kReplyBytes);
  array += '[';
  if (!pushes()) take_deliveries(array, frames);
  // Positions behind a loss come with the word of it.
  if (replays_ && !pushes() && !ends_by_gap() && session_.has_gap()) session_.on_room();
  append_connect_reply(array, *asked, advice, error);
  array += ']';
  if (asked->line != nullptr) {
    asked->line->send_array(array);
    asked->line->flush();
  } else if (frames.empty()) {
    asked->answerer.answer(std::move(array));
  } else {
    asked->answerer.answer(std::move(array), departing(std::move(frames)));
  }
}

void BayeuxSession::append_connect_reply(std::string& out, const HeldConnect& asked, std::string_view advice,
                                         std::string_view error) {
  const std::uint64_t lost = rare_ == nullptr ? 0 : std::exchange(rare_->lost, 0);
  const std::vector<Gap> lost_by = lost == 0 ? std::vector<Gap>() : std::exchange(rare_->lost_by, {});
  const bool plain = ack_ == nullptr && !asked.timesync && lost == 0 && !options().timestamps;
  if (plain && advice.empty() && error.empty()) return append_bayeux_connect_reply(out, asked.id_json);
  BayeuxReply reply{
      .id_json = asked.id_json, .channel = kBayeuxConnect, .error = std::string(error), .advice_json = std::string(advice)};
  if (options().timestamps) reply.timestamp = bayeux_timestamp(owner_.unix_ms());
  const std::string timesync = asked.timesync ? timesync_reply(*asked.timesync, owner_.unix_ms()) : std::string();
  if (ack_ != nullptr || !timesync.empty() || lost != 0) {
    JsonWriter ext(reply.ext_json);
    ext.begin_object();
    if (ack_ != nullptr) ext.key("ack").number(ack_->batch());
    if (!timesync.empty()) ext.key("timesync").raw(timesync);
    if (lost != 0) ext.key("lost").number(lost);
    if (!lost_by.empty()) {
      ext.key("replay").begin_object().key("lost").raw(bayeux_lost(lost_by, owner_.common().alphabet)).end_object();
    }
    ext.end_object();
  }
  append_bayeux_reply(out, reply);
}

std::string BayeuxSession::default_advice() const {
  BayeuxAdvice advice{.interval_ms = static_cast<std::uint64_t>(options().interval.count()),
                      .timeout_ms = static_cast<std::uint64_t>(options().timeout.count())};
  if (options().handshake_reconnect) advice.max_interval_ms = static_cast<std::uint64_t>(options().max_interval.count());
  return bayeux_advice(advice);
}

}  // namespace carillon
