// The calls of the HTTP API that our commands make, with JSON in and out as texts of one line. One thread.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "carillon/result.h"
#include "client/http_client.h"

namespace carillon {

// A position in a channel as texts and JSON show it. The epoch is hexadecimal and only compared.
struct ClientPosition {
  std::string epoch;
  std::uint64_t offset = 0;
  friend bool operator==(const ClientPosition&, const ClientPosition&) = default;
};

// "EPOCH:OFFSET", and back.
Result<ClientPosition> parse_position(std::string_view text);
std::string position_text(const ClientPosition& position);

// Says where a text is no JSON, or nothing.
Result<void> check_json(std::string_view text);
// The text as a JSON string.
std::string json_text_of(std::string_view text);
// A JSON text without line ends, which stand between its tokens only.
std::string one_line(std::string_view json);

// What a refusal says: the message of {"error":{"message":…}} or {"error":"…"}, else the status's name.
std::string refusal_text(const HttpResponse& response);

struct PublishCall {
  std::string channel;
  std::string event;
  std::string data;             // One JSON text, checked.
  std::string idempotency_key;  // Empty: none.
};

struct HistoryCall {
  std::string channel;
  std::size_t count_max = 100;
  std::optional<ClientPosition> since;
  bool reverse = false;
};

struct HistoryAnswer {
  std::vector<std::string> events;  // JSON objects, one line each.
  bool complete = true;             // With `since`: nothing is missing between it and the first event.
};

struct PresentMember {
  std::string key;
  std::int64_t online_at_ms = 0;
  std::string session;  // Empty: the server does not show it to us.
  std::string meta;     // A JSON object, one line, or empty.
};

struct PresenceAnswer {
  std::string body;  // All of it, as one line of JSON.
  std::uint64_t users = 0;
  std::uint64_t members = 0;
  std::vector<PresentMember> present;  // In the server's order; none where only the counts were asked for.
};

class HubClient {
 public:
  HubClient(ClientUrl url, HttpClientOptions options) : http_(std::move(url), std::move(options)) {}

  // The receipt. Refusals of the server have the kind that fits its status, and its words.
  Result<std::string> publish(const PublishCall& call);
  // As many pages as it takes.
  Result<HistoryAnswer> history(HistoryCall call);
  Result<PresenceAnswer> presence(std::string_view channel);
  // The answer alone, unread.
  Result<std::string> presence_body(std::string_view channel);
  Result<PresenceAnswer> presence_stats(std::string_view channel);

 private:
  HttpClient http_;
};

}  // namespace carillon
