#include "feature/ingest/webhook_receiver.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <optional>
#include <span>
#include <utility>

#include "feature/ingest/webhook_signature.h"
#include "hub/epoch_text.h"
#include "wire/json/json_writer.h"

namespace carillon {

namespace {

// Longer ids are refused: they are kept with the idempotency keys. GitHub's and Gitea's are UUIDs.
constexpr std::size_t kDeliveryIdBytesMax = 128;

// Where each source says what; the first header that is there and not empty counts. The first name is the one shown.
struct SourceHeaders {
  std::span<const std::string_view> event;
  std::span<const std::string_view> delivery;
  std::span<const std::string_view> signature;
};

constexpr std::array<std::string_view, 1> kGithubEvent = {"X-GitHub-Event"};
constexpr std::array<std::string_view, 1> kGithubDelivery = {"X-GitHub-Delivery"};
constexpr std::array<std::string_view, 1> kGithubSignature = {"X-Hub-Signature-256"};
constexpr std::array<std::string_view, 4> kGiteaEvent = {"X-Gitea-Event", "X-Forgejo-Event", "X-Gogs-Event", "X-GitHub-Event"};
constexpr std::array<std::string_view, 4> kGiteaDelivery = {"X-Gitea-Delivery", "X-Forgejo-Delivery", "X-Gogs-Delivery",
                                                            "X-GitHub-Delivery"};
constexpr std::array<std::string_view, 4> kGiteaSignature = {"X-Gitea-Signature", "X-Forgejo-Signature", "X-Gogs-Signature",
                                                             "X-Hub-Signature-256"};

SourceHeaders headers_of(WebhookSource source) {
  if (source == WebhookSource::github) return {kGithubEvent, kGithubDelivery, kGithubSignature};
  return {kGiteaEvent, kGiteaDelivery, kGiteaSignature};
}

std::string_view first_header(const HttpRequest& request, std::span<const std::string_view> names) {
  for (const std::string_view name : names) {
    if (const std::string_view value = request.headers.get(name); !value.empty()) return value;
  }
  return {};
}

std::string lower_case_type(std::string_view content_type) {
  std::string type(content_type.substr(0, content_type.find(';')));
  type.erase(std::remove_if(type.begin(), type.end(), [](char c) { return c == ' ' || c == '\t'; }), type.end());
  for (char& c : type) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c;
  return type;
}

// The JSON text in the body; nothing when the body is of another type. A form's field `payload` holds it, unless the body
// begins like an object, which no form does: curl calls everything a form unless told otherwise.
std::optional<std::string> payload_of(const HttpRequest& request) {
  const std::string type = lower_case_type(request.headers.get("Content-Type"));
  if (type.empty() || type == "application/json" || type.ends_with("+json")) return request.body;
  if (type != "application/x-www-form-urlencoded") return std::nullopt;
  if (request.body.find_first_not_of(" \t\r\n") == request.body.find('{')) return request.body;
  HttpRequest form;
  form.query = request.body;
  return form.query_value("payload").value_or("");
}

HttpResponse refusal(const Error& error) {
  int status = 500;
  switch (error.kind) {
    case ErrorKind::kInvalid:
    case ErrorKind::kCorrupt: status = 400; break;
    case ErrorKind::kUnauthorized: status = 401; break;
    case ErrorKind::kForbidden: status = 403; break;
    case ErrorKind::kNotFound: status = 404; break;
    case ErrorKind::kConflict: status = 409; break;
    case ErrorKind::kTooLarge: status = 413; break;
    case ErrorKind::kLimit: status = 507; break;
    case ErrorKind::kUnavailable: status = 503; break;
    case ErrorKind::kInternal: break;
  }
  return HttpResponse::error(status, error_kind_name(error.kind), error.text);
}

// A delivery whose events are being published. Shared by their completions; the last one answers.
struct PendingDelivery {
  struct Published {
    std::string channel;
    std::string event;
    Receipt receipt;
  };

  ExchangePtr exchange;
  std::string delivery_id;
  std::vector<Published> events;
  std::size_t waiting = 0;
  std::optional<Error> failure;  // The first one.

