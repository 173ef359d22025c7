#include "server/part_options.h"

#include <algorithm>

#include "server/redis_url.h"

namespace carillon {

HubOptions hub_options(const ServerOptions& options, const ChannelRules& rules) {
  return {.subscriptions_per_session_max = options.limits.subscriptions_per_client,
          .outbox_bytes_max = options.limits.outbox_bytes,
          .slow_consumer = options.limits.slow_consumer,
          .outbox_memory_bytes = options.limits.outbox_memory_bytes,
          .recover_publications_max = options.limits.recover_publications_max,
          .presence_period = Millis(options.presence.period),
          .presence_list_max = options.presence.list_max,
          .presence_meta_bytes_max = options.presence.meta_bytes,
          .presence_lease = Millis(options.presence.lease),
          .is_synced_channel = [&rules](std::string_view channel) {
            return rules.find(channel).durability == PublishDurability::kSync;
          }};
}

namespace {

std::function<HistoryRule(std::string_view)> history_rules(const ChannelRules& rules) {
  return [&rules](std::string_view channel) {
    const ChannelRule& rule = rules.find(channel);
    const Durability durability = rule.durability == PublishDurability::kSync       ? Durability::kSync
                                  : rule.durability == PublishDurability::kInterval ? Durability::kInterval
                                                                                    : Durability::kNone;
    return HistoryRule{.count_max = rule.history_count,
                       .age_max_ms = rule.history_age.count(),
                       .bytes_max = rule.history_bytes,
                       .durability = durability};
  };
}

}  // namespace

// Beside the log, the memory engine takes what is not kept.
MemoryEngineOptions memory_engine_options(const ServerOptions& options, const ChannelRules& rules) {
  MemoryEngineOptions memory{.history_bytes_max = options.engine.history_bytes_max,
                             .idempotency_ms = options.engine.idempotency_time.count(),
                             .idempotency_keys_max = options.engine.idempotency_keys_max,
                             .channels_max = options.engine.channels_max};
  if (options.engine.kind == "memory") memory.rule_for = history_rules(rules);
  return memory;
}

LogEngineOptions log_engine_options(const ServerOptions& options, const ChannelRules& rules) {
  const EngineOptions& engine = options.engine;
  return {.store = {.directory = engine.data_dir,
                    .cache_bytes = engine.cache_bytes,
                    .write_buffer_bytes = engine.write_buffer_bytes},
          .writer = {.idempotency_ms = engine.idempotency_time.count(),
                     .channels_max = engine.channels_max,
                     .sync_interval_ms = engine.sync_interval.count()},
          .rule_for = history_rules(rules)};
}

RedisOptions redis_engine_options(const ServerOptions& options, const ChannelRules& rules) {
  RedisOptions redis = *redis_connection(options.redis);
  redis.idempotency_ms = options.engine.idempotency_time.count();
  redis.rule_for = history_rules(rules);
  return redis;
}

PhoenixTopicRules phoenix_topic_rules(const ChannelRules& rules) {
  return [&rules](std::string_view channel) {
    const ChannelRule& rule = rules.find(channel);
    return PhoenixTopicRule{.to_others = rule.push == PushTarget::kOthers, .presence = rule.presence};
  };
}

EdgeOptions edge_options(const ServerOptions& options, std::size_t connections_possible) {
  const LimitsOptions& limits = options.limits;
  return {.http = {.head_bytes = limits.head_bytes, .header_count = limits.header_count, .body_bytes = limits.body_bytes},
          .request_time = Millis(limits.request_time),
          .keep_alive_time = Millis(limits.keep_alive_time),
          .stall_time = Millis(limits.stall_time),
          .connections_max =
              limits.connections_max == 0 ? connections_possible : std::min(limits.connections_max, connections_possible),
          .message_bytes_max = limits.message_bytes,
          .ping_interval = Millis(options.websocket.ping_interval),
          .idle_time = Millis(options.websocket.idle_time),
          .close_time = Millis(options.websocket.close_time),
          .room_time = std::min({Millis(options.infotainer.ping_interval), Millis(options.infotainer.idle_time),
                                 Millis(options.routes.ping_interval), Millis(options.routes.pong_time)}),
          .compression = options.websocket.compression,
          .compress_from = options.websocket.compression_bytes_min};
}

// A poll is held by the other node for as long as that is told to, which is taken to be told what this one is; what waits for a
// client may grow when it is written as text within text.
HttpCallerOptions node_caller_options(const ServerOptions& options) {
  constexpr Millis kSlack{15'000};
  constexpr std::size_t kBytesOfText = 6;
  const Millis hold =
      std::max({Millis(options.bayeux.timeout), Millis(options.bayeux.timeout_max), Millis(options.phoenix.poll_window)});
  HttpCallerOptions caller;
  caller.call_time = hold + kSlack;
  caller.idle_time = std::min(caller.idle_time, Millis(options.limits.keep_alive_time) / 2);
  caller.response_bytes_max = std::max(caller.response_bytes_max, kBytesOfText * options.limits.outbox_bytes);
  return caller;
}

}  // namespace carillon
