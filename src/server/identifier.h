// Identifier: who is behind a request, as the options want it told: by the API key, by a token, by being on this machine, or by
// what a client calls itself.
//
// What is shown decides: who shows a token is that user and no more, wherever it comes from. Immutable after it was made, but
// for what `access` and `clock` are; any thread. Both outlive it.
#pragma once

#include <memory>
#include <string_view>

#include "base/clock.h"
#include "carillon/server_options.h"
#include "protocol/api_access.h"
#include "protocol/identify.h"
#include "wire/signing/jwt.h"

namespace carillon {

struct IdentifierOptions {
  JwtRules jwt;  // Without secrets, tokens are not looked at.
  bool require_token = false;
  bool take_claimed_users = false;
  // Who is on this machine is trusted, where neither a key nor secrets are there to be shown. A proxy on this machine would
  // make everybody look so: hence not where secrets are.
  bool trust_this_machine = false;
  bool only_this_machine = false;  // Nobody else can reach the server.
};
IdentifierOptions identifier_options(const ServerOptions& options, bool on_loopback);

class Identifier {
 public:
  Identifier(IdentifierOptions options, const ApiAccess& access, const Clock& clock);

  // As Identify. Errors: kUnauthorized, kInvalid (the parameter `user` is no user's name).
  Result<IdentityPtr> identify(const Exchange& exchange, std::string_view token) const;

 private:
  Result<IdentityPtr> read_token(std::string_view token) const;
  Result<IdentityPtr> without_token(const Exchange& exchange) const;

  const IdentifierOptions options_;
  const ApiAccess& access_;
  const Clock& clock_;
  const IdentityPtr trusted_ = std::make_shared<const Identity>(Identity{.trusted = true});
};

}  // namespace carillon
