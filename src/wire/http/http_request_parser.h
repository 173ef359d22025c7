// Reads requests off a connection's bytes (RFC 9112), however they are cut. The server's side.
//
// Used on one loop; a connection makes one while a request is coming in, and may free it in between. Strict where
// leniency lets a proxy and a server disagree about where a request ends: what RFC 9112 lets a server refuse, it refuses.
#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>

#include "wire/http/http_message.h"

namespace carillon {

// At each limit the request is refused with the status named, as soon as the byte beyond it comes.
struct HttpLimits {
  std::size_t head_bytes = 16 * 1024;   // Request line and fields with all line ends; 431.
  std::size_t header_count = 100;       // 431.
  std::size_t body_bytes = 1 << 20;     // By Content-Length before the body comes, or as chunks add up; 413.
  std::size_t target_bytes = 8 * 1024;  // 414.
};

// The connection must be answered with this and closed: where the next request begins is not known.
struct HttpFault {
  int status = 400;
  std::string text;  // What was wrong, for people.
};

class HttpRequestParser {
 public:
  explicit HttpRequestParser(const HttpLimits& limits);
  HttpRequestParser(HttpRequestParser&&) noexcept;
  HttpRequestParser& operator=(HttpRequestParser&&) noexcept;
  ~HttpRequestParser();

  // Returns how many bytes were used: all, unless the request is done or at fault. Uses none once it is.
  std::size_t feed(std::string_view bytes);

  bool head_done() const;
  bool done() const;
  const HttpFault* fault() const;  // Null while all is well.
  // The client waits for "100 Continue": it asked for it (RFC 9110 section 10.1.1) and no byte of the body has come.
  bool expects_continue() const;
  // The request, once done. The parser is then ready for the next one, for which it keeps the memory of what `request` held.
  HttpRequest take();
  void take(HttpRequest& request);
  // No byte has been seen since it was made, or since the last request was taken.
  bool fresh() const;
  // Some byte of a request has been seen; empty lines before it (RFC 9112 section 2.2) do not count.
  bool started() const;

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace carillon
