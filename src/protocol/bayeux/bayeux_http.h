// Bayeux over plain HTTP: what a request asks, and how its answer looks: long-polling (POST) and callback-polling (JSONP by
// GET).
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "carillon/result.h"
#include "carillon/server_options.h"
#include "protocol/bayeux/bayeux_line.h"
#include "protocol/exchange.h"

namespace carillon {

inline constexpr std::string_view kBayeuxCookie = "BAYEUX_BROWSER";

// One request that waits for its array of messages.
class BayeuxAnswerer {
 public:
  BayeuxAnswerer() = default;
  BayeuxAnswerer(ExchangePtr exchange, BayeuxTransport transport, std::string callback)
      : exchange_(std::move(exchange)), transport_(transport), callback_(std::move(callback)) {}

  bool waits() const { return exchange_ != nullptr; }
  BayeuxTransport transport() const { return transport_; }
  const std::string& callback() const { return callback_; }
  Exchange& exchange() const { return *exchange_; }
  // To be answered elsewhere.
  ExchangePtr take_exchange() { return std::move(exchange_); }
  // One of these, once.
  void answer(std::string array, ReplySent sent = {});
  void answer_with_cookie(std::string array, std::string_view cookie);
  // An answer that clients take for a failure of the transport. The text is for people.
  void fail(int status, std::string_view text);

 private:
  HttpResponse response_with(std::string array);

  ExchangePtr exchange_;
  BayeuxTransport transport_ = BayeuxTransport::kLongPolling;
  std::string callback_;
};

struct BayeuxAsked {
  BayeuxTransport transport = BayeuxTransport::kLongPolling;
  std::string callback;  // Of callback-polling.
  std::vector<std::string>
      texts;  // Each an array of messages, or one message. Empty: the body itself, as it stands, is the text.
};
// Errors, kInvalid: no Bayeux request (no message, a callback that is none, a charset that nobody knows).
Result<BayeuxAsked> read_bayeux_request(const HttpRequest& request);

// The texts as one: an array of all their messages. They have been joined, not checked.
std::string joined_texts(const std::vector<std::string>& texts);

// "BAYEUX_BROWSER=…; Path=/; HttpOnly; SameSite=Lax"
std::string bayeux_cookie(std::string_view browser, const BayeuxOptions& options, const HttpRequest& request);

// From which page the request comes: its Origin, or for scripts (JSONP) of another site the origin of its Referer. Empty: of no
// other page. "null": of one that does not say.
std::string bayeux_origin(const HttpRequest& request);

}  // namespace carillon
