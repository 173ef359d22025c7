#include "wire/http/http_request_parser.h"

#include <algorithm>
#include <boost/beast/http/basic_parser.hpp>
#include <limits>
#include <optional>

#include "base/check.h"
#include "wire/http/http_chunk_decoder.h"
#include "wire/http/http_head_scanner.h"
#include "wire/http/http_syntax.h"
#include "wire/http/http_target.h"

namespace carillon {
namespace {

namespace beast = boost::beast;

constexpr int kEmptyLinesMax = 4;
constexpr std::size_t kRequestLineRest = 64;        // What a request line may hold beside its target.
constexpr std::size_t kBodyReserveMax = 16 * 1024;  // A length only announced buys no more memory than this.

using Refusal = std::optional<HttpFault>;

Refusal refuse(int status, const char* text) {
  return HttpFault{.status = status, .text = text};
}

std::string_view view_of(beast::string_view text) {
  return {text.data(), text.size()};
}

// The fields that decide how the request is read, as they are met. The views lie in the head.
struct FramingFields {
  int host_count = 0;
  std::string_view host;
  int content_length_count = 0;
  std::string_view content_length;
  int transfer_encoding_count = 0;
  std::string_view transfer_encoding;
  bool expects_continue = false;
  bool expects_other = false;
};

// Beast takes the head apart, straight into our request. The request line was read when it ended; Beast reads it again and
// must agree.
class HeadReader final : public beast::http::basic_parser<true> {
 public:
  HeadReader(HttpRequest& request, FramingFields& framing) : request_(request), framing_(framing) {
    header_limit(std::numeric_limits<std::uint32_t>::max());  // Both limits are kept before Beast sees the bytes.
    body_limit(boost::none);
  }

  // False: the head is malformed.
  bool read(std::string_view head) {
    beast::error_code error;
    const std::size_t used = put(boost::asio::const_buffer(head.data(), head.size()), error);
    return !error && used == head.size() && is_header_done();
  }

 private:
  void on_request_impl(beast::http::verb, beast::string_view method, beast::string_view target, int version,
                       beast::error_code& error) override {
    if (view_of(method) != request_.method || view_of(target) != request_.target || version != 10 + request_.minor_version) {
      error = beast::http::error::bad_target;
    }
  }

  void on_field_impl(beast::http::field field, beast::string_view name, beast::string_view value, beast::error_code&) override {
    const std::string_view text = view_of(value);
    switch (field) {
      case beast::http::field::host:
        ++framing_.host_count;
        framing_.host = text;
        break;
      case beast::http::field::content_length:
        ++framing_.content_length_count;
        framing_.content_length = text;
        break;
      case beast::http::field::transfer_encoding:
        ++framing_.transfer_encoding_count;
        framing_.transfer_encoding = text;
        break;
      case beast::http::field::expect:
        (equal_ignoring_case(text, "100-continue") ? framing_.expects_continue : framing_.expects_other) = true;
        break;
      default: break;
    }
    request_.headers.add(view_of(name), text);
  }

  void on_response_impl(int, beast::string_view, int, beast::error_code&) override {}
  void on_header_impl(beast::error_code&) override {}
  void on_body_init_impl(const boost::optional<std::uint64_t>&, beast::error_code&) override {}
  std::size_t on_body_impl(beast::string_view body, beast::error_code&) override { return body.size(); }
  void on_chunk_header_impl(std::uint64_t, beast::string_view, beast::error_code&) override {}
  std::size_t on_chunk_body_impl(std::uint64_t, beast::string_view body, beast::error_code&) override { return body.size(); }
  void on_finish_impl(beast::error_code&) override {}

