#include "protocol/bayeux/bayeux_timesync.h"

#include <cmath>
#include <cstdlib>

namespace carillon {
namespace {

// Beyond it a client is told, within it left alone.
constexpr std::int64_t kNearMs = 25;
constexpr double kMost = 9007199254740992.0;  // 2^53: what JavaScript counts exactly.

std::optional<std::int64_t> milliseconds(const JsonSpan* span) {
  if (span == nullptr || span->type != JsonType::kNumber) return std::nullopt;
  const std::optional<double> value = json_double(span->text);
  if (!value || std::abs(*value) > kMost) return std::nullopt;
  return static_cast<std::int64_t>(*value);
}

}  // namespace

std::optional<BayeuxTimesync> read_timesync(std::string_view timesync_json, std::int64_t arrived_ms) {
  JsonSlicer slicer;
  const Result<JsonDocument> document = slicer.slice(timesync_json);
  if (!document || document->root.type != JsonType::kObject) return std::nullopt;
  const std::optional<std::int64_t> client_ms = milliseconds(document->find("tc"));
  if (!client_ms) return std::nullopt;
  return BayeuxTimesync{.client_ms = *client_ms,
                        .lag = milliseconds(document->find("l")),
                        .offset = milliseconds(document->find("o")).value_or(0),
                        .arrived_ms = arrived_ms};
}

std::string timesync_reply(const BayeuxTimesync& asked, std::int64_t now_ms) {
  const std::int64_t accuracy = asked.client_ms + asked.offset + asked.lag.value_or(0) - asked.arrived_ms;
  if (asked.lag && *asked.lag != 0 && std::abs(accuracy) < kNearMs) return {};
  std::string out;
  JsonWriter json(out);
  json.begin_object().key("tc").number(asked.client_ms).key("ts").number(asked.arrived_ms);
  json.key("p").number(now_ms - asked.arrived_ms);
  if (asked.lag) json.key("a").number(accuracy);
  json.end_object();
  return out;
}

}  // namespace carillon
