#include "wire/http/http_response_writer.h"

#include <gtest/gtest.h>

namespace carillon {
namespace {

constexpr std::string_view kDate = "Sun, 06 Nov 1994 08:49:37 GMT";

std::string written(const HttpResponse& response, const ResponseContext& context = {}) {
  std::string out;
  write_response(out, response, context);
  return out;
}

TEST(HttpResponseWriter, WritesAWholeResponse) {
  EXPECT_EQ(written(HttpResponse::json(200, "{}"), {.date = kDate}),
            "HTTP/1.1 200 OK\r\nDate: Sun, 06 Nov 1994 08:49:37 GMT\r\nContent-Type: application/json\r\n"
            "Content-Length: 2\r\n\r\n{}");
  EXPECT_EQ(written(HttpResponse::text(299, "")),
            "HTTP/1.1 299 Unknown\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: 0\r\n\r\n");
}

TEST(HttpResponseWriter, SaysWhatBecomesOfTheConnection) {
  const HttpResponse response{.status = 404, .body = "x"};
  EXPECT_EQ(written(response, {.keep_alive = false}),
            "HTTP/1.1 404 Not Found\r\nConnection: close\r\nContent-Length: 1\r\n\r\nx");
  EXPECT_EQ(written(response, {.keep_alive = true, .minor_version = 0}),
            "HTTP/1.1 404 Not Found\r\nConnection: keep-alive\r\nContent-Length: 1\r\n\r\nx");
}

TEST(HttpResponseWriter, LeavesOutABodyThatMayNotBe) {
  EXPECT_EQ(written({.status = 200, .body = "hello"}, {.head_only = true}), "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n");
  EXPECT_EQ(written({.status = 204, .body = "x"}), "HTTP/1.1 204 No Content\r\n\r\n");
  EXPECT_EQ(written({.status = 304, .body = "x"}), "HTTP/1.1 304 Not Modified\r\n\r\n");
  EXPECT_EQ(written({.status = 100, .body = "x"}, {.keep_alive = false}), "HTTP/1.1 100 Continue\r\n\r\n");
}

TEST(HttpResponseWriter, FramesAlone) {
  HttpResponse response{.status = 200, .body = "x"};
  response.headers.add("content-length", "100");
  response.headers.add("Transfer-Encoding", "chunked");
  response.headers.add("date", "yesterday");
  EXPECT_EQ(written(response), "HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nx");
}

TEST(HttpResponseWriter, LetsNoValueBeginANewField) {
  HttpResponse response{.status = 200};
  response.headers.add("X", std::string("a\r\nSet-Cookie: b\0\tc\xC3\xA9", 21));
  EXPECT_EQ(written(response), "HTTP/1.1 200 OK\r\nX: a  Set-Cookie: b \tc\xC3\xA9\r\nContent-Length: 0\r\n\r\n");
}

TEST(HttpResponseWriterDeathTest, StopsAtAFieldNameThatIsNone) {
  HttpResponse response;
  response.headers.add("X\r\nY", "a");
  EXPECT_DEATH(written(response), "CHECK");
}

TEST(HttpResponseWriter, WritesAStream) {
  HttpResponse response;
  response.headers.add("Content-Type", "text/event-stream");
  std::string out;
  write_stream_head(out, response, {});
  append_chunk(out, "data: 0123456789\n\n");
  append_chunk(out, "");
  out += kHttpLastChunk;
  EXPECT_EQ(out,
            "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
            "12\r\ndata: 0123456789\n\n\r\n0\r\n\r\n");
  out.clear();
  write_stream_head(out, response, {.minor_version = 0});
  EXPECT_EQ(out, "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n\r\n");
}

TEST(HttpResponseWriter, WritesDates) {
  EXPECT_EQ(http_date(784111777), kDate);
  EXPECT_EQ(http_date(0), "Thu, 01 Jan 1970 00:00:00 GMT");
  EXPECT_EQ(http_date(1709251199), "Thu, 29 Feb 2024 23:59:59 GMT");
}

}  // namespace
}  // namespace carillon
