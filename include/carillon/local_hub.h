// A hub inside your program: publish, be a client, listen to everything; without sockets, or beside a running server's.
//
//   auto hub = carillon::LocalHub::start();
//   auto client = (*hub)->connect();
//   client->handle_command(R"({"type":"subscribe","channel":"repo:alice/app"})");
//   (*hub)->emit("repo:alice/app", carillon::EventKind::kPush, R"({"ref":"refs/heads/main"})");
//   client->receive(1s);  // subscribed
//   client->receive(1s);  // the event
//
// A LocalHub is used on any thread. The handles it gives, LocalClient and EventListener, may outlive it: they are then closed.
// Nothing here calls back into the program.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "carillon/event.h"
#include "carillon/result.h"
#include "carillon/server_options.h"

namespace carillon {

// What is known of a client. An empty text: unknown.
struct ClientMetadata {
  std::string user_id;
  std::string ip_address;  // As its operators want to see it. A remote client's has its port; "local": in this program.
  std::string user_agent;
  std::int64_t connected_at = 0;  // Unix time in seconds; filled in by connect().
};

// The same four figures as GET /api/realtime/stats.
struct RealtimeStats {
  std::uint64_t current_connections = 0;
  std::uint64_t total_connections = 0;
  std::uint64_t total_subscriptions = 0;  // New subscriptions ever made.
  std::uint64_t total_events = 0;         // Publishes, not deliveries.

  std::string to_json() const;
};

// What a publisher is told.
struct EmitReceipt {
  std::string event_id;
  // Where the channel keeps history: the publication's position.
  std::string epoch;
  std::optional<std::uint64_t> offset;
};

class LocalHub;

// A client of the hub in this program: it sends commands and receives messages of the native protocol (docs/protocol/native.md)
// as texts. Closes when destroyed. Commands are given on one thread at a time, messages received on one, which may be another.
class LocalClient {
 public:
  LocalClient(LocalClient&&) noexcept;
  LocalClient& operator=(LocalClient&&) noexcept;
  ~LocalClient();

  // The id by which the hub and its operators know this client.
  const std::string& id() const;
  const ClientMetadata& metadata() const;

  // Hands one command to the hub: {"type":"subscribe","channel":"repo:alice/app"}. When it returns, the command has been
  // carried out, and its answer waits to be received like any message, in its order. (Where a channel's history is kept
  // elsewhere the answers to subscribe, publish and history may take longer.) Errors: kUnavailable (the client or the hub is
  // closed), kTooLarge (limits.message_bytes).
  Result<void> handle_command(std::string_view json);

  // The next message in order: answers, events, announcements. Nothing: none came in time, or the client was closed and all
  // was received. What waits here is bounded by limits.outbox_bytes; beyond it as much waits in the hub, and beyond that
  // limits.slow_consumer decides, as for any client.
  std::optional<std::string> receive(std::chrono::milliseconds wait);

  // What was sent before can still be received. Idempotent.
  void close();
  // Any thread. Why, for people: empty while it is open.
  bool closed() const;
  std::string close_reason() const;

 private:
  friend class LocalHub;
  class Parts;
  explicit LocalClient(std::shared_ptr<Parts> parts);
  std::shared_ptr<Parts> parts_;
};

// Every event of the hub, in a bounded stream: when it is full the oldest goes and is counted. Used on one thread at a time.
class EventListener {
 public:
  static constexpr std::size_t kDefaultCapacity = 1024;

  EventListener(EventListener&&) noexcept;
  EventListener& operator=(EventListener&&) noexcept;
  ~EventListener();

  // The next event. Nothing: none came in time, or the hub is gone.
  std::optional<Event> next(std::chrono::milliseconds wait);
  // Events lost since the last call because this listener was slow.
  std::uint64_t take_lost();
  // The hub is gone: no more will come than what waits.
  bool closed() const;

 private:
  friend class LocalHub;
  class Parts;
  explicit EventListener(std::unique_ptr<Parts> parts);
  std::unique_ptr<Parts> parts_;
};

class LocalHub {
 public:
  // A hub of its own, with one thread and no sockets. Of the options those count that are not about listening: limits,
  // channels, engine, native, log_level. Errors: kInvalid (options that contradict themselves), kInternal.
  static Result<std::unique_ptr<LocalHub>> start(const ServerOptions& options = {});
  ~LocalHub();
  LocalHub(const LocalHub&) = delete;
  LocalHub& operator=(const LocalHub&) = delete;

  // The client may do what one who shows the API key may. Errors: kLimit (limits.connections_max, if it is not 0) "failed to
  // send message: maximum connections reached", kUnavailable.
  Result<LocalClient> connect(ClientMetadata metadata = {});
  // Ends a client, local or remote, by the id that it, its hello or the HTTP API told. False: there is none.
  bool disconnect(std::string_view client_id);
  // What is known of a connected client; nothing when there is none.
  std::optional<ClientMetadata> client(std::string_view client_id);
  std::size_t connection_count() const;
  RealtimeStats stats() const;

  // Publishes; `data` is one whole JSON text. `channel` is a repository's, user's or organisation's with its shape rules, or
  // any other name. The channels' rules on who may publish are for clients and do not apply. Errors: kInvalid (channel, event
  // name or data), kTooLarge (limits.message_bytes), kLimit, kUnavailable.
  Result<EmitReceipt> emit(std::string_view channel, EventKind kind, std::string_view data);
  Result<EmitReceipt> emit(std::string_view channel, std::string_view event, std::string_view data);

  // One raw text to every connected client, whatever it is subscribed to. Errors: kInvalid (no UTF-8), kUnavailable.
  Result<void> announce(std::string_view text);

  EventListener listen(std::size_t capacity = EventListener::kDefaultCapacity);

 private:
  friend class Server;
  class Parts;
  explicit LocalHub(std::unique_ptr<Parts> parts);
  std::unique_ptr<Parts> parts_;
};

}  // namespace carillon
