#include "hub/shard.h"

#include "base/check.h"

namespace carillon {
namespace {

// A session id: the loop's number, a serial number so that ids are not used again, and the slot.
constexpr int kLoopShift = 56;
constexpr int kSerialShift = 24;
constexpr std::uint64_t kSlotMask = (std::uint64_t{1} << kSerialShift) - 1;

constexpr std::uint32_t kSlotBits = (std::uint32_t{1} << 30) - 1;  // Of a member's slot.

constexpr std::size_t kUserAgentBytesMax = 200;
constexpr std::size_t kUserAgentsMax = 10'000;

}  // namespace

Shard::Shard(Hub& hub, Loop& loop, unsigned index)
    : hub_(hub),
      loop_(loop),
      index_(index),
      expiries_(loop, hub.clock(), [this](SessionId session) { expire(session); }),
      presence_timer_([this] { send_presence_changes(); }),
      second_timer_([this] { on_presence_second(); }),
      lease_timer_([this] { renew_lease(); }) {
  loop.add_turn_end(*this);
  if (index_ == 0) renew_lease();
}

// One loop speaks for the node.
void Shard::renew_lease() {
  const Millis lease = hub_.options().presence_lease;
  hub_.engine_.presence().renew(lease.count());
  loop_.schedule(lease_timer_, lease / 3);
}

Shard::~Shard() {
  CHECK(sessions_.size() == free_slots_.size());
}

// --- Sessions

SessionId Shard::add_session(Session& session) {
  std::uint32_t slot;
  if (free_slots_.empty()) {
    slot = static_cast<std::uint32_t>(sessions_.size());
    CHECK(slot <= kSlotMask);
    sessions_.push_back(&session);
  } else {
    slot = free_slots_.back();
    free_slots_.pop_back();
    sessions_[slot] = &session;
  }
  counters_.sessions.add();
  counters_.connections_total.add();
  const SessionId id = std::uint64_t{index_} << kLoopShift | std::uint64_t{++session_serial_} << kSerialShift | slot;
  if (const std::int64_t expires = session.identity().expires_at_ms; expires != 0) expiries_.add(id, expires);
  return id;
}

void Shard::remove_session(Session& session) {
  if (session.ready_place_ != 0) ready_[session.ready_place_ - 1] = nullptr;
  session.ready_place_ = 0;
  if (const std::int64_t expires = session.identity().expires_at_ms; expires != 0) expiries_.remove(session.id_, expires);
  const auto slot = static_cast<std::uint32_t>(session.id_ & kSlotMask);
  sessions_[slot] = nullptr;
  free_slots_.push_back(slot);
  counters_.sessions.subtract();
}

void Shard::expire(SessionId session) {
  Session* const found = find_session(session);
  if (found != nullptr) found->client_.on_end_wanted(EndReason::kExpired, "token expired");
}

Session* Shard::find_session(SessionId id) {
  const std::uint64_t slot = id & kSlotMask;
  if (slot >= sessions_.size() || sessions_[slot] == nullptr || sessions_[slot]->id_ != id) return nullptr;
  return sessions_[slot];
}

const std::string* Shard::intern(std::string_view text) {
  if (text.empty()) return nullptr;
  std::string key(text.substr(0, kUserAgentBytesMax));
  const auto found = interned_.find(key);
  if (found == interned_.end() && interned_.size() >= kUserAgentsMax) return nullptr;
  auto& entry = found == interned_.end() ? *interned_.emplace(std::move(key), 0).first : *found;
  ++entry.second;
  return &entry.first;
}

void Shard::release(const std::string* text) {
  if (text == nullptr) return;
  const auto found = interned_.find(*text);
  if (--found->second == 0) interned_.erase(found);
}

SessionInfo Shard::describe(const Session& session) const {
  return {.id = session.id_,
          .protocol = session.protocol_,
          .user = session.identity().user,
          .verified = session.identity().verified,
          .peer = session.client_.peer_text(),
          .user_agent = session.user_agent_ == nullptr ? std::string() : *session.user_agent_,
          .connected_at_ms = session.connected_at_ms_,
          .subscriptions = session.subscriptions_.size(),
          .outbox_bytes = session.outbox_.bytes()};
}

// --- Who hears what

Audience* Shard::find_audience(const Selector& selector) {
  const std::unique_ptr<Audience>* const found = audiences_.find(selector);
  return found == nullptr ? nullptr : found->get();
}

Session::Subscription& Shard::add_member(Session& session, const Selector& selector) {
  std::unique_ptr<Audience>& found = audiences_[selector];
  if (found == nullptr) {
    found = std::make_unique<Audience>(Audience{.selector = selector, .members = {}});
    hub_.interest_.add(selector, index_);
    hub_.add_interest(selector);
  }
  Audience& audience = *found;
  const std::size_t place = audience.members.join(
      {.session = &session, .slot = static_cast<std::uint32_t>(session.subscriptions_.size()) & kSlotBits});
  session.subscriptions_.push_back({.audience = &audience, .index = static_cast<std::uint32_t>(place)});
  counters_.subscriptions.add();
  return session.subscriptions_.back();
}

// The session's last subscription takes the freed slot; the audience's members keep their order. So leaving costs the same
// however many there are of both.
std::unique_ptr<Join> Shard::remove_member(Session& session, std::uint32_t slot) {
  end_presence(session, session.subscriptions_[slot]);
  cover_joins(session, session.subscriptions_[slot]);
  const Session::Subscription leaving = session.subscriptions_[slot];
  Audience& audience = *leaving.audience;
  std::unique_ptr<Join> join = take_join(audience.members[leaving.index]);
  if (join != nullptr && join->stream && !session.ended_) lose_stream(session, *join);

  Session::Subscription& last = session.subscriptions_.back();
  last.audience->members[last.index].slot = slot & kSlotBits;
  session.subscriptions_[slot] = last;
  session.subscriptions_.pop_back();
  counters_.subscriptions.subtract();

  audience.members.leave(leaving.index);
  settle(audience);
  return join;
}

// An audience goes with its last member, and closes the gaps that others left. Not while members are walked.
void Shard::settle(Audience& audience) {
  if (walking_) {
    if (!std::exchange(audience.unsettled, true)) unsettled_.push_back(&audience);
    return;
  }
  audience.unsettled = false;
  if (audience.members.empty()) return drop_audience(audience);
  if (!audience.members.sparse()) return;
  audience.members.compact([](const Member& member, std::size_t place) {
    member.session->subscriptions_[member.slot].index = static_cast<std::uint32_t>(place);
  });
}

void Shard::drop_audience(Audience& audience) {
  const Selector selector = audience.selector;
  hub_.remove_interest(selector);
  hub_.interest_.remove(selector, index_);
  audiences_.erase(selector);
}

void Shard::leave(Session& session) {
  while (!session.subscriptions_.empty()) remove_member(session, static_cast<std::uint32_t>(session.subscriptions_.size() - 1));
  remove_session(session);
}

// --- Turns

void Shard::push(PublicationPtr publication) {
  bool wake;
  {
    const std::lock_guard lock(inbox_mutex_);
    wake = inbox_.empty();
    inbox_.push_back(std::move(publication));
  }
  // On our own thread a turn is under way, and its end looks into the inbox.
  if (wake && !loop_.in_loop_thread()) loop_.post([] {});
}

void Shard::push(PresenceUpdatePtr diff) {
  bool wake;
  {
    const std::lock_guard lock(inbox_mutex_);
    wake = presence_inbox_.empty();
    presence_inbox_.push_back(std::move(diff));
  }
  if (wake && !loop_.in_loop_thread()) loop_.post([] {});
}

void Shard::on_turn_end() {
  // Answers and deliveries may lead to more of both; what is left after some rounds waits for the next turn.
  for (int round = 0; round < 8 && (round == 0 || work_left()); ++round) {
    deliver_inbox();
    settle_presence();
    run_completions();
    flush_ready();
  }
  shed_memory();
  counters_.outbox_bytes.set(frame_memory_.bytes);
  if (work_left()) loop_.post([] {});
}

bool Shard::work_left() {
  if (!ready_.empty() || !completions_.empty() || !presence_waiting_.empty()) return true;
  if (!presence_changed_.empty() && !presence_timer_.armed()) return true;
  const std::lock_guard lock(inbox_mutex_);
  return !inbox_.empty() || !presence_inbox_.empty();
}

void Shard::mark_ready(Session& session) {
  if (session.ready_place_ != 0 || session.ended_) return;
  ready_.push_back(&session);
  session.ready_place_ = static_cast<std::uint32_t>(ready_.size());
}

// Sessions that become ready meanwhile are flushed in the next round.
void Shard::flush_ready() {
  const std::size_t count = ready_.size();
  for (std::size_t i = 0; i < count; ++i) {
    fetch_ahead(i);
    Session* const session = ready_[i];
    if (session == nullptr) continue;
    session->ready_place_ = 0;
    flush(*session);
  }
  ready_.erase(ready_.begin(), ready_.begin() + static_cast<std::ptrdiff_t>(count));
  for (std::size_t i = 0; i < ready_.size(); ++i) {
    if (ready_[i] != nullptr) ready_[i]->ready_place_ = static_cast<std::uint32_t>(i + 1);
  }
}

// Most sessions lie in no cache when their turn comes, and each is left for the kernel: so what the next ones touch is fetched
// meanwhile.
void Shard::fetch_ahead(std::size_t place) const {
  const auto at = [&](std::size_t index) { return index < ready_.size() ? ready_[index] : nullptr; };
  if (Session* const third = at(place + 3)) __builtin_prefetch(third);
  if (Session* const second = at(place + 2)) __builtin_prefetch(&second->client_);
  if (Session* const next = at(place + 1)) next->client_.fetch_ahead();
}

void Shard::flush(Session& session) {
  if (std::exchange(session.flushing_, true)) return;
  if (!session.outbox_.empty()) session.client_.on_outbox();
  if (session.seats_ != nullptr) send_held(session);
  if (!session.ended_ && session.outbox_.bytes() <= outbox_limit() / 2) {
    if (session.gaps_ != nullptr) tell_gaps(session);
    if (session.presence_lost_ && !session.ended_) find_lost_presence(session);
  }
  session.flushing_ = false;
  if (session.streaming_) [[unlikely]]
    pump_streams(session);
}

void Shard::tell_gaps(Session& session) {
  const auto gaps = std::move(session.gaps_);
  session.client_.on_gap(*gaps);
}

void Shard::run_here(Task task) {
  if (loop_.in_loop_thread()) return task();
  loop_.post(std::move(task));
}

// --- Answers

void Shard::complete(SessionId session, Ticket ticket, JoinId stream, Result<Receipt> outcome) {
  run_here([this, session, ticket, stream, outcome = std::move(outcome)]() mutable {
    completions_.push_back({session, ticket, stream, std::move(outcome)});
  });
}

void Shard::run_completions() {
  for (Completion& completion : std::exchange(completions_, {})) {
    Session* const session = find_session(completion.session);
    if (session == nullptr) continue;
    const auto stream = completion.stream == 0 ? joins_.end() : joins_.find(completion.stream);
    if (Join* const join = stream != joins_.end() ? stream->second.get() : join_of(*session)) {
      // Its own copy may be held there.
      join->published.push_back({completion.ticket, std::move(completion.outcome)});
    } else {
      session->client_.on_published(completion.ticket, completion.outcome);
    }
  }
}

}  // namespace carillon
