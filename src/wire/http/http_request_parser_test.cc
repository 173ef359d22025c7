#include "wire/http/http_request_parser.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

namespace carillon {
namespace {

// All requests of a connection's bytes, written out, and how it ended: "fault 400", "more" or "".
std::string describe(const HttpRequest& request) {
  std::string text = fmt::format("{} {} [{}] [{}] 1.{} keep={}\n", request.method, request.target, request.path, request.query,
                                 request.minor_version, request.keep_alive);
  for (const auto& [name, value] : request.headers.fields()) text += fmt::format("{}={}\n", name, value);
  return text + request.body + "\n";
}

class Reading {
 public:
  explicit Reading(const HttpLimits& limits = {}) : parser_(limits) {}

  void feed(std::string_view bytes) {
    while (!bytes.empty() && parser_.fault() == nullptr) {
      bytes.remove_prefix(parser_.feed(bytes));
      if (parser_.done()) requests_.push_back(parser_.take());
    }
  }
  std::string outcome() const {
    std::string text;
    for (const HttpRequest& request : requests_) text += describe(request);
    if (parser_.fault() != nullptr) return text + fmt::format("fault {}", parser_.fault()->status);
    return parser_.started() ? text + "more" : text;
  }
  const std::vector<HttpRequest>& requests() const { return requests_; }
  int fault_status() const { return parser_.fault() == nullptr ? 0 : parser_.fault()->status; }

