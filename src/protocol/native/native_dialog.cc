#include "protocol/native/native_dialog.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/check.h"
#include "hub/epoch_text.h"
#include "protocol/native/native_group_codec.h"
#include "protocol/native_channels.h"
#include "protocol/presence_key.h"
#include "wire/json/json_writer.h"

namespace carillon {
namespace {

// RFC 6455, section 7.4.1 and the registry.
constexpr std::uint16_t kPolicyViolation = 1008;
constexpr std::uint16_t kGoingAway = 1001;
constexpr std::uint16_t kTryAgainLater = 1013;

// Commands that wait for the hub; beyond it a command is refused with `limit`.
constexpr std::size_t kPendingMax = 16'384;

// What this channel is called in positions that a client gave without a name.
void name_own(std::vector<ChannelPosition>& positions, const std::string& own_name) {
  for (ChannelPosition& known : positions) {
    if (known.channel.empty()) known.channel = own_name;
  }
}

Error hears_several(std::string_view channel) {
  return {ErrorKind::kInvalid, fmt::format("presence: {} hears several channels, presence is of one", channel)};
}

}  // namespace

NativeDialog::NativeDialog(NativeShared& shared, Link& link, const NativeStart& start)
    : shared_(shared),
      link_(link),
      session_(shared.shard, *this,
               {.protocol = "native",
                .encoding = &link.framed(*start.encoding, MessageKind::kText),
                .identity = start.identity,
                .user_agent = start.user_agent}),
      names_(start.names) {}

void NativeDialog::send_hello(std::string_view server, const LimitsOptions& limits) {
  std::string out;
  JsonWriter json(out);
  json.begin_object().key("type").string("hello").key("session").string(epoch_text(session_.id())).key("server").string(server);
  json.key("protocol").number(2).key("limits").begin_object();
  json.key("message_bytes").number(limits.message_bytes);
  json.key("subscriptions").number(limits.subscriptions_per_client);
  json.key("history_page").number(limits.history_page_max);
  json.key("recover_publications").number(limits.recover_publications_max);
  json.end_object().end_object();
  send(out);
}

void NativeDialog::on_message(std::string_view message, MessageKind kind) {
  if (kind == MessageKind::kBinary || session_.ended()) return;  // guts ignores binary messages without a word.
  const Result<NativeCommand> command = shared_.reader.read(message);
  if (!command) return send_error(command.error(), shared_.reader.id());
  if (pending_ != nullptr && pending_->size() >= kPendingMax) {
    return send_error({ErrorKind::kLimit, "too many commands wait for their answers"}, shared_.reader.id());
  }
  switch (command->verb) {
    case NativeVerb::kSubscribe: return subscribe(*command);
    case NativeVerb::kUnsubscribe: return unsubscribe(*command);
    case NativeVerb::kPing: return send(native_pong(shared_.reader.id()));
    case NativeVerb::kPublish: return publish(*command);
    case NativeVerb::kHistory: return history(*command);
    case NativeVerb::kSubscriptions: return list_subscriptions();
    case NativeVerb::kJoin: return join(*command);
    case NativeVerb::kLeave: return leave(*command);
    case NativeVerb::kPresence:
    case NativeVerb::kPresenceStats: return ask_presence(*command);
    case NativeVerb::kAck:
    case NativeVerb::kNack:
    case NativeVerb::kExtend: return command->durable ? ack_durable(*command) : settle_group(*command);
    case NativeVerb::kResume: return resume(*command);
    case NativeVerb::kForget: return forget_durable(*command);
  }
}

void NativeDialog::subscribe(const NativeCommand& command) {
  if (command.group) return join_group(command);
  if (command.durable) return subscribe_durable(command);
  Result<Selector> selector = subscription_selector(command.channel, shared_.text_options);
  if (!selector) return send_error(selector.error(), shared_.reader.id());
  SubscribeOptions options{.selector = *std::move(selector), .recover = command.recover};
  if (options.recover) name_own(*options.recover, options.selector.base);
  std::unique_ptr<NativePresence> presence;
  if (command.presence) {
    // Refused before anything has happened, not by half.
    if (options.selector.kind != Selector::Kind::kExact) return send_error(hears_several(command.channel), shared_.reader.id());
    Result<NativePresence> checked = checked_presence(options.selector.base, *command.presence);
    if (!checked) return send_error(checked.error(), shared_.reader.id());
    presence = std::make_unique<NativePresence>(*std::move(checked));
  }
  options.ticket = expect(command.channel, options.selector.base);
  pending_->back().recover = options.recover.has_value();
  pending_->back().presence = std::move(presence);
  session_.subscribe(std::move(options));
}

void NativeDialog::unsubscribe(const NativeCommand& command) {
  if (command.group) return leave_group(command);
  const Result<Selector> selector = subscription_selector(command.channel, shared_.text_options);
  if (!selector) return send_error(selector.error(), shared_.reader.id());
  session_.unsubscribe(*selector);  // Confirmed even if it was not subscribed.
  send(native_unsubscribed(command.channel, shared_.reader.id()));
}

void NativeDialog::publish(const NativeCommand& command) {
  Result<std::string> channel = named_channel(command.channel, shared_.text_options);
  if (!channel) return send_error(channel.error(), shared_.reader.id());
  Draft draft;
  draft.channel = *std::move(channel);
  draft.event = command.event;
  draft.payload = Bytes::copy_of(command.data);
  draft.idempotency_key = command.idempotency_key;
  if (command.to_others) draft.deliver_to = DeliverTo::kOtherSessions;
  const Ticket ticket = expect(command.channel);
  session_.publish(std::move(draft), ticket);
}

void NativeDialog::history(const NativeCommand& command) {
  Result<std::string> channel = named_channel(command.channel, shared_.text_options);
  if (!channel) return send_error(channel.error(), shared_.reader.id());
  const std::size_t most = shared_.history_page_max;
  HistoryQuery query{.channel = *std::move(channel), .since = command.since};
  query.count_max =
      static_cast<std::size_t>(std::min<std::uint64_t>(command.limit.value_or(std::min<std::size_t>(most, 100)), most));
  query.from_time_ms = command.from_ms;
  query.reverse = command.reverse;
  const Ticket ticket = expect(command.channel);
  session_.history(std::move(query), ticket);
}

void NativeDialog::list_subscriptions() {
  std::vector<std::string> channels;
  for (const Selector& selector : session_.subscriptions()) channels.emplace_back(subscription_text(selector));
  send(native_subscriptions(shared_.reader.id(), channels));
}

void NativeDialog::join(const NativeCommand& command) {
  const Result<std::string> channel = named_channel(command.channel, shared_.text_options);
  if (!channel) return send_error(channel.error(), shared_.reader.id());
  Result<NativePresence> wish = checked_presence(*channel, *command.presence);
  if (!wish) return send_error(wish.error(), shared_.reader.id());
  if (const Result<void> joined = session_.set_presence(*channel, wish->key, std::move(wish->meta)); !joined) {
    return send_error(joined.error(), shared_.reader.id());
  }
  send(native_joined(command.channel, shared_.reader.id(), wish->key));
}

void NativeDialog::leave(const NativeCommand& command) {
  const Result<std::string> channel = named_channel(command.channel, shared_.text_options);
  if (!channel) return send_error(channel.error(), shared_.reader.id());
  session_.clear_presence(*channel);  // Confirmed even if it was not present.
  send(native_left(command.channel, shared_.reader.id()));
}

void NativeDialog::ask_presence(const NativeCommand& command) {
  Result<std::string> channel = named_channel(command.channel, shared_.text_options);
  if (!channel) return send_error(channel.error(), shared_.reader.id());
  const Ticket ticket = expect(command.channel);
  if (command.verb == NativeVerb::kPresence) return session_.presence(*std::move(channel), ticket);
  session_.presence_counts(*std::move(channel), ticket);
}

// A group is on one channel, named exactly: a repository's is not a tree here.
void NativeDialog::join_group(const NativeCommand& command) {
  Result<std::string> channel = named_channel(command.channel, shared_.text_options);
  if (!channel) return send_error(channel.error(), shared_.reader.id());
  GroupWish wish = command.group->wish;
  if (wish.dead_letter) {
    Result<std::string> dead_letter = named_channel(*wish.dead_letter, shared_.text_options);
    if (!dead_letter) return send_error(dead_letter.error(), shared_.reader.id());
    wish.dead_letter = *std::move(dead_letter);
  }
  const Ticket ticket = expect(command.channel);
  pending_->back().group = command.group->name;
  session_.join_group({.name = {.channel = *std::move(channel), .name = command.group->name},
                       .wish = std::move(wish),
                       .in_flight_max = command.group->in_flight,
                       .ticket = ticket});
}

void NativeDialog::leave_group(const NativeCommand& command) {
  Result<std::string> channel = named_channel(command.channel, shared_.text_options);
  if (!channel) return send_error(channel.error(), shared_.reader.id());
  session_.leave_group({.channel = *std::move(channel), .name = command.group->name});  // Confirmed even if it was no member.
  send(native_group_left(command.channel, command.group->name, shared_.reader.id()));
}

void NativeDialog::settle_group(const NativeCommand& command) {
  Result<std::string> channel = named_channel(command.channel, shared_.text_options);
  if (!channel) return send_error(channel.error(), shared_.reader.id());
  const Ticket ticket = expect(command.channel);
  pending_->back().group = command.settle->name;
  pending_->back().settle = command.settle->settle.verb;
  session_.settle_group({.channel = *std::move(channel), .name = command.settle->name}, command.settle->settle, ticket);
}

// --- The hub's answers

void NativeDialog::on_subscribed(Ticket ticket, const Result<Subscribed>& outcome) {
  const Pending asked = take(ticket);
  if (!outcome) return send_error(outcome.error(), asked.id);
  const bool joins = asked.presence != nullptr && asked.presence->join;
  send(native_subscribed(asked.channel, asked.id, *outcome,
                         {.own_name = asked.own_name,
                          .asked_to_recover = asked.recover,
                          .key = joins ? std::string_view(asked.presence->key) : std::string_view(),
                          .durable = asked.durable}));
  if (!asked.durable.empty() && !asked.remembered && !outcome->positions.empty()) {
    // It goes on from here, if nothing is acknowledged.
    shared_.durable.heard(subscriber({.name = asked.durable}), {{asked.own_name, outcome->positions.front().position}},
                          [](Result<void>) {});
  }
  if (asked.presence == nullptr || session_.ended()) return;
  Result<void> present;
  if (asked.presence->watch) present = session_.watch_presence(asked.own_name);
  if (present && joins) present = session_.set_presence(asked.own_name, asked.presence->key, asked.presence->meta);
  if (!present) send_error(present.error(), asked.id);
}

void NativeDialog::on_published(Ticket ticket, const Result<Receipt>& outcome) {
  const Pending asked = take(ticket);
  if (!outcome) return send_error(outcome.error(), asked.id);
  send(native_published(asked.channel, asked.id, *outcome));
}

void NativeDialog::on_history(Ticket ticket, const Result<HistoryPage>& outcome) {
  const Pending asked = take(ticket);
  if (!outcome) return send_error(outcome.error(), asked.id);
  send(native_history(asked.channel, asked.id, *outcome, names_));
}

void NativeDialog::on_presence_state(const PresenceState& state) {
  send(state.named ? native_presence_state(state) : native_presence_stats(state.channel, {}, state.counts));
}

void NativeDialog::on_presence(Ticket ticket, const Result<PresenceStatePtr>& outcome) {
  const Pending asked = take(ticket);
  if (!outcome) return send_error(outcome.error(), asked.id);
  const PresenceSessions sessions = session_.identity().trusted ? PresenceSessions::kShown : PresenceSessions::kHidden;
  send(native_presence(asked.channel, asked.id, **outcome, sessions));
}

void NativeDialog::on_presence_counts(Ticket ticket, const Result<PresenceCounts>& outcome) {
  const Pending asked = take(ticket);
  if (!outcome) return send_error(outcome.error(), asked.id);
  send(native_presence_stats(asked.channel, asked.id, *outcome));
}

void NativeDialog::on_unsubscribed(std::string_view channel, std::string_view reason, bool crash) {
  send(native_ended(channel, reason, crash));
}

void NativeDialog::on_group_joined(Ticket ticket, const Result<GroupJoined>& outcome) {
  const Pending asked = take(ticket);
  if (!outcome) return send_error(outcome.error(), asked.id);
  send(native_group_joined(asked.channel, asked.group, asked.id, *outcome));
}

void NativeDialog::on_group_delivery(const GroupName& name, const GroupDelivery& delivery) {
  std::string out;
  append_delivery_json(out, name.name, delivery, names_);
  send(out);
}

// Without an id only what was refused is told.
void NativeDialog::on_group_settled(Ticket ticket, const Result<GroupSettled>& outcome) {
  const Pending asked = take(ticket);
  if (!outcome) return send_error(outcome.error(), asked.id);
  if (outcome->settled == 0) return send_error(not_in_flight(), asked.id);
  if (asked.id.empty() && outcome->refused.empty()) return;
  send(native_group_settled(asked.channel, asked.group, asked.id, asked.settle, *outcome));
}

void NativeDialog::on_group_ended(const GroupName& name, std::string_view reason) {
  send(native_group_ended(name, reason));
}

void NativeDialog::on_gap(std::span<const Gap> gaps) {
  for (const Gap& gap : gaps) session_.outbox().push_urgent(link_.frame(native_gap(gap), MessageKind::kText));
  link_.flush();  // The turn's own flush is over.
}

void NativeDialog::on_continuity(Continuity continuity) {
  send(native_continuity(continuity));
}

void NativeDialog::on_announcement(const Bytes& text) {
  send(text.view());
}

void NativeDialog::on_end_wanted(EndReason reason, std::string_view text) {
  if (reason == EndReason::kSlowConsumer) {
    // What it did not read in time would only hold up the reason.
    while (session_.outbox().drop_oldest() != nullptr) continue;
  }
  session_.end(reason);
  link_.close(reason == EndReason::kSlowConsumer ? kTryAgainLater
              : reason == EndReason::kShutdown   ? kGoingAway
                                                 : kPolicyViolation,
              text);
}

// --- Helpers

Result<NativePresence> NativeDialog::checked_presence(std::string_view channel, NativePresence wish) {
  Result<std::string> key = presence_key(session_.identity(), session_.id(), wish.key);
  if (!key) return key.error();
  wish.key = *std::move(key);
  if (Result<void> allowed = session_.may_set_presence(channel, wish.key, wish.meta); !allowed) return allowed.error();
  return wish;
}

Ticket NativeDialog::expect(std::string_view channel, std::string_view own_name) {
  if (pending_ == nullptr) pending_ = std::make_unique<std::deque<Pending>>();
  const Ticket ticket = next_ticket_++;
  pending_->push_back({.ticket = ticket,
                       .id = std::string(shared_.reader.id()),
                       .channel = std::string(channel),
                       .own_name = std::string(own_name),
                       .recover = false,
                       .presence = nullptr,
                       .group = {},
                       .durable = {}});
  return ticket;
}

NativeDialog::Pending NativeDialog::take(Ticket ticket) {
  CHECK(pending_ != nullptr);
  const auto found =
      std::find_if(pending_->begin(), pending_->end(), [&](const Pending& asked) { return asked.ticket == ticket; });
  CHECK(found != pending_->end());
  Pending asked = std::move(*found);
  pending_->erase(found);
  if (pending_->empty()) pending_.reset();
  return asked;
}

void NativeDialog::send(std::string_view message) {
  session_.enqueue(link_.frame(message, MessageKind::kText));
}

void NativeDialog::send_error(const Error& error, std::string_view id) {
  send(native_error(error.text, error_kind_name(error.kind), id));
}

}  // namespace carillon
