#include "hub/session.h"

#include <fmt/format.h>

#include "base/utf8.h"
#include "hub/audience.h"
#include "hub/session_text.h"
#include "hub/shard.h"

namespace carillon {
namespace {
const Identity kAnonymous;
}

Session::Session(Shard& shard, SessionClient& client, const SessionStart& start)
    : client_(client),
      encoding_(start.encoding),
      shard_(shard),
      protocol_(start.protocol),
      identity_(start.identity),
      user_agent_(shard.intern(start.user_agent)),
      connected_at_ms_(shard.hub().clock().unix_ms()) {
  id_ = shard_.add_session(*this);
}

Session::~Session() {
  end(EndReason::kClientLeft);
  shard_.release(user_agent_);
}

const Identity& Session::identity() const {
  return identity_ == nullptr ? kAnonymous : *identity_;
}

void Session::subscribe(SubscribeOptions options) {
  if (ended_) return;
  const Ticket ticket = options.ticket;
  const Policy& policy = shard_.hub().policy();
  if (Result<void> allowed = options.granted ? Result<void>() : policy.may_subscribe(identity(), options.selector); !allowed) {
    return client_.on_subscribed(ticket, allowed.error());
  }
  // What was published before belongs to those who are members already; it may also end sessions.
  shard_.deliver_inbox();
  if (ended_) return;
  const Audience* const audience = shard_.find_audience(options.selector);
  if (Subscription* const existing = audience == nullptr ? nullptr : find(*audience)) {
    existing->granted = existing->granted || options.granted;
    if (!options.recover) return client_.on_subscribed(ticket, Subscribed{.already = true});
    // Asking to recover while subscribed begins anew from the given positions.
    return shard_.start_join(*this, std::move(options), existing);
  }
  const std::size_t most = shard_.hub().options().subscriptions_per_session_max;
  if (subscriptions_.size() + group_count() >= most) {
    return client_.on_subscribed(
        ticket, Error{ErrorKind::kLimit, fmt::format("subscription limit exceeded: max {} subscriptions", most)});
  }
  shard_.start_join(*this, std::move(options), nullptr);
}

bool Session::unsubscribe(const Selector& selector) {
  // What was published before the unsubscribe is still heard.
  shard_.deliver_inbox();
  const Audience* const audience = shard_.find_audience(selector);
  const Subscription* const subscription = audience == nullptr ? nullptr : find(*audience);
  if (subscription == nullptr) return false;
  const auto join = shard_.remove_member(*this, static_cast<std::uint32_t>(subscription - subscriptions_.data()));
  if (join != nullptr && !join->stream) shard_.answer_superseded(*this, *join);
  return true;
}

void Session::catch_up() {
  shard_.deliver_inbox();
}

std::vector<Selector> Session::subscriptions() const {
  std::vector<Selector> selectors;
  selectors.reserve(subscriptions_.size());
  for (const Subscription& subscription : subscriptions_) selectors.push_back(subscription.audience->selector);
  return selectors;
}

void Session::publish(Draft draft, Ticket ticket) {
  if (ended_) return;
  if (Result<void> allowed = shard_.hub().policy().may_publish(identity(), draft.channel); !allowed) {
    return shard_.complete(id_, ticket, 0, allowed.error());
  }
  draft.identity = without_claims(identity_);
  draft.publisher_session = id_;
  const std::uint32_t stream = streaming_ ? shard_.stream_on(*this, draft.channel) : 0;
  shard_.hub().publish(std::move(draft), [&shard = shard_, id = id_, ticket, stream](Result<Receipt> outcome) {
    shard.complete(id, ticket, stream, std::move(outcome));
  });
}

void Session::history(HistoryQuery query, Ticket ticket) {
  if (ended_) return;
  if (Result<void> allowed = shard_.hub().policy().may_read_history(identity(), query.channel); !allowed) {
    return client_.on_history(ticket, allowed.error());
  }
  shard_.hub().history(std::move(query), [&shard = shard_, id = id_, ticket](Result<HistoryPage> outcome) mutable {
    shard.run_here([&shard, id, ticket, page = std::move(outcome)] {
      if (Session* const session = shard.find_session(id)) session->client_.on_history(ticket, page);
    });
  });
}

Result<void> Session::set_presence(std::string_view channel, std::string key, std::string meta) {
  if (Result<void> allowed = may_have_presence(channel); !allowed) return allowed;
  if (Result<void> fit = check_presence(key, meta); !fit) return fit;
  find_exact(channel)->present = true;
  shard_.change_presence(
      channel,
      {.kind = PresenceChange::Kind::kSet, .member = session_text(id_), .key = std::move(key), .meta = std::move(meta)});
  return {};
}

Result<void> Session::may_set_presence(std::string_view channel, std::string_view key, std::string_view meta) const {
  if (Result<void> allowed = shard_.hub().policy().may_see_presence(identity(), channel); !allowed) return allowed;
  return check_presence(key, meta);
}

Result<void> Session::check_presence(std::string_view key, std::string_view meta) const {
  const HubOptions& options = shard_.hub().options();
  if (key.empty() || key.size() > options.presence_key_bytes_max || !is_utf8(key)) {
    return Error{ErrorKind::kInvalid, fmt::format("a presence key is 1 to {} bytes of UTF-8", options.presence_key_bytes_max)};
  }
  if (meta.size() > options.presence_meta_bytes_max) {
    return Error{ErrorKind::kLimit,
                 fmt::format("presence meta: {} bytes, at most {}", meta.size(), options.presence_meta_bytes_max)};
  }
  return {};
}

bool Session::clear_presence(std::string_view channel) {
  Subscription* const subscription = find_exact(channel);
  return subscription != nullptr && shard_.clear_presence(*this, *subscription);
}

Result<void> Session::watch_presence(std::string_view channel) {
  if (Result<void> allowed = may_have_presence(channel); !allowed) return allowed;
  shard_.watch_presence(*this, *find_exact(channel));
  return {};
}

bool Session::unwatch_presence(std::string_view channel) {
  Subscription* const subscription = find_exact(channel);
  return subscription != nullptr && shard_.unwatch_presence(*subscription);
}

void Session::presence(std::string channel, Ticket ticket) {
  if (ended_) return;
  if (Result<void> allowed = shard_.hub().policy().may_see_presence(identity(), channel); !allowed) {
    return client_.on_presence(ticket, allowed.error());
  }
  shard_.hub().presence(std::move(channel), [&shard = shard_, id = id_, ticket](Result<PresenceStatePtr> outcome) mutable {
    shard.run_here([&shard, id, ticket, outcome = std::move(outcome)] {
      if (Session* const session = shard.find_session(id)) session->client_.on_presence(ticket, outcome);
    });
  });
}

void Session::presence_counts(std::string channel, Ticket ticket) {
  if (ended_) return;
  if (Result<void> allowed = shard_.hub().policy().may_see_presence(identity(), channel); !allowed) {
    return client_.on_presence_counts(ticket, allowed.error());
  }
  shard_.hub().presence_counts(std::move(channel), [&shard = shard_, id = id_, ticket](Result<PresenceCounts> outcome) {
    shard.run_here([&shard, id, ticket, outcome = std::move(outcome)] {
      if (Session* const session = shard.find_session(id)) session->client_.on_presence_counts(ticket, outcome);
    });
  });
}

Result<void> Session::may_have_presence(std::string_view channel) {
  if (ended_) return Error{ErrorKind::kConflict, "the session has ended"};
  const Subscription* const subscription = find_exact(channel);
  if (subscription != nullptr && subscription->granted) return {};
  if (Result<void> allowed = shard_.hub().policy().may_see_presence(identity(), channel); !allowed) return allowed;
  if (subscription != nullptr) return {};
  return Error{ErrorKind::kConflict, "presence: subscribe to the channel first"};
}

void Session::enqueue(FramePtr frame) {
  if (ended_ || ending_ == Ending::kWanted) return;
  const std::size_t bytes = frame->bytes().size();
  const HubOptions& options = shard_.hub().options();
  // What the client says as its end is wanted is the last there is, and goes in.
  if (ending_ == Ending::kNo && outbox_.bytes() + bytes > options.outbox_bytes_max &&
      !shard_.make_room(*this, bytes, options.slow_consumer)) {
    return shard_.want_end(*this);
  }
  outbox_.push(std::move(frame));
  shard_.mark_ready(*this);
}

void Session::on_room() {
  if (!ended_) shard_.flush(*this);
}

void Session::end(EndReason reason) {
  if (ended_) return;
  ended_ = true;
  if (reason == EndReason::kSlowConsumer) shard_.counters_.slow_closed_total.add();
  leave_groups();
  shard_.leave(*this);
}

const Member& Session::member(const Subscription& subscription) const {
  return subscription.audience->members[subscription.index];
}

Session::Subscription* Session::find_exact(std::string_view channel) {
  const Audience* const audience = shard_.find_audience({.kind = Selector::Kind::kExact, .base = std::string(channel)});
  return audience == nullptr ? nullptr : find(*audience);
}

// Looks through the shorter of the two lists: many subscriptions and many members seldom come together.
Session::Subscription* Session::find(const Audience& audience) {
  if (subscriptions_.size() <= audience.members.size()) {
    for (Subscription& subscription : subscriptions_) {
      if (subscription.audience == &audience) return &subscription;
    }
    return nullptr;
  }
  for (std::size_t place = 0; place < audience.members.reach(); ++place) {
    const Member& member = audience.members[place];
    if (member.session == this) return &subscriptions_[member.slot];
  }
  return nullptr;
}

}  // namespace carillon
