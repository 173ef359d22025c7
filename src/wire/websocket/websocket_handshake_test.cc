#include "wire/websocket/websocket_handshake.h"

#include "wire/http/http_request_parser.h"

namespace carillon {
namespace {

// The example of RFC 6455, section 1.3.
constexpr const char* kKey = "dGhlIHNhbXBsZSBub25jZQ==";
constexpr const char* kAccept = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";

class Handshake : public testing::Test {
 protected:
  Handshake() {
    request_.method = "GET";
    request_.target = request_.path = "/chat";
    request_.headers.add("Host", "server.example.com");
    request_.headers.add("Upgrade", "websocket");
    request_.headers.add("Connection", "Upgrade");
    request_.headers.add("Sec-WebSocket-Key", kKey);
    request_.headers.add("Sec-WebSocket-Version", "13");
  }

  // Zero: accepted.
  int refused() const {
    const auto checked = check_handshake(request_);
    const auto* refusal = std::get_if<WebSocketRefusal>(&checked);
    if (refusal == nullptr) return 0;
    EXPECT_FALSE(refusal->text.empty());
    return refusal->status;
  }
  WebSocketUpgrade accepted() const {
    const auto checked = check_handshake(request_);
    const auto* upgrade = std::get_if<WebSocketUpgrade>(&checked);
    if (upgrade != nullptr) return *upgrade;
    ADD_FAILURE() << std::get<WebSocketRefusal>(checked).text;
    return {};
  }
  // The status when this one field has this value, and then all is as it was.
  int refused_with(const char* name, const char* value) {
    const HttpHeaders before = request_.headers;
    request_.headers.set(name, value);
    const int status = refused();
    request_.headers = before;
    return status;
  }

  HttpRequest request_;
};

TEST_F(Handshake, AnswersTheExampleOfTheStandard) {
  const auto upgrade = accepted();
  EXPECT_EQ(upgrade.key, kKey);
  EXPECT_EQ(upgrade.origin, "");
  EXPECT_TRUE(upgrade.subprotocols.empty());
  EXPECT_FALSE(upgrade.deflate);
  EXPECT_EQ(accept_key(kKey), kAccept);
  std::string out;
  write_handshake_response(out, upgrade.key);
  EXPECT_EQ(out,
            "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n");
}

TEST_F(Handshake, ReadsWhatBrowsersSend) {
  request_.headers.set("Connection", "keep-alive, UPGRADE");
  request_.headers.set("Upgrade", "WebSocket");
  request_.headers.add("Origin", "https://example.com");
  request_.headers.add("Sec-WebSocket-Protocol", "chat, superchat");
  request_.headers.add("sec-websocket-protocol", " third ,,");
  request_.headers.add("Sec-WebSocket-Extensions", "x-unknown");
  request_.headers.add("Sec-WebSocket-Extensions", "permessage-deflate; client_max_window_bits; server_max_window_bits=12");
  const auto upgrade = accepted();
  EXPECT_EQ(upgrade.origin, "https://example.com");
  EXPECT_EQ(upgrade.subprotocols, (std::vector<std::string_view>{"chat", "superchat", "third"}));
  ASSERT_TRUE(upgrade.deflate);
  EXPECT_EQ(upgrade.deflate->server_window_bits, 12);
  std::string out;
  write_handshake_response(out, upgrade.key, upgrade.subprotocols[1], upgrade.deflate);
  EXPECT_EQ(out,
            "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\nSec-WebSocket-Protocol: superchat\r\n"
            "Sec-WebSocket-Extensions: permessage-deflate; server_no_context_takeover; client_no_context_takeover; "
            "server_max_window_bits=12\r\n\r\n");
}

TEST_F(Handshake, RefusesWhatIsNoHandshake) {
  EXPECT_EQ(refused_with("Upgrade", "h2c"), 426);
  EXPECT_EQ(refused_with("Upgrade", "websocket2"), 426);
  EXPECT_EQ(refused_with("Connection", "keep-alive"), 400);
  EXPECT_EQ(refused_with("Sec-WebSocket-Version", "8"), 426);
  EXPECT_EQ(refused_with("Sec-WebSocket-Version", "13, 8"), 426);
  EXPECT_EQ(refused_with("Sec-WebSocket-Version", ""), 426);
  for (const char* key : {"", "short", "dGhlIHNhbXBsZSBub25jZQ",
                          "dGhlIHNhbXBsZSBub25jZQ=", "dGhlIHNhbXBsZSBub25jZ===", "dGhlIHNhbXBsZSBub25jZQAA",
                          "dGhlIHNhbXBsZSBub25jZQ== ", "dGhlIHNhbXBsZSBub25j-Q==", "AAAAAAAAAAAAAAAAAAAAAAAAAA=="}) {
    EXPECT_EQ(refused_with("Sec-WebSocket-Key", key), 400) << key;
  }
  EXPECT_EQ(refused(), 0);
}

TEST_F(Handshake, RefusesOtherMethodsVersionsAndBodies) {
  request_.method = "POST";
  EXPECT_EQ(refused(), 405);
  request_.method = "GET";
  request_.minor_version = 0;
  EXPECT_EQ(refused(), 400);
  request_.minor_version = 1;
  request_.body = "x";
  EXPECT_EQ(refused(), 400);
}

TEST_F(Handshake, RefusesRepeatedFields) {
  request_.headers.add("Sec-WebSocket-Key", kKey);
  EXPECT_EQ(refused(), 400);
  request_.headers.set("Sec-WebSocket-Key", kKey);
  EXPECT_EQ(refused(), 0);
  request_.headers.add("Sec-WebSocket-Version", "13");
  EXPECT_EQ(refused(), 426);
}

TEST_F(Handshake, RefusalsSayWhatWouldHelp) {
  request_.headers.set("Sec-WebSocket-Version", "8");
  const HttpResponse response = std::get<WebSocketRefusal>(check_handshake(request_)).response();
  EXPECT_EQ(response.status, 426);
  EXPECT_EQ(response.headers.get("Sec-WebSocket-Version"), "13");
  EXPECT_EQ(response.headers.get("Upgrade"), "websocket");
  EXPECT_FALSE(response.body.empty());
  request_.method = "POST";
  EXPECT_EQ(std::get<WebSocketRefusal>(check_handshake(request_)).response().headers.get("Allow"), "GET");
}

class ClientHandshake : public testing::Test {
 protected:
  ClientHandshake() {
    response_.status = 101;
    response_.headers.add("Upgrade", "websocket");
    response_.headers.add("Connection", "Upgrade");
    response_.headers.add("Sec-WebSocket-Accept", kAccept);
  }
  bool fits() const { return static_cast<bool>(check_handshake_response(response_, asked_)); }

