#include "protocol/routes/routes_codec.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "base/uuid_text.h"
#include "hub/channel_name.h"
#include "hub/epoch_text.h"
#include "protocol/event_json.h"
#include "protocol/presence_json.h"
#include "wire/json/json_writer.h"

namespace carillon {
namespace {

constexpr std::string_view kTagRoute = "routes.route";
constexpr std::string_view kTagMethod = "routes.method";
constexpr std::string_view kTagSentBy = "routes.sent_by";
constexpr std::string_view kTagError = "routes.error";
constexpr std::string_view kTagId = "routes.id";
constexpr std::string_view kUserPrefix = "user:";

Error bad(std::string text) {
  return {ErrorKind::kInvalid, std::move(text)};
}

// Without tags: whom it was delivered to says as much.
SendMethod method_of(DeliverTo to) {
  switch (to) {
    case DeliverTo::kAll: return SendMethod::kAll;
    case DeliverTo::kOtherSessions:
    case DeliverTo::kOtherUsers: return SendMethod::kAllButSender;
    case DeliverTo::kOwnUser:
    case DeliverTo::kOwnSession: break;
  }
  return SendMethod::kSenderOnly;
}

std::string person_json(std::string_view id, std::string_view name) {
  std::string out;
  JsonWriter(out).begin_object().key("id").string(id).key("name").string(name).end_object();
  return out;
}

std::string position_json(const Publication& publication) {
  std::string out;
  JsonWriter json(out);
  json.begin_object().key("channel").string(routes_of_channel(publication.channel));
  json.key("epoch").string(epoch_text(publication.position->epoch)).key("offset").number(publication.position->offset);
  json.end_object();
  return out;
}

// An envelope that the server itself sends, its payload still open.
void open_system_envelope(std::string& out, std::string_view route, std::string_view event) {
  JsonWriter(out).begin_object().key("route").string(route).key("event").string(event).key("payload");
}

void close_system_envelope(std::string& out) {
  out += R"(,"sent_by":null,"error":null,"send_method":"All"})";
}

}  // namespace

std::string_view route_error_text(RouteErrorCode code) {
  switch (code) {
    case RouteErrorCode::kInternalServerError: break;
    case RouteErrorCode::kNotFound: return "NOT_FOUND";
    case RouteErrorCode::kUnauthorized: return "UNAUTHORIZED";
    case RouteErrorCode::kBadRequest: return "BAD_REQUEST";
  }
  return "INTERNAL_SERVER_ERROR";
}

RouteError route_error(const Error& error) {
  const auto code = [&] {
    switch (error.kind) {
      case ErrorKind::kNotFound: return RouteErrorCode::kNotFound;
      case ErrorKind::kUnauthorized:
      case ErrorKind::kForbidden: return RouteErrorCode::kUnauthorized;
      case ErrorKind::kInvalid:
      case ErrorKind::kConflict:
      case ErrorKind::kTooLarge:
      case ErrorKind::kLimit: return RouteErrorCode::kBadRequest;
      case ErrorKind::kUnavailable:
      case ErrorKind::kCorrupt:
      case ErrorKind::kInternal: break;
    }
    return RouteErrorCode::kInternalServerError;
  }();
  return {code, error.text};
}

// --- In

Result<RoutesRequest> RoutesReader::read(std::string_view message) {
  request_ = {};
  const Result<JsonDocument> document = slicer_.slice(message);
  if (!document) return bad("the message is no JSON: " + document.error().text);
  if (document->root.type != JsonType::kObject) return bad("a message is an object with `route` and `payload`");
  // The id first, so that the answer to whatever is wrong has it.
  if (const JsonSpan* const id = document->find("id"); id != nullptr && id->type != JsonType::kNull) {
    if (id->type != JsonType::kString && id->type != JsonType::kNumber) return bad("`id` must be a text or a number");
    if (id->text.size() > kRouteIdBytesMax) return bad(fmt::format("`id` may have {} bytes", kRouteIdBytesMax));
    request_.id = id->text;
  }
  const JsonSpan* const route = document->find("route");
  if (route == nullptr) return bad("`route` is missing");
  const std::optional<std::string_view> text = json_string(route->text, route_);
  if (!text) return bad("`route` must be a text");
  if (text->empty() || text->size() > kRouteBytesMax) return bad(fmt::format("`route` has 1 to {} bytes", kRouteBytesMax));
  request_.route = *text;
  const JsonSpan* const payload = document->find("payload");
  if (payload == nullptr) return bad("`payload` is missing");
  request_.payload = payload->text;
  return request_;
}

std::optional<SendMethod> parse_send_method(std::string_view text) {
  for (const SendMethod method : {SendMethod::kSenderOnly, SendMethod::kAllButSender, SendMethod::kAll}) {
    if (text == send_method_text(method)) return method;
  }
  return std::nullopt;
}

// --- Out

std::string_view send_method_text(SendMethod method) {
  switch (method) {
    case SendMethod::kSenderOnly: return "SenderOnly";
    case SendMethod::kAllButSender: return "AllButSender";
    case SendMethod::kAll: break;
  }
  return "All";
}

void append_envelope(std::string& out, const RoutesEnvelope& envelope) {
  JsonWriter json(out);
  json.begin_object().key("route").string(envelope.route).key("event").string(envelope.event);
  json.key("payload").raw(envelope.payload);
  json.key("sent_by").raw(envelope.sent_by.empty() ? "null" : envelope.sent_by);
  json.key("error").raw(envelope.error.empty() ? "null" : envelope.error);
  json.key("send_method").string(send_method_text(envelope.method));
  if (!envelope.position.empty()) json.key("position").raw(envelope.position);
  if (!envelope.id.empty()) json.key("id").raw(envelope.id);
  json.end_object();
}

std::string routes_error_json(const RouteError& error) {
  std::string out;
  JsonWriter json(out);
  json.begin_object().key("code").string(route_error_text(error.code)).key("message").string(error.message).end_object();
  return out;
}

std::string sent_by_json(const RouteUser& user) {
  if (user.id.empty()) return {};
  return person_json(user.id, user.name.empty() ? user.id : user.name);
}

Tags routes_tags(const RoutesTags& tags) {
  Tags made;
  made.emplace_back(kTagRoute, tags.route);
  made.emplace_back(kTagMethod, send_method_text(tags.method));
  made.emplace_back(kTagSentBy, tags.sent_by);
  if (!tags.error.empty()) made.emplace_back(kTagError, tags.error);
  if (!tags.id.empty()) made.emplace_back(kTagId, tags.id);
  return made;
}

void append_publication_envelope(std::string& out, const Publication& publication, RoutesExtras extras) {
  RoutesEnvelope envelope{.route = {}, .event = publication.event, .method = method_of(publication.deliver_to)};
  bool knows_sender = false;
  for (const auto& [name, value] : publication.tags) {
    if (name == kTagRoute) envelope.route = value;
    if (name == kTagMethod) envelope.method = parse_send_method(value).value_or(envelope.method);
    if (name == kTagSentBy) knows_sender = true, envelope.sent_by = value;
    if (name == kTagError) envelope.error = value;
    if (name == kTagId && extras.id) envelope.id = value;
  }
  std::string route, sent_by, payload, position;
  if (envelope.route.empty()) envelope.route = route = route_of_channel(publication.channel);
  if (!knows_sender && publication.identity != nullptr && !publication.identity->user.empty()) {
    envelope.sent_by = sent_by = person_json(publication.identity->user, publication.identity->user);
  }
  if (publication.format == PayloadFormat::kJson) {
    envelope.payload = publication.payload.view();
  } else {
    append_payload_json(payload, publication);
    envelope.payload = payload;
  }
  if (extras.position && publication.position) envelope.position = position = position_json(publication);
  append_envelope(out, envelope);
}

void append_presence_envelope(std::string& out, const PresenceUpdate& diff) {
  open_system_envelope(out, route_of_channel(diff.channel), "presence");
  out += '{';
  append_presence_diff(out, diff);
  out += '}';
  close_system_envelope(out);
}

void append_presence_stats_envelope(std::string& out, std::string_view channel, const PresenceCounts& counts) {
  open_system_envelope(out, route_of_channel(channel), "presenceStats");
  out += '{';
  append_presence_counts(out, counts);
  out += '}';
  close_system_envelope(out);
}

void append_presence_state_envelope(std::string& out, const PresenceState& state) {
  open_system_envelope(out, route_of_channel(state.channel), "presenceState");
  out += '{';
  append_presence_state(out, state, PresenceSessions::kHidden);
  out += '}';
  close_system_envelope(out);
}

// --- Names

std::string route_of_channel(std::string_view channel) {
  std::string route = "/";
  route += channel;
  if (const std::size_t colon = route.find(':'); colon != std::string::npos) route[colon] = '/';
  return route;
}

Result<std::string> channel_of_routes(std::string_view text) {
  const bool is_person = text.size() == Uuid::kTextSize && parse_uuid(text).has_value();
  std::string channel = is_person ? personal_channel(text) : std::string(text);
  if (Result<void> checked = check_channel_name(channel); !checked) return checked.error();
  return channel;
}

std::string_view routes_of_channel(std::string_view channel) {
  if (!channel.starts_with(kUserPrefix)) return channel;
  const std::string_view person = channel.substr(kUserPrefix.size());
  return person.size() == Uuid::kTextSize && parse_uuid(person) ? person : channel;
}

std::string personal_channel(std::string_view user) {
  return std::string(kUserPrefix) += user;
}

}  // namespace carillon
