#include "wire/http/http_response_parser.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "wire/http/http_response_writer.h"

namespace carillon {
namespace {

std::string outcome(const HttpResponseParser& parser) {
  if (parser.fault() != nullptr) return fmt::format("fault: {}", error_kind_name(parser.fault()->kind));
  if (!parser.done()) return "more";
  std::string text = fmt::format("{} keep={}\n", parser.response().status, parser.keep_alive());
  for (const auto& [name, value] : parser.response().headers.fields()) text += fmt::format("{}={}\n", name, value);
  return text + parser.response().body;
}

// Reads the bytes whole and then, one at a time and in every two parts; all must come to the same. The connection then ends.
std::string read_every_way(std::string_view bytes, const HttpResponseParserOptions& options = {}) {
  HttpResponseParser whole(options);
  whole.feed(bytes);
  whole.feed_end();
  HttpResponseParser bytewise(options);
  for (const char c : bytes) bytewise.feed({&c, 1});
  bytewise.feed_end();
  EXPECT_EQ(outcome(whole), outcome(bytewise)) << bytes;
  for (std::size_t cut = 1; cut < bytes.size(); ++cut) {
    HttpResponseParser parts(options);
    if (parts.feed(bytes.substr(0, cut)) == cut) parts.feed(bytes.substr(cut));
    parts.feed_end();
    EXPECT_EQ(outcome(whole), outcome(parts)) << "cut at " << cut << " of " << bytes;
  }
  return outcome(whole);
}

TEST(HttpResponseParser, ReadsEveryKindOfBody) {
  EXPECT_EQ(read_every_way("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"), "200 keep=true\nContent-Length=5\nhello");
  EXPECT_EQ(read_every_way("HTTP/1.1 200 \r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\nX: y\r\n\r\n"),
            "200 keep=true\nTransfer-Encoding=chunked\nhello");
  EXPECT_EQ(read_every_way("HTTP/1.0 200 OK\r\n\r\nhello"), "200 keep=false\nhello");
  EXPECT_EQ(read_every_way("HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n"), "204 keep=false\nConnection=close\n");
  EXPECT_EQ(read_every_way("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n", {.to_head = true}),
            "200 keep=true\nContent-Length=5\n");
}

TEST(HttpResponseParser, ReadsWhatOurWriterWrites) {
  std::string bytes;
  write_response(bytes, HttpResponse::text(404, "not here"), {.keep_alive = false, .date = http_date(0)});
  EXPECT_EQ(read_every_way(bytes),
            "404 keep=false\nDate=Thu, 01 Jan 1970 00:00:00 GMT\nContent-Type=text/plain; charset=utf-8\nConnection=close\n"
            "Content-Length=8\nnot here");
}

TEST(HttpResponseParser, PassesOverInterimResponses) {
  EXPECT_EQ(read_every_way("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nA: b\r\n\r\n"
                           "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"),
            "200 keep=true\nContent-Length=0\n");
  std::string endless;
  for (int i = 0; i < 20; ++i) endless += "HTTP/1.1 100 Continue\r\n\r\n";
  EXPECT_EQ(read_every_way(endless, {.head_bytes = 200}), "fault: too_large");
}

TEST(HttpResponseParser, LeavesWhatFollowsAnUpgrade) {
  HttpResponseParser parser;
  const std::string head = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\r\n";
  EXPECT_EQ(parser.feed(head + "\x81\x05hello"), head.size());
  EXPECT_TRUE(parser.done());
}

TEST(HttpResponseParser, GivesAStreamInPieces) {
  HttpResponseParser parser({.body_bytes = 8});
  parser.feed("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
  EXPECT_TRUE(parser.head_done());
  EXPECT_FALSE(parser.done());
  for (int i = 0; i < 10; ++i) {
    parser.feed("6\r\nhello\n\r\n");
    EXPECT_EQ(parser.take_body(), "hello\n");
  }
  EXPECT_EQ(parser.take_body(), "");
  parser.feed("0\r\n\r\n");
  EXPECT_TRUE(parser.done());
}

TEST(HttpResponseParser, RefusesWhatItCannotTrust) {
  const std::pair<const char*, const char*> cases[] = {
      {"HTTP/1.1 200 OK\nA: b\n\n", "fault: corrupt"},
      {"HTTP/2.0 200 OK\r\n\r\n", "fault: corrupt"},
      {"HTTP/1.1 20 OK\r\n\r\n", "fault: corrupt"},
      {"HTTP/1.1 099 OK\r\n\r\n", "fault: corrupt"},
      {"SSH-2.0-x\r\n\r\n", "fault: corrupt"},
      {"HTTP/1.1 200 OK\r\nA: b\r\n c\r\n\r\n", "fault: corrupt"},
      {"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab", "fault: corrupt"},
      {"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n", "fault: corrupt"},
      {"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", "fault: corrupt"},
      {"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\n", "fault: corrupt"},
      {"HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", "fault: corrupt"},
      {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nx", "fault: corrupt"},
      {"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhell", "fault: unavailable"},
      {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello", "fault: unavailable"},
      {"HTTP/1.1 200", "fault: unavailable"},
      {"", "fault: unavailable"},
  };
  for (const auto& [bytes, expected] : cases) EXPECT_EQ(read_every_way(bytes), expected) << bytes;
}

TEST(HttpResponseParser, KeepsItsLimits) {
  const HttpResponseParserOptions options{.head_bytes = 60, .body_bytes = 5};
  EXPECT_EQ(read_every_way("HTTP/1.1 200 OK\r\nX: " + std::string(100, 'x'), options), "fault: too_large");
  EXPECT_EQ(read_every_way("HTTP/1.1 200 OK\r\n\r\nhello!", options), "fault: too_large");
  EXPECT_EQ(read_every_way("HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nhello!", options), "fault: too_large");
  EXPECT_EQ(read_every_way("HTTP/1.1 200 OK\r\n\r\nhello", options), "200 keep=false\nhello");
}

}  // namespace
}  // namespace carillon
