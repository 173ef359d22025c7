// SubscriberList: the subscribers of one topic in the order they came, and Recipients of them without a copy. One thread.
//
// 1. A subscriber takes the next place of a log, which grows at its end only.
// 2. Who leaves has its place marked with the moment of leaving; every leave is a new moment.
// 3. Recipients are the log, how far it reached when they were made, and the moment: who came later has a later place, who left
//    later has a later moment. So neither a join nor a leave touches or copies anything for Recipients that are still around.
// 4. When more places are left than taken, the taken ones move to a new log; Recipients keep the log they name alive. A move is
//    paid for by a leave, so n joins and leaves cost O(n) in all, and all logs together hold no more places than that.
#pragma once

#include <boost/unordered/unordered_flat_map.hpp>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "base/hash.h"
#include "carillon/recipients.h"

namespace carillon {

class SubscriberList {
 public:
  SubscriberList();

  // False: is there already.
  bool add(std::string_view subscriber);
  // False: was not there.
  bool remove(std::string_view subscriber);
  bool has(std::string_view subscriber) const { return place_of_.contains(subscriber); }
  std::size_t size() const { return place_of_.size(); }

  Recipients all() const;
  Recipients without(std::string_view subscriber) const;

  // What a walk of `all()` looks at, and how many places were ever moved: the work behind the promises above.
  std::size_t places() const;
  std::uint64_t moved() const { return moved_; }

 private:
  void move_to_new_log();

  std::shared_ptr<Recipients::Log> log_;
  boost::unordered_flat_map<std::string, std::size_t, NameHash, NameEqual> place_of_;
  std::uint64_t moment_ = 0;
  std::uint64_t moved_ = 0;
};

}  // namespace carillon
