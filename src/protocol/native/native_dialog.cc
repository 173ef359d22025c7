#include "protocol/native/native_dialog.h"

#include <algorithm>

#include "base/check.h"
#include "hub/epoch_text.h"
#include "protocol/native_channels.h"
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
  }
}

void NativeDialog::subscribe(const NativeCommand& command) {
  Result<Selector> selector = subscription_selector(command.channel, shared_.text_options);
  if (!selector) return send_error(selector.error(), shared_.reader.id());
  SubscribeOptions options{.selector = *std::move(selector), .recover = command.recover};
  if (options.recover) name_own(*options.recover, options.selector.base);
  options.ticket = expect(command.channel, options.selector.base, options.recover.has_value());
  session_.subscribe(std::move(options));
}

void NativeDialog::unsubscribe(const NativeCommand& command) {
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
  const Ticket ticket = expect(command.channel, {}, false);
  session_.publish(std::move(draft), ticket);
}

void NativeDialog::history(const NativeCommand& command) {
  Result<std::string> channel = named_channel(command.channel, shared_.text_options);
  if (!channel) return send_error(channel.error(), shared_.reader.id());
  const std::size_t most = shared_.history_page_max;
  HistoryQuery query{.channel = *std::move(channel), .since = command.since};
  query.count_max =
      static_cast<std::size_t>(std::min<std::uint64_t>(command.limit.value_or(std::min<std::size_t>(most, 100)), most));
  query.reverse = command.reverse;
  const Ticket ticket = expect(command.channel, {}, false);
  session_.history(std::move(query), ticket);
}

void NativeDialog::list_subscriptions() {
  std::vector<std::string> channels;
  for (const Selector& selector : session_.subscriptions()) channels.emplace_back(subscription_text(selector));
  send(native_subscriptions(shared_.reader.id(), channels));
}

// --- The hub's answers

void NativeDialog::on_subscribed(Ticket ticket, const Result<Subscribed>& outcome) {
  const Pending asked = take(ticket);
  if (!outcome) return send_error(outcome.error(), asked.id);
  send(native_subscribed(asked.channel, asked.id, *outcome, asked.own_name, asked.recover));
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

void NativeDialog::on_gap(std::span<const Gap> gaps) {
  for (const Gap& gap : gaps) session_.outbox().push_urgent(link_.frame(native_gap(gap), MessageKind::kText));
  link_.flush();  // The turn's own flush is over.
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

Ticket NativeDialog::expect(std::string_view channel, std::string_view own_name, bool recover) {
  if (pending_ == nullptr) pending_ = std::make_unique<std::deque<Pending>>();
  const Ticket ticket = next_ticket_++;
  pending_->push_back({.ticket = ticket,
                       .id = std::string(shared_.reader.id()),
                       .channel = std::string(channel),
                       .own_name = std::string(own_name),
                       .recover = recover});
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
