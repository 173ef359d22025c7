// Writes responses as bytes (RFC 9112). The writer alone frames: it adds Date, Content-Length or Transfer-Encoding, and
// Connection where needed; fields of the first three names in the response are left out.
//
// A control character in a value becomes a space, so that text which came from a peer cannot begin a new field or a new
// response. A field name is ours to choose: one that is no token stops the process.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "wire/http/http_message.h"

namespace carillon {

struct ResponseContext {
  bool keep_alive = true;      // False adds `Connection: close`.
  bool head_only = false;      // The answer to HEAD: Content-Length as for GET, but no body.
  int minor_version = 1;       // Of the request.
  std::string_view date = {};  // As http_date writes it; empty: no Date.
};

// Appends the whole response. 1xx, 204 and 304 carry neither body nor Content-Length.
void write_response(std::string& out, const HttpResponse& response, const ResponseContext& context);

// As above, but for the body: that is returned, to be sent behind it. Empty where there is none to send.
std::string_view write_response_head(std::string& out, const HttpResponse& response, const ResponseContext& context);

// Appends the head of a response whose body follows in pieces; `response.body` is not looked at. In HTTP/1.1 the body goes
// through append_chunk and ends with kHttpLastChunk; in HTTP/1.0 it goes as it is, ends with the connection, and
// `keep_alive` counts as false. A status that has no body must not come here.
void write_stream_head(std::string& out, const HttpResponse& response, const ResponseContext& context);

// An empty text appends nothing, as an empty chunk would end the body.
void append_chunk(std::string& out, std::string_view data);
inline constexpr std::string_view kHttpLastChunk = "0\r\n\r\n";

// "Sun, 06 Nov 1994 08:49:37 GMT" (RFC 9110 section 5.6.7).
std::string http_date(std::int64_t unix_seconds);

}  // namespace carillon