  HttpRequest& request_;
  FramingFields& framing_;
};

// RFC 9112 section 2.3. Another version that is well formed is 505; anything else is no HTTP.
Refusal check_version(std::string_view version, int& minor_version) {
  const bool formed = version.size() == 8 && version.starts_with("HTTP/") && is_ascii_digit(version[5]) && version[6] == '.' &&
                      is_ascii_digit(version[7]);
  if (!formed) return refuse(400, "the request line does not end in an HTTP version");
  if (version[5] != '1' || version[7] > '1') return refuse(505, "this server speaks HTTP/1.1 and HTTP/1.0");
  minor_version = version[7] - '0';
  return std::nullopt;
}

// RFC 9112 section 6.1. The coding must be `chunked` and nothing else, spelt plainly.
Refusal check_transfer_encoding(std::string_view value) {
  if (equal_ignoring_case(value, "chunked")) return std::nullopt;
  if (value.empty()) return refuse(400, "Transfer-Encoding is empty");
  int chunked_count = 0;
  bool chunked_last = false;
  while (!value.empty()) {
    const bool more = value.back() == ',';  // A comma with nothing behind it would be lost with the last element.
    const std::string_view coding = take_list_element(value);
    if (!is_http_token(coding) || (value.empty() && more)) return refuse(400, "Transfer-Encoding is malformed");
    chunked_last = equal_ignoring_case(coding, "chunked");
    if (chunked_last) ++chunked_count;
  }
  if (chunked_count > 1 || (chunked_count == 1 && !chunked_last)) {
    return refuse(400, "chunked must be the last transfer coding, once");
  }
  return refuse(501, "no transfer coding but chunked is understood");
}

Refusal check_host(const FramingFields& framing, std::string_view authority, int minor_version) {
  if (framing.host_count > 1) return refuse(400, "more than one Host");
  if (framing.host_count == 0) return minor_version == 0 ? std::nullopt : refuse(400, "Host is missing");
  if (!is_http_host(framing.host)) return refuse(400, "Host is malformed");
  // RFC 9112 section 3.2.2: an absolute target wins over Host, and an honest client sends the same in both.
  if (!authority.empty() && !equal_ignoring_case(framing.host, authority)) {
    return refuse(400, "Host is another than the target's");
  }
  return std::nullopt;
}

}  // namespace

class HttpRequestParser::Impl {
 public:
  explicit Impl(const HttpLimits& limits) : limits_(limits) {}

  std::size_t feed(std::string_view bytes) {
    std::size_t used = 0;
    while (used < bytes.size() && state_ != State::kDone && state_ != State::kFault) {
      const std::string_view rest = bytes.substr(used);
      switch (state_) {
        case State::kEmptyLines: used += feed_empty_lines(rest); break;
        case State::kHead: used += feed_head(rest); break;
        case State::kSizedBody: used += feed_sized_body(rest); break;
        case State::kChunkedBody: used += feed_chunked_body(rest); break;
        case State::kDone:
        case State::kFault: break;
      }
    }
    return used;
  }

  bool head_done() const { return state_ > State::kHead && state_ != State::kFault; }
  bool done() const { return state_ == State::kDone; }
  const HttpFault* fault() const { return state_ == State::kFault ? &fault_ : nullptr; }
  bool expects_continue() const { return expects_continue_ && !done() && !fault(); }
  bool started() const { return state_ != State::kEmptyLines; }

  bool fresh() const { return state_ == State::kEmptyLines && empty_lines_ == 0; }

  void take(HttpRequest& request) {
    CHECK(done());
    request_.swap(request);
    if (request_.is_large()) request_.reset();
    state_ = State::kEmptyLines;
    empty_lines_ = 0;
    if (!head_.empty()) head_ = {};
    scanner_ = {};
    line_count_ = 0;
    authority_.clear();
    expects_continue_ = false;
    chunks_.reset();
  }

 private:
  enum class State { kEmptyLines, kHead, kSizedBody, kChunkedBody, kDone, kFault };

  void fail(HttpFault fault) {
    fault_ = std::move(fault);
    state_ = State::kFault;
  }

  // Uses empty lines only, so that the head begins with its first byte.
  std::size_t feed_empty_lines(std::string_view bytes) {
    const char c = bytes.front();
    if (empty_line_open_) {
      if (c != '\n') {
        fail({400, "a carriage return without a line feed"});
        return 0;
      }
      empty_line_open_ = false;
      return 1;
    }
    if (c == '\r' && ++empty_lines_ <= kEmptyLinesMax) {
      empty_line_open_ = true;
      return 1;
    }
    if (is_http_token_char(c)) {
      state_ = State::kHead;
      request_.reset();  // Not before: until now nobody had reason to touch its memory.
    } else {
      fail({400, "no request begins like this"});  // Such as the first byte of TLS; waiting for a line end helps nobody.
    }
    return 0;
  }

