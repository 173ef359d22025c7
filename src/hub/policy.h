// Policy: may this identity do this here? Asked on any loop; answers at once and keeps no session state.
#pragma once

#include <string_view>

#include "carillon/result.h"
#include "hub/publication.h"
#include "hub/selector.h"

namespace carillon {

class Policy {
 public:
  virtual ~Policy() = default;
  // Errors: kUnauthorized (identify first) or kForbidden, with a text for the client.
  // A selector of more than one channel: allowed only where each of them, also one that does not exist yet, would be.
  virtual Result<void> may_subscribe(const Identity& identity, const Selector& selector) const = 0;
  virtual Result<void> may_publish(const Identity& identity, std::string_view channel) const = 0;
  virtual Result<void> may_read_history(const Identity& identity, std::string_view channel) const = 0;
  // Being present and hearing who is. kForbidden also where the channel has no presence.
  virtual Result<void> may_see_presence(const Identity& identity, std::string_view channel) const = 0;
};

}  // namespace carillon
