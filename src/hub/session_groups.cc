// The part of a session, and of its shard, that belongs to queue groups: what is asked of a group goes to its home, what comes
// back is matched by the seat's serial number or by ticket, and deliveries wait here until the outbox has room.
#include <fmt/format.h>

#include <algorithm>

#include "hub/shard.h"

namespace carillon {
namespace {

// What a delivery may come to in the outbox, about: Base64, the names, what stands around them.
std::size_t cost(const GroupDelivery& delivery) {
  const Publication& publication = *delivery.publication;
  return publication.payload.size() * 4 / 3 + publication.channel.size() + publication.event.size() + 512;
}

}  // namespace

std::size_t Session::group_count() const {
  return seats_ == nullptr ? 0 : seats_->size();
}

Session::GroupSeat* Session::find_seat(const GroupName& name) {
  if (seats_ == nullptr) return nullptr;
  const auto found = std::ranges::find_if(*seats_, [&](const GroupSeat& seat) { return seat.name == name; });
  return found == seats_->end() ? nullptr : &*found;
}

Session::GroupSeat* Session::find_seat(std::uint64_t serial) {
  if (seats_ == nullptr) return nullptr;
  const auto found = std::ranges::find_if(*seats_, [&](const GroupSeat& seat) { return seat.serial == serial; });
  return found == seats_->end() ? nullptr : &*found;
}

bool Session::remove_seat(std::uint64_t serial) {
  if (seats_ == nullptr) return false;
  const bool was_there = std::erase_if(*seats_, [&](const GroupSeat& seat) { return seat.serial == serial; }) > 0;
  if (seats_->empty()) seats_.reset();
  return was_there;
}

void Session::join_group(JoinGroup join) {
  if (ended_) return;
  const Ticket ticket = join.ticket;
  const Selector channel{.kind = Selector::Kind::kExact, .base = join.name.channel};
  if (Result<void> allowed = shard_.hub().policy().may_subscribe(identity(), channel); !allowed) {
    return client_.on_group_joined(ticket, allowed.error());
  }
  if (const GroupSeat* const seat = find_seat(join.name)) {
    if (seat->joined) return client_.on_group_joined(ticket, GroupJoined{.already = true});
    return client_.on_group_joined(ticket, Error{ErrorKind::kConflict, "joining this group is under way already"});
  }
  const std::size_t most = shard_.hub().options().subscriptions_per_session_max;
  if (subscriptions_.size() + group_count() >= most) {
    return client_.on_group_joined(
        ticket, Error{ErrorKind::kLimit, fmt::format("subscription limit exceeded: max {} subscriptions", most)});
  }
  const std::uint64_t serial = ++shard_.seat_serial_;
  if (seats_ == nullptr) seats_ = std::make_unique<std::vector<GroupSeat>>();
  seats_->push_back({.serial = serial, .name = join.name, .held = {}});

  QueueGroups::Join asked{.name = std::move(join.name),
                          .wish = std::move(join.wish),
                          .in_flight_max = join.in_flight_max,
                          .joined = {},
                          .deliver = {},
                          .ended = {}};
  asked.joined = [&shard = shard_, id = id_, serial, ticket](Result<GroupJoined> outcome) {
    shard.run_here([&shard, id, serial, ticket, outcome = std::move(outcome)]() mutable {
      Session* const session = shard.find_session(id);
      if (session == nullptr || session->ended_) return;
      GroupSeat* const seat = session->find_seat(serial);
      if (seat == nullptr) {
        outcome = Error{ErrorKind::kConflict, "the group was left before it was joined"};
      } else if (outcome) {
        seat->joined = true;
      } else {
        session->remove_seat(serial);
      }
      session->client_.on_group_joined(ticket, outcome);
    });
  };
  asked.deliver = [&shard = shard_, id = id_, serial](std::vector<GroupDelivery> deliveries) {
    shard.run_here(
        [&shard, id, serial, deliveries = std::move(deliveries)]() mutable { shard.hold(id, serial, std::move(deliveries)); });
  };
  asked.ended = [&shard = shard_, id = id_, serial](std::string_view reason) {
    shard.run_here([&shard, id, serial, reason = std::string(reason)] {
      Session* const session = shard.find_session(id);
      GroupSeat* const seat = session == nullptr || session->ended_ ? nullptr : session->find_seat(serial);
      if (seat == nullptr) return;
      const GroupName name = seat->name;
      session->remove_seat(serial);
      session->client_.on_group_ended(name, reason);
    });
  };
  const GroupMember member = shard_.hub().groups().join(std::move(asked));
  if (GroupSeat* const seat = find_seat(serial)) seat->member = member;
}

bool Session::leave_group(const GroupName& name) {
  const GroupSeat* const seat = find_seat(name);
  if (seat == nullptr) return false;
  shard_.hub().groups().leave(name, seat->member);
  return remove_seat(seat->serial);
}

void Session::leave_groups() {
  if (seats_ == nullptr) return;
  for (const GroupSeat& seat : *seats_) shard_.hub().groups().leave(seat.name, seat.member);
  seats_.reset();
}

void Session::settle_group(const GroupName& name, GroupSettle settle, Ticket ticket) {
  if (ended_) return;
  if (find_seat(name) == nullptr) {
    return client_.on_group_settled(
        ticket, Error{ErrorKind::kConflict, fmt::format("not a member of the group {} on {}", name.name, name.channel)});
  }
  shard_.hub().groups().settle(name, std::move(settle), [&shard = shard_, id = id_, ticket](Result<GroupSettled> outcome) {
    shard.run_here([&shard, id, ticket, outcome = std::move(outcome)] {
      Session* const session = shard.find_session(id);
      if (session != nullptr && !session->ended_) session->client_.on_group_settled(ticket, outcome);
    });
  });
}

void Shard::hold(SessionId id, std::uint64_t serial, std::vector<GroupDelivery> deliveries) {
  Session* const session = find_session(id);
  Session::GroupSeat* const seat = session == nullptr || session->ended_ ? nullptr : session->find_seat(serial);
  if (seat == nullptr) return;  // The group hears of it, or has.
  for (GroupDelivery& delivery : deliveries) seat->held.push_back(std::move(delivery));
  mark_ready(*session);
}

// As much as half of what may wait, and one in any case. What came back to the group meanwhile is left out.
void Shard::send_held(Session& session) {
  const auto waiting = [&session]() -> Session::GroupSeat* {
    if (session.ended_ || session.ending_ != Session::Ending::kNo || session.seats_ == nullptr) return nullptr;
    const auto found = std::ranges::find_if(*session.seats_, [](const auto& seat) { return !seat.held.empty(); });
    return found == session.seats_->end() ? nullptr : &*found;
  };
  const auto has_room = [&](std::size_t bytes) {
    return session.outbox_.empty() || session.outbox_.bytes() + bytes <= outbox_limit() / 2;
  };
  while (Session::GroupSeat* const seat = waiting()) {
    const GroupDelivery& next = seat->held.front();
    if (next.visible_until_ms <= hub_.clock().unix_ms()) {
      seat->held.pop_front();
      continue;
    }
    const std::size_t bytes = cost(next);
    if (!has_room(bytes)) {
      session.client_.on_outbox();
      if (session.ended_ || !has_room(bytes)) return;
      continue;  // The client may have left the group.
    }
    const GroupDelivery delivery = std::move(seat->held.front());
    const GroupName name = seat->name;
    seat->held.pop_front();
    counters_.deliveries_total.add();
    session.client_.on_group_delivery(name, delivery);
  }
  if (!session.ended_ && !session.outbox_.empty()) session.client_.on_outbox();
}

}  // namespace carillon
