#include "wire/websocket/websocket_handshake.h"

// OpenSSL's one-shot SHA1() looks its algorithm up under a lock each time, which costs thrice the hashing itself.
#define OPENSSL_SUPPRESS_DEPRECATED
#include <openssl/sha.h>

#include <algorithm>

#include "base/check.h"
#include "wire/http/http_syntax.h"
#include "wire/text/base64.h"

namespace carillon {
namespace {

constexpr std::string_view kGuid = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
constexpr std::size_t kKeySize = 24;  // Sixteen bytes as base64.

bool is_base64_letter(char letter) {
  return (letter >= 'A' && letter <= 'Z') || (letter >= 'a' && letter <= 'z') || (letter >= '0' && letter <= '9') ||
         letter == '+' || letter == '/';
}

// Sixteen bytes in base64. The four unused bits may be anything: some clients draw 22 random letters.
bool is_key(std::string_view key) {
  return key.size() == kKeySize && key.ends_with("==") &&
         std::all_of(key.begin(), key.begin() + kKeySize - 2, is_base64_letter);
}

void add_list(std::vector<std::string_view>& items, std::string_view list) {
  while (!list.empty()) {
    const auto item = take_list_element(list);
    if (!item.empty()) items.push_back(item);
  }
}

}  // namespace

HttpResponse WebSocketRefusal::response() const {
  HttpResponse response;
  response.status = status;
  response.headers.add("Content-Type", "text/plain; charset=utf-8");
  if (status == 405) response.headers.add("Allow", "GET");
  if (status == 426) {
    response.headers.add("Upgrade", "websocket");
    response.headers.add("Sec-WebSocket-Version", "13");
  }
  response.body = text + "\n";
  return response;
}

std::variant<WebSocketUpgrade, WebSocketRefusal> check_handshake(const HttpRequest& request) {
  const HttpHeaders& headers = request.headers;
  if (request.method != "GET") return WebSocketRefusal{405, "a WebSocket handshake is a GET request"};
  if (request.minor_version < 1) return WebSocketRefusal{400, "a WebSocket handshake needs HTTP/1.1"};
  if (!headers.has_token("Upgrade", "websocket")) return WebSocketRefusal{426, "this address speaks WebSocket only"};
  if (!headers.has_token("Connection", "Upgrade")) return WebSocketRefusal{400, "Connection does not name Upgrade"};
  if (headers.count("Sec-WebSocket-Version") != 1 || headers.get("Sec-WebSocket-Version") != "13") {
    return WebSocketRefusal{426, "only WebSocket version 13 is spoken here"};
  }
  WebSocketUpgrade upgrade;
  upgrade.key = headers.get("Sec-WebSocket-Key");
  if (headers.count("Sec-WebSocket-Key") != 1 || !is_key(upgrade.key)) {
    return WebSocketRefusal{400, "Sec-WebSocket-Key is not sixteen bytes in base64"};
  }
  if (!request.body.empty()) return WebSocketRefusal{400, "a WebSocket handshake has no body"};

  upgrade.origin = headers.get("Origin");
  for (const auto& [name, value] : headers.fields()) {
    if (equal_ignoring_case(name, "Sec-WebSocket-Protocol")) add_list(upgrade.subprotocols, value);
    if (!upgrade.deflate && equal_ignoring_case(name, "Sec-WebSocket-Extensions")) upgrade.deflate = negotiate_deflate(value);
  }
  return upgrade;
}

std::string accept_key(std::string_view key) {
  SHA_CTX context;
  unsigned char digest[SHA_DIGEST_LENGTH];
  SHA1_Init(&context);
  SHA1_Update(&context, key.data(), key.size());
  SHA1_Update(&context, kGuid.data(), kGuid.size());
  SHA1_Final(digest, &context);
  return base64_encode({reinterpret_cast<const char*>(digest), sizeof digest});
}

void write_handshake_response(std::string& out, std::string_view key, std::string_view subprotocol,
                              const std::optional<DeflateAgreement>& deflate) {
  out.append("HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ");
  out.append(accept_key(key));
  if (!subprotocol.empty()) out.append("\r\nSec-WebSocket-Protocol: ").append(subprotocol);
  if (deflate) out.append("\r\nSec-WebSocket-Extensions: ").append(deflate->text());
  out.append("\r\n\r\n");
}

std::string make_handshake_key(std::string_view sixteen_random_bytes) {
  CHECK(sixteen_random_bytes.size() == 16);
  return base64_encode(sixteen_random_bytes);
}

void write_handshake_request(std::string& out, const WebSocketRequest& request) {
  out.append("GET ").append(request.target).append(" HTTP/1.1\r\nHost: ").append(request.host);
  out.append("\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: ");
  out.append(request.key);
  std::string_view before = "\r\nSec-WebSocket-Protocol: ";
  for (const auto subprotocol : request.subprotocols) {
    out.append(before).append(subprotocol);
    before = ", ";
  }
  for (const auto& [name, value] : request.more) out.append("\r\n").append(name).append(": ").append(value);
  out.append("\r\n\r\n");
}

Result<void> check_handshake_response(const HttpResponse& response, const WebSocketRequest& request) {
  const auto wrong = [](std::string text) { return Error{ErrorKind::kInvalid, std::move(text)}; };
  if (response.status != 101) return wrong("the server answered the handshake with status " + std::to_string(response.status));
  const HttpHeaders& headers = response.headers;
  if (!headers.has_token("Upgrade", "websocket") || !headers.has_token("Connection", "Upgrade")) {
    return wrong("the server's answer does not upgrade to WebSocket");
  }
  if (headers.count("Sec-WebSocket-Accept") != 1 || headers.get("Sec-WebSocket-Accept") != accept_key(request.key)) {
    return wrong("the server's answer does not fit the key");
  }
  if (headers.count("Sec-WebSocket-Extensions") != 0) return wrong("the server chose an extension that was not offered");
  const auto subprotocol = headers.get("Sec-WebSocket-Protocol");
  if (headers.count("Sec-WebSocket-Protocol") != 0 &&
      std::find(request.subprotocols.begin(), request.subprotocols.end(), subprotocol) == request.subprotocols.end()) {
    return wrong("the server chose a subprotocol that was not offered");
  }
  return {};
}

}  // namespace carillon
