#include "protocol/phoenix/phoenix_state_frames.h"

#include "protocol/phoenix/phoenix_codec.h"
#include "protocol/phoenix/phoenix_presence.h"

namespace carillon {

FramePtr PhoenixStateFrames::frame(const PresenceState& state, const Reader& reader, Link& link) {
  if (payload_.empty() || channel_ != state.channel || version_ != state.version) {
    clear();
    channel_ = state.channel;
    version_ = state.version;
    payload_ = phoenix_presence_state(state.entries);
    loop_.schedule(forget_, Millis{0});
  }
  for (const Made& made : made_) {
    if (made.framed == reader.framed && made.join_ref == reader.join_ref) return made.frame;
  }
  FramePtr frame =
      link.frame(phoenix_push(reader.version, reader.join_ref, state.channel, "presence_state", payload_), MessageKind::kText);
  if (made_.size() < kFramesMax) made_.push_back({reader.framed, std::string(reader.join_ref), frame});
  return frame;
}

void PhoenixStateFrames::clear() {
  payload_ = {};
  made_.clear();
}

}  // namespace carillon
