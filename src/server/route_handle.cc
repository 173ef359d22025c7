#include "server/route_handle.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>
#include <utility>

#include "base/log.h"
#include "hub/channel_name.h"
#include "hub/hub.h"
#include "protocol/routes/routes_codec.h"
#include "protocol/routes/routes_desk.h"
#include "server/program_publish.h"
#include "server/worker_pool.h"
#include "wire/json/json_object_reader.h"
#include "wire/json/json_slicer.h"
#include "wire/json/json_writer.h"

namespace carillon {
namespace {

constexpr std::string_view kNotSerialised = "Failed to serialize data";

JsonSlicer& slicer() {
  thread_local JsonSlicer made;
  return made;
}

void answer_pure(const RouteCall& call, const RouteEntry& entry, const std::shared_ptr<std::atomic<bool>>& flag) {
  const std::function<bool()> cancelled = [flag] { return flag->load(std::memory_order_relaxed); };
  Result<std::string> outcome = entry.pure({.user = call.user(), .payload = call.payload(), .cancelled = cancelled});
  if (cancelled()) return;
  RouteMessage message{.event = entry.event, .method = entry.method, .sender = entry.sender};
  if (outcome) {
    message.payload = *std::move(outcome);
  } else {
    message.method = SendMethod::kSenderOnly;
    message.error = route_error(outcome.error());
  }
  if (const Result<void> sent = call.send(std::move(message)); !sent) {
    (void)call.fail(entry.error_event, RouteError{RouteErrorCode::kInternalServerError, sent.error().text});
  }
}

// What a handler throws is told as a fault of ours, without its text: that is for the operator.
void run_handler(const RouteCall& call, const RoutesJob& job) {
  if (call.cancelled()) return;
  const auto failed = [&](std::string_view what) {
    log_error("a handler of routes threw: route={} what={}", job.entry->route, what);
    (void)call.fail(job.entry->error_event,
                    RouteError{RouteErrorCode::kInternalServerError, "the request could not be handled"});
  };
  try {
    if (job.entry->pure) return answer_pure(call, *job.entry, job.cancelled);
    job.entry->handle(call);
  } catch (const std::exception& thrown) {
    failed(thrown.what());
  } catch (...) {
    failed("something that is no std::exception");
  }
}

}  // namespace

Result<RoutesOutgoing> routes_outgoing(RouteMessage message, std::string_view route, const RouteUser* user,
                                       std::size_t payload_bytes_max) {
  RoutesOutgoing outgoing;
  outgoing.channel = std::move(message.channel);
  outgoing.route = message.route.empty() ? std::string(route) : message.route.text();
  outgoing.event = message.event.text();
  outgoing.method = message.method;
  outgoing.sender = message.sender;
  outgoing.system = message.system;
  if (user != nullptr && !message.system) outgoing.sent_by = sent_by_json(*user);
  Draft names;
  names.channel = outgoing.channel.empty() ? "personal" : outgoing.channel;
  names.event = outgoing.event;
  if (Result<void> checked = check_draft(names); !checked) return checked.error();
  if (outgoing.route.empty() || outgoing.route.size() > kRouteBytesMax) {
    return Error{ErrorKind::kInvalid, fmt::format("a route has 1 to {} bytes", kRouteBytesMax)};
  }
  std::string_view payload = "null";
  if (!message.error) {
    if (message.payload.size() > payload_bytes_max) {
      return Error{ErrorKind::kTooLarge, fmt::format("a payload of {} bytes is larger than limits.message_bytes ({})",
                                                     message.payload.size(), payload_bytes_max)};
    }
    const Result<JsonSpan> checked = slicer().check(message.payload);
    if (checked) {
      payload = checked->text;
    } else {
      message.error = RouteError{RouteErrorCode::kInternalServerError, std::string(kNotSerialised)};
    }
  }
  if (message.error) outgoing.error = routes_error_json(*message.error);
  outgoing.payload = Bytes::copy_of(payload);
  return outgoing;
}

Result<std::vector<RouteMember>> route_members(RouteBackend& backend, std::string_view channel) {
  if (Result<void> checked = check_channel_name(channel); !checked) return checked.error();
  Answer<Result<PresenceStatePtr>> answer;
  const bool open = backend.with_hub([&](Hub& hub) {
    hub.presence(std::string(channel),
                 [giver = answer.giver()](Result<PresenceStatePtr> state) mutable { giver.give(std::move(state)); });
  });
  if (!open) return hub_has_stopped();
  const std::optional<Result<PresenceStatePtr>> state = answer.wait();
  if (!state) return hub_has_stopped();
  if (!*state) return state->error();
  std::vector<RouteMember> members;
  for (const PresenceEntry& entry : (**state)->entries) {
    members.push_back({.user = entry.key, .card = entry.metas.back().meta, .connections = entry.metas.size()});
  }
  return members;
}

void RouteBackend::close() {
  const std::lock_guard lock(mutex_);
  closed_ = true;
}

std::function<bool(RoutesJobPtr)> route_launcher(WorkerPool& pool, std::function<std::shared_ptr<RoutesDoor>()> door,
                                                 std::shared_ptr<RouteBackend> backend) {
  return [&pool, door = std::move(door), backend = std::move(backend)](RoutesJobPtr job) {
    return pool.post([job = std::move(job), door = door(), backend]() mutable {
      const RouteCall call(std::make_shared<RouteCall::Parts>(job, std::move(door), std::move(backend)));
      run_handler(call, *job);
    });
  };
}

Result<void> check_route_hooks(const RouteHooks& hooks) {
  const auto refused = [](std::string text) { return Error{ErrorKind::kInvalid, std::move(text)}; };
  std::set<std::string_view> known;
  for (const RouteEntry& entry : hooks.routes) {
    if (!entry.route.starts_with('/') || entry.route.size() > kRouteBytesMax) {
      return refused(
          fmt::format("the route `{}`: a route begins with `/` and has {} bytes at most", entry.route, kRouteBytesMax));
    }
    if (entry.route.starts_with("/channels/")) {
      return refused(fmt::format("the route `{}`: /channels/… is the server's own", entry.route));
    }
    if (!known.insert(entry.route).second) return refused(fmt::format("the route `{}` is there twice", entry.route));
    const int ways = (entry.handle ? 1 : 0) + (entry.pure ? 1 : 0) + (entry.leaves.empty() ? 0 : 1);
    if (ways != 1) return refused(fmt::format("the route `{}` needs exactly one of handle, pure and leaves", entry.route));
    const bool answers = entry.pure || !entry.leaves.empty();
    if ((answers && entry.event.empty()) || entry.error_event.empty()) {
      return refused(fmt::format("the route `{}` has no event", entry.route));
    }
  }
  return {};
}

// --- Calls

class RouteCall::Parts::Slot {
 public:
  // Waits for a free one.
  explicit Slot(std::shared_ptr<Slots> slots) : slots_(std::move(slots)) {
    std::unique_lock lock(slots_->mutex);
    slots_->freed.wait(lock, [this] { return slots_->used < kSendsMax; });
    ++slots_->used;
  }
  Slot(Slot&&) noexcept = default;
  Slot& operator=(Slot&&) = delete;
  ~Slot() {
    if (slots_ == nullptr) return;
    const std::lock_guard lock(slots_->mutex);
    --slots_->used;
    slots_->freed.notify_one();
  }