  void answer() {
    if (failure) {
      exchange->reply(refusal(*failure));
      return;
    }
    const bool repeated =
        std::all_of(events.begin(), events.end(), [](const Published& each) { return each.receipt.repeated; });
    std::string body;
    JsonWriter writer(body);
    writer.begin_object().key("delivery").string(delivery_id).key("events").begin_array();
    for (const Published& each : events) {
      writer.begin_object().key("channel").string(each.channel).key("event").string(each.event);
      writer.key("id").string(each.receipt.id.text());
      if (each.receipt.position) {
        writer.key("epoch").string(epoch_text(each.receipt.position->epoch));
        writer.key("offset").number(each.receipt.position->offset);
      }
      writer.end_object();
    }
    writer.end_array();
    if (repeated) writer.key("repeated").boolean(true);
    writer.end_object();
    exchange->reply(HttpResponse::json(repeated ? 200 : 202, std::move(body)));
  }
};

}  // namespace

WebhookReceiver::WebhookReceiver(Options options, PublishFunction publish, AdmitFunction admit)
    : options_(std::move(options)), publish_(std::move(publish)), admit_(std::move(admit)) {}

void WebhookReceiver::add_routes(Routes& routes) {
  routes.add("POST", options_.github_path,
             [this](ExchangePtr exchange) { receive(WebhookSource::github, std::move(exchange)); });
  routes.add("POST", options_.gitea_path, [this](ExchangePtr exchange) { receive(WebhookSource::gitea, std::move(exchange)); });
}

Result<void> WebhookReceiver::check_sender(WebhookSource source, const Exchange& exchange) {
  const auto& secrets = source == WebhookSource::github ? options_.github_secrets : options_.gitea_secrets;
  if (secrets.empty()) return admit_ ? admit_(exchange) : Result<void>{};
  const auto names = headers_of(source).signature;
  const std::string_view signature = first_header(exchange.request(), names);
  if (signature.empty()) {
    return Error{ErrorKind::kUnauthorized, fmt::format("the delivery is not signed: {} is missing", names.front())};
  }
  if (!verify_webhook_signature(secrets, exchange.request().body, signature)) {
    return Error{ErrorKind::kUnauthorized, "the delivery's signature does not fit its body and the secret"};
  }
  return {};
}

void WebhookReceiver::receive(WebhookSource source, ExchangePtr exchange) {
  const HttpRequest& request = exchange->request();
  const SourceHeaders headers = headers_of(source);
  const auto refuse = [&](int status, std::string_view code, std::string_view message) {
    exchange->reply(HttpResponse::error(status, code, message));
  };

  // The sender first: a stranger learns nothing else.
  if (auto known = check_sender(source, *exchange); !known) return exchange->reply(refusal(known.error()));
  const std::optional<std::string> payload = payload_of(request);
  if (!payload) return refuse(415, "unsupported_media_type", "send application/json, or a form with a field `payload`");
  const std::string_view event = first_header(request, headers.event);
  if (event.empty()) {
    return refuse(400, "invalid", fmt::format("the header {} is missing: it names the event", headers.event.front()));
  }
  const std::string delivery_id(first_header(request, headers.delivery));
  if (delivery_id.size() > kDeliveryIdBytesMax) {
    return refuse(400, "invalid", fmt::format("the delivery's id has more than {} bytes", kDeliveryIdBytesMax));
  }
  Result<std::vector<MappedEvent>> events = map_webhook(source, event, *payload, options_.mapping);
  if (!events) return exchange->reply(refusal(events.error()));

  auto pending = std::make_shared<PendingDelivery>();
  pending->exchange = std::move(exchange);
  pending->delivery_id = delivery_id;
  pending->waiting = events->size();
  for (const MappedEvent& mapped : *events) pending->events.push_back({mapped.channel, mapped.event, {}});
  for (std::size_t i = 0; i < events->size(); ++i) {
    MappedEvent& mapped = (*events)[i];
    Draft draft;
    draft.channel = std::move(mapped.channel);
    draft.event = std::move(mapped.event);
    draft.payload = Bytes::copy_of(mapped.data);
    if (!delivery_id.empty()) draft.idempotency_key = fmt::format("{}:{}:{}", webhook_source_name(source), delivery_id, i);
    publish_(std::move(draft), [pending, i](Result<Receipt> receipt) {
      if (receipt) {
        pending->events[i].receipt = *receipt;
      } else if (!pending->failure) {
        pending->failure = receipt.error();
      }
      if (--pending->waiting == 0) pending->answer();
    });
  }
}

}  // namespace carillon
