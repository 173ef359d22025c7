#include "hub/expiry_list.h"

#include <algorithm>

namespace carillon {

void ExpiryList::add(SessionId session, std::int64_t at_ms) {
  const auto place = waiting_.emplace(at_ms, session).first;
  if (place == waiting_.begin()) arm();
}

void ExpiryList::remove(SessionId session, std::int64_t at_ms) {
  waiting_.erase({at_ms, session});
  if (waiting_.empty()) cancel();
}

void ExpiryList::on_timer() {
  const std::int64_t now = clock_.unix_ms();
  while (!waiting_.empty() && waiting_.begin()->first <= now) {
    const SessionId session = waiting_.begin()->second;
    waiting_.erase(waiting_.begin());
    expire_(session);
  }
  arm();
}

// The calendar may jump, so a long wait is made of short ones.
void ExpiryList::arm() {
  if (waiting_.empty()) return;
  const Millis left(std::max<std::int64_t>(waiting_.begin()->first - clock_.unix_ms(), 0));
  loop_.schedule(*this, std::min(left, kLookAgain));
}

}  // namespace carillon