 private:
  std::shared_ptr<Slots> slots_;
};

RouteCall::Parts::~Parts() {
  door->post(job->place, [job = job](RoutesDesk& desk) { desk.finish(*job); });
}

Result<void> RouteCall::Parts::send(RouteMessage message) {
  const bool for_sender = message.channel.empty() || (message.method == SendMethod::kSenderOnly && !message.system);
  if (for_sender && job->cancelled->load(std::memory_order_relaxed)) {
    return Error{ErrorKind::kUnavailable, "the connection has ended"};
  }
  Result<RoutesOutgoing> outgoing =
      routes_outgoing(std::move(message), job->entry->route, &job->connection->user, backend->payload_bytes_max());
  if (!outgoing) return outgoing.error();
  const bool open = door->post(job->place, [job = job, outgoing = *std::move(outgoing), slot = Slot(slots_)](
                                               RoutesDesk& desk) mutable { desk.send(job, std::move(outgoing)); });
  return open ? Result<void>() : hub_has_stopped();
}

const RouteConnectionPtr& RouteCall::connection() const {
  return parts_->job->connection;
}
const RouteUser& RouteCall::user() const {
  return parts_->job->connection->user;
}
const std::string& RouteCall::route() const {
  return parts_->job->entry->route;
}
const std::string& RouteCall::payload() const {
  return parts_->job->payload;
}
const std::string& RouteCall::id() const {
  return parts_->job->id;
}
bool RouteCall::cancelled() const {
  return parts_->job->cancelled->load(std::memory_order_relaxed);
}

Result<void> RouteCall::send(RouteMessage message) const {
  return parts_->send(std::move(message));
}

Result<void> RouteCall::answer(RouteName event, std::string payload) const {
  return send({.event = std::move(event), .payload = std::move(payload)});
}

Result<void> RouteCall::fail(RouteName event, RouteError error) const {
  return send({.event = std::move(event), .error = std::move(error)});
}

Result<void> RouteCall::give(RouteName event, Result<std::string> outcome) const {
  if (!outcome) return fail(std::move(event), outcome.error());
  return answer(std::move(event), *std::move(outcome));
}

Result<bool> RouteCall::follow(RouteFollow follow) const {
  for (const std::optional<RouteNews>* const news : {&follow.joined, &follow.left}) {
    if (!*news) continue;
    RouteMessage told{.event = (*news)->event, .payload = (*news)->payload, .channel = follow.channel};
    const Result<RoutesOutgoing> checked =
        routes_outgoing(std::move(told), route(), nullptr, parts_->backend->payload_bytes_max());
    if (!checked) return checked.error();
    if (!checked->error.empty()) return Error{ErrorKind::kInvalid, "the payload of joined and left must be JSON"};
  }
  if (!follow.card.empty()) {
    const Result<JsonSpan> card = slicer().check(follow.card);
    if (!card || card->type != JsonType::kObject) return Error{ErrorKind::kInvalid, "the card must be a JSON object"};
    follow.card = std::string(card->text);
  }
  Answer<Result<bool>> answer;
  const bool open = parts_->door->post(
      parts_->job->place, [job = parts_->job, follow = std::move(follow), giver = answer.giver()](RoutesDesk& desk) mutable {
        desk.follow(job, std::move(follow),
                    [giver = std::move(giver)](Result<bool> outcome) mutable { giver.give(std::move(outcome)); });
      });
  if (!open) return hub_has_stopped();
  return answer.wait().value_or(hub_has_stopped());
}

Result<bool> RouteCall::unfollow(std::string_view channel) const {
  Answer<bool> answer;
  const bool open =
      parts_->door->post(parts_->job->place, [job = parts_->job, name = std::string(channel), giver = answer.giver()](
                                                 RoutesDesk& desk) mutable { giver.give(desk.unfollow(*job, name)); });
  if (!open) return hub_has_stopped();
  const std::optional<bool> followed = answer.wait();
  if (!followed) return hub_has_stopped();
  return *followed;
}

Result<std::vector<RouteMember>> RouteCall::members(std::string_view channel) const {
  return route_members(*parts_->backend, channel);
}

RouteState RouteCall::state() const {
  return RouteState(std::make_shared<RouteState::Parts>(parts_->backend));
}

// --- Progress

RouteProgress::RouteProgress(RouteCall call, RouteMessage like) : call_(std::move(call)), like_(std::move(like)) {}

RouteProgress::~RouteProgress() {
  if (call_) (void)fail();
}

Result<void> RouteProgress::send(std::string_view members, std::string_view progress) {
  if (!call_) return Error{ErrorKind::kConflict, "the progress is over"};
  RouteMessage message = like_;
  message.payload.clear();
  JsonWriter json(message.payload);
  json.begin_object();
  const std::string_view beginning = like_.payload == "null" ? std::string_view("{}") : std::string_view(like_.payload);
  for (const std::string_view object : {beginning, members}) {
    const Result<JsonSpan> checked = slicer().check(object);
    if (!checked || checked->type != JsonType::kObject) {
      return Error{ErrorKind::kInvalid, "the payload of progress is made of JSON objects"};
    }
    json.members(checked->text);
  }
  json.key("progress").string(progress).end_object();
  return call_->send(std::move(message));
}

Result<void> RouteProgress::step(std::string_view members) {
  return send(members, "inProgress");
}

Result<void> RouteProgress::complete(std::string_view members) {
  Result<void> sent = send(members, "completed");
  if (sent) call_.reset();
  return sent;
}

Result<void> RouteProgress::fail(std::string_view members) {
  Result<void> sent = send(members, "failed");
  if (sent) call_.reset();
  return sent;
}

// --- Values

namespace {

Result<void> change_state(RouteBackend& backend, std::string key, std::optional<std::string> value,
                          std::chrono::milliseconds time) {
  constexpr std::size_t kKeyBytesMax = 1024;
  constexpr std::size_t kValueBytesMax = 1 << 20;
  if (key.size() > kKeyBytesMax) return Error{ErrorKind::kTooLarge, fmt::format("a key has {} bytes at most", kKeyBytesMax)};
  if (value && value->size() > kValueBytesMax) {
    return Error{ErrorKind::kTooLarge, fmt::format("a value has {} bytes at most", kValueBytesMax)};
  }
  Answer<Result<void>> answer;
  const bool open = backend.with_state([&](StateStore& store, const Clock& clock) {
    std::vector<StateChange> changes;
    changes.push_back({.key = std::move(key),
                       .value = std::move(value),
                       .expires_at_ms = time.count() == 0 ? 0 : clock.unix_ms() + time.count()});
    store.change(std::move(changes), false,
                 [giver = answer.giver()](Result<void> outcome) mutable { giver.give(std::move(outcome)); });
  });
  if (!open) return hub_has_stopped();
  return answer.wait().value_or(hub_has_stopped());
}

Result<std::optional<std::string>> read_state(RouteBackend& backend, std::string key) {
  using Value = Result<std::optional<std::string>>;
  Answer<Value> answer;
  const bool open = backend.with_state([&](StateStore& store, const Clock&) {
    store.read(std::move(key), [giver = answer.giver()](Value value) mutable { giver.give(std::move(value)); });
  });
  if (!open) return hub_has_stopped();
  return answer.wait().value_or(hub_has_stopped());
}

}  // namespace

Result<void> RouteState::set(std::string_view key, std::string value, std::chrono::milliseconds time) const {
  return change_state(*parts_->backend, routes_state_key(key), std::move(value), time);
}
Result<std::optional<std::string>> RouteState::get(std::string_view key) const {
  return read_state(*parts_->backend, routes_state_key(key));
}
Result<void> RouteState::remove(std::string_view key) const {
  return change_state(*parts_->backend, routes_state_key(key), std::nullopt, std::chrono::milliseconds(0));
}
Result<void> RouteState::set_draft(std::string_view channel, std::string value, std::chrono::milliseconds time) const {
  return change_state(*parts_->backend, routes_draft_key(channel), std::move(value), time);
}
Result<std::optional<std::string>> RouteState::draft(std::string_view channel) const {
  return read_state(*parts_->backend, routes_draft_key(channel));
}
Result<void> RouteState::drop_draft(std::string_view channel) const {
  return change_state(*parts_->backend, routes_draft_key(channel), std::nullopt, std::chrono::milliseconds(0));
}

// --- Payloads

class RouteFields::Parts {
 public:
  explicit Parts(std::string_view payload) : text(payload), reader("payload", text) {}

