// RoutesDialog's own routes: /channels/…, what every client may ask without any program behind the server, as the channels'
// rules allow. Answered to the connection that asked.
#include <algorithm>
#include <array>
#include <utility>

#include "hub/epoch_text.h"
#include "protocol/event_json.h"
#include "protocol/routes/routes_dialog.h"
#include "wire/json/json_object_reader.h"
#include "wire/json/json_writer.h"

namespace carillon {
namespace {

constexpr std::string_view kPrefix = "/channels/";
constexpr std::size_t kHistoryPage = 100;

// {"epoch":"…","offset":…}
Result<Position> read_position(std::string_view json) {
  JsonObjectReader fields("recover", json);
  const std::optional<std::uint64_t> epoch = parse_epoch(fields.text("epoch"));
  const std::int64_t offset = fields.integer("offset");
  if (const Result<void> read = fields.status(); !read) return read.error();
  if (!epoch || offset < 0) return Error{ErrorKind::kInvalid, "recover: `epoch` is hexadecimal, `offset` a count"};
  return Position{.epoch = *epoch, .offset = static_cast<std::uint64_t>(offset)};
}

Result<bool> read_flag(JsonObjectReader& fields, std::string_view json, std::string_view name) {
  JsonSlicer slicer;
  const Result<JsonDocument> document = slicer.slice(json);
  if (!document) return document.error();
  const JsonSpan* const value = document->find(name);
  if (value == nullptr || value->type == JsonType::kFalse || value->type == JsonType::kNull) return false;
  if (value->type == JsonType::kTrue) return true;
  fields.fail(std::string("field `") + std::string(name) + "` must be a boolean");
  return fields.status().error();
}

std::string optional_raw(std::string_view json, std::string_view name) {
  JsonSlicer slicer;
  const Result<JsonDocument> document = slicer.slice(json);
  const JsonSpan* const value = document ? document->find(name) : nullptr;
  return value == nullptr || value->type == JsonType::kNull ? std::string() : std::string(value->text);
}

}  // namespace

bool RoutesDialog::ask_channels(const RoutesRequest& request) {
  if (!request.route.starts_with(kPrefix)) return false;
  struct Own {
    std::string_view verb;
    std::string_view event;
    void (RoutesDialog::*ask)(const Question&, std::string_view);
  };
  static constexpr std::array kOwn{
      Own{"subscribe", "subscribed", &RoutesDialog::subscribe}, Own{"unsubscribe", "unsubscribed", &RoutesDialog::unsubscribe},
      Own{"list", "listChannels", &RoutesDialog::list},         Own{"publish", "published", &RoutesDialog::publish},
      Own{"members", "members", &RoutesDialog::members},        Own{"history", "history", &RoutesDialog::history}};
  const std::string_view verb = request.route.substr(kPrefix.size());
  const auto own = std::ranges::find_if(kOwn, [&](const Own& known) { return known.verb == verb; });
  if (own == kOwn.end()) return false;
  const Question question{.route = request.route, .event = own->event, .id = request.id};
  if (asked_.size() >= kAskedMax) {
    refuse(question, RouteError{RouteErrorCode::kBadRequest, "too many requests wait for their answers"});
  } else {
    (this->*own->ask)(question, request.payload);
  }
  return true;
}

// {"channel":"room:42","presence":true,"recover":{"epoch":"…","offset":7}}
void RoutesDialog::subscribe(const Question& question, std::string_view payload) {
  JsonObjectReader fields("payload", payload);
  Result<std::string> channel = channel_of_routes(fields.text("channel"));
  if (const Result<void> read = fields.status(); !read) return refuse(question, read.error());
  if (!channel) return refuse(question, channel.error());
  const Result<bool> presence = read_flag(fields, payload, "presence");
  if (!presence) return refuse(question, presence.error());
  SubscribeOptions options{.selector = {.kind = Selector::Kind::kExact, .base = *channel}};
  if (const std::string recover = optional_raw(payload, "recover"); !recover.empty()) {
    const Result<Position> position = read_position(recover);
    if (!position) return refuse(question, position.error());
    options.recover = {{*channel, *position}};
  }
  if (*presence) {
    // Refused before anything has happened, not by half.
    if (Result<void> allowed = session_.may_set_presence(*channel, presence_key_text(), {}); !allowed) {
      return refuse(question, allowed.error());
    }
  }
  options.ticket = expect(question, *channel);
  Asked& asked = asked_.at(options.ticket);
  asked.presence = *presence;
  asked.recover = options.recover.has_value();
  options.granted = *channel == personal_ && user().verified;
  if (*channel != personal_) follows_.try_emplace(*channel);
  session_.subscribe(std::move(options));
}

// {"id":"room:42"}, or {"id":null} for every channel that the connection follows.
void RoutesDialog::unsubscribe(const Question& question, std::string_view payload) {
  JsonObjectReader fields("payload", payload);
  const std::optional<std::string> id = fields.optional_text("id");
  if (const Result<void> read = fields.status(); !read) return refuse(question, read.error());
  std::vector<std::string> channels;
  if (id) {
    Result<std::string> channel = channel_of_routes(*id);
    if (!channel) return refuse(question, channel.error());
    channels.push_back(*std::move(channel));
  } else {
    for (const auto& [channel, follow] : follows_) channels.push_back(channel);
    std::ranges::sort(channels);
  }
  std::string told;
  JsonWriter json(told);
  json.begin_array();
  for (const std::string& channel : channels) {
    unfollow(channel);  // Confirmed even if it was not followed.
    json.begin_object().key("id").string(routes_of_channel(channel)).end_object();
  }
  json.end_array();
  answer(question, told);
}

void RoutesDialog::list(const Question& question, std::string_view) {
  std::vector<std::string> channels;
  for (const Selector& selector : session_.subscriptions()) channels.push_back(selector.base);
  std::ranges::sort(channels);
  std::string told;
  JsonWriter json(told);
  json.begin_array();
  for (const std::string& channel : channels) json.begin_object().key("id").string(routes_of_channel(channel)).end_object();
  json.end_array();
  answer(question, told);
}

// {"channel":"room:42","event":"said","data":{…},"send_method":"AllButSender","idempotency_key":"…"}
void RoutesDialog::publish(const Question& question, std::string_view payload) {
  JsonObjectReader fields("payload", payload);
  Result<std::string> channel = channel_of_routes(fields.text("channel"));
  const std::string event = fields.text("event");
  const std::string data = fields.raw("data");
  const std::string method_text = fields.optional_text("send_method").value_or("All");
  const std::string key = fields.optional_text("idempotency_key").value_or("");
  const std::optional<SendMethod> method = parse_send_method(method_text);
  if (!method) fields.fail("field `send_method` must be SenderOnly, AllButSender or All");
  if (const Result<void> read = fields.status(); !read) return refuse(question, read.error());
  if (!channel) return refuse(question, channel.error());
  RoutesOutgoing outgoing{.route = route_of_channel(*channel),
                          .event = event,
                          .payload = Bytes::copy_of(data),
                          .method = *method,
                          .sent_by = sent_by_};
  Draft draft = routes_draft(std::move(outgoing), *channel, identity_, session_.id(), {});
  draft.idempotency_key = key;
  session_.publish(std::move(draft), expect(question, *std::move(channel)));
}

void RoutesDialog::on_published(Ticket ticket, const Result<Receipt>& outcome) {
  const std::optional<Asked> asked = take(ticket);
  if (!asked) return;
  const Question question{.route = asked->route, .event = asked->event, .id = asked->id};
  if (!outcome) return refuse(question, outcome.error());
  std::string payload;
  JsonWriter json(payload);
  json.begin_object().key("channel").string(routes_of_channel(asked->channel));
  if (outcome->position) {
    json.key("epoch").string(epoch_text(outcome->position->epoch)).key("offset").number(outcome->position->offset);
  }
  json.key("id").string(outcome->id.text()).end_object();
  answer(question, payload);
}

// {"channel":"room:42"}
void RoutesDialog::members(const Question& question, std::string_view payload) {
  JsonObjectReader fields("payload", payload);
  Result<std::string> channel = channel_of_routes(fields.text("channel"));
  if (const Result<void> read = fields.status(); !read) return refuse(question, read.error());
  if (!channel) return refuse(question, channel.error());
  const Ticket ticket = expect(question, *channel);
  session_.presence(*std::move(channel), ticket);
}

// Each user once, by its newest connection's card.
void RoutesDialog::on_presence(Ticket ticket, const Result<PresenceStatePtr>& outcome) {
  const std::optional<Asked> asked = take(ticket);
  if (!asked) return;
  const Question question{.route = asked->route, .event = asked->event, .id = asked->id};
  if (!outcome) return refuse(question, outcome.error());
  std::string payload;
  JsonWriter json(payload);
  json.begin_array();
  for (const PresenceEntry& entry : (*outcome)->entries) {
    json.begin_object().key("user").string(entry.key).key("connections").number(entry.metas.size());
    const std::string& card = entry.metas.back().meta;
    json.key("card").raw(card.empty() ? "null" : card).end_object();
  }
  json.end_array();
  answer(question, payload);
}

// {"channel":"room:42","limit":50}: the newest, oldest first.
void RoutesDialog::history(const Question& question, std::string_view payload) {
  JsonObjectReader fields("payload", payload);
  Result<std::string> channel = channel_of_routes(fields.text("channel"));
  std::int64_t limit = kHistoryPage;
  if (!optional_raw(payload, "limit").empty()) limit = fields.integer("limit");
  if (limit < 1 || limit > static_cast<std::int64_t>(kHistoryPage)) fields.fail("field `limit` must be 1 to 100");
  if (const Result<void> read = fields.status(); !read) return refuse(question, read.error());
  if (!channel) return refuse(question, channel.error());
  const Ticket ticket = expect(question, *channel);
  session_.history({.channel = *std::move(channel), .count_max = static_cast<std::size_t>(limit), .reverse = true}, ticket);
}

void RoutesDialog::on_history(Ticket ticket, const Result<HistoryPage>& outcome) {
  const std::optional<Asked> asked = take(ticket);
  if (!asked) return;
  const Question question{.route = asked->route, .event = asked->event, .id = asked->id};
  if (!outcome) return refuse(question, outcome.error());
  std::vector<PublicationPtr> publications = outcome->publications;
  std::ranges::reverse(publications);
  std::string payload;
  JsonWriter json(payload);
  json.begin_object().key("channel").string(routes_of_channel(asked->channel)).key("events").begin_array();
  for (const PublicationPtr& publication : publications) {
    std::string event;
    append_event_json(event, *publication, EventNames::kUnderscore);
    json.raw(event);
  }
  json.end_array().key("more").boolean(outcome->more).end_object();
  answer(question, payload);
}

}  // namespace carillon
