// Audience: the sessions of one loop that hear one selector.
#pragma once

#include <cstdint>

#include "hub/member_log.h"
#include "hub/selector.h"

namespace carillon {

class Session;

enum Watch : std::uint32_t {
  kNotWatching,
  kStateWanted,  // Hears nothing until it has been told who is there.
  kWatching,
  kStateLost,  // A diff was dropped because it reads too slowly; told anew who is there when there is room.
};

struct Member {
  Session* session;             // Null: left.
  std::uint32_t slot : 30;      // Its place among the session's subscriptions.
  std::uint32_t watch : 2 = 0;  // A Watch: whether it hears who comes and goes.
  // Not 0: the Join that is still reading what the member missed; publications are held there for it.
  std::uint32_t join = 0;

  bool left() const { return session == nullptr; }
  void leave(std::uint64_t) { session = nullptr; }
  void prefetch() const { __builtin_prefetch(session); }
};

struct Audience {
  Selector selector;
  MemberLog<Member> members;
  std::uint32_t joining = 0;  // Members with a join.
  bool unsettled = false;     // Members left while members were walked: the shard settles it after the walk.
};

}  // namespace carillon
