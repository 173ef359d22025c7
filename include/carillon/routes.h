// The application side of the routes protocol: requests {route, payload} that your handlers answer by events, to the one who
// asked, to all tabs of a user, or to everybody who looks at the same object.
//
//   enum class SqlRoute { kRun };
//   enum class SqlEvent { kRunSql };
//   constexpr std::string_view wire_name(SqlRoute) { return "/sql/run"; }
//   constexpr std::string_view wire_name(SqlEvent) { return "runSql"; }
//
//   carillon::RouteResource<SqlRoute, SqlEvent> sql;
//   sql.answer(SqlRoute::kRun, SqlEvent::kRunSql, run_sql);  // Result<std::string> run_sql(const carillon::RouteQuestion&)
//   carillon::RouteHooks hooks;
//   sql.add_to(hooks);
//   auto server = carillon::Server::start(options, {}, hooks);
//
// Payloads are whole JSON texts. Channels are canonical names: "thread:<id>"; the personal stream of a user is "user:<id>".
// The wire is docs/protocol/routes.md.
#pragma once

#include <any>
#include <chrono>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include "carillon/result.h"

namespace carillon {

// A route or an event: a text, or an enumerator for which `wire_name` gives one (found beside the enumeration).
class RouteName {
 public:
  RouteName() = default;
  RouteName(std::string text) : text_(std::move(text)) {}
  RouteName(std::string_view text) : text_(text) {}
  RouteName(const char* text) : text_(text) {}
  template <class Name>
  requires std::is_enum_v<Name> RouteName(Name name) : text_(wire_name(name)) {}

  const std::string& text() const { return text_; }
  bool empty() const { return text_.empty(); }

 private:
  std::string text_;
};

// Who hears a message, of those who follow its channel. The sender is the user whose request it answers; a client without a
// user is a sender of its own.
enum class SendMethod : std::uint8_t { kSenderOnly, kAllButSender, kAll };
// What "sender" means there: all connections of the user (as the protocol has it), or the connection that asked alone.
enum class SenderIs : std::uint8_t { kUser, kConnection };

enum class RouteErrorCode : std::uint8_t { kInternalServerError, kNotFound, kUnauthorized, kBadRequest };
struct RouteError {
  RouteErrorCode code = RouteErrorCode::kInternalServerError;
  std::string message;
  friend bool operator==(const RouteError&, const RouteError&) = default;
};
// "INTERNAL_SERVER_ERROR", "NOT_FOUND", "UNAUTHORIZED", "BAD_REQUEST".
std::string_view route_error_text(RouteErrorCode code);
// kNotFound is NOT_FOUND; kUnauthorized and kForbidden are UNAUTHORIZED; kInvalid, kConflict, kTooLarge and kLimit are
// BAD_REQUEST; all others INTERNAL_SERVER_ERROR. The text is the message.
RouteError route_error(const Error& error);

struct RouteUser {
  std::string id;          // Empty: anonymous.
  std::string name;        // What others are shown (`sent_by`): of the token's `name`, else its `email`, else the id.
  std::string email;       // Of the token, or of the program.
  std::string avatar_url;  // Likewise.
  bool verified = false;   // A valid token says so; else it is what the client calls itself.
  bool trusted = false;    // Showed the server's API key, or is on this machine where nothing can be shown.
  std::string claims;      // All claims of the token, a JSON object; empty: no token.
  std::any data;           // The program's own.
};

// A WebSocket of a user, as handlers see it. Immutable; any thread.
struct RouteConnection {
  std::string id;
  RouteUser user;
  std::string peer;
  std::string user_agent;
};
using RouteConnectionPtr = std::shared_ptr<const RouteConnection>;

struct RouteMessage {
  RouteName event;
  std::string payload = "null";
  // Empty: the personal stream of the sender. Else only those hear it who follow the channel, the sender too.
  std::string channel;
  SendMethod method = SendMethod::kSenderOnly;
  SenderIs sender = SenderIs::kUser;
  RouteName route;                  // Empty: the request's.
  bool system = false;              // Not caused by the user: `sent_by` is null, and SenderOnly means everybody on the channel.
  std::optional<RouteError> error;  // With it the payload is null.
};

// What others on a channel are told when somebody comes or goes: "joinedThread", [{"id":…,"name":…}].
struct RouteNews {
  RouteName event;
  std::string payload = "null";
};

struct RouteFollow {
  std::string channel;
  // To all others, when the user's first connection follows the channel.
  std::optional<RouteNews> joined;
  // To all who stay, when the user's last connection follows it no more, also because it was lost.
  std::optional<RouteNews> left;
  // A JSON object that the list of members shows of this one; empty: id, name, email and avatar_url of the user.
  std::string card;
};

struct RouteMember {
  std::string user;
  std::string card;             // A JSON object; of the user's newest connection.
  std::size_t connections = 1;  // Following the channel.
};

// Small values with an expiry, in the server's state store: with the engine `log` they outlive the process. Any thread; each
// call waits for the store. A copy stands for the same. Errors: kUnavailable (after the server's stop too), kLimit, kTooLarge
// (1 MiB a value).
class RouteState {
 public:
  static constexpr std::chrono::milliseconds kDefaultTime = std::chrono::hours(1);