  const std::string text;
  JsonObjectReader reader;
  JsonSlicer lists;
};

RouteFields::RouteFields(std::string_view payload) : parts_(std::make_unique<Parts>(payload)) {}
RouteFields::~RouteFields() = default;

std::string RouteFields::text(std::string_view name) {
  return parts_->reader.text(name);
}
std::optional<std::string> RouteFields::optional_text(std::string_view name) {
  return parts_->reader.optional_text(name);
}
std::int64_t RouteFields::integer(std::string_view name) {
  return parts_->reader.integer(name);
}
std::optional<std::int64_t> RouteFields::optional_integer(std::string_view name) {
  const std::string there = raw(name);
  if (there.empty() || there == "null") return std::nullopt;
  return parts_->reader.integer(name);
}

std::vector<std::string> RouteFields::texts(std::string_view name) {
  const std::string list = parts_->reader.raw(name);
  if (!parts_->reader.status()) return {};
  std::vector<std::string> texts;
  const Result<JsonDocument> document = parts_->lists.slice(list);
  bool good = document && document->root.type == JsonType::kArray;
  if (good) {
    for (const JsonSpan& item : document->items) {
      std::optional<std::string> text = decode_json_string(item.text);
      good = good && text.has_value();
      if (text) texts.push_back(*std::move(text));
    }
  }
  if (good) return texts;
  parts_->reader.fail(fmt::format("field `{}` must be a list of texts", name));
  return {};
}

std::string RouteFields::raw(std::string_view name) {
  if (!parts_->reader.status()) return {};
  const Result<JsonDocument> document = parts_->lists.slice(parts_->text);
  const JsonSpan* const value = document ? document->find(name) : nullptr;
  return value == nullptr ? std::string() : std::string(value->text);
}

void RouteFields::fail(std::string text) {
  parts_->reader.fail(std::move(text));
}
Result<void> RouteFields::status() const {
  return parts_->reader.status();
}

std::string json_text(std::string_view text) {
  std::string out;
  append_json_string(out, text);
  return out;
}

}  // namespace carillon
