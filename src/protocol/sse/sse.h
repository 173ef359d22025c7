// The room of server-sent events (WHATWG HTML, section 9.2): GET /api/events?channel=…, repeatable. One per loop.
#pragma once

#include <vector>

#include "base/random.h"
#include "protocol/exchange.h"
#include "protocol/identify.h"
#include "protocol/native_channels.h"
#include "protocol/sse/sse_dialog.h"

namespace carillon {

class SseRoom {
 public:
  SseRoom(Shard& shard, Random& random, Identify identify, const SseOptions& options, EventNames names,
          ChannelTextOptions text_options);

  void add_routes(Routes& routes);

 private:
  void accept(ExchangePtr exchange);

  Shard& shard_;
  Random& random_;
  const Identify identify_;
  const SseOptions options_;
  const EventNames names_;
  const ChannelTextOptions text_options_;
  const SseEncoding underscore_{EventNames::kUnderscore};
  const SseEncoding dotted_{EventNames::kDotted};
};

}  // namespace carillon
