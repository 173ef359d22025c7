// Siblings: the rooms of one protocol, one a loop, and the ways between them. For what one client does on several loops, as a
// poll that arrives on one and belongs to a session on another.
//
// Filled before the loops run, by each room in its place; from then on read from any thread. Rooms live as long as their loops
// run, and Siblings longer. A place is a small number that may be written into what clients send back: it says on which loop
// their session lives.
#pragma once

#include <cstddef>
#include <memory>
#include <utility>
#include <vector>

#include "base/check.h"
#include "protocol/handover.h"

namespace carillon {

template <class Room>
class Siblings {
 public:
  // The place of this room, from 0.
  std::size_t add(Loop& loop, Room& room) {
    places_.push_back({loop, room, std::make_unique<HandoverDesk>(loop)});
    return places_.size() - 1;
  }
  std::size_t count() const { return places_.size(); }

  // Runs the task on the loop of that place, in a later turn; destroyed unrun when that loop has stopped. Any thread. What a
  // client sent is compared with count() first.
  void post(std::size_t to, UniqueFunction<void(Room&)> task) {
    CHECK(to < count());
    places_[to].loop.post([&room = places_[to].room, task = std::move(task)]() mutable { task(room); });
  }

  // As HandoverDesk::hand_over, from one place to another; on the loop of `from`. At the same place it is called at once, with
  // the exchange itself.
  void hand_over(std::size_t from, std::size_t to, ExchangePtr exchange, UniqueFunction<void(Room&, ExchangePtr)> take) {
    CHECK(from < count() && to < count());
    if (from == to) return take(places_[to].room, std::move(exchange));
    const Place& there = places_[to];
    places_[from].desk->hand_over(
        std::move(exchange), there.loop,
        [&room = there.room, take = std::move(take)](ExchangePtr taken) mutable { take(room, std::move(taken)); });
  }

  // Handed over from that place and not answered yet. On its loop.
  std::size_t waiting(std::size_t place) const { return places_[place].desk->waiting(); }

 private:
  struct Place {
    Loop& loop;
    Room& room;
    std::unique_ptr<HandoverDesk> desk;
  };

  std::vector<Place> places_;
};

}  // namespace carillon
