// PhoenixStateFrames: the presence_state of a channel as frames, so that those who join in one turn share them. One per loop.
//
// A state is told to all who wait for it in one go. What was made is forgotten at the next turn, and beyond a few frames none
// is kept.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/loop.h"
#include "hub/frame.h"
#include "hub/presence.h"
#include "protocol/link.h"
#include "protocol/phoenix/phoenix_version.h"

namespace carillon {

class PhoenixStateFrames {
 public:
  explicit PhoenixStateFrames(Loop& loop) : loop_(loop), forget_([this] { clear(); }) {}

  // For whom. Equal framings are one object (Link::framed).
  struct Reader {
    PhoenixVersion version;
    const Encoding* framed;
    std::string_view join_ref;
  };
  FramePtr frame(const PresenceState& state, const Reader& reader, Link& link);

 private:
  static constexpr std::size_t kFramesMax = 8;
  struct Made {
    const Encoding* framed;
    std::string join_ref;
    FramePtr frame;
  };

  void clear();

  Loop& loop_;
  CallbackTimer forget_;
  std::string channel_;
  std::uint64_t version_ = 0;
  std::string payload_;  // Empty: nothing was made.
  std::vector<Made> made_;
};

}  // namespace carillon
