// HandoverDesk: lets an exchange that arrived on one loop be answered on another, by what lives there.
//
// 1. The real exchange stays on its loop, kept by the desk under a number. 2. A copy of what was asked travels to the other
// loop as an Exchange like any other. 3. Its answer is posted back by that number, and the desk answers. 4. What happens to the
// client meanwhile (Exchange::on_gone, on_drain) and whether the answer has left are posted the other way.
//
// One per loop, used there only. It keeps as many exchanges as the other loops have not answered yet: one for each connection
// of its loop, and those whose client has gone until the other side drops them. Loops outlive every desk and every exchange
// that was handed over; a desk lives as long as its loop runs. Rooms reach each other by siblings.h.
#pragma once

#include <cstdint>
#include <unordered_map>

#include "base/loop.h"
#include "protocol/exchange.h"

namespace carillon {

class HandoverDesk {
 public:
  using Take = UniqueFunction<void(ExchangePtr)>;

  explicit HandoverDesk(Loop& loop) : loop_(loop) {}
  HandoverDesk(const HandoverDesk&) = delete;
  HandoverDesk& operator=(const HandoverDesk&) = delete;

  // Calls `take` on the loop `to`, in a later turn, with an exchange to answer there: its hooks and the word that an answer has
  // left come on that loop. It can only be replied to: a protocol opens streams and WebSockets where the request arrived
  // (asked for one here, the client gets a 500). When `to` has stopped, `take` is destroyed uncalled and the client gets a 503.
  // Hooks and ReplySent are not called once their loop has stopped, and may be destroyed on either thread then.
  void hand_over(ExchangePtr exchange, Loop& to, Take take);

  // Handed over and not answered yet.
  std::size_t waiting() const { return waiting_.size(); }

 private:
  class RemoteExchange;

  void answer(std::uint64_t id, HttpResponse response, ReplySent sent);

  Loop& loop_;
  std::uint64_t next_id_ = 1;
  std::unordered_map<std::uint64_t, ExchangePtr> waiting_;
};

}  // namespace carillon
