// The bodies of the HTTP API's routes that end what clients have: their subscriptions to a channel, or themselves. No hub, no
// exchange; errors as in body_fields.h. One thread.
#pragma once

#include <string>
#include <string_view>
#include <variant>

#include "carillon/result.h"
#include "hub/hub.h"
#include "wire/guts/canonical_channel.h"
#include "wire/json/json_slicer.h"

namespace carillon {

class SteerReader {
 public:
  explicit SteerReader(ChannelTextOptions channels) : channels_(channels) {}

  // {"channel","reason"?,"crash"?}
  Result<Hub::CloseChannel> read_close(std::string_view body);

  struct Disconnect {
    std::variant<std::string, SessionId> whom;  // A user, or one session.
    std::string reason;
  };
  // {"user","reason"?} or {"session","reason"?}
  Result<Disconnect> read_disconnect(std::string_view body);

 private:
  const ChannelTextOptions channels_;
  JsonSlicer body_;
};

}  // namespace carillon
