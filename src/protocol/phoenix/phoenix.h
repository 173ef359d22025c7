// The Phoenix room: Phoenix Channels over WebSocket and long-poll, as phoenix.js and the other Channels clients speak them. One
// per loop.
#pragma once

#include "protocol/exchange.h"
#include "protocol/phoenix/phoenix_dialog.h"
#include "protocol/phoenix/phoenix_polls.h"

namespace carillon {

struct PhoenixParts {
  Shard& shard;
  Random& random;
  Identify identify;
  PhoenixTopicRules rule_for;
  std::function<bool(const HttpRequest&)> may_use_origin;  // For long-polls; WebSockets are transport's.
  ChannelTextOptions text_options;
  std::size_t message_bytes_max = 1 << 20;
  PhoenixSiblings& siblings;     // Over all loops. Outlives the room.
  NodeForward* nodes = nullptr;  // Null: there is one node. Ends behind the room.
};

class PhoenixRoom {
 public:
  // Before the loops run.
  PhoenixRoom(PhoenixParts parts, const PhoenixOptions& options);

  void add_routes(Routes& routes);

 private:
  void accept(ExchangePtr exchange);

  PhoenixShared shared_;
  PhoenixEncodings encodings_;
  PhoenixDoor door_;
  PhoenixPolls polls_;
  const PhoenixOptions options_;
};

}  // namespace carillon
