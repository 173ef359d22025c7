#include "client/hub_client.h"

#include <fmt/core.h>

#include <algorithm>
#include <charconv>

#include "wire/json/json_slicer.h"
#include "wire/json/json_writer.h"

namespace carillon {
namespace {

constexpr std::size_t kPageMax = 1000;  // Asked for at once; a server may give fewer.

// Answers hold any number of events, nested as deeply as their publishers liked.
constexpr JsonSlicer::Options kAnswerJson{.depth_max = 1024, .entries_max = 1'000'000};

ErrorKind refusal_kind(int status) {
  switch (status) {
    case 401: return ErrorKind::kUnauthorized;
    case 403: return ErrorKind::kForbidden;
    case 404: return ErrorKind::kNotFound;
    case 409: return ErrorKind::kConflict;
    case 413: return ErrorKind::kTooLarge;
    case 429: return ErrorKind::kLimit;
    default: return status >= 500 ? ErrorKind::kUnavailable : ErrorKind::kInvalid;
  }
}

// The whole body of a success, as one line.
Result<std::string> accepted_body(const Result<HttpResponse>& answer) {
  if (!answer) return answer.error();
  if (answer->status != 200) {
    return Error{refusal_kind(answer->status),
                 fmt::format("the server refused with {}: {}", answer->status, refusal_text(*answer))};
  }
  std::string body = one_line(answer->body);
  if (!check_json(body)) return Error{ErrorKind::kCorrupt, "the server's answer is no JSON; is this a Carillon server?"};
  return body;
}

std::optional<ClientPosition> event_position(std::string_view event) {
  JsonSlicer slicer(kAnswerJson);
  const Result<JsonDocument> document = slicer.slice(event);
  if (!document) return std::nullopt;
  const JsonSpan* epoch = document->find("epoch");
  const JsonSpan* offset = document->find("offset");
  if (epoch == nullptr || offset == nullptr) return std::nullopt;
  const std::optional<std::string> epoch_text = decode_json_string(epoch->text);
  const std::optional<std::uint64_t> offset_number = json_u64(offset->text);
  if (!epoch_text || !offset_number) return std::nullopt;
  return ClientPosition{*epoch_text, *offset_number};
}

struct HistoryPageText {
  std::vector<std::string> events;
  bool complete = true;
  bool more = false;
};

Result<HistoryPageText> read_history_page(std::string_view body) {
  JsonSlicer slicer(kAnswerJson);
  const Result<JsonDocument> document = slicer.slice(body);
  const JsonSpan* events = document ? document->find("events") : nullptr;
  if (events == nullptr || events->type != JsonType::kArray) {
    return Error{ErrorKind::kCorrupt, "the server's answer holds no events; is this a Carillon server?"};
  }
  HistoryPageText page;
  const JsonSpan* complete = document->find("complete");
  const JsonSpan* more = document->find("more");
  page.complete = complete == nullptr || complete->type != JsonType::kFalse;
  page.more = more != nullptr && more->type == JsonType::kTrue;
  JsonSlicer event_slicer(kAnswerJson);
  const Result<JsonDocument> list = event_slicer.slice(events->text);
  if (!list) return list.error();
  for (const JsonSpan& event : list->items) page.events.emplace_back(event.text);
  return page;
}

// The members of an object, by name. What is absent or of another type is nothing.
class ObjectText {
 public:
  explicit ObjectText(std::string_view json) : slicer_(kAnswerJson), document_(slicer_.slice(json)) {}

  std::span<const JsonMember> members() const { return document_ ? document_->members : std::span<const JsonMember>(); }
  std::span<const JsonSpan> items() const { return document_ ? document_->items : std::span<const JsonSpan>(); }
  std::string_view raw(std::string_view name) const {
    const JsonSpan* const found = document_ ? document_->find(name) : nullptr;
    return found == nullptr ? std::string_view() : found->text;
  }
  std::string text(std::string_view name) const { return decode_json_string(raw(name)).value_or(""); }
  std::uint64_t number(std::string_view name) const { return json_u64(raw(name)).value_or(0); }

