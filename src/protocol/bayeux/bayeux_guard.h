// BayeuxGuard: who may handshake, create, subscribe and publish, as the configuration's authorizers and the embedding program
// want it. The channel rules ([[channels]]) are the hub's policy, and come on top. Immutable; any thread.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "carillon/bayeux.h"
#include "carillon/server_options.h"

namespace carillon {

// What is said to a client. `error` empty: it may; else an error string ("403:denied_by_not_granting:subscribe_denied"). The
// rest is what the policy wants added to the reply, whether it may or not.
struct BayeuxPermission {
  std::string error;
  std::string advice;
  std::string ext;
};

class BayeuxGuard {
 public:
  // Patterns have been checked (server/check_bayeux.h). The hooks outlive it.
  BayeuxGuard(std::vector<BayeuxAuthorizerRule> rules, const BayeuxHooks& hooks) : rules_(std::move(rules)), hooks_(hooks) {}

  // Whether anybody is to be asked at all.
  bool asks() const { return hooks_.policy || !rules_.empty() || !hooks_.authorizers.empty(); }
  BayeuxVerdict may_handshake(const BayeuxHandshake& handshake) const;
  // The order: the program's policy, then all authorizers that have a say: those of the configuration, then the program's.
  BayeuxPermission may(const BayeuxQuestion& question) const;

 private:
  std::string ask_authorizers(const BayeuxQuestion& question) const;

  const std::vector<BayeuxAuthorizerRule> rules_;
  const BayeuxHooks& hooks_;
};

// Patterns and wildcards are names, `/a/*` and `/a/**`. Service channels lie below `/**` too.

// Whether everything that `narrow`, a name or wildcard, stands for is something that `wide` stands for.
bool bayeux_pattern_covers(std::string_view wide, std::string_view narrow);

// Whether there is a name that both stand for: so a pattern has a say on `asked`. Who subscribes to `/a/**` could hear `/a/b`,
// so what is said of `/a/b` counts.
bool bayeux_pattern_has_say(std::string_view pattern, std::string_view asked);

}  // namespace carillon
