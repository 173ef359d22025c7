// Makes tokens that a server with these options takes. For `carillon token`, and tests; any thread.
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "carillon/result.h"
#include "carillon/server_options.h"

namespace carillon {

struct TokenCall {
  std::string user;
  Milliseconds lifetime = std::chrono::hours(1);
  // More claims: a name and its value as JSON. `iss` and `aud` stand for those of the options.
  std::vector<std::pair<std::string, std::string>> claims;
};

// Signed with the first of the options' secrets. Errors, kInvalid: there is none, it is too short, a claim is no JSON or has
// its value from elsewhere, the server would not take the token.
Result<std::string> make_token(const AuthOptions& options, const TokenCall& call, std::int64_t now_unix_ms);

}  // namespace carillon
