// Refuses Bayeux options that contradict themselves, and hooks that name no channels. Any thread.
#pragma once

#include "carillon/bayeux.h"
#include "carillon/result.h"
#include "carillon/server_options.h"
#include "protocol/bayeux/bayeux_channel.h"

namespace carillon {

// What the options and rules of Bayeux say, apart from the ranges of single settings and from paths (check_options.h).
Result<void> check_bayeux(const ServerOptions& options);

// The patterns of a program's authorizers and services; each needs its function too.
Result<void> check_bayeux_hooks(const BayeuxHooks& hooks, const BayeuxOptions& options);

BayeuxAlphabet bayeux_alphabet(const BayeuxOptions& options);

}  // namespace carillon
