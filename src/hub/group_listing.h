// GroupListing: one page of queue groups, whose answers come one by one, in any order. Any thread.
#pragma once

#include <mutex>
#include <optional>
#include <vector>

#include "base/unique_function.h"
#include "hub/group_call.h"

namespace carillon {

class GroupListing {
 public:
  // `names`, one at least like `count_max`, in the order of the page, are asked for with one more than the page may have: that
  // is cut off, and the page says what it goes on behind.
  GroupListing(std::vector<GroupName> names, std::size_t count_max, UniqueFunction<void(Result<GroupPage>)> done);

  const std::vector<GroupName>& names() const { return names_; }
  // What is told of the group in this place, once each; the last answers. kNotFound: deleted meanwhile, and left out.
  void take(std::size_t place, Result<GroupInfo> outcome);

 private:
  std::vector<GroupName> names_;
  std::optional<GroupName> next_;
  std::mutex mutex_;
  std::vector<std::optional<GroupInfo>> infos_;  // Under the mutex, as the next.
  std::size_t missing_;
  UniqueFunction<void(Result<GroupPage>)> done_;
};

}  // namespace carillon
