// A publication as a Phoenix broadcast. Any thread.
#pragma once

#include <string>
#include <string_view>

#include "carillon/server_options.h"
#include "hub/publication.h"
#include "protocol/phoenix/phoenix_codec.h"

namespace carillon {

// How a client wants its broadcasts.
struct PhoenixForm {
  PhoenixVersion version = PhoenixVersion::kV2;
  EventNames names = EventNames::kUnderscore;
  bool binary_link = false;  // The link carries binary frames; a long-poll does not.
  // A broadcast with a position has it as its ref: "<epoch>:<offset>". Not where the frame is binary, which has no ref.
  bool positions = false;
  friend bool operator==(const PhoenixForm&, const PhoenixForm&) = default;
};

// What tells a client that it lost something.
inline constexpr std::string_view kPhoenixGapEvent = "gap";

// Whether a client would take the event for the protocol's own or this server's: phx_*, presence_state, presence_diff,
// presence_stats, gap, chan_reply_* (by which phoenix.js hands replies to the pushes that wait for them), and heartbeat on the
// topic `phoenix`.
bool is_phoenix_own_event(std::string_view topic, std::string_view event);

// The event that stands in for those.
inline constexpr std::string_view kPhoenixStandInEvent = "message";

// Appends one broadcast on the publication's channel and says of which kind it is.
//  - A JSON object is the payload, byte for byte; any other JSON is wrapped: {"data":…}.
//  - CBOR and bytes are a binary frame where form and link have one, else {"data":"<Base64>","encoding":"base64"}. So is what
//    is too long for a binary frame.
//  - An event that would be taken for the protocol's own is a `message`: {"event":"phx_close","data":…}, with `encoding` as
//    above.
MessageKind append_phoenix_broadcast(std::string& out, const Publication& publication, const PhoenixForm& form);
// Of which kind it will be.
MessageKind phoenix_broadcast_kind(const Publication& publication, const PhoenixForm& form);

}  // namespace carillon
