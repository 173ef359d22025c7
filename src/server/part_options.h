// What each part of a server is told of the server's options. Pure functions, any thread.
#pragma once

#include <cstddef>

#include "carillon/server_options.h"
#include "engine/log/log_engine.h"
#include "engine/memory/memory_engine.h"
#include "engine/redis/redis_options.h"
#include "hub/hub.h"
#include "protocol/phoenix/phoenix_dialog.h"
#include "server/channel_rules.h"
#include "transport/edge.h"
#include "transport/http_caller.h"

namespace carillon {

// `rules` outlives the hub.
HubOptions hub_options(const ServerOptions& options, const ChannelRules& rules);
// The rules must outlive the engine.
MemoryEngineOptions memory_engine_options(const ServerOptions& options, const ChannelRules& rules);
LogEngineOptions log_engine_options(const ServerOptions& options, const ChannelRules& rules);
// The rules must outlive the engine. The options have been checked.
RedisOptions redis_engine_options(const ServerOptions& options, const ChannelRules& rules);
// The rules must outlive the function.
PhoenixTopicRules phoenix_topic_rules(const ChannelRules& rules);
// `connections_possible`: what the system allows at most.
EdgeOptions edge_options(const ServerOptions& options, std::size_t connections_possible);
// How nodes ask each other (transport/node_forwarder.h).
HttpCallerOptions node_caller_options(const ServerOptions& options);

}  // namespace carillon
