// HttpClient: requests to one server, one after the other, on a connection that is kept while both sides agree. One thread.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "carillon/result.h"
#include "client/client_socket.h"
#include "client/client_url.h"
#include "wire/http/http_message.h"

namespace carillon {

struct HttpClientOptions {
  std::string bearer;  // The API key, or a token; empty: none is sent.
  std::chrono::milliseconds connect_time = std::chrono::seconds(10);
  std::chrono::milliseconds answer_time = std::chrono::seconds(30);  // Between two pieces of the answer.
  std::size_t answer_bytes = 256 * 1024 * 1024;                      // A larger answer is refused.
};

struct HttpCall {
  std::string_view method = "GET";
  std::string target;  // "/api/info": goes after the URL's own path.
  std::string body;    // JSON; empty: none.
  // Sending it twice does no harm. Only then is it sent again when a kept connection turns out to be gone.
  bool repeatable = false;
};

class HttpClient {
 public:
  explicit HttpClient(ClientUrl url, HttpClientOptions options = {}) : url_(std::move(url)), options_(std::move(options)) {}

  // Any whole answer is a success, whatever its status. Errors: kUnavailable (no connection, no answer in time), kCorrupt (the
  // answer is no HTTP).
  Result<HttpResponse> call(const HttpCall& call);

 private:
  struct Attempt {
    Result<HttpResponse> outcome;
    bool nothing_came = false;  // Not one byte of an answer.
  };
  Attempt attempt(std::string_view request, bool head);
  std::string write_request(const HttpCall& call) const;

  ClientUrl url_;
  HttpClientOptions options_;
  std::optional<ClientSocket> socket_;
};

}  // namespace carillon
