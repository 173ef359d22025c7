// Reads one response off a connection's bytes (RFC 9112), however they are cut. The client's side, for our own programs.
//
// Used on one loop. Interim responses (100, 103) are passed over; 101 ends at its head, and what follows is not ours.
// As strict as the server's side about line ends and lengths.
#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>

#include "carillon/result.h"
#include "wire/http/http_message.h"

namespace carillon {

struct HttpResponseParserOptions {
  bool to_head = false;                // The request was HEAD: no body follows, whatever the fields say.
  std::size_t head_bytes = 64 * 1024;  // Longer, interim ones included: the response is refused.
  std::size_t body_bytes = 8 << 20;    // More than this waiting to be taken: refused. A stream read in pieces may be endless.
};

class HttpResponseParser {
 public:
  explicit HttpResponseParser(const HttpResponseParserOptions& options = {});
  HttpResponseParser(HttpResponseParser&&) noexcept;
  HttpResponseParser& operator=(HttpResponseParser&&) noexcept;
  ~HttpResponseParser();

  // Returns how many bytes were used: all, unless the response is done or at fault. Uses none once it is.
  std::size_t feed(std::string_view bytes);
  // The connection has ended: completes a body that lasts until then, and is a fault before the end of any other.
  void feed_end();

  bool head_done() const;
  bool done() const;
  const Error* fault() const;  // Null while all is well.
  bool keep_alive() const;     // Once done: the connection may carry another request.

  // Status and fields once head_done; the body holds what has come and was not taken.
  const HttpResponse& response() const;
  // The piece of the body that has come since the last call.
  std::string take_body();

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace carillon
