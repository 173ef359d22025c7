// Identify: who is behind a request. The seam between transport's requests and the hub's identities; server/ provides it.
//
// A client shows who it is by a token, or by the API key. Where one is looked for, in this order: what the room found by itself
// (a subprotocol, a header of the protocol's own), `Authorization: Bearer`, the query's `token`, `access_token` or
// `authentication`. The query is
// for those who cannot set headers; it is never logged, and the API key is not taken there.
#pragma once

#include <functional>
#include <string>
#include <string_view>

#include "carillon/result.h"
#include "hub/publication.h"
#include "protocol/exchange.h"

namespace carillon {

// On the exchange's loop; answers at once. `token`: what the room found; empty: look in the request. Null: anonymous.
// Errors: kUnauthorized (what is shown does not hold, or something must be shown), kInvalid; answered by refused_identity.
using Identify = std::function<Result<IdentityPtr>(const Exchange&, std::string_view token)>;

struct ShownToken {
  std::string text;  // Empty: none was shown.
  bool in_query = false;
};
ShownToken shown_token(const HttpRequest& request, std::string_view token = {});

// The answer to a client that Identify refused: 401 with the error, and where a token was shown, that it is no good (RFC 6750,
// section 3).
HttpResponse refused_identity(const Error& error, const HttpRequest& request, std::string_view token = {});

}  // namespace carillon
