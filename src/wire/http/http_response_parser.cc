#include "wire/http/http_response_parser.h"

#include <algorithm>
#include <boost/beast/http/basic_parser.hpp>
#include <limits>
#include <optional>

#include "wire/http/http_chunk_decoder.h"
#include "wire/http/http_head_scanner.h"
#include "wire/http/http_syntax.h"

namespace carillon {
namespace {

namespace beast = boost::beast;

// Beast takes the head apart, straight into our response. It never sees the body.
class HeadReader final : public beast::http::basic_parser<false> {
 public:
  explicit HeadReader(HttpResponse& response) : response_(response) {
    header_limit(std::numeric_limits<std::uint32_t>::max());  // The limits are kept outside.
    body_limit(boost::none);
  }

  // False: the head is malformed.
  bool read(std::string_view head) {
    beast::error_code error;
    const std::size_t used = put(boost::asio::const_buffer(head.data(), head.size()), error);
    return !error && used == head.size() && is_header_done();
  }
  int minor_version() const { return minor_version_; }

 private:
  void on_response_impl(int status, beast::string_view, int version, beast::error_code&) override {
    response_.status = status;
    minor_version_ = version % 10;
  }
  void on_field_impl(beast::http::field, beast::string_view name, beast::string_view value, beast::error_code&) override {
    response_.headers.add({name.data(), name.size()}, {value.data(), value.size()});
  }
  void on_request_impl(beast::http::verb, beast::string_view, beast::string_view, int, beast::error_code&) override {}
  void on_header_impl(beast::error_code&) override {}
  void on_body_init_impl(const boost::optional<std::uint64_t>&, beast::error_code&) override {}
  std::size_t on_body_impl(beast::string_view body, beast::error_code&) override { return body.size(); }
  void on_chunk_header_impl(std::uint64_t, beast::string_view, beast::error_code&) override {}
  std::size_t on_chunk_body_impl(std::uint64_t, beast::string_view body, beast::error_code&) override { return body.size(); }
  void on_finish_impl(beast::error_code&) override {}

  HttpResponse& response_;
  int minor_version_ = 1;
};

}  // namespace

class HttpResponseParser::Impl {
 public:
  explicit Impl(const HttpResponseParserOptions& options) : options_(options) {}

  std::size_t feed(std::string_view bytes) {
    std::size_t used = 0;
    while (used < bytes.size() && state_ != State::kDone && state_ != State::kFault) {
      const std::string_view rest = bytes.substr(used);
      switch (state_) {
        case State::kHead: used += feed_head(rest); break;
        case State::kSizedBody: used += feed_sized_body(rest); break;
        case State::kChunkedBody: used += feed_chunked_body(rest); break;
        case State::kBodyToEnd: used += feed_body_to_end(rest); break;
        case State::kDone:
        case State::kFault: break;
      }
    }
    return used;
  }

  void feed_end() {
    if (state_ == State::kBodyToEnd) {
      state_ = State::kDone;
    } else if (state_ != State::kDone && state_ != State::kFault) {
      fail(ErrorKind::kUnavailable, "the connection ended before the response did");
    }
  }

  bool head_done() const { return state_ > State::kHead && state_ != State::kFault; }
  bool done() const { return state_ == State::kDone; }
  const Error* fault() const { return state_ == State::kFault ? &fault_ : nullptr; }
  bool keep_alive() const { return done() && keep_alive_; }
  const HttpResponse& response() const { return response_; }
  std::string take_body() { return std::exchange(response_.body, {}); }

 private:
  enum class State { kHead, kSizedBody, kChunkedBody, kBodyToEnd, kDone, kFault };

  void fail(ErrorKind kind, const char* text) {
    fault_ = Error{.kind = kind, .text = text};
    state_ = State::kFault;
  }
  void fail_malformed(const char* text) { fail(ErrorKind::kCorrupt, text); }

  std::size_t feed_head(std::string_view bytes) {
    const std::size_t kept = head_.size();
    head_.append(bytes.substr(0, options_.head_bytes - interim_bytes_ - kept));
    for (;;) {
      switch (scanner_.next(head_)) {
        case HttpHeadScanner::Found::kLine: break;
        case HttpHeadScanner::Found::kEnd: {
          const std::size_t end = scanner_.position();
          on_head(std::string_view(head_).substr(0, end));
          head_.clear();
          return end - kept;
        }
        case HttpHeadScanner::Found::kMore:
          if (head_.size() + interim_bytes_ >= options_.head_bytes) {
            fail(ErrorKind::kTooLarge, "the response's head is too long");
          }
          return head_.size() - kept;
        case HttpHeadScanner::Found::kFault: fail_malformed(scanner_.fault()); return 0;
      }
    }
  }

