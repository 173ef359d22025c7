#include "hub/group_listing.h"

#include "base/check.h"

namespace carillon {

GroupListing::GroupListing(std::vector<GroupName> names, std::size_t count_max, UniqueFunction<void(Result<GroupPage>)> done)
    : names_(std::move(names)), done_(std::move(done)) {
  CHECK(!names_.empty());
  if (names_.size() > count_max) {
    names_.resize(count_max);
    next_ = names_.back();
  }
  infos_.resize(names_.size());
  missing_ = names_.size();
}

void GroupListing::take(std::size_t place, Result<GroupInfo> outcome) {
  {
    const std::lock_guard lock(mutex_);
    if (outcome) {
      infos_[place] = *std::move(outcome);
    } else if (outcome.error().kind != ErrorKind::kNotFound) {
      GroupInfo& damaged = infos_[place].emplace();
      damaged.name = names_[place];
      damaged.fault = outcome.error().text;
    }
    if (--missing_ > 0) return;
  }
  GroupPage page{.groups = {}, .next = std::move(next_)};
  for (std::optional<GroupInfo>& info : infos_) {
    if (info) page.groups.push_back(*std::move(info));
  }
  done_(std::move(page));
}

}  // namespace carillon
