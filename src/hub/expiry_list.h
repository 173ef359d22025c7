// ExpiryList: the sessions of one loop whose identity ends at a time, the next one first. A session that never expires is not
// in it. On its loop only; bounded by the number of sessions.
#pragma once

#include <cstdint>
#include <set>
#include <utility>

#include "base/clock.h"
#include "base/loop.h"
#include "hub/publication.h"

namespace carillon {

class ExpiryList final : private Timer {
 public:
  // How late an expiry may be noticed when the calendar was set forward; by itself it is on time.
  static constexpr Millis kLookAgain{30'000};

  // `expire` is called once for each session that is due, and may remove any.
  ExpiryList(Loop& loop, const Clock& clock, UniqueFunction<void(SessionId)> expire)
      : loop_(loop), clock_(clock), expire_(std::move(expire)) {}

  void add(SessionId session, std::int64_t at_ms);
  // Nothing happens when it is not there.
  void remove(SessionId session, std::int64_t at_ms);
  std::size_t size() const { return waiting_.size(); }

 private:
  void on_timer() override;
  void arm();

  Loop& loop_;
  const Clock& clock_;
  UniqueFunction<void(SessionId)> expire_;
  std::set<std::pair<std::int64_t, SessionId>> waiting_;  // By Unix time in milliseconds.
};

}  // namespace carillon