  Result<void> set(std::string_view key, std::string value, std::chrono::milliseconds time = kDefaultTime) const;
  Result<std::optional<std::string>> get(std::string_view key) const;
  Result<void> remove(std::string_view key) const;

  // What is being edited on an object: goes after `time`, or when the last of those who follow the channel has left.
  Result<void> set_draft(std::string_view channel, std::string value, std::chrono::milliseconds time = kDefaultTime) const;
  Result<std::optional<std::string>> draft(std::string_view channel) const;
  Result<void> drop_draft(std::string_view channel) const;

  class Parts;
  explicit RouteState(std::shared_ptr<Parts> parts) : parts_(std::move(parts)) {}

 private:
  std::shared_ptr<Parts> parts_;
};

// One request. Handlers are called on the server's worker threads, several at a time, also of one connection; they may wait.
// A call may be copied, kept and answered later on any thread; the request is over when its last copy has gone, and counts
// until then among those that its connection may have at a time.
//
// After the connection has ended the call is cancelled: long work should look now and then, and stop. What it then answers the
// sender is dropped; what it tells others on a channel is still told.
class RouteCall {
 public:
  class Parts;
  explicit RouteCall(std::shared_ptr<Parts> parts) : parts_(std::move(parts)) {}

  const RouteConnectionPtr& connection() const;
  const RouteUser& user() const;
  const std::string& route() const;
  const std::string& payload() const;
  // JSON text; empty: none. Answers to the connection that asked have it as their last key.
  const std::string& id() const;
  bool cancelled() const;

  // Messages of one call are sent in their order; with the engine `log` those for the sender alone, which it does not keep, may
  // overtake the others of their channel. Waits while many of its messages are on their way to the connection's thread.
  // A payload that is no JSON becomes the error "Failed to serialize data". Errors: kInvalid (channel or event), kTooLarge,
  // kUnavailable (cancelled, or the server has stopped; nothing was sent).
  Result<void> send(RouteMessage message) const;
  // To the sender alone, on the personal stream.
  Result<void> answer(RouteName event, std::string payload) const;
  // The one way to say that something failed: the same with an error.
  Result<void> fail(RouteName event, RouteError error) const;
  Result<void> fail(RouteName event, const Error& error) const { return fail(std::move(event), route_error(error)); }
  // answer() or fail().
  Result<void> give(RouteName event, Result<std::string> outcome) const;

