// SubscriberList: the subscribers of one topic by name, and Recipients of them without a copy. One thread.
//
// Recipients are the MemberLog of the list, how far it reached when they were made, and the moment: who came later has a later
// place, who left later has a later moment. So neither a join nor a leave touches or copies anything for Recipients that are
// still around. While they are, the list moves to another log instead of compacting its own, which lives as long as they do;
// all logs together hold no more places than there were joins and leaves.
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
  void compact();

  std::shared_ptr<Recipients::Log> log_;
  boost::unordered_flat_map<std::string, std::size_t, NameHash, NameEqual> place_of_;
  std::uint64_t moved_ = 0;
};

}  // namespace carillon
