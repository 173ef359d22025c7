// MemberLog: the members of one topic in the order they came. The topics of the channel runtime (SubscriberList) and what the
// server's shards deliver to (Audience) are made of it. One thread.
//
// 1. A member takes the next place of a log, which grows at its end only.
// 2. Who leaves is marked in its place; every leave is a new moment.
// 3. A walk goes as far as the log reached when it began, and passes by who has left. So members may join and leave while it
//    goes on: who comes is not visited, who goes is visited no more, and nobody changes places.
// 4. When more places are left than taken, the log is sparse, and its owner has it compacted: the taken places move together,
// in
//    their order. Not while a walk goes on; where somebody else keeps the log, into another one. It is paid for by the leaves
//    before it, so n joins and leaves cost O(n) in all, and a walk costs what it finds.
//
// A Place holds a member. `leave(moment)` marks it, `left()` says whether it is marked; `prefetch()`, if there is one, asks for
// the memory that a visit will touch. `Places` is how they lie: a std::vector is walked fastest; in a std::deque a place keeps
// its address when others join.
#pragma once

#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

namespace carillon {

template <class Place, class Places = std::vector<Place>>
class MemberLog {
 public:
  // A short log is not compacted for each few who leave.
  static constexpr std::size_t kSparePlaces = 4;

  // Members. Those who left are not counted.
  std::size_t size() const { return size_; }
  bool empty() const { return size_ == 0; }
  // How far the log reaches: the place that the next member takes.
  std::size_t reach() const { return places_.size(); }
  // Of the last leave.
  std::uint64_t moment() const { return moment_; }

  Place& operator[](std::size_t place) { return places_[place]; }
  const Place& operator[](std::size_t place) const { return places_[place]; }

  // Returns its place, which is the member's until it leaves or the log is compacted.
  std::size_t join(Place member) {
    places_.push_back(std::move(member));
    ++size_;
    return places_.size() - 1;
  }

  // `place` is a member's.
  void leave(std::size_t place) {
    places_[place].leave(++moment_);
    --size_;
  }

  // Calls visit(Place) for each member who is there and has not left by then. The visitor may let members join and leave.
  template <class Visit>
  void for_each(Visit&& visit) const {
    const std::size_t reach = places_.size();
    for (std::size_t i = 0; i < reach; ++i) {
      if constexpr (requires(const Place& place) { place.prefetch(); }) {
        if (i + kPrefetchAhead < reach) places_[i + kPrefetchAhead].prefetch();
      }
      const Place member = places_[i];  // A copy: a join may move the places.
      if (!member.left()) visit(member);
    }
  }

  bool sparse() const { return reach() > 2 * size_ + kSparePlaces; }

  // Moves the members together. moved(Place&, place) is called for each, with its place from now on.
  template <class Moved>
  void compact(Moved&& moved) {
    std::size_t next = 0;
    for (std::size_t i = 0; i < reach(); ++i) {
      if (places_[i].left()) continue;
      if (next != i) places_[next] = std::move(places_[i]);
      moved(places_[next], next);
      ++next;
    }
    places_.erase(places_.begin() + static_cast<std::ptrdiff_t>(next), places_.end());
  }

  // The same in another log; this one stays as it is.
  template <class Moved>
  MemberLog compacted(Moved&& moved) const {
    MemberLog log;
    log.moment_ = moment_;
    for (const Place& place : places_) {
      if (place.left()) continue;
      const std::size_t next = log.join(place);
      moved(log.places_[next], next);
    }
    return log;
  }

 private:
  static constexpr std::size_t kPrefetchAhead = 4;

  Places places_;
  std::size_t size_ = 0;
  std::uint64_t moment_ = 0;
};

}  // namespace carillon
