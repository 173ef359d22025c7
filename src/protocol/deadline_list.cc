#include "protocol/deadline_list.h"

#include <algorithm>

namespace carillon {

void DeadlineList::add(Member& member, Millis at) {
  const auto place = waiting_.emplace(at, &member).first;
  if (place == waiting_.begin()) arm();
}

void DeadlineList::on_timer() {
  while (!waiting_.empty() && waiting_.begin()->first <= loop_.now()) {
    Member* const member = waiting_.begin()->second;
    waiting_.erase(waiting_.begin());
    member->on_deadline();
  }
  arm();
}

void DeadlineList::arm() {
  if (!waiting_.empty()) loop_.schedule(*this, std::max(waiting_.begin()->first - loop_.now(), Millis{0}));
}

}  // namespace carillon
