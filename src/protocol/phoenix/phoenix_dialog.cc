#include "protocol/phoenix/phoenix_dialog.h"

#include <algorithm>

#include "base/check.h"
#include "hub/epoch_text.h"
#include "protocol/native_channels.h"
#include "protocol/presence_key.h"

namespace carillon {
namespace {

// Joins and pushes that wait for the hub; beyond it one more is refused with `limit`.
constexpr std::size_t kPendingMax = 16'384;

constexpr std::string_view kSocketTopic = "phoenix";
constexpr std::string_view kUnmatched = "unmatched topic";

Selector exactly(std::string_view topic) {
  return {.kind = Selector::Kind::kExact, .base = std::string(topic)};
}

// What only the server says. `presence_update`, for a topic with presence, is no push.
bool is_reserved(std::string_view event) {
  return event.starts_with("phx_") || event.starts_with("presence_") || event.starts_with("chan_reply_") ||
         event == kPhoenixGapEvent;
}

std::string_view join_refusal(ErrorKind kind) {
  switch (kind) {
    case ErrorKind::kUnauthorized:
    case ErrorKind::kForbidden: return "unauthorized";
    case ErrorKind::kLimit: return "too many channels joined";
    case ErrorKind::kInvalid: return "invalid join";
    default: return "join crashed";
  }
}

std::string_view push_refusal(ErrorKind kind) {
  return kind == ErrorKind::kForbidden ? "unauthorized" : error_kind_name(kind);
}

void write_position(JsonWriter& json, const Position& position) {
  json.key("offset").number(position.offset).key("epoch").string(epoch_text(position.epoch));
}

// Of a join that asked for positions.
std::string joined_response(const Subscribed& outcome) {
  std::string out;
  JsonWriter json(out);
  json.begin_object().key("recovered").boolean(outcome.recovered);
  if (!outcome.positions.empty()) write_position(json, outcome.positions.front().position);
  json.end_object();
  return out;
}

std::string published_response(const Receipt& receipt) {
  std::string out;
  JsonWriter json(out);
  json.begin_object();
  if (receipt.position) write_position(json, *receipt.position);
  json.key("id").string(receipt.id.text()).end_object();
  return out;
}

}  // namespace

PhoenixDialog::PhoenixDialog(PhoenixShared& shared, Link& link, const PhoenixStart& start)
    : shared_(shared),
      link_(link),
      encoding_(*start.encoding),
      framed_(link.framed(*start.encoding, MessageKind::kText)),
      session_(shared.shard, *this,
               {.protocol = "phoenix", .encoding = &framed_, .identity = start.identity, .user_agent = start.user_agent}),
      presence_key_(start.presence_key),
      life_min_ends_(shared.shard.loop().now() + PhoenixShared::kLifeMin) {}

PhoenixDialog::~PhoenixDialog() {
  shared_.held.remove(*this, life_min_ends_);
}

void PhoenixDialog::on_link_closed() {
  shared_.held.remove(*this, life_min_ends_);
  session_.end(EndReason::kClientLeft);
}

void PhoenixDialog::on_message(std::string_view frame, MessageKind kind) {
  if (session_.ended()) return;
  const Result<PhoenixMessage> message = shared_.reader.read(version(), frame, kind);
  if (!message) return fault(message.error(), kind);
  const PhoenixAddress& address = message->address;
  if (address.topic == kSocketTopic && message->event == "heartbeat") {
    return send(phoenix_heartbeat_reply(version(), address.ref));
  }
  if (message->event == "phx_join") return join(*message);
  const auto topic = topics_.find(address.topic);
  if (topic != topics_.end()) return on_topic(topic, *message);
  // As from a client that has not heard yet that the topic is closed.
  if (message->event == "phx_leave") return reply(address, PhoenixStatus::kOk);
  refuse({.ref = address.ref, .topic = address.topic}, kUnmatched);
}

void PhoenixDialog::on_topic(Topics::iterator topic, const PhoenixMessage& message) {
  const std::string_view join_ref = message.address.join_ref;
  // Sent before a rejoin, or before the client heard of a close; it no longer waits for it.
  if (join_ref != kPhoenixNoRef && join_ref != topic->second.join_ref) return;
  if (message.event == "phx_leave") return leave(topic, message);
  if (message.event == "presence_update" && topic->second.presence) return update_presence(topic->second, message);
  publish(topic->second, message);
}

// --- Joining and leaving

void PhoenixDialog::join(const PhoenixMessage& message) {
  const PhoenixAddress& address = message.address;
  std::string name(address.topic);
  if (const auto joined = topics_.find(name); joined != topics_.end()) {
    const std::string old_join_ref = joined->second.join_ref;
    topics_.erase(joined);
    session_.unsubscribe(exactly(name));
    send(phoenix_close(version(), old_join_ref, name));
    if (session_.ended()) return;
  }
  const Result<std::string> canonical = named_channel(name, shared_.text_options);
  if (!canonical || *canonical != name || name == kSocketTopic) {
    return refuse({.ref = address.ref, .topic = name}, kUnmatched, canonical ? std::string() : canonical.error().text);
  }
  if (topics_.size() >= shared_.topics_max) return refuse(address, "too many channels joined");
  SubscribeOptions options{.selector = exactly(name)};
  Result<Topic> topic = topic_of(message, options);
  if (!topic) return refuse(address, join_refusal(topic.error().kind), topic.error().text);
  options.ticket = topic->join_ticket = expect(address, *topic);
  topics_.emplace(std::move(name), *std::move(topic));
  session_.subscribe(std::move(options));
}

Result<PhoenixDialog::Topic> PhoenixDialog::topic_of(const PhoenixMessage& message, SubscribeOptions& options) {
  if (message.kind == MessageKind::kBinary) return Error{ErrorKind::kInvalid, "the payload of a join is an object"};
  Result<PhoenixJoin> asked = shared_.join_reader.read(message.payload);
  if (!asked) return asked.error();
  if (asked->since) options.recover = {{options.selector.base, *asked->since}};
  Topic topic{.join_ref = std::string(message.address.join_ref), .positions = asked->positions};
  topic.presence = shared_.rule_for(options.selector.base).presence;
  if (!topic.presence) return topic;
  const HubOptions& limits = shared_.shard.hub().options();
  const std::string_view wish = asked->presence_key.empty() ? presence_key_ : std::string_view(asked->presence_key);
  Result<std::string> key = presence_key(session_.identity(), session_.id(), wish);
  // Who may not have the key it wishes for is present under its own.
  if (!key) key = presence_key(session_.identity(), session_.id(), {});
  topic.presence_key = *std::move(key);
  topic.presence_meta = std::move(asked->presence_meta);
  if (topic.presence_key.size() > limits.presence_key_bytes_max ||
      topic.presence_meta.size() > limits.presence_meta_bytes_max) {
    return Error{ErrorKind::kInvalid, "the presence key or meta is too long"};
  }
  return topic;
}

void PhoenixDialog::on_subscribed(Ticket ticket, const Result<Subscribed>& outcome) {
  const Pending asked = take(ticket);
  const PhoenixAddress address{.join_ref = asked.join_ref, .ref = asked.ref, .topic = asked.topic};
  const auto topic = topics_.find(asked.topic);
  // It was left, or joined anew, before the answer came.
  if (topic == topics_.end() || topic->second.join_ticket != ticket) return;
  if (!outcome) {
    topics_.erase(topic);
    return refuse(address, join_refusal(outcome.error().kind), outcome.error().text);
  }
  reply(address, PhoenixStatus::kOk, asked.positions ? joined_response(*outcome) : "{}");
  if (topic->second.presence) become_present(topic->first, topic->second);
}

void PhoenixDialog::become_present(const std::string& name, Topic& topic) {
  if (session_.ended()) return;
  // The policy may keep it from this client.
  topic.presence = session_.watch_presence(name).has_value() &&
                   session_.set_presence(name, topic.presence_key, std::exchange(topic.presence_meta, {})).has_value();
}

void PhoenixDialog::leave(Topics::iterator topic, const PhoenixMessage& message) {
  const std::string name = topic->first;
  const std::string join_ref = topic->second.join_ref;
  const std::string ref(message.address.ref);
  topics_.erase(topic);
  session_.unsubscribe(exactly(name));
  reply({.join_ref = join_ref, .ref = ref, .topic = name}, PhoenixStatus::kOk);
  send(phoenix_close(version(), join_ref, name));
}

void PhoenixDialog::on_unsubscribed(std::string_view channel, std::string_view reason, bool crash) {
  const auto topic = topics_.find(channel);
  if (topic == topics_.end()) return;
  const std::string join_ref = topic->second.join_ref;
  topics_.erase(topic);
  send(crash ? phoenix_error(version(), join_ref, channel, reason.empty() ? "channel_crash" : reason)
             : phoenix_close(version(), join_ref, channel));
}

// --- Pushes

void PhoenixDialog::publish(const Topic& topic, const PhoenixMessage& message) {
  const PhoenixAddress address{.join_ref = topic.join_ref, .ref = message.address.ref, .topic = message.address.topic};
  if (is_reserved(message.event)) return refuse(address, "reserved event");
  if (pending_ != nullptr && pending_->size() >= kPendingMax) {
    return refuse(address, "limit", "too many pushes wait for their answers");
  }
  Draft draft;
  draft.channel = address.topic;
  draft.event = message.event;
  draft.payload = Bytes::copy_of(message.payload);
  draft.format = message.kind == MessageKind::kBinary ? PayloadFormat::kBytes : PayloadFormat::kJson;
  if (shared_.rule_for(address.topic).to_others) draft.deliver_to = DeliverTo::kOtherSessions;
  const Ticket ticket = expect(address, topic);
  session_.publish(std::move(draft), ticket);
}

void PhoenixDialog::on_published(Ticket ticket, const Result<Receipt>& outcome) {
  const Pending asked = take(ticket);
  const PhoenixAddress address{.join_ref = asked.join_ref, .ref = asked.ref, .topic = asked.topic};
  if (!outcome) return refuse(address, push_refusal(outcome.error().kind), outcome.error().text);
  reply(address, PhoenixStatus::kOk, asked.positions ? published_response(*outcome) : "{}");
}

void PhoenixDialog::update_presence(const Topic& topic, const PhoenixMessage& message) {
  const PhoenixAddress address{.join_ref = topic.join_ref, .ref = message.address.ref, .topic = message.address.topic};
  if (message.kind == MessageKind::kBinary) return refuse(address, "invalid", "a presence's meta is an object");
  const Result<void> set = session_.set_presence(address.topic, topic.presence_key, std::string(message.payload));
  if (!set) return refuse(address, push_refusal(set.error().kind), set.error().text);
  reply(address, PhoenixStatus::kOk);
}

// --- What the hub tells

void PhoenixDialog::on_presence_state(const PresenceState& state) {
  const auto topic = topics_.find(state.channel);
  if (topic == topics_.end()) return;
  if (!state.named) {
    return send(
        phoenix_push(version(), topic->second.join_ref, state.channel, "presence_stats", phoenix_presence_stats(state.counts)));
  }
  session_.enqueue(
      shared_.state_frames.frame(state, {.version = version(), .framed = &framed_, .join_ref = topic->second.join_ref}, link_));
}

// Beyond the channels that the hub can name, each topic may have lost something.
void PhoenixDialog::on_gap(std::span<const Gap> gaps) {
  const bool unnamed = std::ranges::any_of(gaps, [](const Gap& gap) { return gap.channel.empty(); });
  for (const auto& [name, topic] : topics_) {
    if (!topic.positions) continue;
    const auto gap = std::ranges::find(gaps, name, &Gap::channel);
    if (gap == gaps.end() && !unnamed) continue;
    const bool counted = gap != gaps.end() && gap->messages > 0;
    const std::string payload = counted ? R"({"messages":)" + std::to_string(gap->messages) + '}' : "{}";
    session_.outbox().push_urgent(
        link_.frame(phoenix_push(version(), topic.join_ref, name, kPhoenixGapEvent, payload), MessageKind::kText));
  }
  link_.flush();  // The turn's own flush is over.
}

void PhoenixDialog::on_continuity(Continuity continuity) {
  std::string payload;
  JsonWriter(payload).begin_object().key("state").string(continuity_text(continuity)).end_object();
  send(phoenix_broadcast(version(), kSocketTopic, "continuity", payload));
}

void PhoenixDialog::on_announcement(const Bytes& text) {
  JsonSlicer slicer;
  const Result<JsonSpan> json = slicer.check(text.view());
  std::string payload;
  if (json && json->type == JsonType::kObject) {
    payload = json->text;
  } else {
    JsonWriter(payload).begin_object().key("text").string(text.view()).end_object();
  }
  send(phoenix_broadcast(version(), kSocketTopic, "announcement", payload));
}

// Codes other than 1000, so that the client comes back by itself.
void PhoenixDialog::on_end_wanted(EndReason reason, std::string_view text) {
  if (reason == EndReason::kSlowConsumer) {
    // What it did not read in time would only hold up the reason.
    while (session_.outbox().drop_oldest() != nullptr) continue;
  }
  session_.end(reason);
  link_.close(reason == EndReason::kSlowConsumer ? kCloseTryAgainLater
              : reason == EndReason::kShutdown   ? kCloseServiceRestart
                                                 : kClosePolicyViolation,
              text);
}

// --- Helpers

// A frame that cannot be read is answered where it belongs to, if that can be seen; else the talk is over. Phoenix closes the
// connection in either case.
void PhoenixDialog::fault(const Error& error, MessageKind kind) {
  const PhoenixAddress& address = shared_.reader.address();
  if (!address.topic.empty()) return refuse({.ref = address.ref, .topic = address.topic}, "invalid message", error.text);
  const bool unsupported = kind == MessageKind::kBinary && version() == PhoenixVersion::kV1;
  fault_code_ = unsupported ? kCloseUnsupportedData : kCloseInvalidPayload;
  fault_text_ = error.text;
  session_.end(EndReason::kClientLeft);
  if (shared_.shard.loop().now() >= life_min_ends_ || shared_.held.size() >= PhoenixShared::kHeldMax) {
    return link_.close(fault_code_, fault_text_);
  }
  shared_.held.add(*this, life_min_ends_);
  link_.flush();  // The session has ended and does not do it any more.
}

Ticket PhoenixDialog::expect(const PhoenixAddress& address, const Topic& topic) {
  if (pending_ == nullptr) pending_ = std::make_unique<std::deque<Pending>>();
  const Ticket ticket = next_ticket_++;
  pending_->push_back({.ticket = ticket,
                       .join_ref = std::string(address.join_ref),
                       .ref = std::string(address.ref),
                       .topic = std::string(address.topic),
                       .positions = topic.positions});
  return ticket;
}

PhoenixDialog::Pending PhoenixDialog::take(Ticket ticket) {
  CHECK(pending_ != nullptr);
  const auto found = std::ranges::find(*pending_, ticket, &Pending::ticket);
  CHECK(found != pending_->end());
  Pending asked = std::move(*found);
  pending_->erase(found);
  if (pending_->empty()) pending_.reset();
  return asked;
}

void PhoenixDialog::send(std::string_view message) {
  session_.enqueue(link_.frame(message, MessageKind::kText));
}

void PhoenixDialog::reply(const PhoenixAddress& address, PhoenixStatus status, std::string_view response) {
  send(phoenix_reply(version(), address, status, response));
}

void PhoenixDialog::refuse(const PhoenixAddress& address, std::string_view reason, std::string_view detail) {
  std::string response;
  JsonWriter json(response);
  json.begin_object().key("reason").string(reason);
  if (!detail.empty()) json.key("message").string(detail);
  json.end_object();
  reply(address, PhoenixStatus::kError, response);
}

}  // namespace carillon
