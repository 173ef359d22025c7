#include "feature/api/api_answers.h"

#include <algorithm>

#include "hub/epoch_text.h"
#include "hub/session_text.h"
#include "protocol/event_json.h"
#include "protocol/http_error.h"
#include "wire/json/json_writer.h"

namespace carillon {
namespace {

void write_position(JsonWriter& writer, const std::optional<Position>& position) {
  if (position) writer.key("epoch").string(epoch_text(position->epoch)).key("offset").number(position->offset);
}

}  // namespace

void append_outcome_members(std::string& out, std::string_view channel, const Result<Receipt>& outcome) {
  JsonWriter writer(out);
  if (!channel.empty()) writer.key("channel").string(channel);
  if (!outcome) {
    writer.key("error");
    append_error_json(out, outcome.error());
    return;
  }
  write_position(writer, outcome->position);
  writer.key("id").string(outcome->id.text());
  if (outcome->repeated) writer.key("repeated").boolean(true);
}

std::string history_json(const std::string& channel, const HistoryPage& page, EventNames names, std::size_t bytes_max) {
  std::string events;
  std::size_t count = 0;
  for (const PublicationPtr& publication : page.publications) {
    const std::size_t begin = events.size();
    if (count > 0) events += ',';
    append_event_json(events, *publication, names);
    if (count > 0 && events.size() > bytes_max) {
      events.resize(begin);
      break;
    }
    ++count;
  }
  std::string out;
  out.reserve(events.size() + 256);
  JsonWriter writer(out);
  writer.begin_object().key("channel").string(channel);
  write_position(writer, page.top);
  writer.key("complete").boolean(page.complete).key("more").boolean(page.more || count < page.publications.size());
  writer.key("events").begin_array();
  if (count > 0) writer.raw(events);
  writer.end_array().end_object();
  return out;
}

std::string channel_json(const Hub::ChannelInfo& channel) {
  std::string out;
  JsonWriter writer(out);
  writer.begin_object().key("channel").string(channel.record.name).key("subscribers").number(channel.subscribers);
  write_position(writer, channel.record.top);
  writer.key("history").number(channel.record.history_count).end_object();
  return out;
}

std::string channels_json(const std::vector<Hub::ChannelInfo>& channels, std::size_t page_size) {
  std::string out;
  JsonWriter writer(out);
  writer.begin_object().key("channels").begin_array();
  const std::size_t count = std::min(channels.size(), page_size);
  for (std::size_t i = 0; i < count; ++i) writer.raw(channel_json(channels[i]));
  writer.end_array();
  if (count < channels.size()) writer.key("next").string(channels[count - 1].record.name);
  writer.end_object();
  return out;
}

std::string session_json(const SessionInfo& session) {
  std::string out;
  JsonWriter writer(out);
  writer.begin_object().key("id").string(session_text(session.id)).key("protocol").string(session.protocol);
  writer.key("user").string(session.user).key("verified").boolean(session.verified);
  writer.key("peer").string(session.peer).key("user_agent").string(session.user_agent);
  writer.key("connected_at").number(session.connected_at_ms / 1000).key("subscriptions").number(session.subscriptions);
  writer.key("outbox_bytes").number(session.outbox_bytes).end_object();
  return out;
}

std::string sessions_json(const std::vector<SessionInfo>& sessions, std::size_t page_size) {
  std::string out;
  JsonWriter writer(out);
  writer.begin_object().key("sessions").begin_array();
  const std::size_t count = std::min(sessions.size(), page_size);
  for (std::size_t i = 0; i < count; ++i) writer.raw(session_json(sessions[i]));
  writer.end_array();
  if (count < sessions.size()) writer.key("next").string(session_text(sessions[count - 1].id));
  writer.end_object();
  return out;
}

std::string presence_json(const PresenceState& state, PresenceSessions sessions) {
  std::string out;
  JsonWriter writer(out);
  writer.begin_object().key("channel").string(state.channel);
  out += ',';
  append_presence_state(out, state, sessions);
  writer.end_object();
  return out;
}

std::string presence_stats_json(const std::string& channel, const PresenceCounts& counts) {
  std::string out;
  JsonWriter writer(out);
  writer.begin_object().key("channel").string(channel);
  out += ',';
  append_presence_counts(out, counts);
  writer.end_object();
  return out;
}

std::string info_json(const ApiFacts& facts, std::int64_t now_unix_ms) {
  std::string out;
  JsonWriter writer(out);
  writer.begin_object().key("server").string("carillon").key("version").string(facts.version);
  writer.key("uptime_seconds").number(std::max<std::int64_t>(0, now_unix_ms - facts.started_unix_ms) / 1000);
  writer.key("loops").number(facts.loops).key("engine").string(facts.engine);
  writer.key("protocols").begin_array();
  for (const auto& [name, path] : facts.protocols) {
    writer.begin_object().key("name").string(name).key("path").string(path).end_object();
  }
  writer.end_array();
  const LimitsOptions& limits = facts.limits;
  writer.key("limits").begin_object();
  writer.key("connections_max").number(limits.connections_max);
  writer.key("subscriptions_per_client").number(limits.subscriptions_per_client);
  writer.key("message_bytes").number(limits.message_bytes).key("body_bytes").number(limits.body_bytes);
  writer.key("outbox_bytes").number(limits.outbox_bytes).key("outbox_memory_bytes").number(limits.outbox_memory_bytes);
  writer.key("history_page_max").number(limits.history_page_max);
  writer.key("recover_publications_max").number(limits.recover_publications_max);
  writer.key("batch_max").number(limits.batch_max).end_object();
  writer.end_object();
  return out;
}

std::string stats_json(const HubStats& stats) {
  std::string out;
  JsonWriter writer(out);
  writer.begin_object().key("current_connections").number(stats.sessions);
  writer.key("total_connections").number(stats.connections_total);
  writer.key("total_subscriptions").number(stats.subscriptions_total);
  writer.key("total_events").number(stats.publications_total).end_object();
  return out;
}

}  // namespace carillon
