// Identify: who is behind a request. The seam between transport's requests and the hub's identities; server/ provides it.
#pragma once

#include <functional>

#include "hub/publication.h"
#include "protocol/exchange.h"

namespace carillon {

// On the exchange's loop; answers at once. Null: anonymous.
using Identify = std::function<IdentityPtr(const Exchange&)>;

}  // namespace carillon
