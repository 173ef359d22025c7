// Shard's presence: what its sessions change goes to the store once a turn (or period); what the store tells goes to those who
// watch.
//
// 1. A change waits in its channel's ChannelPresence; send_presence_changes hands the store all of them at once.
// 2. The store hands every diff to the loops that hear the channel, this one too: presence_inbox_.
// 3. Who begins to watch waits for a state. While the store owes one, diffs are held for those who wait; when it is there, they
//    are told the state and then the held diffs that it does not show. So nobody misses a diff or hears one twice.
#include "base/check.h"
#include "hub/session_text.h"
#include "hub/shard.h"

namespace carillon {
namespace {

// How often those who watch a crowded channel are told how many there are, and a store that had no answer is asked again.
constexpr Millis kCountsPeriod{1000};

Selector exactly(std::string_view channel) {
  return {.kind = Selector::Kind::kExact, .base = std::string(channel)};
}

}  // namespace

Shard::ChannelPresence& Shard::presence_of(std::string_view channel) {
  auto found = presences_.find(channel);
  if (found == presences_.end()) found = presences_.emplace(channel, std::make_unique<ChannelPresence>()).first;
  return *found->second;
}

void Shard::forget_presence_if_idle(std::string_view channel) {
  const auto found = presences_.find(channel);
  if (found == presences_.end()) return;
  const ChannelPresence& presence = *found->second;
  if (presence.watchers == 0 && presence.changes.empty() && !presence.asking) presences_.erase(found);
}

// --- What sessions want

void Shard::change_presence(std::string_view channel, PresenceChange change) {
  ChannelPresence& presence = presence_of(channel);
  if (presence.changes.empty()) presence_changed_.emplace_back(channel);
  presence.changes.push_back(std::move(change));
  const Millis period = hub_.options().presence_period;
  if (period.count() > 0 && !presence_timer_.armed()) loop_.schedule(presence_timer_, period);
}

void Shard::watch_presence(Session& session, Session::Subscription& subscription) {
  const std::string& channel = subscription.audience->selector.base;
  Member& member = subscription.audience->members[subscription.index];
  if (member.watch == kStateWanted) return;
  ChannelPresence& presence = presence_of(channel);
  if (member.watch == kNotWatching) ++presence.watchers;
  member.watch = kStateWanted;
  want_state(presence, channel, session.id_);
}

void Shard::want_state(ChannelPresence& presence, const std::string& channel, SessionId session) {
  if (presence.waiting.empty()) presence_waiting_.push_back(channel);  // At worst it is there already.
  presence.waiting.push_back(session);
}

bool Shard::unwatch_presence(Session::Subscription& subscription) {
  Member& member = subscription.audience->members[subscription.index];
  if (member.watch == kNotWatching) return false;
  member.watch = kNotWatching;
  const std::string& channel = subscription.audience->selector.base;
  ChannelPresence& presence = presence_of(channel);
  if (--presence.watchers == 0) {
    // From now on diffs pass by this loop: what was asked before is of no use to who comes next.
    presence.stale = presence.asking;
    presence.held.clear();
    presence.waiting.clear();
  }
  forget_presence_if_idle(channel);
  return true;
}

bool Shard::clear_presence(Session& session, Session::Subscription& subscription) {
  if (!std::exchange(subscription.present, false)) return false;
  change_presence(subscription.audience->selector.base,
                  {.kind = PresenceChange::Kind::kLeave, .member = session_text(session.id_), .key = {}, .meta = {}});
  return true;
}

void Shard::end_presence(Session& session, Session::Subscription& subscription) {
  unwatch_presence(subscription);
  clear_presence(session, subscription);
}

// --- The turn's end

void Shard::settle_presence() {
  if (!presence_timer_.armed()) send_presence_changes();
  deliver_presence();
  ask_presence_states();
}

void Shard::send_presence_changes() {
  for (const std::string& channel : std::exchange(presence_changed_, {})) {
    hub_.engine_.presence().change(channel, std::exchange(presence_of(channel).changes, {}));
    forget_presence_if_idle(channel);
  }
  for (Task& go_on : std::exchange(presence_told_, {})) loop_.post(std::move(go_on));
}

void Shard::when_presence_is_told(Task go_on) {
  presence_told_.push_back(std::move(go_on));
  loop_.post([] {});  // A turn whose end has been may be the last for long.
}

void Shard::deliver_presence() {
  std::vector<PresenceUpdatePtr> diffs;
  {
    const std::lock_guard lock(inbox_mutex_);
    diffs.swap(presence_inbox_);
  }
  if (diffs.empty()) return;
  walking_ = true;
  for (const PresenceUpdatePtr& diff : diffs) deliver(diff);
  end_walk();
}

void Shard::deliver(const PresenceUpdatePtr& diff) {
  const auto found = presences_.find(diff->channel);
  if (found == presences_.end() || found->second->watchers == 0) return;
  ChannelPresence& presence = *found->second;
  if (presence.asking) presence.held.push_back(diff);
  presence.version = diff->version;
  if (note_crowd(presence, diff->channel, diff->counts)) return;
  tell_presence({.channel = diff->channel, .diff = diff.get(), .counts = {}});
}

// Says whether the channel is crowded, so that only counts are told, or was until now, so that everybody is told anew.
bool Shard::note_crowd(ChannelPresence& presence, const std::string& channel, const PresenceCounts& counts) {
  const std::size_t most = hub_.options().presence_list_max;
  const bool was_crowded = presence.crowded;
  presence.crowded = counts.members > (was_crowded ? most - most / 10 : most);
  presence.counts = counts;
  if (presence.crowded) {
    if (!std::exchange(presence.counts_due, true)) counts_due_.push_back(channel);
    if (!second_timer_.armed()) loop_.schedule(second_timer_, kCountsPeriod);
  } else if (was_crowded) {
    Audience* const audience = find_audience(exactly(channel));
    if (audience == nullptr) return true;
    for (std::size_t place = 0; place < audience->members.reach(); ++place) {
      Member& member = audience->members[place];
      if (member.left() || member.watch != kWatching) continue;
      member.watch = kStateWanted;
      want_state(presence, channel, member.session->id_);
    }
  }
  return presence.crowded || was_crowded;
}

// Counts that are due, and states to be asked for again.
void Shard::on_presence_second() {
  for (std::string& channel : std::exchange(presence_unanswered_, {})) presence_waiting_.push_back(std::move(channel));
  walking_ = true;
  for (const std::string& channel : std::exchange(counts_due_, {})) {
    const auto found = presences_.find(channel);
    if (found == presences_.end() || !std::exchange(found->second->counts_due, false) || !found->second->crowded) continue;
    tell_presence({.channel = channel, .diff = nullptr, .counts = found->second->counts});
  }
  end_walk();
}

void Shard::tell_presence(const PresenceNews& news) {
  const Audience* const audience = find_audience(exactly(news.channel));
  if (audience == nullptr) return;
  const SlowConsumer policy = hub_.options().slow_consumer;
  std::vector<std::pair<const Encoding*, FramePtr>> encoded;
  audience->members.for_each([&](const Member& member) {
    if (member.watch != kWatching) return;
    const Encoding* const encoding = member.session->encoding_;
    auto known = std::find_if(encoded.begin(), encoded.end(), [&](const auto& pair) { return pair.first == encoding; });
    if (known == encoded.end()) {
      encoded.emplace_back(encoding, presence_frame(*encoding, news));
      known = std::prev(encoded.end());
    }
    if (known->second == nullptr) return;
    counters_.presence_news_total.add();
    queue(*member.session, known->second, policy);
  });
}

// Null: the protocol does not tell of it.
FramePtr Shard::presence_frame(const Encoding& encoding, const PresenceNews& news) {
  scratch_.clear();
  if (news.diff != nullptr) {
    encoding.encode_presence(*news.diff, scratch_);
  } else {
    encoding.encode_presence_counts(news.channel, news.counts, scratch_);
  }
  if (scratch_.empty()) return nullptr;
  return Frame::make(frame_memory_, scratch_,
                     {.messages = 1, .channel = std::make_shared<const std::string>(news.channel), .presence = true});
}

// --- Who is told the state

void Shard::ask_presence_states() {
  for (const std::string& channel : std::exchange(presence_waiting_, {})) {
    const auto found = presences_.find(channel);
    if (found == presences_.end() || found->second->waiting.empty() || found->second->asking) continue;
    ChannelPresence& presence = *found->second;
    if (presence.crowded) {
      tell_waiting(presence, {.channel = channel, .version = 0, .entries = {}, .counts = presence.counts, .named = false});
      continue;
    }
    presence.asking = true;
    hub_.presence(channel, [this, name = channel](Result<PresenceStatePtr> outcome) mutable {
      run_here([this, name = std::move(name), outcome = std::move(outcome)]() mutable {
        take_presence_state(name, std::move(outcome));
      });
    });
  }
}

void Shard::take_presence_state(const std::string& channel, Result<PresenceStatePtr> outcome) {
  // Every diff that the state shows has reached the inbox: who watched already hears it, who waits does not.
  deliver_presence();
  const auto found = presences_.find(channel);
  CHECK(found != presences_.end());
  ChannelPresence& presence = *found->second;
  presence.asking = false;
  if (std::exchange(presence.stale, false)) {
    if (!presence.waiting.empty()) presence_waiting_.push_back(channel);
    return forget_presence_if_idle(channel);
  }
  if (!outcome) {
    // The store is not there: whoever waits goes on waiting.
    presence.held.clear();
    loop_.schedule(second_timer_, kCountsPeriod);
    presence_unanswered_.push_back(channel);
    return;
  }
  const PresenceState& state = **outcome;
  if (presence.version <= state.version) {
    presence.version = state.version;
    presence.counts = state.counts;
    presence.crowded = presence.crowded || state.counts.members > hub_.options().presence_list_max;
  }
  if (presence.crowded) {
    tell_waiting(presence, {.channel = channel, .version = 0, .entries = {}, .counts = presence.counts, .named = false});
  } else {
    tell_waiting(presence, state);
  }
  forget_presence_if_idle(channel);
}

void Shard::tell_waiting(ChannelPresence& presence, const PresenceState& state) {
  const std::vector<SessionId> waiting = std::exchange(presence.waiting, {});
  const std::vector<PresenceUpdatePtr> held = std::exchange(presence.held, {});
  walking_ = true;
  for (const SessionId id : waiting) {
    Session* const session = find_session(id);
    Session::Subscription* const subscription = session == nullptr ? nullptr : session->find_exact(state.channel);
    if (subscription == nullptr) continue;
    Member& member = subscription->audience->members[subscription->index];
    if (member.watch != kStateWanted) continue;
    member.watch = kWatching;
    counters_.presence_states_total.add();
    session->client_.on_presence_state(state);
    for (const PresenceUpdatePtr& diff : held) {
      if (!state.named || diff->version <= state.version) continue;
      const FramePtr frame = presence_frame(*session->encoding_, {.channel = diff->channel, .diff = diff.get(), .counts = {}});
      if (frame != nullptr) queue(*session, frame, hub_.options().slow_consumer);
    }
  }
  end_walk();
}

// --- Slow consumers

void Shard::lose_presence(Session& session, const std::string& channel) {
  Session::Subscription* const subscription = session.find_exact(channel);
  if (subscription == nullptr) return;
  Member& member = subscription->audience->members[subscription->index];
  if (member.watch != kWatching) return;
  member.watch = kStateLost;
  session.presence_lost_ = true;
  mark_ready(session);
}

void Shard::find_lost_presence(Session& session) {
  session.presence_lost_ = false;
  for (const Session::Subscription& subscription : session.subscriptions_) {
    Member& member = subscription.audience->members[subscription.index];
    if (member.watch != kStateLost) continue;
    member.watch = kStateWanted;
    const std::string& channel = subscription.audience->selector.base;
    want_state(presence_of(channel), channel, session.id_);
  }
}

// --- A channel is closed

std::size_t Shard::close_channel(const std::string& channel, std::string_view reason, bool crash) {
  deliver_inbox();
  const Audience* const audience = find_audience(exactly(channel));
  if (audience == nullptr) return 0;
  std::vector<SessionId> sessions;
  audience->members.for_each([&](const Member& member) { sessions.push_back(member.session->id_); });
  std::size_t closed = 0;
  for (const SessionId id : sessions) {
    Session* const session = find_session(id);
    if (session == nullptr || !session->unsubscribe(exactly(channel))) continue;
    ++closed;
    session->client_.on_unsubscribed(channel, reason, crash);
  }
  return closed;
}

}  // namespace carillon