  // A head that comes in one piece is read where it lies; only one that does not is kept.
  std::size_t feed_head(std::string_view bytes) {
    if (head_.empty()) {
      const std::size_t used = scan_head(bytes);
      if (state_ != State::kHead) return used;
      head_.assign(bytes);
      return bytes.size();
    }
    const std::size_t kept = head_.size();
    head_.append(bytes.substr(0, limits_.head_bytes - kept));
    const std::size_t used = scan_head(head_);
    return (state_ == State::kHead ? head_.size() : used) - kept;
  }

  // Returns where the head ends, when it does.
  std::size_t scan_head(std::string_view head) {
    for (;;) {
      const std::size_t limit =
          line_count_ == 0 ? std::min(limits_.head_bytes, limits_.target_bytes + kRequestLineRest) : limits_.head_bytes;
      switch (scanner_.next(head.substr(0, limit))) {
        case HttpHeadScanner::Found::kLine:
          if (Refusal refusal = on_line(scanner_.line())) {
            fail(std::move(*refusal));
            return head.size();
          }
          break;
        case HttpHeadScanner::Found::kEnd:
          if (Refusal refusal = on_head(head.substr(0, scanner_.position()))) fail(std::move(*refusal));
          return scanner_.position();
        case HttpHeadScanner::Found::kMore:
          if (head.size() < limit) return head.size();
          fail(line_count_ == 0 ? HttpFault{414, "the request line is too long"} : HttpFault{431, "the head is too long"});
          return head.size();
        case HttpHeadScanner::Found::kFault: fail({400, scanner_.fault()}); return head.size();
      }
    }
  }

  Refusal on_line(std::string_view line) {
    if (line_count_++ == 0) return on_request_line(line);
    if (line_count_ - 1 > limits_.header_count) return refuse(431, "too many header fields");
    return std::nullopt;
  }

  // RFC 9112 section 3: method SP request-target SP HTTP-version, with single spaces.
  Refusal on_request_line(std::string_view line) {
    const std::size_t method_end = line.find(' ');
    const std::size_t target_end = line.rfind(' ');
    if (method_end == std::string_view::npos || target_end == method_end) return refuse(400, "the request line is malformed");
    const std::string_view method = line.substr(0, method_end);
    const std::string_view target = line.substr(method_end + 1, target_end - method_end - 1);

    if (!is_http_token(method)) return refuse(400, "the method is malformed");
    if (Refusal refusal = check_version(line.substr(target_end + 1), request_.minor_version)) return refusal;
    if (target.size() > limits_.target_bytes) return refuse(414, "the target is too long");
    if (method == "CONNECT") return refuse(501, "this server is no proxy");
    std::optional<HttpTarget> parts = read_http_target(method, target);
    if (!parts) return refuse(400, "the target is malformed");

    request_.method = method;
    request_.target = target;
    request_.path = std::move(parts->path);
    request_.query = parts->query;
    authority_ = parts->authority;
    return std::nullopt;
  }

  Refusal on_head(std::string_view head) {
    FramingFields framing;
    request_.headers.reserve(line_count_, head.size());
    HeadReader reader(request_, framing);
    if (!reader.read(head)) return refuse(400, "the header fields are malformed");
    if (Refusal refusal = check_host(framing, authority_, request_.minor_version)) return refusal;
    if (Refusal refusal = choose_body(framing)) return refusal;

    // RFC 9110 section 10.1.1; an expectation in HTTP/1.0 is to be ignored.
    if (request_.minor_version > 0) {
      if (framing.expects_other) return refuse(417, "no expectation but 100-continue is understood");
      expects_continue_ = framing.expects_continue;
    }
    // RFC 9112 section 9.3.
    const HttpHeaders& headers = request_.headers;
    request_.keep_alive = !headers.has_token("Connection", "close") &&
                          (request_.minor_version > 0 || headers.has_token("Connection", "keep-alive"));
    return std::nullopt;
  }