 private:
  HttpRequestParser parser_;
  std::vector<HttpRequest> requests_;
};

// Reads the bytes whole, one at a time and in every two parts; all must come to the same.
Reading read_every_way(std::string_view bytes, const HttpLimits& limits = {}) {
  Reading whole(limits);
  whole.feed(bytes);
  Reading bytewise(limits);
  for (const char c : bytes) bytewise.feed({&c, 1});
  EXPECT_EQ(whole.outcome(), bytewise.outcome()) << bytes;
  for (std::size_t cut = 1; cut < bytes.size(); ++cut) {
    Reading parts(limits);
    parts.feed(bytes.substr(0, cut));
    parts.feed(bytes.substr(cut));
    EXPECT_EQ(whole.outcome(), parts.outcome()) << "cut at " << cut << " of " << bytes;
  }
  return whole;
}

HttpRequest read_one(std::string_view bytes) {
  const Reading reading = read_every_way(bytes);
  EXPECT_EQ(reading.requests().size(), 1u) << bytes << "\n" << reading.outcome();
  return reading.requests().empty() ? HttpRequest() : reading.requests().front();
}

int refusal_of(std::string_view bytes, const HttpLimits& limits = {}) {
  const Reading reading = read_every_way(bytes, limits);
  EXPECT_TRUE(reading.requests().empty()) << bytes;
  return reading.fault_status();
}

std::string get_with(std::string_view fields) {
  return fmt::format("GET / HTTP/1.1\r\nHost: a\r\n{}\r\n", fields);
}
std::string post_with(std::string_view fields, std::string_view body) {
  return fmt::format("POST / HTTP/1.1\r\nHost: a\r\n{}\r\n{}", fields, body);
}
std::string chunked(std::string_view body) {
  return post_with("Transfer-Encoding: chunked\r\n", body);
}

TEST(HttpRequestParser, ReadsAWebSocketUpgrade) {
  const HttpRequest request = read_one(
      "GET /ws?v=2&name=a+b%21 HTTP/1.1\r\nHost: hub.example:8080\r\nUpgrade: websocket\r\nConnection: keep-alive, Upgrade\r\n"
      "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n");
  EXPECT_EQ(request.method, "GET");
  EXPECT_EQ(request.target, "/ws?v=2&name=a+b%21");
  EXPECT_EQ(request.path, "/ws");
  EXPECT_EQ(request.query, "v=2&name=a+b%21");
  EXPECT_EQ(request.query_value("name"), "a b!");
  EXPECT_EQ(request.minor_version, 1);
  EXPECT_TRUE(request.keep_alive);
  EXPECT_TRUE(request.headers.has_token("connection", "upgrade"));
  EXPECT_EQ(request.headers.get("sec-websocket-key"), "dGhlIHNhbXBsZSBub25jZQ==");
  EXPECT_EQ(request.headers.fields().size(), 5u);
}

TEST(HttpRequestParser, ReadsABodyByContentLength) {
  const std::string_view binary("he\0\r\n", 5);
  EXPECT_EQ(read_one(post_with("Content-Length: 5\r\n", binary)).body, binary);
  EXPECT_EQ(read_one(post_with("Content-Length: 005\r\n", "hello")).body, "hello");
  EXPECT_EQ(read_one(post_with("Content-Length: 0\r\n", "")).body, "");
}

TEST(HttpRequestParser, ReadsAChunkedBodyAndDropsExtensionsAndTrailers) {
  const HttpRequest request = read_one(chunked(
      "5\r\nhello\r\n1;a\r\n,\r\n006 ; name = \"q\\\"\xC3\xA9;\" ;b=c\r\n world\r\n00\r\nHost: evil\r\nX-Sum:\r\n\r\n"));
  EXPECT_EQ(request.body, "hello, world");
  EXPECT_EQ(request.headers.get("Host"), "a");
  EXPECT_EQ(request.headers.count("X-Sum"), 0u);
  EXPECT_EQ(read_one(post_with("transfer-encoding:  CHUNKED \t\r\n", "A\r\n0123456789\r\n0\r\n\r\n")).body, "0123456789");
}

TEST(HttpRequestParser, ReadsPipelinedRequestsOneByOne) {
  const std::string two =
      post_with("Content-Length: 2\r\n", "hi") + "\r\n" + chunked("1\r\nx\r\n0\r\n\r\n") + get_with("") + "GE";
  const Reading reading = read_every_way(two);
  ASSERT_EQ(reading.requests().size(), 3u);
  EXPECT_EQ(reading.requests()[0].body, "hi");
  EXPECT_EQ(reading.requests()[1].body, "x");
  EXPECT_EQ(reading.requests()[2].method, "GET");
  EXPECT_TRUE(reading.outcome().ends_with("more"));
}

TEST(HttpRequestParser, UsesNoByteBeyondTheRequest) {
  HttpRequestParser parser{HttpLimits{}};
  const std::string request = get_with("");
  EXPECT_EQ(parser.feed(request + "\x81\x05hello"), request.size());
  EXPECT_TRUE(parser.done());
  EXPECT_EQ(parser.feed("more"), 0u);
}

TEST(HttpRequestParser, ToleratesAFewEmptyLinesBeforeARequest) {
  EXPECT_EQ(read_one("\r\n\r\n" + get_with("")).method, "GET");
  EXPECT_EQ(refusal_of("\r\n\r\n\r\n\r\n\r\n" + get_with("")), 400);
  EXPECT_EQ(refusal_of("\n" + get_with("")), 400);
  EXPECT_EQ(refusal_of("\r\r\n" + get_with("")), 400);
  HttpRequestParser parser{HttpLimits{}};
  parser.feed("\r\n");
  EXPECT_FALSE(parser.started());
  parser.feed("G");
  EXPECT_TRUE(parser.started());
}

TEST(HttpRequestParser, KnowsWhoWantsToKeepTheConnection) {
  EXPECT_TRUE(read_one(get_with("")).keep_alive);
  EXPECT_FALSE(read_one(get_with("Connection: Close\r\n")).keep_alive);
  EXPECT_FALSE(read_one(get_with("Connection: a\r\nConnection: b, close\r\n")).keep_alive);
  EXPECT_FALSE(read_one(get_with("Connection: , close ,\r\n")).keep_alive);  // Empty elements: RFC 9110 section 5.6.1.2.
  EXPECT_TRUE(read_one(get_with("Connection:\r\n")).keep_alive);
  EXPECT_FALSE(read_one("GET / HTTP/1.0\r\n\r\n").keep_alive);
  EXPECT_TRUE(read_one("GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n").keep_alive);
}

TEST(HttpRequestParser, ReadsEveryFormOfTarget) {
  EXPECT_EQ(read_one("GET /a%2Fb%20c/%C3%A9?x=%41 HTTP/1.1\r\nHost: a\r\n\r\n").path, "/a/b c/\xC3\xA9");
  EXPECT_EQ(read_one("GET //evil/../x HTTP/1.1\r\nHost: a\r\n\r\n").path, "//evil/../x");
  EXPECT_EQ(read_one("OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n").path, "*");
  const HttpRequest absolute = read_one("GET HTTP://Hub.example:80/x?y HTTP/1.1\r\nHost: hub.EXAMPLE:80\r\n\r\n");
  EXPECT_EQ(absolute.path, "/x");
  EXPECT_EQ(absolute.query, "y");
  EXPECT_EQ(read_one("GET https://a?y HTTP/1.1\r\nHost: a\r\n\r\n").path, "/");
}

TEST(HttpRequestParser, RefusesBadRequestLines) {
  const std::pair<const char*, int> cases[] = {
      {"GET / HTTP/1.1\nHost: a\n\n", 400},
      {"GET / HTTP/1.1\rHost: a\r\r", 400},
      {"GET  / HTTP/1.1\r\n", 400},
      {"GET /  HTTP/1.1\r\n", 400},
      {"GET /a b HTTP/1.1\r\n", 400},
      {"GET\t/ HTTP/1.1\r\n", 400},
      {"GET / HTTP/1.1 \r\n", 400},
      {" GET / HTTP/1.1\r\n", 400},
      {"GET /\r\n", 400},
      {"GET\r\n", 400},
      {"GET HTTP/1.1\r\n", 400},
      {"G@T / HTTP/1.1\r\n", 400},
      {"G\x01T / HTTP/1.1\r\n", 400},
      {"\x16\x03\x01", 400},
      {"GET / http/1.1\r\n", 400},
      {"GET / HTTP/1.10\r\n", 400},
      {"GET / HTTP/11\r\n", 400},
      {"GET / HTTP/1,1\r\n", 400},
      {"GET / HTPP/1.1\r\n", 400},
      {"GET / HTTP/0.9\r\n", 505},
      {"GET / HTTP/1.2\r\n", 505},
      {"GET / HTTP/2.0\r\n", 505},
      {"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505},
      {"CONNECT a:443 HTTP/1.1\r\n", 501},
      {"GET a HTTP/1.1\r\n", 400},
      {"GET a:80 HTTP/1.1\r\n", 400},
      {"GET * HTTP/1.1\r\n", 400},
      {"GET *x HTTP/1.1\r\n", 400},
      {"OPTIONS *x HTTP/1.1\r\n", 400},
      {"GET ftp://a/ HTTP/1.1\r\n", 400},
      {"GET http:///x HTTP/1.1\r\n", 400},
      {"GET http://u@a/ HTTP/1.1\r\n", 400},
      {"GET http://a:x/ HTTP/1.1\r\n", 400},
      {"GET /#f HTTP/1.1\r\n", 400},
      {"GET /\x80 HTTP/1.1\r\n", 400},
      {"GET /\x7F HTTP/1.1\r\n", 400},
      {"GET /\x0B HTTP/1.1\r\n", 400},
      {"GET /% HTTP/1.1\r\n", 400},
      {"GET /%4 HTTP/1.1\r\n", 400},
      {"GET /%4g HTTP/1.1\r\n", 400},
      {"GET /?a=%zz HTTP/1.1\r\n", 400},
      {"GET /%00 HTTP/1.1\r\n", 400},
  };
  for (const auto& [bytes, status] : cases) EXPECT_EQ(refusal_of(bytes), status) << bytes;
  EXPECT_EQ(refusal_of(std::string("GET /\0 HTTP/1.1\r\n", 17)), 400);
}

TEST(HttpRequestParser, RefusesBadFields) {
  const char* const cases[] = {
      "X : b\r\n",    "X\t: b\r\n",   " X: b\r\n",      "X: b\r\n c\r\n", "X: b\r\n\tc\r\n", "X:\r\n \r\n",
      ": b\r\n",      "X\r\n",        "X Y: b\r\n",     "X\x80: b\r\n",   "X(: b\r\n",       "X: b\x01\r\n",
      "X: b\x7F\r\n", "X: b\x0B\r\n", "X: b\nY: c\r\n", "X: b\rY: c\r\n", "X: b\r\r\n",      "X: b\n\r\n",
      "Host: a\r\n",  "Host: b\r\n",  "host:\r\n",      "=X\r\n",
  };
  for (const char* fields : cases) EXPECT_EQ(refusal_of(get_with(fields)), 400) << fields;
  EXPECT_EQ(refusal_of(get_with(std::string("X: \0\r\n", 6))), 400);
  EXPECT_EQ(refusal_of(get_with(std::string("X\0: b\r\n", 7))), 400);
  EXPECT_EQ(refusal_of("GET / HTTP/1.1\r\n Host: a\r\n\r\n"), 400);
  EXPECT_EQ(read_one(get_with("X:\r\nY: \t \r\nZ:  a\tb \x80 \r\n")).headers.get("z"), "a\tb \x80");
}

TEST(HttpRequestParser, WantsOneProperHost) {
  const auto with_host = [](std::string_view host) { return fmt::format("GET / HTTP/1.1\r\nHost: {}\r\n\r\n", host); };
  for (const char* host : {"a", "a.example:80", "a:", "127.0.0.1:65535", "[::1]", "[::1]:8080", "under_score", "a~b"}) {
    EXPECT_EQ(read_one(with_host(host)).headers.get("Host"), host);
  }
  for (const char* host :
       {"",     "a b", "a,b",    "a, a", "u@a",    "a/b",  "http://a", "a:b", "a:-1",  "a:65536", "a:80:80", ":80",
        "[::1", "[]",  "[::1]x", "::1",  "[g::1]", "a\\b", "a?b",      "a#b", "a%00b", "\x80",    "a;b,c"}) {
    EXPECT_EQ(refusal_of(with_host(host)), 400) << host;
  }
  EXPECT_EQ(refusal_of("GET / HTTP/1.1\r\n\r\n"), 400);
  EXPECT_EQ(refusal_of("GET / HTTP/1.0\r\nHost: a\r\nHost: a\r\n\r\n"), 400);
  EXPECT_EQ(refusal_of("GET http://a/ HTTP/1.1\r\nHost: b\r\n\r\n"), 400);
  EXPECT_EQ(refusal_of("GET http://a/ HTTP/1.1\r\n\r\n"), 400);
}

TEST(HttpRequestParser, RefusesEveryDoubtAboutTheBodysEnd) {
  const std::pair<const char*, int> cases[] = {
      {"Content-Length: 1\r\nTransfer-Encoding: chunked\r\n", 400},
      {"Transfer-Encoding: chunked\r\nContent-Length: 1\r\n", 400},
      {"Content-Length: 1\r\nContent-Length: 2\r\n", 400},
      {"Content-Length: 1\r\nContent-Length: 1\r\n", 400},
      {"Content-Length: 1, 1\r\n", 400},
      {"Content-Length: 1,2\r\n", 400},
      {"Content-Length: ,1\r\n", 400},
      {"Content-Length: +1\r\n", 400},
      {"Content-Length: -1\r\n", 400},
      {"Content-Length: 0x1\r\n", 400},
      {"Content-Length: 1a\r\n", 400},
      {"Content-Length: a\r\n", 400},
      {"Content-Length: 1 1\r\n", 400},
      {"Content-Length: 1.0\r\n", 400},
      {"Content-Length: 1;\r\n", 400},
      {"Content-Length: \"1\"\r\n", 400},
      {"Content-Length:\r\n", 400},
      {"Content-Length: 18446744073709551616\r\n", 400},
      {"Content-Length: 99999999999999999999999\r\n", 400},
      {"Content-Length: 18446744073709551615\r\n", 413},
      {"Content-Length : 1\r\n", 400},
      {"Transfer-Encoding : chunked\r\n", 400},
      {"Transfer-Encoding:\r\n chunked\r\n", 400},
      {"Transfer-Encoding: \x0B"
       "chunked\r\n",
       400},
      {"Transfer-Encoding: chunked\x0C\r\n", 400},
      {"Transfer-Encoding:\r\n", 400},
      {"Transfer-Encoding: chunked, identity\r\n", 400},
      {"Transfer-Encoding: chunked, chunked\r\n", 400},
      {"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n", 400},
      {"Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n", 400},
      {"Transfer-Encoding: identity\r\nTransfer-Encoding: chunked\r\n", 400},
      {"Transfer-Encoding: gzip\r\nTransfer-Encoding: chunked\r\n", 400},
      {"Transfer-Encoding: chunked,\r\n", 400},
      {"Transfer-Encoding: , chunked\r\n", 400},
      {"Transfer-Encoding: \"chunked\"\r\n", 400},
      {"Transfer-Encoding: chunked;a=b\r\n", 400},
      {"Transfer-Encoding: chun ked\r\n", 400},
      {"Transfer-Encoding: [chunked]\r\n", 400},
      {"Transfer-Encoding: chunked \xC2\xA0\r\n", 400},
      {"Transfer-Encoding: gzip, chunked\r\n", 501},
      {"Transfer-Encoding: gzip\r\n", 501},
      {"Transfer-Encoding: identity\r\n", 501},
      {"Transfer-Encoding: xchunked\r\n", 501},
  };
  for (const auto& [fields, status] : cases) EXPECT_EQ(refusal_of(post_with(fields, "1\r\nx\r\n0\r\n\r\n")), status) << fields;
  EXPECT_EQ(refusal_of("POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"), 400);
}

TEST(HttpRequestParser, RefusesBadChunks) {
  const char* const cases[] = {
      "x\r\n",
      "\r\n",
      "-1\r\n",
      "+1\r\nx\r\n",
      "0x1\r\nx\r\n",
      " 1\r\nx\r\n",
      "1 \r\nx\r\n",
      "1\nx\r\n",
      "1\r\nxy\r\n",
      "1\r\nx\n",
      "1\r\nx\ry",
      "1\r\nx0\r\n",
      "1_0\r\n",
      "1,\r\n",
      "00000000000000001\r\n",
      "FFFFFFFFFFFFFFFF1\r\n",
      ";a\r\n",
      "1;\r\nx\r\n",
      "1;;a\r\nx\r\n",
      "1;=a\r\nx\r\n",
      "1;a=\r\nx\r\n",
      "1;a \r\nx\r\n",
      "1;a b\r\nx\r\n",
      "1;a\nx\r\n",
      "1;a=\"\n\"\r\n",
      "1;a=\"b\r\n",
      "1;a=\"\\\n\"\r\n",
      "1;a=\"b\"c\r\n",
      "1;a\x01\r\n",
      "1;a\rb\r\n",
      "0\nX",
      "0\r\n\n",
      "0\r\n\rx",
      "0\r\nX\r\n",
      "0\r\n X: y\r\n",
      "0\r\nX : y\r\n",
      "0\r\nX: y\n",
      "0\r\nX: \x01",
      "0\r\nX: y\rz",
      "0\r\nX: y\r\n z",
      "0\r\n: y\r\n",
  };
  for (const char* body : cases) EXPECT_EQ(refusal_of(chunked(body)), 400) << body;
  EXPECT_EQ(refusal_of(chunked("FFFFFFFFFFFFFFFF\r\n")), 413);
}

TEST(HttpRequestParser, KeepsItsLimits) {
  const HttpLimits limits{.head_bytes = 200, .header_count = 4, .body_bytes = 10, .target_bytes = 50};
  const auto target = [](std::size_t size) {
    return fmt::format("GET /{} HTTP/1.1\r\nHost: a\r\n\r\n", std::string(size - 1, 'x'));
  };
  EXPECT_EQ(refusal_of(target(51), limits), 414);
  EXPECT_EQ(refusal_of("GET /" + std::string(300, 'x'), limits), 414);
  EXPECT_EQ(read_every_way(target(50), limits).requests().size(), 1u);

  const std::size_t other_bytes = get_with("X: \r\n").size();
  const std::string fits = get_with("X: " + std::string(200 - other_bytes, 'x') + "\r\n");
  ASSERT_EQ(fits.size(), 200u);
  EXPECT_EQ(read_every_way(fits, limits).requests().size(), 1u);
  EXPECT_EQ(refusal_of(get_with("X: " + std::string(201 - other_bytes, 'x') + "\r\n"), limits), 431);
  EXPECT_EQ(refusal_of("GET / HTTP/1.1\r\n" + std::string(500, 'x'), limits), 431);
  EXPECT_EQ(read_every_way(get_with("A: 1\r\nB: 1\r\nC: 1\r\n"), limits).requests().size(), 1u);
  EXPECT_EQ(refusal_of(get_with("A: 1\r\nB: 1\r\nC: 1\r\nD: 1\r\n"), limits), 431);

  EXPECT_EQ(read_every_way(post_with("Content-Length: 10\r\n", "0123456789"), limits).requests().size(), 1u);
  EXPECT_EQ(refusal_of(post_with("Content-Length: 11\r\n", ""), limits), 413);
  EXPECT_EQ(read_every_way(chunked("5\r\n01234\r\n5\r\n56789\r\n0\r\n\r\n"), limits).requests().size(), 1u);
  EXPECT_EQ(refusal_of(chunked("5\r\n01234\r\n6\r\n"), limits), 413);
  EXPECT_EQ(refusal_of(chunked("0\r\nX: " + std::string(200, 'x')), limits), 431);
  std::string extensions;
  for (int i = 0; i < 10; ++i) extensions += "1;" + std::string(450, 'x') + "\r\nx\r\n";
  EXPECT_EQ(refusal_of(chunked(extensions), limits), 400);
}

TEST(HttpRequestParser, SaysWhenTheClientWaitsForContinue) {
  HttpRequestParser parser{HttpLimits{}};
  parser.feed(post_with("Expect: 100-Continue\r\nContent-Length: 2\r\n", ""));
  EXPECT_TRUE(parser.head_done());
  EXPECT_TRUE(parser.expects_continue());
  parser.feed("h");
  EXPECT_FALSE(parser.expects_continue());
  parser.feed("i");
  EXPECT_EQ(parser.take().body, "hi");

  parser.feed(get_with("Expect: 100-continue\r\n"));
  EXPECT_TRUE(parser.done());
  EXPECT_FALSE(parser.expects_continue());
  parser.take();

  parser.feed("POST / HTTP/1.0\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n");
  EXPECT_FALSE(parser.expects_continue());

  EXPECT_EQ(refusal_of(post_with("Expect: 200-ok\r\nContent-Length: 2\r\n", "hi")), 417);
  EXPECT_EQ(refusal_of(post_with("Expect: 100-continue\r\nExpect: x\r\nContent-Length: 2\r\n", "hi")), 417);
}

TEST(HttpRequestParser, ARequestHasNothingOfTheOneWhoseMemoryItTakes) {
  const std::string post =
      "POST /a/long/path?and=query HTTP/1.0\r\nHost: h\r\nConnection: keep-alive\r\nX-Long: " + std::string(300, 'x') +
      "\r\nContent-Length: 4\r\n\r\nbody";
  const std::string get = "GET / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n";
  HttpRequestParser parser(HttpLimits{});
  HttpRequest request;
  for (const std::string& text : {post, get, get, post, get}) {
    EXPECT_TRUE(parser.fresh());
    EXPECT_EQ(parser.feed(text.substr(0, 20)), 20u);
    EXPECT_FALSE(parser.fresh());
    EXPECT_EQ(parser.feed(text.substr(20)), text.size() - 20);
    parser.take(request);
    EXPECT_EQ(describe(request), describe(read_one(text)));
  }
}

}  // namespace
}  // namespace carillon