  // The connection hears the channel from now on, and is a member of it. So the handler asks first whether it may: the
  // channels' rules do not apply. True: it is new; false: it followed it already. Waits until it hears it. Errors: kInvalid,
  // kLimit (limits.subscriptions_per_client), kUnavailable.
  Result<bool> follow(RouteFollow follow) const;
  // False: it did not follow it.
  Result<bool> unfollow(std::string_view channel) const;
  // Who follows the channel now, this connection's user too. Errors: kInvalid, kUnavailable.
  Result<std::vector<RouteMember>> members(std::string_view channel) const;

  RouteState state() const;

 private:
  std::shared_ptr<Parts> parts_;
};

// Progress of long work as a row of messages, each with a member `progress` in its payload: "inProgress" as often as wanted,
// then "completed" or "failed". What is not completed when it ends has failed.
class RouteProgress {
 public:
  // `like`: event, channel, method and so on of every message; its payload, a JSON object, is the beginning of every payload.
  RouteProgress(RouteCall call, RouteMessage like);
  RouteProgress(RouteProgress&&) noexcept = default;
  RouteProgress& operator=(RouteProgress&&) = delete;
  ~RouteProgress();

  // `members` is a JSON object that is put behind the beginning: {"title_chunk":"Sal"}. Errors: those of RouteCall::send,
  // kInvalid (no object), kConflict (completed or failed before).
  Result<void> step(std::string_view members = "{}");
  Result<void> complete(std::string_view members = "{}");
  // With an error in the envelope the payload is null, so the error says nothing here; `members` does.
  Result<void> fail(std::string_view members = "{}");

 private:
  Result<void> send(std::string_view members, std::string_view progress);

  std::optional<RouteCall> call_;  // None: over, or moved from.
  RouteMessage like_;
};

// What a pure handler is asked: it knows no connection, so HTTP handlers of the program may ask it too (RouteHub::call).
struct RouteQuestion {
  const RouteUser& user;
  const std::string& payload;
  const std::function<bool()>& cancelled;
};
using PureRouteHandler = std::function<Result<std::string>(const RouteQuestion&)>;
using WireRouteHandler = std::function<void(const RouteCall&)>;

// Reads the members of a payload. The first fault is kept, what is read after it is empty, so that one question at the end is
// enough: `if (auto read = fields.status(); !read) return read.error();`
class RouteFields {
 public:
  explicit RouteFields(std::string_view payload);
  ~RouteFields();
  RouteFields(const RouteFields&) = delete;
  RouteFields& operator=(const RouteFields&) = delete;

  std::string text(std::string_view name);
  std::optional<std::string> optional_text(std::string_view name);
  std::int64_t integer(std::string_view name);
  std::optional<std::int64_t> optional_integer(std::string_view name);
  std::vector<std::string> texts(std::string_view name);
  // As it was written; empty when it is not there.
  std::string raw(std::string_view name);
  void fail(std::string text);
  // Errors: kInvalid.
  Result<void> status() const;

