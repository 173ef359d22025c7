#include "protocol/bayeux/bayeux_session.h"

#include <algorithm>

#include "protocol/bayeux/bayeux_sessions.h"
#include "protocol/node_forward.h"
#include "wire/websocket/websocket_frame.h"

namespace carillon {
namespace {

// Messages for one client that may wait for others; with one more all are sent.
constexpr std::size_t kLazyMax = 100;

constexpr std::string_view kSubscribe = "/meta/subscribe";

constexpr std::string_view kMessageDeleted = "404::message_deleted";

EndReason end_reason(bayeux_event::RemovalReason reason) {
  using enum bayeux_event::RemovalReason;
  switch (reason) {
    case kSlow: return EndReason::kSlowConsumer;
    case kTokenExpired: return EndReason::kExpired;
    case kShutdown: return EndReason::kShutdown;
    case kRemoved: return EndReason::kDisconnected;
    default: return EndReason::kClientLeft;
  }
}

// What the client is to do next.
std::string_view reconnect_after(bayeux_event::RemovalReason reason) {
  using enum bayeux_event::RemovalReason;
  if (reason == kSlow || reason == kTokenExpired || reason == kExpired) return "handshake";
  return reason == kShutdown ? "retry" : "none";
}

// Of more channels than the hub names at once none has a name.
void note_lost(std::vector<Gap>& lost, const Gap& gap) {
  const std::string name = lost.size() < kGapChannelsMax ? gap.channel : std::string();
  const auto is = [&lost](std::string_view channel) { return std::ranges::find(lost, channel, &Gap::channel); };
  auto known = is(gap.channel);
  if (known == lost.end()) known = is(name);
  if (known == lost.end()) known = lost.insert(known, Gap{.channel = name});
  known->messages += gap.messages;
}

}  // namespace

BayeuxSession::BayeuxSession(BayeuxSessions& owner, Start start)
    : owner_(owner),
      client_(std::move(start.client)),
      browser_(start.browser.empty() ? nullptr : &owner.common().browsers.join(start.browser)),
      shows_cookie_(start.shows_cookie),
      replays_(start.replays),
      ack_(start.acknowledged ? std::make_unique<BayeuxAck>() : nullptr),
      active_at_(owner.loop().now()),
      session_(owner.shard(), *this,
               {.protocol = "bayeux",
                .encoding = start.replays ? &owner.encoding_with_positions() : &owner.encoding(),
                .identity = std::move(start.identity),
                .user_agent = client_->user_agent}) {
  owner_.common().sessions.fetch_add(1, std::memory_order_relaxed);
  touch(Millis(options().interval));
}

BayeuxSession::~BayeuxSession() {
  owner_.deadlines().remove(*this, deadline_);
  if (line_ != nullptr) line_->session_ = nullptr;
  take_held();
  if (departure_ != nullptr) *departure_ = {};
  if (browser_ != nullptr) owner_.common().browsers.leave(*browser_);
  for (const std::string& channel : channels_) owner_.common().subscribed.remove(channel);
  if (!gone_) owner_.common().sessions.fetch_sub(1, std::memory_order_relaxed);
}

bool BayeuxSession::may_speak(std::string_view cookie) {
  switch (options().cookies) {
    case BayeuxCookies::kOff: return true;
    case BayeuxCookies::kRequired: return cookie == browser_->id();
    case BayeuxCookies::kIfSent: break;
  }
  if (cookie.empty()) return !shows_cookie_;
  if (cookie != browser_->id()) return false;
  shows_cookie_ = true;
  return true;
}

// --- Requests

void BayeuxSession::take(std::span<const BayeuxMessage> messages, BayeuxAnswerer answerer) {
  forwarded_ = forwarded_ || was_forwarded(answerer.exchange().request());
  const BayeuxMessage& message = messages.front();
  std::string fault = fault_of(message);
  if (messages.size() == 1 && message.channel == kBayeuxConnect && fault.empty()) {
    HeldConnect asked = read_connect(message);
    asked.answerer = std::move(answerer);
    return connect(message, std::move(asked));
  }
  const auto batch = std::make_shared<BayeuxBatch>([&owner = owner_, id = client_id(), answerer = std::move(answerer)](
                                                       std::vector<std::string> replies, std::size_t first) mutable {
    BayeuxSession* const session = owner.find(id);
    if (session != nullptr) return session->answer(std::move(answerer), std::move(replies), first);
    answerer.answer(bayeux_array({}, replies));
  });
  take_one(message, std::move(fault), batch);
  for (const BayeuxMessage& each : messages.subspan(1)) take_one(each, fault_of(each), batch);
  batch->seal();
  if (replays_) deliver();
}

void BayeuxSession::take(std::span<const BayeuxMessage> messages, BayeuxLine& line) {
  attach(line);
  const BayeuxBatchPtr batch = batch_for(line);
  for (const BayeuxMessage& message : messages) {
    // What it recovers comes behind the reply, and must wait for no other.
    const bool alone = replays_ && message.channel == kSubscribe;
    const BayeuxBatchPtr own = alone ? batch_for(line) : nullptr;
    take_one(message, fault_of(message), alone ? own : batch);
    if (alone) own->seal();
  }
  batch->seal();
  if (replays_) deliver();
}

BayeuxBatchPtr BayeuxSession::batch_for(BayeuxLine& line) {
  return std::make_shared<BayeuxBatch>(
      [&owner = owner_, id = client_id(), self = line.self()](const std::vector<std::string>& replies, std::size_t first) {
        if (*self == nullptr || replies.empty()) return;
        // What the client hears of its own publish goes ahead of the word that it was published.
        BayeuxSession* const session = owner.find(id);
        if (first == 0 && session != nullptr && session->line_ == *self && session->pushes()) session->deliver();
        if (*self == nullptr) return;
        (*self)->send_array(bayeux_array({}, replies));
        (*self)->flush();
      });
}

void BayeuxSession::take_one(const BayeuxMessage& message, std::string fault, const BayeuxBatchPtr& batch) {
  if (!fault.empty()) {
    BayeuxPermission refused{.error = std::move(fault)};
    if (refused.error.starts_with("402")) refused.advice = bayeux_advice({.reconnect = "handshake"});
    if (refused.error == kMessageDeleted) {
      touch(Millis(options().interval));
      if (message.channel == kBayeuxConnect) refused.advice = default_advice();
    }
    return refuse(message, batch, std::move(refused));
  }
  if (message.channel == kBayeuxConnect) {
    HeldConnect asked = read_connect(message);
    if (line_ != nullptr) {
      asked.line = line_;
      return connect(message, std::move(asked));
    }
    // Others wait for their answers in the same response, so this does too.
    connected_ = true;
    BayeuxFrames frames;
    std::string text;
    if (ack_ != nullptr) take_deliveries(text, frames);
    append_connect_reply(text, asked, default_advice());
    batch->append(std::move(text));
    touch(Millis(options().interval));
    return ask_for_more();
  }
  active_at_ = loop().now();
  if (held_) {
    held_->heard_at = active_at_;
  } else {
    touch(Millis(0));
  }
  if (message.channel == kSubscribe) return subscribe(message, batch);
  if (message.channel == "/meta/unsubscribe") return unsubscribe(message, batch);
  if (message.channel == "/meta/disconnect") return disconnect(message, batch);
  publish(message, batch);
}

// The order in which CometD looks.
std::string BayeuxSession::fault_of(const BayeuxMessage& message) const {
  if (message.channel.empty()) return message.fault.empty() ? "400::channel_missing" : std::string(message.fault);
  if (message.channel != kBayeuxConnect) {
    const Result<BayeuxChannelKind> kind = bayeux_channel_kind(message.channel, owner_.common().alphabet);
    if (!kind || *kind == BayeuxChannelKind::kWildcard) return "405::channel_invalid";
  }
  if (!message.fault.empty()) return std::string(message.fault);
  if (options().check_ids && !message.id_json.empty() && !is_bayeux_id(message.id_json)) return "405::message_id_invalid";
  if (gone_ || (!message.client_id.empty() && message.client_id != client_id())) return "402::session_unknown";
  if (message.client_id.empty() && line_ == nullptr) return "402::session_unknown";
  const auto& may_pass = owner_.common().hooks.may_pass;
  if (may_pass && !may_pass({.client = *client_,
                             .channel = message.channel,
                             .id = message.id_json,
                             .data = message.data_json,
                             .ext = message.ext_json})) {
    return std::string(kMessageDeleted);
  }
  return {};
}

BayeuxPermission BayeuxSession::may(BayeuxOperation operation, std::string_view channel) {
  return owner_.common().guard.may({.client = *client_, .operation = operation, .channel = channel});
}

void BayeuxSession::refuse(const BayeuxMessage& message, const BayeuxBatchPtr& batch, BayeuxPermission permission) {
  BayeuxReply refused = reply_to(message);
  refused.error = permission.error;
  refused.advice_json = std::move(permission.advice);
  refused.ext_json = std::move(permission.ext);
  reply(refused, batch, batch->add());
}

void BayeuxSession::reply(const BayeuxReply& reply, const BayeuxBatchPtr& batch, std::size_t place) {
  if (!options().timestamps) return batch->fill(place, bayeux_reply(reply));
  BayeuxReply stamped = reply;
  stamped.timestamp = bayeux_timestamp(owner_.unix_ms());
  batch->fill(place, bayeux_reply(stamped));
}

void BayeuxSession::disconnect(const BayeuxMessage& message, const BayeuxBatchPtr& batch) {
  // The connect that waits is answered ahead of this.
  end(bayeux_event::RemovalReason::kDisconnected, bayeux_advice({.reconnect = "none"}));
  reply(reply_to(message), batch, batch->add());
}

// --- Lines

void BayeuxSession::attach(BayeuxLine& line) {
  if (line_ == &line) return;
  if (line.session_ != nullptr) line.session_->on_line_gone(line);
  give_up_line("another connection of this client has taken over");
  line_ = &line;
  line.session_ = this;
  transport_ = line.transport();
  advised_ = false;
  deliver();
}

void BayeuxSession::give_up_line(std::string_view reason) {
  if (line_ == nullptr) return;
  BayeuxLine& old = *std::exchange(line_, nullptr);
  old.session_ = nullptr;
  if (held_ && held_->line == &old) take_held();
  old.close(kCloseNormal, reason);
}

void BayeuxSession::on_line_gone(BayeuxLine& line) {
  if (line_ != &line) return;
  line_ = nullptr;
  line.session_ = nullptr;
  if (held_ && held_->line == &line) take_held();
  if (!held_) touch(Millis(options().interval));
}

void BayeuxSession::on_line_room() {
  deliver();
  ask_for_more();
}

// --- Deliveries

void BayeuxSession::send(std::string_view delivery, bool lazy) {
  if (gone_) return;
  if (lazy && rare().lazy.size() < kLazyMax) {
    rare().lazy.emplace_back(delivery);
    return deliver();
  }
  session_.enqueue(Frame::make(owner_.shard().frame_memory(), delivery, {}));
}

// Nobody waits for what is for this client: it goes with the next answer, or through the line.
bool BayeuxSession::pushes() const {
  return line_ != nullptr && ack_ == nullptr && !options().deliver_by_connect;
}

bool BayeuxSession::has_deliveries() {
  return !session_.outbox().empty() || (rare_ != nullptr && (!rare_->unsent.empty() || !rare_->lazy.empty()));
}

bool BayeuxSession::is_lazy(const Frame& frame) const {
  return frame.droppable() && std::ranges::any_of(owner_.common().lazy_channels,
                                                  [&](const Selector& selector) { return selector.matches(frame.channel()); });
}

// What waits may wait longer.
bool BayeuxSession::only_lazy() {
  if (lazy_due_) return false;
  if (owner_.common().lazy_channels.empty()) {
    const bool kept = (ack_ != nullptr && !ack_->empty()) || (rare_ != nullptr && !rare_->unsent.empty());
    return session_.outbox().empty() && !kept;
  }
  bool eager = rare_ != nullptr && std::ranges::any_of(rare_->unsent, [&](const FramePtr& frame) { return !is_lazy(*frame); });
  eager = eager || (ack_ != nullptr && ack_->any_of([&](const Frame& frame) { return !is_lazy(frame); }));
  session_.outbox().walk([&](const Frame& frame) {
    eager = eager || !is_lazy(frame);
    return !eager;
  });
  return !eager;
}

void BayeuxSession::fetch_ahead() const {
  __builtin_prefetch(&departure_);
  __builtin_prefetch(&expires_at_);
  if (held_ && held_->answerer.waits()) __builtin_prefetch(&held_->answerer.exchange());
}

void BayeuxSession::deliver() {
  if (gone_ || holding_ > 0 || !has_deliveries()) return;
  const bool may_leave = pushes() || (held_ && !under_way());
  if (!may_leave) return;
  if (only_lazy()) {
    if (lazy_at_ == Millis(0)) lazy_at_ = loop().now() + Millis(options().lazy_time);
    return wait_until(lazy_at_);
  }
  if (options().activity == BayeuxActivity::kClientServer) active_at_ = loop().now();
  if (pushes()) return push();
  answer_connect();
}

void BayeuxSession::push() {
  take_lazy();
  while (line_ != nullptr && line_->has_room() && has_deliveries()) {
    if (rare_ != nullptr && !rare_->unsent.empty()) {
      line_->send(rare_->unsent.front());
      rare_->unsent.erase(rare_->unsent.begin());
    } else {
      line_->send(session_.outbox().pop());
    }
    // A line that takes all at once has room again, and says nothing.
    if (!line_->has_room()) line_->flush();
  }
  if (line_ != nullptr) line_->flush();
  ask_for_more();
}

// The hub tells of what was lost, and brings more of what was missed, when there is room.
void BayeuxSession::ask_for_more() {
  if (!gone_ && session_.wants_room()) session_.on_room();
}

// Lazy messages of this client's own take their place among what leaves now.
void BayeuxSession::take_lazy() {
  lazy_at_ = Millis(0);
  if (rare_ == nullptr) return;
  for (const std::string& delivery : std::exchange(rare_->lazy, {})) {
    session_.outbox().push(Frame::make(owner_.shard().frame_memory(), delivery, {}));
  }
}

// What goes into an answer that is made now; at most about one outbox full, so that what must be sent again does not grow.
void BayeuxSession::take_deliveries(std::string& text, BayeuxFrames& frames) {
  take_lazy();
  const std::size_t most = owner_.shard().hub().options().outbox_bytes_max;
  Outbox& outbox = session_.outbox();
  if (ack_ != nullptr) {
    ack_->begin_batch();
    ack_->append_kept(text);
    while (holding_ == 0 && !outbox.empty() && ack_->bytes() < most) {
      FramePtr frame = outbox.pop();
      text += frame->bytes();
      ack_->keep(std::move(frame));
    }
    return;
  }
  if (under_way() || holding_ > 0) return;
  if (rare_ != nullptr && !rare_->unsent.empty()) {
    frames = std::exchange(rare_->unsent, {});
    for (const FramePtr& frame : frames) text += frame->bytes();
  }
  while (!outbox.empty() && text.size() < most) {
    frames.push_back(outbox.pop());
    text += frames.back()->bytes();
  }
}

std::string BayeuxSession::take_for_handshake(std::size_t& messages) {
  messages = 0;
  if (!options().deliver_in_handshake || !has_deliveries()) return {};
  BayeuxFrames frames;
  std::string text;
  take_deliveries(text, frames);
  const auto count = [&](const Frame& frame) {
    messages += frame.messages();
    return false;
  };
  for (const FramePtr& frame : frames) count(*frame);
  if (ack_ != nullptr) ack_->any_of(count);
  return text;
}

// The answer to other messages than a connect takes along what waits, so that no connect must wake for it. Not when requests
// come by other nodes: one answer could overtake another there, and connects follow on one another.
void BayeuxSession::answer(BayeuxAnswerer answerer, std::vector<std::string> replies, std::size_t first) {
  BayeuxFrames frames;
  std::string deliveries;
  if (line_ == nullptr && ack_ == nullptr && !options().deliver_by_connect && !forwarded_) take_deliveries(deliveries, frames);
  std::string array = bayeux_array(deliveries, replies, first);
  if (frames.empty()) return answerer.answer(std::move(array));
  answerer.answer(std::move(array), departing(std::move(frames)));
  ask_for_more();
}

// They are on their way until the answer has left, or could not.
ReplySent BayeuxSession::departing(BayeuxFrames frames) {
  if (departure_ == nullptr) departure_ = std::make_shared<Departure>();
  *departure_ = {.session = this, .frames = std::move(frames)};
  return [departure = departure_](bool sent) {
    if (departure->session != nullptr) departure->session->on_answer_sent(sent);
  };
}

void BayeuxSession::on_answer_sent(bool sent) {
  if (!sent) rare().unsent = std::move(departure_->frames);
  departure_->frames.clear();
  if (session_.has_gap()) return session_.on_room();
  deliver();
  ask_for_more();
}

void BayeuxSession::on_gap(std::span<const Gap> gaps) {
  if (ends_by_gap()) return remove(bayeux_event::RemovalReason::kSlow);
  BayeuxCommon& common = owner_.common();
  for (const Gap& gap : gaps) {
    rare().lost += gap.messages;
    if (replays_) note_lost(rare().lost_by, gap);
    if (!common.events.heard()) continue;
    const std::string channel = gap.channel.empty() ? std::string() : bayeux_of_canonical(gap.channel, common.alphabet);
    common.events.emit(bayeux_event::QueueLimit{.client = client_, .channel = channel, .lost = gap.messages});
  }
  if (!replays_ || !held_) return;
  // Told by this connect, now: what it hears next has positions behind the loss.
  held_->until = loop().now();
  wait_until(held_->until);
}

// An operator closed the channel, or what is still missing of it cannot be read any more. There is no word for that in Bayeux;
// who could recover is made to shake hands again.
void BayeuxSession::on_unsubscribed(std::string_view channel, std::string_view /*reason*/, bool crash) {
  const std::string name = bayeux_of_canonical(channel, owner_.common().alphabet);
  if (std::erase(channels_, name) > 0) owner_.common().subscribed.remove(name);
  if (crash && replays_) remove(bayeux_event::RemovalReason::kSlow);
}

void BayeuxSession::on_announcement(const Bytes& text) {
  JsonSlicer slicer;
  std::string data;
  if (slicer.check(text.view())) {
    data = text.view();
  } else {
    append_json_string(data, text.view());
  }
  send(bayeux_delivery({.channel = "/service/announcement", .data_json = data}), false);
}

// --- Time

void BayeuxSession::touch(Millis interval) {
  expires_at_ = std::max(expires_at_, loop().now() + interval + Millis(options().max_interval));
  if (!held_) wait_until(expires_at_);
}

// One place among the deadlines: at the earliest time asked for; what is due then is seen when it comes.
void BayeuxSession::wait_until(Millis deadline) {
  if (gone_ || (deadline_ != Millis(0) && deadline_ <= deadline)) return;
  owner_.deadlines().remove(*this, deadline_);
  deadline_ = deadline;
  owner_.deadlines().add(*this, deadline_);
}

bool BayeuxSession::has_processed_too_long(Millis now) const {
  const Millis most = options().max_processing;
  return held_ && most != Millis(0) && now - held_->heard_at >= most;
}

void BayeuxSession::wait_with_held() {
  wait_until(held_->until);
  if (options().max_processing != Millis(0)) wait_until(held_->heard_at + options().max_processing);
}

void BayeuxSession::on_deadline() {
  deadline_ = Millis(0);
  const Millis now = loop().now();
  if (lazy_at_ != Millis(0) && now >= lazy_at_) {
    lazy_due_ = true;
    const bool unacknowledged = held_ && ack_ != nullptr && !ack_->empty();
    if (unacknowledged) {
      answer_connect();
    } else {
      deliver();
    }
    lazy_due_ = false;
    lazy_at_ = Millis(0);
  }
  if (gone_) return;
  if (held_ && now >= held_->until) {
    answer_connect(default_advice());
  } else if (has_processed_too_long(now)) {
    return end(bayeux_event::RemovalReason::kExpired, bayeux_advice({.reconnect = "handshake"}));
  } else if (!held_ && now >= expires_at_) {
    return end(bayeux_event::RemovalReason::kExpired, {});
  }
  if (gone_) return;
  if (held_) {
    wait_with_held();
  } else {
    wait_until(expires_at_);
  }
  if (lazy_at_ != Millis(0)) wait_until(lazy_at_);
}

// --- The end

void BayeuxSession::on_end_wanted(EndReason reason, std::string_view) {
  using enum bayeux_event::RemovalReason;
  remove(reason == EndReason::kSlowConsumer ? kSlow
         : reason == EndReason::kExpired    ? kTokenExpired
         : reason == EndReason::kShutdown   ? kShutdown
                                            : kRemoved);
}

void BayeuxSession::remove(bayeux_event::RemovalReason reason) {
  if (gone_) return;
  // What a slow client did not take in time would only hold up the word, or hide what was lost before it.
  while (reason == bayeux_event::RemovalReason::kSlow && session_.outbox().drop_oldest() != nullptr) continue;
  const std::string_view next = reconnect_after(reason);
  const std::string advice = bayeux_advice({.reconnect = next});
  // cometd's client stays away once it hears a /meta/disconnect, whatever the advice. Who may come back is told by its connect.
  if (next == "none") {
    const BayeuxReply told{.channel = "/meta/disconnect", .advice_json = advice};
    session_.outbox().push(Frame::make(owner_.shard().frame_memory(), bayeux_reply(told) + ',', {}));
  }
  const auto line = line_ == nullptr ? nullptr : line_->self();
  if (pushes()) push();
  end(reason, advice);
  if (line != nullptr && *line != nullptr) (*line)->close(kCloseNormal, bayeux_removal_text(reason));
}

void BayeuxSession::end(bayeux_event::RemovalReason reason, std::string_view advice) {
  if (gone_) return;
  if (held_) answer_held(advice, reconnect_after(reason) == "handshake" ? "402::session_unknown" : "");
  gone_ = true;
  if (departure_ != nullptr) departure_->session = nullptr;
  if (reason == bayeux_event::RemovalReason::kExpired) owner_.common().expired.fetch_add(1, std::memory_order_relaxed);
  owner_.deadlines().remove(*this, deadline_);
  if (line_ != nullptr) std::exchange(line_, nullptr)->session_ = nullptr;
  session_.end(end_reason(reason));
  const auto pending = std::move(pending_);
  if (pending != nullptr) {
    for (auto& [ticket, asked] : *pending) {
      asked.batch->fill(asked.place, bayeux_reply({.id_json = asked.id_json,
                                                   .channel = asked.channel,
                                                   .subscription_json = asked.subscription_json,
                                                   .error = "402::session_unknown",
                                                   .advice_json = bayeux_advice({.reconnect = "handshake"})}));
    }
  }
  owner_.common().sessions.fetch_sub(1, std::memory_order_relaxed);  // Before anybody hears that it is over.
  if (owner_.common().events.heard()) {
    owner_.common().events.emit(bayeux_event::SessionRemoved{.client = client_, .reason = reason});
  }
  owner_.forget(*this);
}

BayeuxSession::Rare& BayeuxSession::rare() {
  if (rare_ == nullptr) rare_ = std::make_unique<Rare>();
  return *rare_;
}

const BayeuxOptions& BayeuxSession::options() const {
  return owner_.common().options;
}

Loop& BayeuxSession::loop() const {
  return owner_.loop();
}

}  // namespace carillon
