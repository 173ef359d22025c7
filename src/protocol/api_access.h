// Who may use what is not for every client: the HTTP API, and webhooks without a secret. A value; any thread.
//
// With an API key configured: who shows it (`Authorization: Bearer`). Without: clients on this machine, asking for this
// machine. A browser on this machine may run pages from anywhere, so a page must be of this machine too or of an allowed
// origin, and the request must name this machine as its host (else a page reaches us by a name that it lets point here).
#pragma once

#include <string>
#include <vector>

#include "carillon/result.h"
#include "protocol/exchange.h"

namespace carillon {

class ApiAccess {
 public:
  explicit ApiAccess(std::string api_key = {}, std::vector<std::string> origins = {})
      : api_key_(std::move(api_key)), origins_(std::move(origins)) {}

  bool has_key() const { return !api_key_.empty(); }

  // Errors: kUnauthorized (the key is missing or wrong), kForbidden (no key is configured and the request comes from
  // elsewhere).
  Result<void> check(const Exchange& exchange) const;

  // Whether the request shows the key; false when none is configured. Takes the same time for every wrong key of one length.
  bool shows_key(const HttpRequest& request) const;
  bool is_key(std::string_view shown) const;

 private:
  bool is_allowed_origin(std::string_view origin) const;

  std::string api_key_;
  std::vector<std::string> origins_;
};

}  // namespace carillon