  WebSocketRequest asked_{.host = "localhost:8080", .target = "/ws?v=2", .key = kKey, .subprotocols = {"a", "b"}, .more = {}};
  HttpResponse response_;
};

TEST_F(ClientHandshake, WritesARequestThatTheServerAccepts) {
  asked_.more = {{"Authorization", "Bearer x"}};
  std::string out;
  write_handshake_request(out, asked_);
  HttpRequestParser parser{HttpLimits{}};
  EXPECT_EQ(parser.feed(out), out.size());
  ASSERT_TRUE(parser.done());
  const HttpRequest request = parser.take();
  EXPECT_EQ(request.target, "/ws?v=2");
  EXPECT_EQ(request.headers.get("Host"), "localhost:8080");
  EXPECT_EQ(request.headers.get("Authorization"), "Bearer x");
  const auto checked = check_handshake(request);
  ASSERT_TRUE(std::holds_alternative<WebSocketUpgrade>(checked));
  EXPECT_EQ(std::get<WebSocketUpgrade>(checked).subprotocols, (std::vector<std::string_view>{"a", "b"}));
}

TEST_F(ClientHandshake, ChecksTheAnswer) {
  EXPECT_TRUE(fits());
  response_.headers.set("Sec-WebSocket-Protocol", "b");
  EXPECT_TRUE(fits());
  response_.headers.set("Sec-WebSocket-Protocol", "c");
  EXPECT_FALSE(fits());
}

TEST_F(ClientHandshake, RefusesAnAnswerThatDoesNotFit) {
  const HttpResponse good = response_;
  const std::pair<const char*, const char*> wrong[] = {{"Upgrade", "h2c"},
                                                       {"Connection", "close"},
                                                       {"Sec-WebSocket-Accept", "s3pPLMBiTxaQ9kYGzzhZRbK+xOO="},
                                                       {"Sec-WebSocket-Extensions", "permessage-deflate"}};
  for (const auto& [name, value] : wrong) {
    response_ = good;
    response_.headers.set(name, value);
    EXPECT_FALSE(fits()) << name;
  }
  response_ = good;
  response_.status = 200;
  EXPECT_FALSE(fits());
}

TEST_F(ClientHandshake, MakesKeysThatServersTake) {
  EXPECT_EQ(make_handshake_key("the sample nonce"), kKey);
}

}  // namespace
}  // namespace carillon
