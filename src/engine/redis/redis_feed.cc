#include "engine/redis/redis_feed.h"

#include <algorithm>

#include "hub/publication_id.h"

namespace carillon {
namespace {

std::size_t held_size(const Publication& publication) {
  return sizeof(Publication) + publication.event.size() + publication.payload.size();
}

}  // namespace

bool RedisFeed::has_reached(const Position& position) const {
  if (!last_) return false;
  return position.epoch < last_->epoch || (position.epoch == last_->epoch && position.offset <= last_->offset);
}

std::optional<RedisMark> RedisFeed::mark() const {
  if (!last_) return std::nullopt;
  return RedisMark{*last_, last_id_ == Uuid() ? std::nullopt : std::optional(random_in(last_id_))};
}

bool RedisFeed::take_live(PublicationPtr publication) {
  const Position position = *publication->position;
  if (reading_) {
    hold(std::move(publication), true);
    return false;
  }
  // What comes next is the common case.
  if (last_ && position == Position{last_->epoch, last_->offset + 1} && held_.empty()) {
    hand_out(publication);
    return false;
  }
  if (!last_) stand_at(Position{position.epoch, position.offset - 1});
  // Either it comes late, or Redis has begun anew with its clock set back: the stream knows.
  if (position.epoch < last_->epoch) return true;
  if (has_reached(position)) return false;
  hold(std::move(publication), true);
  return release();
}

bool RedisFeed::take_own(PublicationPtr publication) {
  const Position position = *publication->position;
  if (has_reached(position)) return false;
  hold(std::move(publication), false);
  if (!reading_ && last_) {
    // A live one that waits for what is missing has asked for it to be read; so there is none.
    static_cast<void>(release());
  }
  return !has_reached(position);
}

void RedisFeed::start_at(const Position& position) {
  if (last_ || reading_) return;
  stand_at(position);
  static_cast<void>(release());
}

void RedisFeed::take_bare(const PublicationPtr& publication) {
  if (publication->id == last_bare_id_) return;
  last_bare_id_ = publication->id;
  if (events_ != nullptr) events_->on_publication(publication);
}

bool RedisFeed::take_missed(const RespValue& reply, std::size_t count, bool was_deaf, const RedisWriter& reader) {
  const RespValue::Array* const parts = reply.array();
  if (parts == nullptr || parts->size() != 2 || (*parts)[0].text() == nullptr || (*parts)[1].array() == nullptr) {
    // The stream is gone, and where it stood with it.
    if (last_ && last_->offset > 0) tell_gap(0);
    stand_at(std::nullopt);
    return end_reading();
  }
  const std::optional<Position> top = parse_redis_position(*(*parts)[0].text());
  if (!top) {
    give_up_reading();
    return false;
  }
  if (!last_) {
    if (was_deaf && top->offset > 0) tell_gap(0);
    // From the first that is held on, everything is read.
    stand_at(*top);
    if (!held_.empty()) stand_at(Position{held_.begin()->first.first, held_.begin()->first.second - 1});
    return !held_.empty() || end_reading();
  }
  if (top->epoch != last_->epoch) change_epoch(top->epoch);
  const RespValue::Array& entries = *(*parts)[1].array();
  for (const RespValue& entry : entries) {
    const std::optional<Position> position = stream_entry_position(entry);
    if (!position || position->epoch != last_->epoch || position->offset <= last_->offset) continue;
    if (position->offset > last_->offset + 1) tell_gap(position->offset - last_->offset - 1);
    stand_at(Position{position->epoch, position->offset - 1});
    if (const PublicationPtr publication = read_stream_entry(name_, entry, reader)) {
      hand_out(publication);
    } else {
      tell_gap(1);
      stand_at(position);
    }
  }
  if (entries.size() >= count) return true;
  if (top->offset > last_->offset) {
    tell_gap(top->offset - last_->offset);
    stand_at(top);
  }
  return end_reading();
}

void RedisFeed::give_up_reading() {
  if (last_) tell_gap(0);
  stand_at(std::nullopt);
  static_cast<void>(end_reading());
}

bool RedisFeed::end_reading() {
  reading_ = false;
  if (!release()) return false;
  reading_ = true;
  return true;
}

bool RedisFeed::release() {
  while (!held_.empty()) {
    const auto first = held_.begin();
    const auto [epoch, offset] = first->first;
    if (!last_) {
      // An own one may have others before it that are on their way.
      if (!first->second.live) return false;
      stand_at(Position{epoch, offset - 1});
    }
    if (epoch > last_->epoch) {
      if (!first->second.live) return false;
      change_epoch(epoch);
    }
    const bool ahead = epoch == last_->epoch && offset > last_->offset + 1;
    if (ahead) {
      return std::any_of(held_.begin(), held_.end(), [](const auto& held) { return held.second.live; });
    }
    const PublicationPtr publication = first->second.publication;
    held_bytes_ -= held_size(*publication);
    held_.erase(first);
    if (!has_reached(*publication->position)) hand_out(publication);
  }
  return false;
}

// What is dropped here is in the stream; it is read when the next live one shows that it is missing.
void RedisFeed::hold(PublicationPtr publication, bool live) {
  const Order order{publication->position->epoch, publication->position->offset};
  const std::size_t bytes = held_size(*publication);
  const auto [place, added] = held_.try_emplace(order, Held{std::move(publication), live});
  place->second.live = place->second.live || live;
  if (added) held_bytes_ += bytes;
  while (reading_ && (held_.size() > kHeldMax || held_bytes_ > kHeldBytesMax) && held_.size() > 1) {
    held_bytes_ -= held_size(*held_.begin()->second.publication);
    held_.erase(held_.begin());
  }
}

void RedisFeed::hand_out(const PublicationPtr& publication) {
  last_ = publication->position;
  last_id_ = publication->id;
  if (events_ != nullptr) events_->on_publication(publication);
}

void RedisFeed::tell_gap(std::uint64_t count) {
  if (events_ != nullptr) events_->on_gap(name_, count);
}

void RedisFeed::change_epoch(std::uint64_t epoch) {
  tell_gap(0);
  stand_at(Position{epoch, 0});
}

void RedisFeed::stand_at(const std::optional<Position>& position) {
  last_ = position;
  last_id_ = {};
}

std::vector<RedisFeed::Waiter> RedisFeed::take_waiters(Millis now) {
  std::vector<Waiter> taken;
  std::vector<Waiter> left;
  for (Waiter& waiter : waiters_) {
    (has_reached(waiter.until) || waiter.deadline <= now ? taken : left).push_back(std::move(waiter));
  }
  waiters_ = std::move(left);
  return taken;
}

}  // namespace carillon