  // RFC 9112 section 6.3, without the leniency: two answers to "how long is it" are a fault even when they agree.
  Refusal choose_body(const FramingFields& framing) {
    if (framing.transfer_encoding_count > 0) {
      if (request_.minor_version == 0) return refuse(400, "Transfer-Encoding in HTTP/1.0");
      if (framing.content_length_count > 0) return refuse(400, "both Transfer-Encoding and Content-Length");
      if (framing.transfer_encoding_count > 1) return refuse(400, "more than one Transfer-Encoding");
      if (Refusal refusal = check_transfer_encoding(framing.transfer_encoding)) return refusal;
      chunks_.emplace(HttpChunkLimits{.body_bytes = limits_.body_bytes, .trailer_bytes = limits_.head_bytes});
      state_ = State::kChunkedBody;
      return std::nullopt;
    }
    if (framing.content_length_count > 1) return refuse(400, "more than one Content-Length");
    if (framing.content_length_count == 1) {
      const std::optional<std::uint64_t> length = read_content_length(framing.content_length);
      if (!length) return refuse(400, "Content-Length is malformed");
      if (*length > limits_.body_bytes) return refuse(413, "the body is too large");
      body_left_ = static_cast<std::size_t>(*length);
      request_.body.reserve(std::min(body_left_, kBodyReserveMax));
    }
    state_ = body_left_ > 0 ? State::kSizedBody : State::kDone;
    return std::nullopt;
  }

  std::size_t feed_sized_body(std::string_view bytes) {
    expects_continue_ = false;
    const std::size_t count = std::min(body_left_, bytes.size());
    request_.body.append(bytes.substr(0, count));
    body_left_ -= count;
    if (body_left_ == 0) state_ = State::kDone;
    return count;
  }

  std::size_t feed_chunked_body(std::string_view bytes) {
    expects_continue_ = false;
    const std::size_t used = chunks_->feed(bytes, request_.body);
    if (chunks_->done()) state_ = State::kDone;
    if (chunks_->failed()) fail({chunks_->fault_status(), chunks_->fault()});
    return used;
  }

  HttpLimits limits_;
  State state_ = State::kEmptyLines;
  HttpFault fault_;

  int empty_lines_ = 0;
  bool empty_line_open_ = false;  // Its CR has come, its LF not.

  std::string head_;  // What has come of a head that came in pieces.
  HttpHeadScanner scanner_;
  std::size_t line_count_ = 0;
  std::string authority_;  // Of an absolute target.

  bool expects_continue_ = false;
  std::size_t body_left_ = 0;
  std::optional<HttpChunkDecoder> chunks_;
  HttpRequest request_;
};

HttpRequestParser::HttpRequestParser(const HttpLimits& limits) : impl_(std::make_unique<Impl>(limits)) {}
HttpRequestParser::HttpRequestParser(HttpRequestParser&&) noexcept = default;
HttpRequestParser& HttpRequestParser::operator=(HttpRequestParser&&) noexcept = default;
HttpRequestParser::~HttpRequestParser() = default;

std::size_t HttpRequestParser::feed(std::string_view bytes) {
  return impl_->feed(bytes);
}
bool HttpRequestParser::head_done() const {
  return impl_->head_done();
}
bool HttpRequestParser::done() const {
  return impl_->done();
}
const HttpFault* HttpRequestParser::fault() const {
  return impl_->fault();
}
bool HttpRequestParser::expects_continue() const {
  return impl_->expects_continue();
}
HttpRequest HttpRequestParser::take() {
  HttpRequest request;
  impl_->take(request);
  return request;
}
void HttpRequestParser::take(HttpRequest& request) {
  impl_->take(request);
}
bool HttpRequestParser::fresh() const {
  return impl_->fresh();
}
bool HttpRequestParser::started() const {
  return impl_->started();
}

}  // namespace carillon
