// The routes protocol's room: requests and events as JSON over WebSocket. One per loop.
#pragma once

#include <string>

#include "protocol/exchange.h"
#include "protocol/identify.h"
#include "protocol/routes/routes_dialog.h"

namespace carillon {

class RoutesRoom {
 public:
  RoutesRoom(Shard& shard, Identify identify, RoutesCommon& common) : desk_(shard, common), identify_(std::move(identify)) {}

  // The path as it is configured, and with a slash behind it.
  void add_routes(Routes& routes);
  RoutesDesk& desk() { return desk_; }

 private:
  void accept(ExchangePtr exchange);
  // Who asks, by what was shown. Errors: kUnauthorized, kInvalid.
  Result<IdentityPtr> identify(const Exchange& exchange, const ShownToken& shown, RouteUser& user);
  void open(ExchangePtr exchange, RoutesStart start);

  RoutesDesk desk_;
  const Identify identify_;
};

// What a token's claims say of its user, a JSON object or empty.
RouteUser routes_user(const Identity* identity);

}  // namespace carillon
