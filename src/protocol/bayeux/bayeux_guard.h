// BayeuxGuard: who may handshake, create, subscribe and publish, as the configuration's authorizers and the embedding program
// want it. The channel rules ([[channels]]) are the hub's policy, and come on top. Immutable; any thread.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "carillon/bayeux.h"
#include "carillon/server_options.h"

namespace carillon {

// What is said to a client: empty: it may. Else an error string ("403:denied_by_not_granting:subscribe_denied") and what the
// policy wants added to the reply.
struct BayeuxPermission {
  std::string error;
  std::string advice;
  std::string ext;
};

class BayeuxGuard {
 public:
  // Patterns have been checked (check_options for the configuration's). The hooks outlive it.
  BayeuxGuard(std::vector<BayeuxAuthorizerRule> rules, const BayeuxHooks& hooks);

  BayeuxVerdict may_handshake(const BayeuxHandshake& handshake) const;
  // The order: the program's policy, then all authorizers that have a say.
  BayeuxPermission may(const BayeuxQuestion& question) const;

 private:
  BayeuxAnswer judge(const BayeuxAuthorizerRule& rule, const BayeuxQuestion& question) const;

  const std::vector<BayeuxAuthorizerRule> rules_;
  const BayeuxHooks& hooks_;
};

// Whether a pattern has a say on a channel or wildcard.
bool bayeux_pattern_covers(std::string_view pattern, std::string_view channel);

}  // namespace carillon
