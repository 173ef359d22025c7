#include "carillon/local_hub.h"

#include "base/utf8.h"
#include "hub/session_text.h"
#include "protocol/native_channels.h"
#include "server/local_client.h"
#include "server/local_hub_parts.h"
#include "server/program_publish.h"
#include "wire/json/json_writer.h"

namespace carillon {
namespace {

// Clients and listeners are told before the loops end.
std::shared_ptr<LocalDoor> open_door(Runtime& runtime) {
  auto door = std::make_shared<LocalDoor>(runtime.shard(0), runtime.durable_subscriptions(), runtime.options().native,
                                          runtime.options().limits);
  runtime.on_stop([door, &hub = runtime.hub()] {
    door->close();
    hub.close_listeners();
  });
  return door;
}

}  // namespace

std::string RealtimeStats::to_json() const {
  std::string out;
  JsonWriter json(out);
  json.begin_object().key("current_connections").number(current_connections).key("total_connections").number(total_connections);
  json.key("total_subscriptions").number(total_subscriptions).key("total_events").number(total_events).end_object();
  return out;
}

// --- Parts

LocalHub::Parts::Parts(Runtime& beside) : runtime_(beside), door_(open_door(runtime_)) {}

LocalHub::Parts::Parts(std::unique_ptr<Runtime> own) : own_(std::move(own)), runtime_(*own_), door_(open_door(runtime_)) {}

Result<EmitReceipt> LocalHub::Parts::emit(std::string_view channel, std::string_view event, std::string_view data) {
  const ChannelTextOptions text_options{.refuse_unknown_types = runtime_.options().native.refuse_unknown_types};
  Result<std::string> name = named_channel(channel, text_options);
  if (!name) return name.error();
  return publish_for_program(runtime_, {.channel = *std::move(name), .event = event, .data = data});
}

// --- The handle

Result<std::unique_ptr<LocalHub>> LocalHub::start(const ServerOptions& options) {
  ServerOptions local = options;
  local.listen = ServerOptions{}.listen;  // Nothing listens: an address that would be refused does no harm.
  Result<std::unique_ptr<Runtime>> runtime = Runtime::start(local, Runtime::Reach::kLocalOnly);
  if (!runtime) return runtime.error();
  return std::unique_ptr<LocalHub>(new LocalHub(std::make_unique<Parts>(*std::move(runtime))));
}

LocalHub::LocalHub(std::unique_ptr<Parts> parts) : parts_(std::move(parts)) {}
LocalHub::~LocalHub() = default;

Result<LocalClient> LocalHub::connect(ClientMetadata metadata) {
  auto parts = LocalClient::Parts::connect(parts_->door(), parts_->runtime().options().limits, std::move(metadata));
  if (!parts) return parts.error();
  return LocalClient(*std::move(parts));
}

bool LocalHub::disconnect(std::string_view client_id) {
  const std::optional<SessionId> id = parse_session(client_id);
  if (!id) return false;
  Answer<bool> answer;
  parts_->runtime().hub().disconnect(parts_->runtime().loop(0), *id, "disconnected by the program",
                                     [giver = answer.giver()](bool was_there) mutable { giver.give(was_there); });
  return answer.wait().value_or(false);
}

std::optional<ClientMetadata> LocalHub::client(std::string_view client_id) {
  const std::optional<SessionId> id = parse_session(client_id);
  if (!id || *id == 0) return std::nullopt;
  using Infos = std::vector<SessionInfo>;
  Answer<Infos> answer;
  parts_->runtime().hub().list_sessions(parts_->runtime().loop(0), *id - 1, 1,
                                        [giver = answer.giver()](Infos infos) mutable { giver.give(std::move(infos)); });
  std::optional<Infos> infos = answer.wait();
  if (!infos || infos->empty() || infos->front().id != *id) return std::nullopt;
  SessionInfo& info = infos->front();
  return ClientMetadata{.user_id = std::move(info.user),
                        .ip_address = std::move(info.peer),
                        .user_agent = std::move(info.user_agent),
                        .connected_at = info.connected_at_ms / 1000};
}

std::size_t LocalHub::connection_count() const {
  return static_cast<std::size_t>(stats().current_connections);
}

RealtimeStats LocalHub::stats() const {
  const HubStats stats = parts_->runtime().hub().stats();
  return {.current_connections = stats.sessions,
          .total_connections = stats.connections_total,
          .total_subscriptions = stats.subscriptions_total,
          .total_events = stats.publications_total};
}

Result<EmitReceipt> LocalHub::emit(std::string_view channel, EventKind kind, std::string_view data) {
  return parts_->emit(channel, wire_name(kind), data);
}

Result<EmitReceipt> LocalHub::emit(std::string_view channel, std::string_view event, std::string_view data) {
  return parts_->emit(channel, event, data);
}

Result<void> LocalHub::announce(std::string_view text) {
  if (!parts_->runtime().running()) return hub_has_stopped();
  if (!is_utf8(text)) return Error{ErrorKind::kInvalid, "an announcement must be UTF-8"};
  parts_->runtime().hub().announce(Bytes::copy_of(text));
  return {};
}

}  // namespace carillon
