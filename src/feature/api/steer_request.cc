#include "feature/api/steer_request.h"

#include "feature/api/body_fields.h"
#include "hub/session_text.h"
#include "protocol/native_channels.h"

namespace carillon {

Result<Hub::CloseChannel> SteerReader::read_close(std::string_view body) {
  const Result<JsonDocument> document = read_object(body_, body);
  if (!document) return document.error();
  const Result<std::string> channel = find_text(*document, "channel");
  if (!channel) return channel.error();
  Result<std::string> name = named_channel(*channel, channels_);
  if (!name) return name.error();
  Result<std::optional<std::string>> reason = find_text_if_any(*document, "reason");
  if (!reason) return reason.error();
  const Result<bool> crash = find_flag(*document, "crash");
  if (!crash) return crash.error();
  return Hub::CloseChannel{.channel = *std::move(name), .reason = (*reason).value_or("closed by an operator"), .crash = *crash};
}

Result<SteerReader::Disconnect> SteerReader::read_disconnect(std::string_view body) {
  const Result<JsonDocument> document = read_object(body_, body);
  if (!document) return document.error();
  Result<std::optional<std::string>> user = find_text_if_any(*document, "user");
  if (!user) return user.error();
  const Result<std::optional<std::string>> session = find_text_if_any(*document, "session");
  if (!session) return session.error();
  Result<std::optional<std::string>> reason = find_text_if_any(*document, "reason");
  if (!reason) return reason.error();
  if (user->has_value() == session->has_value()) return invalid_body("name a `user` or a `session`, and not both");
  Disconnect disconnect{.whom = {}, .reason = (*reason).value_or("disconnected by an operator")};
  if (*session) {
    const std::optional<SessionId> id = parse_session(**session);
    if (!id) return invalid_body("field `session` must be a session's id");
    disconnect.whom = *id;
    return disconnect;
  }
  if ((*user)->empty()) return invalid_body("field `user` must not be empty");
  disconnect.whom = **std::move(user);
  return disconnect;
}

}  // namespace carillon
