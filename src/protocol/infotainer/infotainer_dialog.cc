#include "protocol/infotainer/infotainer_dialog.h"

#include <algorithm>
#include <utility>

#include "base/check.h"

namespace carillon {
namespace {

// RFC 6455, section 7.4.1 and the registry.
constexpr std::uint16_t kPolicyViolation = 1008;
constexpr std::uint16_t kInternalError = 1011;
constexpr std::uint16_t kTryAgainLater = 1013;

constexpr std::string_view kNoText = "Text messages not implemented";

Selector exact_selector(std::string channel) {
  return {.kind = Selector::Kind::kExact, .base = std::move(channel)};
}

std::string owner_of(const IdentityPtr& identity) {
  return identity != nullptr && identity->verified ? identity->user : std::string();
}

}  // namespace

InfotainerDialog::InfotainerDialog(InfotainerDesk& desk, Link& link, const InfotainerStart& start)
    : desk_(desk),
      link_(link),
      version_(start.version),
      session_id_(start.session),
      subscriber_(durable_subscriber({"infotainer", start.session.text()})),
      owner_(owner_of(start.identity)),
      session_(desk.shard(), *this,
               {.protocol = "infotainer",
                .encoding = &link.framed(desk.encoding(start.version, start.bodies), MessageKind::kBinary),
                .identity = start.identity,
                .user_agent = start.user_agent}),
      serial_(desk.add(*this)),
      reader_(start.version) {}

InfotainerDialog::~InfotainerDialog() {
  on_link_closed();
}

// --- Beginning and end

void InfotainerDialog::start() {
  if (state_ != State::kOpening) return;
  const InfotainerHolder mine{.place = desk_.place(), .serial = serial_, .owner = owner_};
  const auto previous = desk_.common().claim(session_id_, mine, session_.identity().trusted);
  if (!previous) {
    send_error(previous.error(), {});
    return link_.close(kPolicyViolation, previous.error().text);
  }
  claimed_ = true;
  desk_.common().keep_owner(session_id_, owner_);
  if (!*previous) return load();
  desk_.common().siblings.post((*previous)->place, [serial = (*previous)->serial, from = desk_.place(), waiting = serial_](
                                                       InfotainerDesk& desk) { desk.take_over(serial, from, waiting); });
}

// The session goes on elsewhere: `done` is called when what was heard here is kept. Any thread.
void InfotainerDialog::give_up(UniqueFunction<void()> done) {
  claimed_ = false;
  keep_heard([done = std::move(done)](const Result<void>&) mutable { done(); });
  if (is_two()) send_error({ErrorKind::kConflict, "the session goes on in another connection"}, {});
  link_.close(kCloseTakenOver, "the session goes on in another connection");
}

void InfotainerDialog::load() {
  if (state_ != State::kOpening) return;
  renewed_at_ = desk_.loop().now();
  desk_.common().durable.load(subscriber_, desk_.answer(serial_, &InfotainerDialog::on_loaded));
}

void InfotainerDialog::on_loaded(Result<std::vector<DurableSubscription>> loaded) {
  if (state_ != State::kOpening) return;
  if (!loaded) {
    send_error(loaded.error(), {});
    return link_.close(kInternalError, loaded.error().text);
  }
  std::erase_if(*loaded, [](const DurableSubscription& known) { return !topic_of_channel(known.channel); });
  if (is_two()) {
    send(infotainer_hello({.session = session_id_,
                           .server = desk_.about().server,
                           .subscriptions = loaded->size(),
                           .message_bytes_max = desk_.about().message_bytes_max}));
  }
  resuming_ = loaded->size() + 1;
  for (const DurableSubscription& known : *loaded) resume(known);
  if (--resuming_ == 0) open();
}

void InfotainerDialog::resume(const DurableSubscription& known) {
  if (state_ == State::kClosed) return;
  desk_.common().resumed.fetch_add(1, std::memory_order_relaxed);
  SubscribeOptions options{.selector = exact_selector(known.channel), .ticket = ++last_ticket_};
  if (is_two() && known.heard) options.recover = {{known.channel, *known.heard}};
  const Uuid log = *topic_of_channel(known.channel);
  asked_.push_back({.ticket = options.ticket, .request_id = {}, .log = log, .channel = known.channel});
  subscriptions_.push_back(
      {.log = log, .channel = known.channel, .position = known.heard, .acked = std::nullopt, .kept = known.heard});
  if (is_two()) desk_.tops().hold(known.channel);
  session_.subscribe(std::move(options));
}

void InfotainerDialog::on_resumed(const Asked& asked, const Result<Subscribed>& outcome) {
  if (!outcome) {
    send_error(outcome.error(), {});
    drop(asked.log);  // It stays remembered; another time it may be allowed again.
  } else if (Subscription* const subscription = find(asked.log)) {
    InfotainerSubscribed told{.log = asked.log, .recovered = subscription->position.has_value() && outcome->recovered};
    if (!outcome->positions.empty()) told.position = outcome->positions.front().position;
    // What was missed follows and is counted by `heard` once it is on its way. Where nothing was known, it begins here.
    if (!subscription->position || !outcome->recovered) subscription->position = told.position;
    subscription->answered = true;
    if (is_two()) send(infotainer_resumed(told));
    topics().ensure({.id = asked.log, .name = session_id_.text(), .creator = creator()}, Millis(desk_.common().options.expiry),
                    [](const Result<bool>&) {});
  }
  if (--resuming_ == 0) open();
}

void InfotainerDialog::open() {
  if (state_ != State::kOpening) return;
  state_ = State::kOpen;
  pump();
}

void InfotainerDialog::on_link_closed() {
  if (state_ == State::kClosed) return;
  leave();
  state_ = State::kClosed;
  if (is_two()) {
    for (const Subscription& subscription : subscriptions_) desk_.tops().release(subscription.channel);
  }
  subscriptions_.clear();
  operation_.reset();
  queue_.clear();
  desk_.remove(serial_);
  session_.end(EndReason::kClientLeft);
}

// Once: what is queued or dropped from here on was not heard.
void InfotainerDialog::leave() {
  if (!std::exchange(claimed_, false)) return;
  keep_heard([](const Result<void>&) {});
  desk_.common().release(session_id_, {.place = desk_.place(), .serial = serial_, .owner = {}});
}

// --- Commands

void InfotainerDialog::on_message(std::string_view message, MessageKind kind) {
  if (state_ == State::kClosed) return;
  if (kind == MessageKind::kText) {
    if (is_two()) return send_error({ErrorKind::kInvalid, std::string(kNoText)}, {});
    return session_.enqueue(link_.frame(kNoText, MessageKind::kText));
  }
  const bool full = queue_.size() + publishing_ >= kQueueMax ||
                    (!queue_.empty() && queue_bytes_ + message.size() > 2 * desk_.about().message_bytes_max);
  if (full) return send_error({ErrorKind::kLimit, "send failed because receiver is full"}, {});
  queue_bytes_ += message.size();
  queue_.emplace_back(message);
  pump();
}

void InfotainerDialog::pump() {
  if (pumping_ || state_ != State::kOpen) return;
  pumping_ = true;
  while (!queue_.empty() && operation_ == nullptr && state_ == State::kOpen) {
    if (front_waits_ && publishing_ > 0) break;
    std::string message = std::move(queue_.front());
    const Result<InfotainerCommand> command = reader_.read(message);
    front_waits_ = command && command->verb != InfotainerVerb::kSubmitPublication && publishing_ > 0;
    if (front_waits_) {
      queue_.front() = std::move(message);
      break;
    }
    queue_.pop_front();
    queue_bytes_ -= message.size();
    if (command) {
      dispatch(*command);
    } else {
      send_error(command.error(), reader_.request_id());
    }
  }
  pumping_ = false;
}

void InfotainerDialog::dispatch(const InfotainerCommand& command) {
  switch (command.verb) {
    case InfotainerVerb::kGetLogIndex: return get_index(command);
    case InfotainerVerb::kGetLogEntries: return get_entries(command);
    case InfotainerVerb::kSubscribe: return subscribe(command);
    case InfotainerVerb::kUnsubscribe: return unsubscribe(command);
    case InfotainerVerb::kSubmitPublication: return publish(command);
    case InfotainerVerb::kAck: return ack(command);
    case InfotainerVerb::kListSubscriptions: return list_subscriptions(command);
    case InfotainerVerb::kCreateTopic: return create_topic(command);
    case InfotainerVerb::kListTopics: return list_topics(command);
    case InfotainerVerb::kGetTopic: return get_topic(command);
    case InfotainerVerb::kDeleteTopic: return delete_topic(command);
    case InfotainerVerb::kWatchTopics:
    case InfotainerVerb::kUnwatchTopics: return watch_topics(command);
    case InfotainerVerb::kJoinGroup: return join_group(command);
    case InfotainerVerb::kLeaveGroup: return leave_group(command);
    case InfotainerVerb::kAckDelivery:
    case InfotainerVerb::kNackDelivery:
    case InfotainerVerb::kExtendDelivery: return settle_group(command);
  }
}

InfotainerDialog::Operation& InfotainerDialog::operate(const InfotainerCommand& command) {
  operation_ = std::make_unique<Operation>();
  operation_->verb = command.verb;
  operation_->ticket = ++last_ticket_;
  operation_->request_id = reader_.request_id();
  operation_->id = command.id;
  operation_->position = command.position;
  return *operation_;
}

void InfotainerDialog::finish() {
  operation_.reset();
  pump();
}

void InfotainerDialog::finish(std::string_view answer) {
  if (is_two()) send(answer);
  finish();
}

void InfotainerDialog::fail(const Error& error) {
  send_error(error, operation_->request_id);
  finish();
}

// --- Subscribing

void InfotainerDialog::subscribe(const InfotainerCommand& command) {
  operate(command);
  const Result<void> allowed = policy().may_subscribe(session_.identity(), exact_selector(topic_channel(command.id)));
  if (!allowed) return fail(allowed.error());
  topics().ensure({.id = command.id, .name = session_id_.text(), .creator = creator()}, Millis(desk_.common().options.expiry),
                  desk_.answer(serial_, &InfotainerDialog::on_ensured));
}

void InfotainerDialog::on_ensured(Result<bool> made) {
  if (!made) return fail(made.error());
  operation_->created = *made;
  desk_.common().durable.keep(subscriber_, {.channel = topic_channel(operation_->id), .heard = operation_->position},
                              Millis(desk_.common().options.expiry), desk_.answer(serial_, &InfotainerDialog::on_kept));
}

void InfotainerDialog::on_kept(Result<void> kept) {
  if (!kept) return fail(kept.error());
  const std::string channel = topic_channel(operation_->id);
  desk_.note_known(operation_->id);
  if (find(operation_->id) == nullptr) {
    subscriptions_.push_back({.log = operation_->id,
                              .channel = channel,
                              .position = operation_->position,
                              .acked = {},
                              .kept = operation_->position});
    if (is_two()) desk_.tops().hold(channel);
  }
  SubscribeOptions options{.selector = exact_selector(channel), .ticket = operation_->ticket};
  if (operation_->position) options.recover = {{channel, *operation_->position}};
  session_.subscribe(std::move(options));
}

void InfotainerDialog::on_own_subscribed(const Result<Subscribed>& outcome) {
  const Uuid log = operation_->id;
  if (!outcome) {
    // It is remembered as it was asked for, unless the hub does not take it.
    drop(log);
    desk_.common().durable.forget(subscriber_, topic_channel(log), [](const Result<bool>&) {});
    return fail(outcome.error());
  }
  InfotainerSubscribed told{.log = log, .created = operation_->created, .already = outcome->already};
  if (operation_->position) told.recovered = outcome->recovered;
  if (!outcome->positions.empty()) told.position = outcome->positions.front().position;
  Subscription* const subscription = find(log);
  if (subscription != nullptr) subscription->answered = true;
  if (is_two() && subscription != nullptr && told.position && !told.recovered.value_or(false)) {
    subscription->position = told.position;
    if (!operation_->position) keep_beginning(*subscription);
  }
  finish(infotainer_subscribed(operation_->request_id, told));
}

// A new subscription begins here, whatever happens to the server from now on.
void InfotainerDialog::keep_beginning(Subscription& subscription) {
  subscription.kept = subscription.position;
  desk_.common().durable.heard(subscriber_, {{subscription.channel, subscription.kept}}, [](const Result<void>&) {});
}

void InfotainerDialog::unsubscribe(const InfotainerCommand& command) {
  operate(command);
  session_.unsubscribe(exact_selector(topic_channel(command.id)));
  drop(command.id);
  desk_.common().durable.forget(subscriber_, topic_channel(command.id), desk_.answer(serial_, &InfotainerDialog::on_forgotten));
}

void InfotainerDialog::on_forgotten(Result<bool> had) {
  if (!had) return fail(had.error());
  operation_->had = *had;
  topics().on_unsubscribed(operation_->id, desk_.answer(serial_, &InfotainerDialog::on_left));
}

void InfotainerDialog::on_left(Result<void> left) {
  desk_.forget_known(operation_->id);
  if (!left) return fail(left.error());
  finish(infotainer_unsubscribed(operation_->request_id, operation_->id, operation_->had));
}

void InfotainerDialog::ack(const InfotainerCommand& command) {
  operate(command);
  Subscription* const subscription = find(command.id);
  if (subscription == nullptr) return fail({ErrorKind::kNotFound, "Subscription not found"});
  subscription->acked = command.position;
  finish(infotainer_acked(operation_->request_id, command.id));
}

void InfotainerDialog::list_subscriptions(const InfotainerCommand& command) {
  operate(command);
  std::vector<DurableSubscription> known;
  for (const Subscription& subscription : subscriptions_) known.push_back({subscription.channel, heard(subscription)});
  finish(infotainer_subscriptions(operation_->request_id, known));
}

// --- Publishing

void InfotainerDialog::publish(const InfotainerCommand& command) {
  Draft draft;
  draft.channel = topic_channel(command.id);
  draft.event = command.event.empty() ? std::string(kInfotainerEvent) : command.event;
  draft.payload = Bytes::copy_of(command.submission);
  draft.format = command.format;
  draft.idempotency_key = command.idempotency_key;
  if (desk_.knows(command.id)) return send_draft(std::move(draft), std::string(reader_.request_id()), command.id);
  operate(command).draft = std::move(draft);
  topics().is_known(command.id, desk_.answer(serial_, &InfotainerDialog::on_log_known));
}

void InfotainerDialog::on_log_known(Result<bool> known) {
  if (!known) return fail(known.error());
  if (*known) {
    desk_.note_known(operation_->id);
    return publish_operation();
  }
  // Maybe somebody listens by another protocol. Of all names that begin with this one, it comes first.
  desk_.shard().hub().list_channels(desk_.loop(), topic_channel(operation_->id), {}, 1,
                                    desk_.answer(serial_, &InfotainerDialog::on_listeners));
}

void InfotainerDialog::on_listeners(Result<std::vector<Hub::ChannelInfo>> channels) {
  if (!channels) return fail(channels.error());
  const bool heard =
      !channels->empty() && channels->front().record.name == topic_channel(operation_->id) && channels->front().subscribers > 0;
  if (heard) return publish_operation();
  // Or a queue group waits for it, with members or without.
  desk_.shard().hub().groups().list(topic_channel(operation_->id), {}, 1,
                                    desk_.answer(serial_, &InfotainerDialog::on_groups_there));
}

void InfotainerDialog::on_groups_there(Result<GroupPage> groups) {
  if (!groups) return fail(groups.error());
  if (!groups->groups.empty()) {
    desk_.note_known(operation_->id);
    return publish_operation();
  }
  desk_.common().unknown.fetch_add(1, std::memory_order_relaxed);
  if (!is_two()) return finish();  // As the original: dropped without a word.
  fail({ErrorKind::kNotFound, "Subscription not found"});
}

void InfotainerDialog::publish_operation() {
  send_draft(*std::move(operation_->draft), operation_->request_id, operation_->id);
  finish();
}

void InfotainerDialog::send_draft(Draft draft, std::string request_id, const Uuid& log) {
  const Ticket ticket = ++last_ticket_;
  asked_.push_back({.ticket = ticket, .request_id = std::move(request_id), .log = log, .channel = {}});
  ++publishing_;
  session_.publish(std::move(draft), ticket);
}

// --- The hub's answers

void InfotainerDialog::on_subscribed(Ticket ticket, const Result<Subscribed>& outcome) {
  if (state_ == State::kClosed) return;
  if (operation_ == nullptr || operation_->ticket != ticket) return on_resumed(take(ticket), outcome);
  if (operation_->verb == InfotainerVerb::kSubscribe) return on_own_subscribed(outcome);
  if (!outcome) return fail(outcome.error());
  finish(infotainer_watching(operation_->request_id, true));
}

void InfotainerDialog::on_published(Ticket ticket, const Result<Receipt>& outcome) {
  if (state_ == State::kClosed) return;
  const Asked asked = take(ticket);
  --publishing_;
  if (!outcome) {
    send_error(outcome.error(), asked.request_id);
  } else if (is_two()) {
    send(infotainer_published(asked.request_id, asked.log, *outcome));
  }
  pump();
}

void InfotainerDialog::on_history(Ticket ticket, const Result<HistoryPage>& outcome) {
  if (state_ == State::kClosed) return;
  CHECK(operation_ != nullptr && operation_->ticket == ticket);
  if (!outcome) return fail(outcome.error());
  if (is_two()) return take_index_page_v2(*outcome);
  take_index_page(*outcome);
}

void InfotainerDialog::on_outbox() {
  link_.flush();
  send_waiting_answer();
}

void InfotainerDialog::on_room() {
  session_.on_room();
  send_waiting_answer();
}

// Clients of version 1 have no word for it: the index shows what they have not heard of.
void InfotainerDialog::on_gap(std::span<const Gap> gaps) {
  if (!is_two()) return;
  for (const Gap& gap : gaps) {
    const std::string message = infotainer_gap(topic_of_channel(gap.channel), gap.messages);
    session_.outbox().push_urgent(link_.frame(message, MessageKind::kBinary));
  }
  link_.flush();  // The turn's own flush is over.
}

void InfotainerDialog::on_unsubscribed(std::string_view channel, std::string_view reason, bool /*crash*/) {
  const auto log = topic_of_channel(channel);
  if (!log) return;
  drop(*log);
  if (is_two()) send(infotainer_ended(*log, reason));
}

void InfotainerDialog::on_continuity(Continuity continuity) {
  if (is_two()) send(infotainer_continuity(continuity));
}

void InfotainerDialog::on_announcement(const Bytes& text) {
  if (is_two()) send(infotainer_announcement(text.view()));
}

void InfotainerDialog::on_end_wanted(EndReason reason, std::string_view text) {
  leave();
  if (reason == EndReason::kSlowConsumer) {
    while (session_.outbox().drop_oldest() != nullptr) continue;
  }
  const std::uint16_t code = reason == EndReason::kSlowConsumer ? kTryAgainLater
                             : reason == EndReason::kShutdown   ? kCloseGoingAway
                                                                : kPolicyViolation;
  session_.end(reason);
  link_.close(code, text);
}

// --- How far it has heard

void InfotainerDialog::on_tick(Millis now) {
  if (state_ != State::kOpen) return;
  keep_heard([](const Result<void>&) {});
  if (now - renewed_at_ < Millis(desk_.common().options.expiry) / 4) return;
  renewed_at_ = now;
  renew();
}

void InfotainerDialog::renew() {
  desk_.common().durable.load(subscriber_, [](const Result<std::vector<DurableSubscription>>&) {});
  for (const Subscription& subscription : subscriptions_) {
    topics().ensure({.id = subscription.log, .name = session_id_.text(), .creator = creator()},
                    Millis(desk_.common().options.expiry), [](const Result<bool>&) {});
  }
  desk_.common().keep_owner(session_id_, owner_);
}

// What was written for the loop's clients less what still waits for this one; or what the client says.
std::optional<Position> InfotainerDialog::heard(const Subscription& subscription) {
  if (!subscription.answered) return subscription.kept;
  if (subscription.acked) return subscription.acked;
  const std::optional<Position> top = desk_.tops().top(subscription.channel);
  if (!top) return subscription.position;
  std::uint64_t waiting = 0;
  session_.outbox().walk([&](const Frame& frame) {
    if (frame.droppable() && !frame.tells_presence() && frame.channel() == subscription.channel) waiting += frame.messages();
    return true;
  });
  if (waiting > 0) return Position{top->epoch, top->offset - std::min(top->offset, waiting)};
  const std::optional<Position>& begun = subscription.position;
  return begun && begun->epoch == top->epoch && begun->offset > top->offset ? begun : top;
}

// Version 1 does not catch up, so nothing is kept of it.
void InfotainerDialog::keep_heard(DurableSubscriptions::Done done) {
  std::vector<DurableSubscription> changed;
  for (Subscription& subscription : subscriptions_) {
    if (!is_two()) break;
    const std::optional<Position> position = heard(subscription);
    if (!position || position == subscription.kept) continue;
    subscription.kept = position;
    changed.push_back({subscription.channel, position});
  }
  if (changed.empty()) return done({});
  desk_.common().durable.heard(subscriber_, std::move(changed), std::move(done));
}

// --- Helpers

std::string InfotainerDialog::creator() const {
  return owner_.empty() ? subscriber_ : owner_;
}

InfotainerDialog::Subscription* InfotainerDialog::find(const Uuid& log) {
  const auto found = std::find_if(subscriptions_.begin(), subscriptions_.end(),
                                  [&](const Subscription& subscription) { return subscription.log == log; });
  return found == subscriptions_.end() ? nullptr : &*found;
}

void InfotainerDialog::drop(const Uuid& log) {
  std::erase_if(subscriptions_, [&](const Subscription& subscription) {
    if (subscription.log != log) return false;
    if (is_two()) desk_.tops().release(subscription.channel);
    return true;
  });
}

InfotainerDialog::Asked InfotainerDialog::take(Ticket ticket) {
  const auto found = std::find_if(asked_.begin(), asked_.end(), [&](const Asked& asked) { return asked.ticket == ticket; });
  CHECK(found != asked_.end());
  Asked asked = std::move(*found);
  asked_.erase(found);
  return asked;
}

void InfotainerDialog::send(std::string_view message) {
  session_.enqueue(link_.frame(message, MessageKind::kBinary));
}

// In version 1 the bare text, in a binary message, as the original does.
void InfotainerDialog::send_error(const Error& error, std::string_view request_id) {
  if (!is_two()) return send(error.text);
  send(infotainer_error(request_id, error));
}

}  // namespace carillon
