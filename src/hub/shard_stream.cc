// Shard's streams: what one channel missed, page by page, as fast as the client takes it. join.h says how it fits in.
//
// A stream is a join that was answered. While it lives the session hears the channel by it alone: what is published is held, by
// whichever of its subscriptions it would come. A page is queued while less than half of what may wait waits; the rest when the
// client has taken some. After the last page comes what was held; if too much was to be held it was forgotten, and one more
// page has it.
#include <algorithm>

#include "hub/shard.h"

namespace carillon {
namespace {

// What an encoding writes around a payload, about.
constexpr std::size_t kAroundPayload = 256;

}  // namespace

// There is more to bring than fits now, and nobody else gives the session this channel.
bool Shard::may_stream(const Session& session, const Join& join) const {
  if (join.failure || join.options.selector.kind != Selector::Kind::kExact || !join.options.recover) return false;
  if (!join.covers.empty() || join.pages.size() != 1 || join.pages[0].history.publications.empty()) return false;
  if (!join.pages[0].history.more && fits(session, join.pages[0].history.publications)) return false;
  return std::none_of(session.subscriptions_.begin(), session.subscriptions_.end(), [&](const Session::Subscription& other) {
    return other.audience != join.audience && other.answered && other.audience->selector.matches(join.options.selector.base);
  });
}

// Whether so much can wait for the client and half of its outbox stays free.
bool Shard::fits(const Session& session, const std::vector<PublicationPtr>& publications) const {
  std::size_t bytes = session.outbox_.bytes();
  for (const PublicationPtr& publication : publications) bytes += publication->payload.size() + kAroundPayload;
  return publications.empty() || bytes <= outbox_limit() / 2;
}

void Shard::begin_stream(Session& session, JoinId join_id, std::unique_ptr<Join> join) {
  Join::Page& page = join->pages[0];
  const std::size_t most = hub_.options().recover_publications_max;
  const Position top = *page.history.top;
  const std::uint64_t first = page.history.publications.front()->position->offset;
  Subscribed outcome{.already = false, .recovered = join->recovered(true) && top.offset + 1 - first <= most, .positions = {}};
  outcome.positions.push_back({page.channel, top});
  session.client_.on_subscribed(join->options.ticket, outcome);
  if (!still_member(session, *join)) return;

  Session::Subscription& subscription = *session.find(*join->audience);
  subscription.answered = true;
  subscription.recovered = outcome.recovered;
  join->stream.emplace();
  Join::Stream& stream = *join->stream;
  stream.page = std::move(page.history.publications);
  stream.last = {.epoch = top.epoch, .offset = first - 1};
  stream.left = most - std::min(most, stream.page.size());
  stream.more = page.history.more;
  join->audience->members[subscription.index].join = join_id;
  ++join->audience->joining;
  joins_.emplace(join_id, std::move(join));
  streams_.push_back(join_id);
  session.streaming_ = true;
  pump_stream(join_id);
}

// Queues what has room, asks for what comes next, ends with the last.
void Shard::pump_stream(JoinId join_id) {
  const auto found = joins_.find(join_id);
  if (found == joins_.end()) return;
  Join& join = *found->second;
  Session& session = *find_session(join.session);
  if (std::exchange(join.stream->pumping, true)) return;
  queue_streamed(session, *join.stream);
  // Queueing calls the client, who may have ended any of it.
  const auto still = joins_.find(join_id);
  if (still == joins_.end()) return;
  Join::Stream& stream = *join.stream;
  stream.pumping = false;
  if (stream.next < stream.page.size() || stream.asking) return;
  const bool on = (stream.more && stream.left > 0) || stream.behind;
  return on ? ask_stream(join_id, join) : finish_join(join_id);
}

void Shard::pump_streams(Session& session) {
  if (session.ended_ || session.outbox_.bytes() > outbox_limit() / 2) return;
  for (const JoinId join_id : std::vector<JoinId>(streams_)) {
    const auto found = joins_.find(join_id);
    if (found != joins_.end() && found->second->session == session.id_) pump_stream(join_id);
  }
}

void Shard::queue_streamed(Session& session, Join::Stream& stream) {
  // Small enough that what is encoded in one go stays well below the half.
  constexpr std::size_t kRunBytes = 16 << 10;
  while (stream.next < stream.page.size() && session.outbox_.bytes() <= outbox_limit() / 2) {
    std::size_t to = stream.next, bytes = 0;
    while (to < stream.page.size() && (to == stream.next || bytes < kRunBytes)) {
      bytes += stream.page[to++]->payload.size() + kAroundPayload;
    }
    FrameRun frames;
    const auto part = std::span(stream.page).subspan(stream.next, to - stream.next);
    counters_.deliveries_total.add(encode_run(*session.encoding_, part, frames, &session));
    for (std::size_t i = to; i-- > stream.next;) {
      if (!stream.page[i]->position) continue;  // What was held may have none.
      stream.last = *stream.page[i]->position;
      break;
    }
    stream.next = to;
    const SessionId id = session.id_;
    for (const FramePtr& frame : frames) {
      queue(session, frame, SlowConsumer::kDropOldest);
      // The stream went with the session, or with its subscription.
      if (find_session(id) == nullptr || session.ended_ || !session.streaming_) return;
    }
  }
  if (stream.next < stream.page.size()) return;
  stream.page.clear();
  stream.next = 0;
}

void Shard::ask_stream(JoinId join_id, Join& join) {
  Join::Stream& stream = *join.stream;
  stream.asking = true;
  stream.behind = false;
  HistoryQuery query{.channel = join.options.selector.base,
                     .since = stream.last,
                     .count_max = std::min(hub_.options().recover_page_max, std::max<std::size_t>(stream.left, 1))};
  hub_.history(std::move(query), [this, join_id](Result<HistoryPage> outcome) {
    run_here([this, join_id, outcome = std::move(outcome)]() mutable { take_stream_page(join_id, std::move(outcome)); });
  });
}

void Shard::take_stream_page(JoinId join_id, Result<HistoryPage> outcome) {
  const auto found = joins_.find(join_id);
  if (found == joins_.end()) return;
  Join& join = *found->second;
  Join::Stream& stream = *join.stream;
  Session& session = *find_session(join.session);
  stream.asking = false;
  const std::string channel = join.options.selector.base;
  if (!outcome || !outcome->top) {
    // What is missing now can be asked for again only by a new subscription.
    const std::string reason = outcome ? "the channel keeps no history any more" : outcome.error().text;
    const Session::Subscription* const subscription = session.find(*join.audience);
    remove_member(session, static_cast<std::uint32_t>(subscription - session.subscriptions_.data()));
    return session.client_.on_unsubscribed(channel, reason, true);
  }
  if (!outcome->complete) {
    // Retention or a removal was faster than the client.
    const bool same = outcome->top->epoch == stream.last.epoch;
    const std::uint64_t next =
        outcome->publications.empty() ? outcome->top->offset + 1 : outcome->publications.front()->position->offset;
    note_gap(session, channel, same && next > stream.last.offset + 1 ? next - stream.last.offset - 1 : 1);
    stream.last = {.epoch = outcome->top->epoch, .offset = next - 1};
    // Told ahead of what follows: there is room now.
    tell_gaps(session);
    if (!joins_.contains(join_id)) return;
  }
  stream.page = std::move(outcome->publications);
  stream.next = 0;
  stream.left -= std::min(stream.left, stream.page.size());
  stream.more = outcome->more;
  pump_stream(join_id);
}

// The last page is queued, and the inbox was delivered: what is held and newer comes now, and the subscription is like any
// other.
void Shard::finish_stream(JoinId join_id) {
  Join& waiting = *joins_.at(join_id);
  Join::Stream& stream = *waiting.stream;
  if (stream.asking || stream.next < stream.page.size()) return;
  if (stream.behind) return ask_stream(join_id, waiting);
  Session& session = *find_session(waiting.session);
  waiting.pages[0].history.top = stream.last;
  std::vector<PublicationPtr> newer = waiting.newer_than_pages();
  if (!fits(session, newer)) {
    // As one page more, while the next are held.
    waiting.held.clear();
    stream.page = std::move(newer);
    return pump_stream(join_id);
  }
  const Session::Subscription& subscription = *session.find(*waiting.audience);
  const std::unique_ptr<Join> join = take_join(subscription.audience->members[subscription.index]);
  if (newer.empty()) return;
  walking_ = true;
  FrameRun frames;
  counters_.deliveries_total.add(encode_run(*session.encoding_, newer, frames, &session));
  for (const FramePtr& frame : frames) {
    if (!still_member(session, *join)) break;
    queue(session, frame, hub_.options().slow_consumer);
  }
  end_walk();
}

// What streams hold is not delivered to their sessions by another subscription either.
void Shard::hold_for_streams(const Group& group) {
  const std::string& channel = group.publications.front()->channel;
  for (const JoinId id : streams_) {
    Join& join = *joins_.at(id);
    if (join.options.selector.base != channel) continue;
    Session& session = *find_session(join.session);
    session.delivery_stamp_ = delivery_stamp_;
    const auto is_for_it = [&](const PublicationPtr& publication) {
      return publication->is_for(session.id_, session.identity());
    };
    // What is forgotten here comes by a page, unless no page shows it.
    const auto lose = [&](std::span<const PublicationPtr> publications) {
      const auto lost = std::ranges::count_if(
          publications, [&](const PublicationPtr& publication) { return publication->is_private() && is_for_it(publication); });
      if (lost > 0) note_gap(session, channel, static_cast<std::uint64_t>(lost));
    };
    if (join.held.size() + group.publications.size() > Join::kHeldMax) {
      lose(join.held);
      join.held.clear();
      join.stream->behind = true;
    }
    if (join.stream->behind) {
      lose(group.publications);
      continue;
    }
    std::ranges::copy_if(group.publications, std::back_inserter(join.held), is_for_it);
  }
}

void Shard::forget_stream(JoinId join_id, Session& session) {
  std::erase(streams_, join_id);
  session.streaming_ = std::any_of(streams_.begin(), streams_.end(), [&](JoinId other) {
    const auto found = joins_.find(other);
    return found != joins_.end() && found->second->session == session.id_;
  });
}

// The subscription ended before its stream did: another one that hears the channel too was promised what it still had to bring.
void Shard::lose_stream(Session& session, const Join& join) {
  const std::string& channel = join.options.selector.base;
  for (const Session::Subscription& other : session.subscriptions_) {
    if (other.audience == join.audience || !other.answered || !other.audience->selector.matches(channel)) continue;
    const std::size_t known = join.stream->page.size() - join.stream->next + join.held.size();
    return note_gap(session, channel, std::max<std::size_t>(known, 1));
  }
}

// The stream that brings the session's own copy of what it publishes there; 0: none.
Shard::JoinId Shard::stream_on(const Session& session, std::string_view channel) const {
  for (const JoinId id : streams_) {
    const Join& join = *joins_.at(id);
    if (join.session == session.id_ && join.options.selector.base == channel) return id;
  }
  return 0;
}

}  // namespace carillon
