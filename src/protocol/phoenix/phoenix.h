// The Phoenix room: Phoenix Channels over WebSocket, as phoenix.js and the other Channels clients speak them. One per loop.
#pragma once

#include "protocol/exchange.h"
#include "protocol/phoenix/phoenix_dialog.h"
#include "protocol/phoenix/phoenix_door.h"

namespace carillon {

struct PhoenixParts {
  Shard& shard;
  Identify identify;
  PhoenixTopicRules rule_for;
  ChannelTextOptions text_options;
};

class PhoenixRoom {
 public:
  PhoenixRoom(PhoenixParts parts, const PhoenixOptions& options);

  void add_routes(Routes& routes);

 private:
  void accept(ExchangePtr exchange);

  PhoenixShared shared_;
  PhoenixEncodings encodings_;
  PhoenixDoor door_;
  const PhoenixOptions options_;
};

}  // namespace carillon