 private:
  class Parts;
  std::unique_ptr<Parts> parts_;
};
// The text as JSON, quotes included.
std::string json_text(std::string_view text);

// One route of the program's.
struct RouteEntry {
  std::string route;  // "/sql/run".
  // The event of errors that the server finds itself (too many requests at a time, a handler that threw).
  std::string error_event = "error";
  WireRouteHandler handle;  // Exactly one of these three.
  PureRouteHandler pure;    // Answered with `event`.
  std::string leaves;       // What an unsubscribe route leaves: the objects of this stream: "thread".
  std::string event;
  SendMethod method = SendMethod::kSenderOnly;  // Of a pure handler's answer, on the personal stream.
  SenderIs sender = SenderIs::kUser;
};

// --- Deciding. Called on the server's loops, several at a time: answer at once, and lock what is yours.

struct RouteVisitor {
  const RouteUser& user;
  std::string_view peer;
  const std::vector<std::pair<std::string, std::string>>& headers;
};
struct RouteWelcome {
  // 0: come in. Else the request is answered with this HTTP status: 401 (with the headers of a refused token), 402 (somebody
  // must pay first), 403.
  int refused_status = 0;
  std::string reason;             // Of a refusal, for people.
  std::optional<RouteUser> user;  // Who it is from now on, with name, e-mail, data; else as it was.
};

struct RouteHooks {
  // Asked for each token that is shown before the server looks at it; nothing: the server does. For tokens of the program's
  // own, such as API keys of users.
  std::function<std::optional<RouteUser>(std::string_view token)> find_user;
  // Empty: everybody whom the configuration lets in.
  std::function<RouteWelcome(const RouteVisitor&)> may_connect;
  std::vector<RouteEntry> routes;  // `/channels/…` is the server's own.
};

// The routes of one resource, with their routes and events as enumerations.
template <class Route, class Event>
class RouteResource {
 public:
  // Takes the request and answers by messages.
  RouteResource& on(Route route, Event error_event, WireRouteHandler handle) {
    RouteEntry entry = entry_of(route, error_event);
    entry.handle = std::move(handle);
    entries_.push_back(std::move(entry));
    return *this;
  }
  // What it returns is the answer: a payload, or an error.
  RouteResource& answer(Route route, Event event, PureRouteHandler pure, SendMethod method = SendMethod::kSenderOnly,
                        SenderIs sender = SenderIs::kUser) {
    RouteEntry entry = entry_of(route, event);
    entry.pure = std::move(pure);
    entry.method = method;
    entry.sender = sender;
    entries_.push_back(std::move(entry));
    return *this;
  }
  // Payload {"id":"<id>"}: the connection leaves `<stream>:<id>`; {"id":null}: all objects of the stream. Who asked is told
  // the event, with what it left: [{"id":"<id>"}].
  RouteResource& unsubscribe(Route route, Event event, std::string stream) {
    RouteEntry entry = entry_of(route, event);
    entry.leaves = std::move(stream);
    entries_.push_back(std::move(entry));
    return *this;
  }

  void add_to(RouteHooks& hooks) const { hooks.routes.insert(hooks.routes.end(), entries_.begin(), entries_.end()); }

 private:
  static RouteEntry entry_of(Route route, Event event) {
    RouteEntry entry;
    entry.route = std::string(wire_name(route));
    entry.event = std::string(wire_name(event));
    entry.error_event = entry.event;
    return entry;
  }

  std::vector<RouteEntry> entries_;
};

// The server's routes, for the rest of the program. Any thread. Lives as long as its server; after the server's stop()
// everything is refused. The server's own loops, so the deciding hooks, must not call it: it waits for them.
class RouteHub {
 public:
  ~RouteHub();
  RouteHub(const RouteHub&) = delete;
  RouteHub& operator=(const RouteHub&) = delete;

  // `channel` and `route` must be given. `sender`: on whose behalf; null: nobody's, as with `system`. Errors: those of
  // RouteCall::send, kLimit.
  Result<void> send(RouteMessage message, const RouteUser* sender = nullptr);
  // To all connections of a user.
  Result<void> send_to_user(std::string_view user, RouteMessage message);
  Result<std::vector<RouteMember>> members(std::string_view channel);
  // The user may see the channel no more: its connections here follow it no longer, and are told `unsubscribed` on
  // /channels/unsubscribe with the text as the reason. How many there were.
  std::size_t revoke(std::string_view channel, std::string_view user, std::string_view text);
  // Asks a pure handler on this thread. Errors: its own, kNotFound (no such route, or it answers by messages).
  Result<std::string> call(std::string_view route, const RouteUser& user, std::string payload) const;
  RouteState state() const;
  std::size_t connection_count() const;

  class Parts;
  explicit RouteHub(std::unique_ptr<Parts> parts);

 private:
  std::unique_ptr<Parts> parts_;
};

}  // namespace carillon
