#include "protocol/bayeux/bayeux_http.h"

#include "protocol/bayeux/bayeux_codec.h"
#include "wire/http/http_syntax.h"

namespace carillon {
namespace {

constexpr std::string_view kDefaultCallback = "jsonpcallback";
// Room for the fields of most answers, with those that transport adds.
constexpr std::size_t kFieldsOfAnswer = 4;
constexpr std::size_t kFieldBytesOfAnswer = 150;

bool is_space(char c) {
  return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

std::string_view trimmed(std::string_view text) {
  while (!text.empty() && is_space(text.front())) text.remove_prefix(1);
  while (!text.empty() && is_space(text.back())) text.remove_suffix(1);
  return text;
}

Result<BayeuxAsked> read_callback_request(const HttpRequest& request) {
  BayeuxAsked asked{.transport = BayeuxTransport::kCallbackPolling};
  const std::vector<std::string> callbacks = request.query_values("jsonp");
  if (callbacks.size() > 1) return Error{ErrorKind::kInvalid, "one parameter jsonp names the callback, not several"};
  asked.callback = callbacks.empty() ? std::string(kDefaultCallback) : callbacks.front();
  if (!is_jsonp_callback(asked.callback)) {
    return Error{ErrorKind::kInvalid, "the callback (jsonp) is 1 to 64 letters, digits, '.', '_' and '-'"};
  }
  asked.texts = request.query_values("message");
  if (asked.texts.empty()) return Error{ErrorKind::kInvalid, "the parameter message is missing: ?jsonp=callback&message=[…]"};
  return asked;
}

}  // namespace

std::string_view bayeux_transport_name(BayeuxTransport transport) {
  switch (transport) {
    case BayeuxTransport::kWebSocket: return "websocket";
    case BayeuxTransport::kLongPolling: return "long-polling";
    case BayeuxTransport::kCallbackPolling: return "callback-polling";
    case BayeuxTransport::kEventSource: return "eventsource";
  }
  return "";
}

void BayeuxAnswerer::answer(std::string array, ReplySent sent) {
  HttpResponse response = response_with(std::move(array));
  const ExchangePtr exchange = std::move(exchange_);
  exchange->reply(std::move(response), std::move(sent));
}

void BayeuxAnswerer::answer_with_cookie(std::string array, std::string_view cookie) {
  HttpResponse response = response_with(std::move(array));
  if (!cookie.empty()) response.headers.add("Set-Cookie", cookie);
  const ExchangePtr exchange = std::move(exchange_);
  exchange->reply(std::move(response));
}

HttpResponse BayeuxAnswerer::response_with(std::string array) {
  HttpResponse response;
  response.headers.reserve(kFieldsOfAnswer, kFieldBytesOfAnswer);
  if (transport_ == BayeuxTransport::kCallbackPolling) {
    response.headers.add("Content-Type", "text/javascript; charset=utf-8");
    response.headers.add("X-Content-Type-Options", "nosniff");
    response.headers.add("Content-Disposition", "attachment; filename=f.txt");
    response.body = jsonp_body(callback_, array);
  } else {
    response.headers.add("Content-Type", "application/json;charset=UTF-8");
    response.body = std::move(array);
  }
  response.headers.add("Cache-Control", "no-cache, no-store, no-transform");
  return response;
}

void BayeuxAnswerer::fail(int status, std::string_view text) {
  HttpResponse response = HttpResponse::text(status, std::string(text) + "\n");
  response.headers.add("Cache-Control", "no-store");
  const ExchangePtr exchange = std::move(exchange_);
  exchange->reply(std::move(response));
}

Result<BayeuxAsked> read_bayeux_request(const HttpRequest& request) {
  if (request.method == "GET") return read_callback_request(request);
  if (request.method != "POST") return Error{ErrorKind::kInvalid, "Bayeux messages come by POST, or by GET as JSONP"};
  BayeuxAsked asked;
  const std::string_view type = request.headers.get("Content-Type");
  if (type.empty() || equal_ignoring_case(type, "application/json") ||
      equal_ignoring_case(type, "application/json;charset=UTF-8") ||
      equal_ignoring_case(type, "application/json; charset=UTF-8")) {
    return asked;
  }
  Result<std::vector<std::string>> texts = bayeux_body_texts(type, request.body);
  if (!texts) return texts.error();
  asked.texts = *std::move(texts);
  if (asked.texts.empty()) return Error{ErrorKind::kInvalid, "the form has no parameter message"};
  return asked;
}

std::string joined_texts(const std::vector<std::string>& texts) {
  if (texts.size() == 1) return texts.front();
  std::string out = "[";
  for (const std::string& text : texts) {
    std::string_view inner = trimmed(text);
    if (inner.starts_with('[') && inner.ends_with(']')) inner = trimmed(inner.substr(1, inner.size() - 2));
    if (inner.empty()) continue;
    if (out.size() > 1) out += ',';
    out += inner;
  }
  return out + ']';
}

std::string bayeux_cookie(std::string_view browser, const BayeuxOptions& options, const HttpRequest& request) {
  std::string out(kBayeuxCookie);
  out += '=';
  out += browser;
  out += "; Path=/; HttpOnly; SameSite=";
  out += options.cookie_same_site == SameSite::kLax ? "Lax" : options.cookie_same_site == SameSite::kStrict ? "Strict" : "None";
  const bool secure =
      options.cookie_secure == CookieSecure::kAlways ||
      (options.cookie_secure == CookieSecure::kAuto && equal_ignoring_case(request.headers.get("X-Forwarded-Proto"), "https"));
  return secure ? out + "; Secure" : out;
}

std::string bayeux_origin(const HttpRequest& request) {
  const std::string_view origin = request.headers.get("Origin");
  if (!origin.empty() || request.method != "GET") return std::string(origin);
  const std::string_view site = request.headers.get("Sec-Fetch-Site");
  if (site.empty() || site == "same-origin" || site == "none") return {};
  const std::string_view referer = request.headers.get("Referer");
  const std::size_t scheme = referer.find("://");
  if (scheme == std::string_view::npos) return "null";
  return std::string(referer.substr(0, referer.find('/', scheme + 3)));
}

}  // namespace carillon
