// Shard's joins: subscriptions that are still reading what their client missed. The steps are in join.h.
#include "hub/shard.h"

namespace carillon {

void Shard::start_join(Session& session, SubscribeOptions options, Session::Subscription* existing) {
  if (existing == nullptr) counters_.subscriptions_total.add();
  Session::Subscription& subscription = existing == nullptr ? add_member(session, options.selector) : *existing;
  subscription.granted = subscription.granted || options.granted;
  cover_joins(session, subscription);
  subscription.answered = subscription.recovered = false;
  Audience& audience = *subscription.audience;
  Member& member = audience.members[subscription.index];
  const std::unique_ptr<Join> superseded = take_join(member);

  do ++last_join_;
  while (last_join_ == 0 || joins_.contains(last_join_));
  const JoinId join_id = last_join_;
  member.join = join_id;
  ++audience.joining;
  auto join = std::make_unique<Join>();
  join->session = session.id_;
  join->audience = &audience;
  join->options = std::move(options);
  joins_.emplace(join_id, std::move(join));

  if (superseded != nullptr) {
    if (!superseded->stream) answer_superseded(session, *superseded);
    if (!joins_.contains(join_id)) return;
  }
  read_channels(join_id);
}

// The subscription hears nothing by itself any more: what it has given until now, joins that are under way need not.
void Shard::cover_joins(Session& session, const Session::Subscription& ending) {
  if (joins_.empty() || session.ended_ || !ending.answered) return;
  const bool streams = session.member(ending).join != 0;
  for (const Session::Subscription& other : session.subscriptions_) {
    const auto join = joins_.find(session.member(other).join);
    if (join == joins_.end() || &other == &ending || join->second->stream) continue;
    if (!streams) {
      join->second->cover(ending.audience->selector, ending.recovered);
    } else if (join->second->options.selector.matches(ending.audience->selector.base)) {
      // What it still had to bring nobody brings.
      join->second->fail({ErrorKind::kUnavailable, "another subscription ended while it recovered; subscribe again"});
    }
  }
}

// The member is live from here on; publishes that waited for the join's end are told with the next answers.
std::unique_ptr<Join> Shard::take_join(Member& member) {
  if (member.join == 0) return nullptr;
  const JoinId id = std::exchange(member.join, 0);
  const auto found = joins_.find(id);
  CHECK(found != joins_.end());
  std::unique_ptr<Join> join = std::move(found->second);
  joins_.erase(found);
  --join->audience->joining;
  for (Join::Published& published : join->published) {
    completions_.push_back({join->session, published.ticket, 0, std::move(published.outcome)});
  }
  if (join->stream) forget_stream(id, *member.session);
  return join;
}

void Shard::answer_superseded(Session& session, const Join& join) {
  if (session.ended_) return;
  const Error error{ErrorKind::kConflict, "a later command changed this subscription before it was answered"};
  session.client_.on_subscribed(join.options.ticket, error);
}

void Shard::read_channels(JoinId join_id) {
  Join& join = *joins_.at(join_id);
  const Selector& selector = join.options.selector;
  if (selector.kind == Selector::Kind::kExact) return read_pages(join_id, {selector.base});
  if (selector.base.empty()) {
    join.whole = false;  // Nobody keeps the positions of every channel there is.
    return finish_join(join_id);
  }
  // What lies below the base; names that merely begin like it are none of it.
  std::string below = selector.base + (selector.base.find(':') == std::string::npos ? ':' : '/');
  hub_.engine_.channels(
      std::move(below), "", hub_.options().recover_channels_max + 1,
      [this, join_id](Result<std::vector<ChannelRecord>> outcome) {
        run_here([this, join_id, outcome = std::move(outcome)]() mutable { take_channels(join_id, std::move(outcome)); });
      });
}

void Shard::take_channels(JoinId join_id, Result<std::vector<ChannelRecord>> outcome) {
  const auto found = joins_.find(join_id);
  if (found == joins_.end()) return;
  Join& join = *found->second;
  if (!outcome) {
    join.failure = outcome.error();
    return finish_join(join_id);
  }
  const Selector& selector = join.options.selector;
  const std::size_t most = hub_.options().recover_channels_max;
  std::vector<std::string> channels;
  const auto take = [&](const std::string& channel) {
    if (!selector.matches(channel)) return;
    if (channels.size() == most) {
      join.whole = false;
    } else {
      channels.push_back(channel);
    }
  };
  if (selector.kind == Selector::Kind::kTree) take(selector.base);
  if (outcome->size() > most) join.whole = false;
  for (const ChannelRecord& record : *outcome) take(record.name);
  // A channel that the client knows and that is gone: its page says so.
  if (join.options.recover) {
    for (const ChannelPosition& known : *join.options.recover) {
      if (std::find(channels.begin(), channels.end(), known.channel) == channels.end()) take(known.channel);
    }
  }
  read_pages(join_id, std::move(channels));
}

void Shard::read_pages(JoinId join_id, std::vector<std::string> channels) {
  Join& join = *joins_.at(join_id);
  join.pages_missing = channels.size();
  if (channels.empty()) return finish_join(join_id);
  std::vector<std::pair<HistoryQuery, bool>> queries;
  for (std::string& channel : channels) {
    HistoryQuery query{.channel = std::move(channel), .since = std::nullopt, .count_max = 0};
    bool from_start = false;
    if (join.options.recover) {
      const bool one = join.options.selector.kind == Selector::Kind::kExact;
      const std::size_t most = !one ? Join::kOfEachMax : join.at_once ? Join::kAtOnceMax : hub_.options().recover_page_max;
      query.count_max = std::min(hub_.options().recover_publications_max, most);
      const auto& known = *join.options.recover;
      const auto position =
          std::find_if(known.begin(), known.end(), [&](const ChannelPosition& p) { return p.channel == query.channel; });
      if (position != known.end()) query.since = position->position;
      from_start = position == known.end();
    }
    queries.emplace_back(std::move(query), from_start);
  }
  // The last answer may end the join inside this loop.
  for (auto& [query, from_start] : queries) {
    std::string channel = query.channel;
    hub_.history(std::move(query),
                 [this, join_id, from_start = from_start, channel = std::move(channel)](Result<HistoryPage> outcome) mutable {
                   run_here([this, join_id, from_start, channel = std::move(channel), outcome = std::move(outcome)]() mutable {
                     take_page(join_id, std::move(channel), from_start, std::move(outcome));
                   });
                 });
  }
}

void Shard::take_page(JoinId join_id, std::string channel, bool from_start, Result<HistoryPage> outcome) {
  const auto found = joins_.find(join_id);
  if (found == joins_.end()) return;
  Join& join = *found->second;
  if (!outcome) {
    join.failure = outcome.error();
  } else if (outcome->top || !from_start || join.options.selector.kind == Selector::Kind::kExact) {
    // A tree's root that keeps nothing, and that the client does not ask for, has no say in what its branches recover.
    join.pages.push_back({.channel = std::move(channel), .from_start = from_start, .history = *std::move(outcome)});
  }
  if (--join.pages_missing == 0) finish_join(join_id);
}

void Shard::finish_join(JoinId join_id) {
  if (walking_) {
    finish_ready_.push_back(join_id);
    return;
  }
  deliver_inbox();
  const auto found = joins_.find(join_id);
  if (found == joins_.end()) return;
  if (found->second->stream) return finish_stream(join_id);
  Session& session = *find_session(found->second->session);
  const bool streams = may_stream(session, *found->second);
  if (!streams && found->second->stops_short()) {
    found->second->at_once = true;
    found->second->pages.clear();
    return read_pages(join_id, {found->second->options.selector.base});
  }
  const Session::Subscription& subscription = *session.find(*found->second->audience);
  std::unique_ptr<Join> join = take_join(subscription.audience->members[subscription.index]);
  // As in a walk: nothing newer comes between the answer and what was missed.
  walking_ = true;
  if (streams) {
    begin_stream(session, join_id, std::move(join));
  } else {
    answer_join(session, *join);
  }
  end_walk();
}

void Shard::answer_join(Session& session, Join& join) {
  const Ticket ticket = join.options.ticket;
  if (join.failure) {
    Session::Subscription* const subscription = session.find(*join.audience);
    remove_member(session, static_cast<std::uint32_t>(subscription - session.subscriptions_.data()));
    return session.client_.on_subscribed(ticket, *join.failure);
  }
  Subscribed outcome{.already = false, .recovered = join.recovered(), .positions = {}};
  if (!leave_out_heard(session, join)) outcome.recovered = false;
  std::vector<PublicationPtr> missed = join.missed();
  const std::size_t most = std::min(hub_.options().recover_publications_max, Join::kAtOnceMax);
  if (missed.size() > most) {
    missed.erase(missed.begin(), missed.end() - static_cast<std::ptrdiff_t>(most));
    outcome.recovered = false;
  }
  for (const Join::Page& page : join.pages) {
    if (page.history.top) outcome.positions.push_back({page.channel, *page.history.top});
  }
  session.client_.on_subscribed(ticket, outcome);
  if (!still_member(session, join)) return;

  FrameRun frames;
  for (const auto& publications : {std::move(missed), join.newer_than_pages()}) {
    // One frame a run of one channel, as live publications have.
    for (std::size_t from = 0; from < publications.size();) {
      std::size_t to = from + 1;
      while (to < publications.size() && publications[to]->channel == publications[from]->channel) ++to;
      counters_.deliveries_total.add(
          encode_run(*session.encoding_, std::span(publications).subspan(from, to - from), frames, &session));
      from = to;
    }
  }
  // A client that comes back is not closed for having missed much, it would never catch up: what its link does not take and
  // its outbox cannot hold is a gap.
  for (const FramePtr& frame : frames) {
    if (!still_member(session, join)) return;
    queue(session, frame, SlowConsumer::kDropOldest);
  }
  if (!still_member(session, join)) return;
  Session::Subscription& subscription = *session.find(*join.audience);
  subscription.answered = true;
  subscription.recovered = outcome.recovered;
}

// Takes out of the join what the session hears, or heard until it ended, by another subscription. False: something that the
// client wants to recover may be missing then.
bool Shard::leave_out_heard(const Session& session, Join& join) {
  if (session.subscriptions_.size() == 1 && join.covers.empty()) return true;
  struct Heard {
    bool now = false;       // By a subscription that is answered.
    bool before = false;    // Until one ended; since then it is held.
    bool recovered = true;  // Each of these brought all that was missed before it.
    Join::Page* page = nullptr;
  };
  const auto look = [&](std::string_view channel) {
    Heard heard;
    for (const Session::Subscription& other : session.subscriptions_) {
      if (other.audience == join.audience || !other.answered || !other.audience->selector.matches(channel)) continue;
      heard.now = true;
      heard.recovered = heard.recovered && other.recovered;
    }
    for (const Join::Cover& cover : join.covers) {
      if (!cover.selector.matches(channel)) continue;
      heard.before = !heard.now;
      heard.recovered = heard.recovered && cover.recovered;
    }
    return heard;
  };
  boost::unordered_flat_map<std::string, Heard, NameHash, NameEqual> channels;
  bool whole = true;
  for (Join::Page& page : join.pages) {
    Heard heard = look(page.channel);
    heard.page = &page;
    channels.emplace(page.channel, heard);
    if (!heard.now && !heard.before) continue;
    if (!heard.recovered && !page.history.publications.empty()) whole = false;
    page.history.publications.clear();
  }
  std::erase_if(join.held, [&](const PublicationPtr& publication) {
    auto found = channels.find(publication->channel);
    if (found == channels.end()) found = channels.emplace(publication->channel, look(publication->channel)).first;
    Heard& heard = found->second;
    if (heard.before) {
      // The first that is held follows on what the other one gave last.
      if (heard.page != nullptr && publication->position) {
        heard.page->history.top = {publication->position->epoch, publication->position->offset - 1};
      }
      heard.page = nullptr;
      return false;
    }
    if (!heard.now) return false;
    // The other subscription's answer covered it: so do the positions of this one.
    if (!heard.recovered) whole = false;
    if (heard.page != nullptr && publication->position) heard.page->history.top = publication->position;
    return true;
  });
  return whole;
}

bool Shard::still_member(Session& session, const Join& join) {
  if (session.ended_) return false;
  const Session::Subscription* const subscription = session.find(*join.audience);
  return subscription != nullptr && session.member(*subscription).join == 0;
}

// A join of the session that is not answered yet, or null.
Join* Shard::join_of(const Session& session) {
  if (joins_.empty()) return nullptr;
  for (const Session::Subscription& subscription : session.subscriptions_) {
    const auto join = joins_.find(session.member(subscription).join);
    if (join != joins_.end() && !join->second->stream) return join->second.get();
  }
  return nullptr;
}

}  // namespace carillon
