#include "transport/forwarded_request.h"

#include <gtest/gtest.h>

namespace carillon {
namespace {

std::string address(std::string_view text) {
  const auto target = read_node_address(text);
  return target ? target->host + ' ' + std::to_string(target->port) + (target->tls ? " tls" : "") : "none";
}

TEST(ForwardedRequest, GoesAsItCameWithAMark) {
  HttpRequest request;
  request.method = "POST";
  request.target = "/cometd/connect?a=%20b";
  for (const auto& [name, value] : {std::pair{"Host", "app.example"},
                                    {"Cookie", "BAYEUX_BROWSER=x"},
                                    {"Connection", "keep-alive, X-Hop"},
                                    {"X-Hop", "1"},
                                    {"Keep-Alive", "timeout=5"},
                                    {"Transfer-Encoding", "chunked"},
                                    {"Expect", "100-continue"},
                                    {"Authorization", "Bearer t"},
                                    {"x-request-id", "r1"},
                                    {"x-carillon-forwarded", "somebody"},
                                    {"Content-Type", "application/json"}}) {
    request.headers.add(name, value);
  }
  request.body = "[{}]";
  EXPECT_EQ(
      forwarded_request(request, {.text = "192.0.2.7:5000"}),
      "POST /cometd/connect?a=%20b HTTP/1.1\r\nHost: app.example\r\nCookie: BAYEUX_BROWSER=x\r\nAuthorization: Bearer t\r\n"
      "x-request-id: r1\r\nContent-Type: application/json\r\nX-Carillon-Forwarded: 192.0.2.7:5000\r\nContent-Length: 4\r\n\r\n"
      "[{}]");
}

TEST(ForwardedRequest, OfHttp10HasAHost) {
  HttpRequest request;
  request.method = "GET";
  request.target = "/";
  request.minor_version = 0;
  EXPECT_EQ(forwarded_request(request, {}),
            "GET / HTTP/1.1\r\nHost: node\r\nX-Carillon-Forwarded: \r\nContent-Length: 0\r\n\r\n");
}

TEST(ForwardedAnswer, ComesBackAsItIsButForWhatEveryConnectionSays) {
  HttpResponse answer{.status = 403, .body = "no"};
  for (const auto& [name, value] : {std::pair{"Set-Cookie", "a=1"},
                                    {"Set-Cookie", "b=2"},
                                    {"Date", "today"},
                                    {"Connection", "close"},
                                    {"Content-Length", "2"},
                                    {"x-request-id", "1"},
                                    {"Vary", "Origin"},
                                    {"Vary", "Accept"},
                                    {"Access-Control-Allow-Origin", "*"},
                                    {"Access-Control-Expose-Headers", "x-request-id"}}) {
    answer.headers.add(name, value);
  }
  const HttpResponse out = forwarded_answer(answer);
  EXPECT_EQ(out.status, 403);
  EXPECT_EQ(out.body, "no");
  std::string fields;
  for (const auto& [name, value] : out.headers.fields()) fields += std::string(name) + '=' + std::string(value) + ';';
  EXPECT_EQ(fields, "Set-Cookie=a=1;Set-Cookie=b=2;Vary=Accept;Access-Control-Allow-Origin=*;");
}

TEST(NodeAddress, IsASchemeAHostAndAPort) {
  EXPECT_EQ(address("http://10.0.0.5:8080"), "10.0.0.5 8080");
  EXPECT_EQ(address("http://node-1.internal"), "node-1.internal 80");
  EXPECT_EQ(address("http://node:8080/"), "node 8080");
  EXPECT_EQ(address("https://node"), "node 443 tls");
  EXPECT_EQ(address("http://[fd00::5]:8080"), "fd00::5 8080");
  EXPECT_EQ(address("https://[::1]"), "::1 443 tls");
}

TEST(NodeAddress, OtherTextsAreNone) {
  for (const char* text :
       {"", "node", "node:80", "ftp://node", "http://", "http://:80", "http://node:", "http://node:0", "http://node:65536",
        "http://node:8x", "http://node/path", "http://me@node", "http://a b", "http://fd00::5", "http://[fd00::5", "http://[]",
        "http://[::1]x:80", "http://node?x", "http://a:1:2"}) {
    EXPECT_EQ(address(text), "none") << text;
  }
}

}  // namespace
}  // namespace carillon
