// The opening handshake (RFC 6455, section 4), both sides. Pure functions, any thread.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "carillon/result.h"
#include "wire/deflate/permessage_deflate.h"
#include "wire/http/http_message.h"

namespace carillon {

// A request that may become a WebSocket. Views into the request.
struct WebSocketUpgrade {
  std::string_view key;
  std::string_view origin;                     // Empty: not a browser.
  std::vector<std::string_view> subprotocols;  // Offered, the client's favourite first.
  // What permessage-deflate would be agreed on, if the server wants it.
  std::optional<DeflateAgreement> deflate;
};

struct WebSocketRefusal {
  int status = 400;
  std::string text;  // For people.

  // With the fields its status asks for (426: Upgrade and Sec-WebSocket-Version, section 4.4; 405: Allow).
  HttpResponse response() const;
};

std::variant<WebSocketUpgrade, WebSocketRefusal> check_handshake(const HttpRequest& request);

// What Sec-WebSocket-Accept says to a key.
std::string accept_key(std::string_view key);

// Appends the whole 101 response. `subprotocol` is one of the offered, or empty.
void write_handshake_response(std::string& out, std::string_view key, std::string_view subprotocol = {},
                              const std::optional<DeflateAgreement>& deflate = {});

// The client's side.
struct WebSocketRequest {
  std::string_view host;    // "example.org:8080"
  std::string_view target;  // "/ws?v=2"
  std::string_view key;     // make_handshake_key().
  std::vector<std::string_view> subprotocols;
  std::vector<HttpHeaders::Field> more;  // Authorization, Origin, …
};

// Sixteen bytes nobody else knows, as text.
std::string make_handshake_key(std::string_view sixteen_random_bytes);
void write_handshake_request(std::string& out, const WebSocketRequest& request);
// Whether the response takes the connection over; else what is wrong with it. No extension was offered, so none may be named.
Result<void> check_handshake_response(const HttpResponse& response, const WebSocketRequest& request);

}  // namespace carillon
