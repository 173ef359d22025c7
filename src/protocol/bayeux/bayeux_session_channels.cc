// BayeuxSession's channels: subscribing, leaving, publishing, and calls of services.
#include <algorithm>

#include "protocol/bayeux/bayeux_binary.h"
#include "protocol/bayeux/bayeux_session.h"
#include "protocol/bayeux/bayeux_sessions.h"
#include "protocol/native_channels.h"

namespace carillon {
namespace {

std::string policy_denies(std::string_view what) {
  return "403:denied_by_security_policy:" + std::string(what);
}

std::string subscribe_error(const Error& error) {
  switch (error.kind) {
    case ErrorKind::kUnauthorized:
    case ErrorKind::kForbidden: return policy_denies("subscribe_denied");
    case ErrorKind::kInvalid: return "403::subscription_invalid";
    case ErrorKind::kLimit: return "403:too_many_subscriptions:subscribe_failed";
    default: return "403::subscribe_failed";
  }
}

std::string publish_error(const Error& error) {
  switch (error.kind) {
    case ErrorKind::kUnauthorized:
    case ErrorKind::kForbidden: return policy_denies("publish_denied");
    case ErrorKind::kInvalid: return "405::channel_invalid";
    case ErrorKind::kTooLarge: return "413::message_too_large";
    case ErrorKind::kLimit: return "429::limit_reached";
    case ErrorKind::kUnavailable: return "503::unavailable";
    default: return "500::publish_failed";
  }
}

}  // namespace

// --- Subscribing. Of several channels all are looked at first, and all are subscribed to or none.

void BayeuxSession::subscribe(const BayeuxMessage& message, const BayeuxBatchPtr& batch) {
  if (message.subscriptions.empty()) return refuse(message, batch, {.error = "403::subscription_missing"});
  const BayeuxAlphabet alphabet = owner_.common().alphabet;
  const Result<BayeuxReplayWishes> wishes =
      replays_ ? read_bayeux_replay(message.ext_json, alphabet) : Result<BayeuxReplayWishes>(BayeuxReplayWishes());
  if (!wishes) {
    const bool too_large = wishes.error().kind == ErrorKind::kTooLarge;
    return refuse(message, batch, {.error = too_large ? "413::replay_too_large" : "400::replay_invalid"});
  }
  std::vector<SubscribeOptions> wanted;
  Pending asked{.batch = batch, .id_json = std::string(message.id_json), .channel = std::string(message.channel)};
  for (const std::string& channel : message.subscriptions) {
    Selector selector;
    BayeuxPermission permission = may_subscribe(channel, selector);
    if (!permission.error.empty()) return refuse(message, batch, std::move(permission));
    const bool known = std::ranges::find(channels_, channel) != channels_.end() ||
                       std::ranges::find(asked.added, channel) != asked.added.end();
    if (known || channel.starts_with("/service/")) continue;
    asked.added.push_back(channel);
    std::optional<std::vector<ChannelPosition>> recover = wishes->of(channel);
    asked.holds = asked.holds || recover;
    recovers_wildcards_ = recovers_wildcards_ || (recover && selector.kind != Selector::Kind::kExact);
    wanted.push_back({.selector = std::move(selector), .recover = std::move(recover), .ticket = next_ticket_ + wanted.size()});
    if (replays_) asked.replayed.push_back({.subscription = channel});
  }
  const std::size_t most = owner_.shard().hub().options().subscriptions_per_session_max;
  if (channels_.size() + asked.added.size() > most) {
    return refuse(message, batch, {.error = "403:too_many_subscriptions:subscribe_failed"});
  }
  if (wanted.empty()) return reply(reply_to(message), batch, batch->add());
  const Ticket ticket = next_ticket_;
  next_ticket_ += wanted.size();
  asked.place = batch->add();
  if (asked.holds) {
    batch->lead_with(asked.place);
    ++holding_;
  }
  asked.subscription_json = message.subscription_json;
  asked.answers_due = wanted.size();
  for (const std::string& channel : asked.added) {
    channels_.push_back(channel);
    owner_.common().subscribed.add(channel);
  }
  hold_pending(ticket, std::move(asked));
  for (SubscribeOptions& options : wanted) session_.subscribe(std::move(options));
}

void BayeuxSession::hold_pending(Ticket ticket, Pending pending) {
  if (pending_ == nullptr) pending_ = std::make_unique<std::map<Ticket, Pending>>();
  pending_->emplace(ticket, std::move(pending));
}

BayeuxPermission BayeuxSession::may_subscribe(const std::string& channel, Selector& selector) {
  const BayeuxAlphabet alphabet = owner_.common().alphabet;
  const Result<BayeuxChannelKind> kind = bayeux_channel_kind(channel, alphabet);
  if (!kind) return {.error = "403::subscription_invalid"};
  if (*kind == BayeuxChannelKind::kMeta) return {.error = policy_denies("subscribe_denied")};
  if (*kind == BayeuxChannelKind::kService) return {};
  Result<Selector> found = bayeux_selector(channel, alphabet);
  if (!found) return {.error = "403::subscription_invalid"};
  selector = *std::move(found);
  if (selector.kind == Selector::Kind::kExact) {
    const Result<std::string> name = named_channel(selector.base, owner_.parts().text_options);
    if (!name || *name != selector.base) return {.error = "403::subscription_invalid"};
  }
  if (owner_.common().guard.asks() && !owner_.common().subscribed.has(channel)) {
    BayeuxPermission created = may(BayeuxOperation::kCreate, channel);
    if (!created.error.empty()) return created;
  }
  BayeuxPermission permission = may(BayeuxOperation::kSubscribe, channel);
  if (!permission.error.empty()) return permission;
  const Result<void> allowed = owner_.shard().hub().policy().may_subscribe(session_.identity(), selector);
  return allowed ? permission : BayeuxPermission{.error = subscribe_error(allowed.error())};
}

void BayeuxSession::on_subscribed(Ticket ticket, const Result<Subscribed>& outcome) {
  if (pending_ == nullptr) return;
  auto found = pending_->upper_bound(ticket);
  if (found == pending_->begin()) return;
  const auto& [first, asked] = *--found;
  const std::size_t number = ticket - first;
  if (number >= asked.added.size()) return;
  Pending& subscribing = found->second;
  if (!outcome) {
    subscribing.error = subscribe_error(outcome.error());
  } else if (replays_) {
    subscribing.replayed[number].recovered = outcome->recovered;
    subscribing.replayed[number].positions = outcome->positions;
  }
  if (--subscribing.answers_due == 0) finish_subscribe(first);
}

void BayeuxSession::finish_subscribe(Ticket ticket) {
  const auto found = pending_->find(ticket);
  const Pending asked = std::move(found->second);
  pending_->erase(found);
  if (pending_->empty()) pending_.reset();
  if (!asked.error.empty()) {
    for (const std::string& channel : asked.added) drop(channel);
  } else if (owner_.common().events.heard()) {
    owner_.common().events.emit(bayeux_event::Subscribe{.client = client_, .channels = asked.added});
  }
  BayeuxReply told{
      .id_json = asked.id_json, .channel = asked.channel, .subscription_json = asked.subscription_json, .error = asked.error};
  if (replays_ && asked.error.empty()) told.ext_json = bayeux_replay_reply(asked.replayed, owner_.common().alphabet);
  if (asked.holds) --holding_;
  reply(told, asked.batch, asked.place);
  // Else the reply leaves when the request has been read, and then what waits.
  if (asked.holds && asked.batch->sealed()) deliver();
}

void BayeuxSession::unsubscribe(const BayeuxMessage& message, const BayeuxBatchPtr& batch) {
  if (message.subscriptions.empty()) return refuse(message, batch, {.error = "403::subscription_missing"});
  std::vector<std::string> left;
  for (const std::string& channel : message.subscriptions) {
    if (std::string error = refusal_to_unsubscribe(channel); !error.empty()) {
      return refuse(message, batch, {.error = std::move(error)});
    }
  }
  for (const std::string& channel : message.subscriptions) {
    if (std::ranges::find(channels_, channel) == channels_.end()) continue;
    drop(channel);
    left.push_back(channel);
  }
  if (!left.empty() && owner_.common().events.heard()) {
    owner_.common().events.emit(bayeux_event::Unsubscribe{.client = client_, .channels = std::move(left)});
  }
  reply(reply_to(message), batch, batch->add());
}

// Who leaves what it never heard has what it wants, where there is such a channel at all.
std::string BayeuxSession::refusal_to_unsubscribe(const std::string& channel) const {
  const Result<BayeuxChannelKind> kind = bayeux_channel_kind(channel, owner_.common().alphabet);
  if (!kind) return "403::subscription_invalid";
  if (*kind == BayeuxChannelKind::kMeta) return "403::unsubscribe_failed";
  if (*kind == BayeuxChannelKind::kService || owner_.common().subscribed.has(channel)) return {};
  return "400::channel_missing";
}

void BayeuxSession::drop(const std::string& channel) {
  std::erase(channels_, channel);
  owner_.common().subscribed.remove(channel);
  const Result<Selector> selector = bayeux_selector(channel, owner_.common().alphabet);
  if (selector) session_.unsubscribe(*selector);
}

// --- Publishing

void BayeuxSession::publish(const BayeuxMessage& message, const BayeuxBatchPtr& batch) {
  const Result<BayeuxChannelKind> kind = bayeux_channel_kind(message.channel, owner_.common().alphabet);
  if (*kind == BayeuxChannelKind::kMeta) return refuse(message, batch, {.error = policy_denies("publish_denied")});
  if (owner_.common().guard.asks() && !owner_.common().subscribed.has(message.channel)) {
    BayeuxPermission created = may(BayeuxOperation::kCreate, message.channel);
    if (!created.error.empty()) {
      // CometD has another word for it than of a subscribe.
      created.error.insert(created.error.rfind(':') + 1, "channel_");
      return refuse(message, batch, std::move(created));
    }
  }
  BayeuxPermission permission = may(BayeuxOperation::kPublish, message.channel);
  if (!permission.error.empty()) return refuse(message, batch, std::move(permission));
  if (*kind == BayeuxChannelKind::kService) return publish_to_service(message, batch);
  Result<Draft> draft = draft_of(message);
  if (!draft) return refuse(message, batch, {.error = publish_error(draft.error())});
  const Ticket ticket = next_ticket_++;
  hold_pending(ticket, {.batch = batch,
                        .place = batch->add(),
                        .id_json = std::string(message.id_json),
                        .channel = std::string(message.channel)});
  session_.publish(*std::move(draft), ticket);
}

Result<Draft> BayeuxSession::draft_of(const BayeuxMessage& message) {
  Result<std::string> channel = canonical_of_bayeux(message.channel, owner_.common().alphabet);
  if (!channel) return channel.error();
  const Result<std::string> name = named_channel(*channel, owner_.parts().text_options);
  if (!name || *name != *channel) return Error{ErrorKind::kInvalid, "no such channel can be"};
  if (message.data_json.size() > owner_.parts().message_bytes_max) return Error{ErrorKind::kTooLarge, "the data is too large"};
  Draft draft;
  draft.channel = *std::move(channel);
  draft.event = kBayeuxEvent;
  if (!options().own_messages) draft.deliver_to = DeliverTo::kOtherSessions;
  const std::optional<JsonDocument> ext = message.ext_json.empty() ? std::nullopt : owner_.reader().members(message.ext_json);
  const JsonSpan* const event = ext ? ext->find("event") : nullptr;
  if (event != nullptr && event->type == JsonType::kString) draft.event = decode_json_string(event->text).value_or("");
  if (ext && ext->find("binary") != nullptr) {
    JsonSlicer slicer;
    if (const Result<void> taken = take_bayeux_binary(draft, message.data_json, slicer); !taken) return taken.error();
  } else {
    draft.payload = Bytes::copy_of(message.data_json.empty() ? std::string_view("null") : message.data_json);
  }
  return draft;
}

void BayeuxSession::on_published(Ticket ticket, const Result<Receipt>& outcome) {
  if (pending_ == nullptr) return;
  const auto found = pending_->find(ticket);
  if (found == pending_->end()) return;
  const Pending asked = std::move(found->second);
  pending_->erase(found);
  if (pending_->empty()) pending_.reset();
  reply({.id_json = asked.id_json, .channel = asked.channel, .error = outcome ? std::string() : publish_error(outcome.error())},
        asked.batch, asked.place);
}

// What a service answers is for this client alone, whenever it comes.
void BayeuxSession::publish_to_service(const BayeuxMessage& message, const BayeuxBatchPtr& batch) {
  BayeuxServices::Match match = owner_.common().services.match(message.channel);
  reply(reply_to(message), batch, batch->add());
  if (match.service == nullptr) return;
  std::string channel(message.channel);
  std::string id(message.id_json);
  auto answer = [door = owner_.common().door, client = client_id(), channel, id](std::string data, bool successful) {
    if (!JsonSlicer().check(data)) return;
    door->post(
        client,
        [client, delivery = bayeux_delivery({.channel = channel, .data_json = data, .id_json = id, .successful = successful})](
            BayeuxSessions& sessions) {
          if (BayeuxSession* const session = sessions.find(client)) session->send(delivery, false);
        });
  };
  match.service->handle(BayeuxCall({.client = client_,
                                    .channel = std::move(channel),
                                    .id = std::move(id),
                                    .data = std::string(message.data_json.empty() ? "null" : message.data_json),
                                    .parameters = std::move(match.parameters),
                                    .answer = std::move(answer)}));
}

}  // namespace carillon
