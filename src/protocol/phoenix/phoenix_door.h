// PhoenixDoor: who may open a Phoenix connection, on any transport, and how they want to be spoken to. One per loop.
#pragma once

#include <string>

#include "base/log_limit.h"
#include "base/loop.h"
#include "carillon/server_options.h"
#include "protocol/identify.h"
#include "protocol/phoenix/phoenix_broadcast.h"

namespace carillon {

// The token that a client of Phoenix 1.8 shows as `authToken`: on a WebSocket as a subprotocol
// `base64url.bearer.phx.<token in Base64>` (of either alphabet, padded or not: phoenix.js writes the standard one, unpadded),
// on a long-poll as the header X-Phoenix-AuthToken. Empty: none. The error is kUnauthorized: it is no Base64.
Result<std::string> phoenix_auth_token(const HttpRequest& request);

struct PhoenixOpening {
  PhoenixForm form;
  IdentityPtr identity;
  std::string user_agent;
  std::string presence_key;  // The query's `presence_key`.
};

class PhoenixDoor {
 public:
  PhoenixDoor(Loop& loop, Identify identify, EventNames names) : loop_(loop), identify_(std::move(identify)), names_(names) {}

  // The query's `vsn` chooses the serializer, `positions=true` has broadcasts carry theirs. An error is logged, at most once a
  // second; the client is told no more than 403.
  Result<PhoenixOpening> open(const Exchange& exchange);

 private:
  Result<PhoenixOpening> look(const Exchange& exchange) const;

  Loop& loop_;
  const Identify identify_;
  const EventNames names_;
  LogLimit log_;
};

}  // namespace carillon