 private:
  JsonSlicer slicer_;
  Result<JsonDocument> document_;
};

Result<PresenceAnswer> read_presence(Result<std::string> body) {
  if (!body) return body.error();
  PresenceAnswer answer{.body = *std::move(body)};
  const ObjectText told(answer.body);
  if (told.raw("members").empty()) {
    return Error{ErrorKind::kCorrupt, "the server's answer tells nothing of presence; is this a Carillon server?"};
  }
  answer.users = told.number("users");
  answer.members = told.number("members");
  const ObjectText presence(told.raw("presence"));
  for (const JsonMember& entry : presence.members()) {
    const ObjectText metas(ObjectText(entry.value.text).raw("metas"));
    for (const JsonSpan& item : metas.items()) {
      const ObjectText meta(item.text);
      answer.present.push_back({.key = std::string(entry.key),
                                .online_at_ms = static_cast<std::int64_t>(meta.number("online_at")),
                                .session = meta.text("session"),
                                .meta = std::string(meta.raw("meta"))});
    }
  }
  return answer;
}

}  // namespace

Result<ClientPosition> parse_position(std::string_view text) {
  const auto hexadecimal = [](char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F'); };
  const std::size_t colon = text.find(':');
  const std::string_view epoch = text.substr(0, colon);
  ClientPosition position{std::string(epoch), 0};
  bool good = colon != std::string_view::npos && !epoch.empty() && epoch.size() <= 16 &&
              std::all_of(epoch.begin(), epoch.end(), hexadecimal);
  if (good) {
    const std::string_view offset = text.substr(colon + 1);
    const auto [end, error] = std::from_chars(offset.data(), offset.data() + offset.size(), position.offset);
    good = error == std::errc() && end == offset.data() + offset.size();
  }
  if (good) return position;
  return Error{
      ErrorKind::kInvalid,
      fmt::format("`{}` is no position; write EPOCH:OFFSET as an event or a receipt shows them, such as 1f3a:12", text)};
}

std::string position_text(const ClientPosition& position) {
  return fmt::format("{}:{}", position.epoch, position.offset);
}

Result<void> check_json(std::string_view text) {
  JsonSlicer slicer(kAnswerJson);
  const Result<JsonSpan> checked = slicer.check(text);
  if (!checked) return checked.error();
  return {};
}

std::string json_text_of(std::string_view text) {
  std::string out;
  append_json_string(out, text);
  return out;
}

std::string one_line(std::string_view json) {
  std::string out(json);
  std::erase_if(out, [](char character) { return character == '\n' || character == '\r'; });
  return out;
}

std::string refusal_text(const HttpResponse& response) {
  JsonSlicer slicer(kAnswerJson);
  const Result<JsonDocument> document = slicer.slice(response.body);
  const JsonSpan* error = document ? document->find("error") : nullptr;
  if (error != nullptr && error->type == JsonType::kObject) {
    JsonSlicer inner(kAnswerJson);
    const Result<JsonDocument> parts = inner.slice(error->text);
    error = parts ? parts->find("message") : nullptr;
    if (error != nullptr) return decode_json_string(error->text).value_or(std::string(http_reason(response.status)));
  } else if (error != nullptr) {
    return decode_json_string(error->text).value_or(std::string(http_reason(response.status)));
  }
  return std::string(http_reason(response.status));
}

Result<std::string> HubClient::publish(const PublishCall& call) {
  std::string body;
  JsonWriter writer(body);
  writer.begin_object();
  writer.key("channel").string(call.channel);
  writer.key("event").string(call.event);
  writer.key("data").raw(call.data);
  if (!call.idempotency_key.empty()) writer.key("idempotency_key").string(call.idempotency_key);
  writer.end_object();
  return accepted_body(http_.call(
      {.method = "POST", .target = "/api/publish", .body = std::move(body), .repeatable = !call.idempotency_key.empty()}));
}

Result<HistoryAnswer> HubClient::history(HistoryCall call) {
  HistoryAnswer answer;
  while (true) {
    const std::size_t left = call.count_max - answer.events.size();
    std::string target =
        fmt::format("/api/channels/{}/history?limit={}", percent_encoded(call.channel), std::min(left, kPageMax));
    if (call.since) target += "&since=" + percent_encoded(position_text(*call.since));
    if (call.reverse) target += "&reverse=true";
    const Result<std::string> body = accepted_body(http_.call({.target = std::move(target), .repeatable = true}));
    if (!body) return body.error();
    Result<HistoryPageText> page = read_history_page(*body);
    if (!page) return page.error();

    answer.complete = answer.complete && page->complete;
    const std::optional<ClientPosition> last = page->events.empty() ? std::nullopt : event_position(page->events.back());
    for (std::string& event : page->events) answer.events.push_back(std::move(event));
    if (!page->more || !last || last == call.since || answer.events.size() >= call.count_max) return answer;
    call.since = last;
  }
}

Result<PresenceAnswer> HubClient::presence(std::string_view channel) {
  return read_presence(presence_body(channel));
}

Result<std::string> HubClient::presence_body(std::string_view channel) {
  return accepted_body(http_.call({.target = "/api/presence?channel=" + percent_encoded(channel), .repeatable = true}));
}

Result<PresenceAnswer> HubClient::presence_stats(std::string_view channel) {
  return read_presence(
      accepted_body(http_.call({.target = "/api/presence_stats?channel=" + percent_encoded(channel), .repeatable = true})));
}

}  // namespace carillon