  void on_head(std::string_view head) {
    HeadReader reader(response_);
    if (!reader.read(head)) return fail_malformed("the response's head is malformed");
    const int status = response_.status;
    if (status < 100) return fail_malformed("the response's status is none");
    if (status < 200 && status != 101) return pass_over_interim(head.size());

    const HttpHeaders& headers = response_.headers;
    keep_alive_ = !headers.has_token("Connection", "close") &&
                  (reader.minor_version() > 0 || headers.has_token("Connection", "keep-alive"));
    const bool no_body = options_.to_head || status == 101 || status == 204 || status == 304;
    if (no_body) {
      state_ = State::kDone;
    } else {
      choose_body(reader.minor_version());
    }
  }

  // Their bytes count for the next head's limit too, so that they cannot go on for ever.
  void pass_over_interim(std::size_t bytes) {
    interim_bytes_ += bytes;
    response_ = {};
    scanner_ = {};
    if (interim_bytes_ >= options_.head_bytes) fail(ErrorKind::kTooLarge, "too many interim responses");
  }

  // RFC 9112 section 6.3.
  void choose_body(int minor_version) {
    const HttpHeaders& headers = response_.headers;
    const std::size_t length_count = headers.count("Content-Length");
    if (const std::size_t coding_count = headers.count("Transfer-Encoding"); coding_count > 0) {
      if (minor_version == 0 || coding_count > 1 || length_count > 0 ||
          !equal_ignoring_case(headers.get("Transfer-Encoding"), "chunked")) {
        return fail_malformed("the response's Transfer-Encoding is not understood");
      }
      // What waits is limited here, not what comes in all: the body may be an endless stream.
      chunks_.emplace(HttpChunkLimits{.body_bytes = std::numeric_limits<std::uint64_t>::max(),
                                      .extension_bytes = options_.head_bytes,
                                      .trailer_bytes = options_.head_bytes});
      state_ = State::kChunkedBody;
      return;
    }
    if (length_count == 0) {
      keep_alive_ = false;
      state_ = State::kBodyToEnd;
      return;
    }
    const std::optional<std::uint64_t> length = read_content_length(headers.get("Content-Length"));
    if (length_count > 1 || !length) return fail_malformed("the response's Content-Length is malformed");
    body_left_ = *length;
    state_ = body_left_ > 0 ? State::kSizedBody : State::kDone;
  }

  std::size_t feed_sized_body(std::string_view bytes) {
    const std::size_t count = static_cast<std::size_t>(std::min<std::uint64_t>(body_left_, bytes.size()));
    response_.body.append(bytes.substr(0, count));
    body_left_ -= count;
    if (body_left_ == 0) state_ = State::kDone;
    check_body_limit();
    return count;
  }

  std::size_t feed_chunked_body(std::string_view bytes) {
    const std::size_t used = chunks_->feed(bytes, response_.body);
    if (chunks_->done()) state_ = State::kDone;
    if (chunks_->failed()) fail_malformed(chunks_->fault());
    check_body_limit();
    return used;
  }

  std::size_t feed_body_to_end(std::string_view bytes) {
    response_.body.append(bytes);
    check_body_limit();
    return bytes.size();
  }

  void check_body_limit() {
    if (response_.body.size() > options_.body_bytes) fail(ErrorKind::kTooLarge, "the response's body is too large");
  }

  HttpResponseParserOptions options_;
  State state_ = State::kHead;
  Error fault_;
  std::string head_;
  HttpHeadScanner scanner_;
  std::size_t interim_bytes_ = 0;
  bool keep_alive_ = false;
  std::uint64_t body_left_ = 0;
  std::optional<HttpChunkDecoder> chunks_;
  HttpResponse response_;
};

HttpResponseParser::HttpResponseParser(const HttpResponseParserOptions& options) : impl_(std::make_unique<Impl>(options)) {}
HttpResponseParser::HttpResponseParser(HttpResponseParser&&) noexcept = default;
HttpResponseParser& HttpResponseParser::operator=(HttpResponseParser&&) noexcept = default;
HttpResponseParser::~HttpResponseParser() = default;

std::size_t HttpResponseParser::feed(std::string_view bytes) {
  return impl_->feed(bytes);
}
void HttpResponseParser::feed_end() {
  impl_->feed_end();
}
bool HttpResponseParser::head_done() const {
  return impl_->head_done();
}
bool HttpResponseParser::done() const {
  return impl_->done();
}
const Error* HttpResponseParser::fault() const {
  return impl_->fault();
}
bool HttpResponseParser::keep_alive() const {
  return impl_->keep_alive();
}
const HttpResponse& HttpResponseParser::response() const {
  return impl_->response();
}
std::string HttpResponseParser::take_body() {
  return impl_->take_body();
}

}  // namespace carillon
