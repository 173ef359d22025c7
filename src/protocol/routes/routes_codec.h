// The routes protocol's bytes: requests in, envelopes out, and what of an envelope travels with a publication. No state but the
// reader's scratch; one thread at a time.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "carillon/routes.h"
#include "hub/presence.h"
#include "hub/publication.h"
#include "wire/json/json_slicer.h"

namespace carillon {

inline constexpr std::size_t kRouteBytesMax = 255;
inline constexpr std::size_t kRouteIdBytesMax = 256;  // As it is written, quotes included.

// The route of answers to what has none: no JSON, no route, a binary message.
inline constexpr std::string_view kRoutesErrorRoute = "/error";
inline constexpr std::string_view kRoutesErrorEvent = "error";

struct RoutesRequest {
  std::string_view route;
  std::string_view payload;  // Any JSON.
  std::string_view id;       // JSON text; empty: none.
};

class RoutesReader {
 public:
  // The views live until the next call, as the text does. Errors: kInvalid.
  Result<RoutesRequest> read(std::string_view message);
  // Of the last message as far as it was readable, for the answer to a bad one.
  std::string_view route() const { return request_.route; }
  std::string_view id() const { return request_.id; }

 private:
  JsonSlicer slicer_;
  std::string route_;
  RoutesRequest request_;
};

// "SenderOnly", "AllButSender", "All".
std::string_view send_method_text(SendMethod method);
std::optional<SendMethod> parse_send_method(std::string_view text);

// One envelope. What is JSON is written as it is.
struct RoutesEnvelope {
  std::string_view route;
  std::string_view event;
  std::string_view payload = "null";
  std::string_view sent_by = {};  // JSON; empty: null.
  std::string_view error = {};    // JSON; empty: null.
  SendMethod method = SendMethod::kSenderOnly;
  std::string_view position = {};  // JSON; empty: the key is not there.
  std::string_view id = {};        // Likewise.
};
void append_envelope(std::string& out, const RoutesEnvelope& envelope);

// {"code":"NOT_FOUND","message":"…"}
std::string routes_error_json(const RouteError& error);
// {"id":"…","name":"…"}; empty for nobody.
std::string sent_by_json(const RouteUser& user);

// What of a message the channel, the event and the payload of its publication do not say.
struct RoutesTags {
  std::string_view route;
  SendMethod method = SendMethod::kAll;
  std::string_view sent_by;  // JSON; empty: null.
  std::string_view error;    // JSON; empty: none.
  std::string_view id;       // JSON; empty: none.
};
Tags routes_tags(const RoutesTags& tags);

// What an envelope shows beyond what all do.
struct RoutesExtras {
  bool position = false;  // {"channel":…,"epoch":…,"offset":…}, where the publication has one.
  bool id = false;        // Of the request that it answers.
};
// Any publication as an envelope. One that comes from elsewhere has its channel's route (route_of_channel), is sent by its
// user, if there is one, and to all, or as it was delivered.
void append_publication_envelope(std::string& out, const Publication& publication, RoutesExtras extras);
// Event `presence` with {"joins":…,"leaves":…,"users":…,"members":…}, `presenceStats` with {"users":…,"members":…} and
// `presenceState` with {"users":…,"members":…,"presence":…}, as the native protocol writes them.
void append_presence_envelope(std::string& out, const PresenceUpdate& diff);
void append_presence_stats_envelope(std::string& out, std::string_view channel, const PresenceCounts& counts);
void append_presence_state_envelope(std::string& out, const PresenceState& state);

// "room:42" is "/room/42", "repo:alice/app" is "/repo/alice/app", "lobby" is "/lobby".
std::string route_of_channel(std::string_view channel);

// Channels as clients of this protocol write them: a UUID alone is a user's personal stream, "user:<uuid>"; all others are
// canonical. Errors: kInvalid.
Result<std::string> channel_of_routes(std::string_view text);
std::string_view routes_of_channel(std::string_view channel);
// Of a user who has an id.
std::string personal_channel(std::string_view user);

}  // namespace carillon
