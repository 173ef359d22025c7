#include "wire/http/http_chunk_decoder.h"

#include <algorithm>

#include "wire/http/http_syntax.h"

namespace carillon {
namespace {

constexpr int kSizeDigitsMax = 16;  // What 64 bits hold; leading zeros count.

// VCHAR, obs-text and white space: what may stand in a field value and between quotes.
bool is_text_char(char c) {
  const auto byte = static_cast<unsigned char>(c);
  return (byte >= 0x20 && byte != 0x7F) || c == '\t';
}

}  // namespace

std::size_t HttpChunkDecoder::feed(std::string_view bytes, std::string& body) {
  std::size_t used = 0;
  while (used < bytes.size() && !done() && !failed()) {
    if (state_ == State::kData) {
      const std::size_t count = static_cast<std::size_t>(std::min<std::uint64_t>(size_, bytes.size() - used));
      body.append(bytes.substr(used, count));
      used += count;
      size_ -= count;
      if (size_ == 0) state_ = State::kDataReturn;
    } else {
      state_ = on_byte(bytes[used++]);
    }
  }
  return used;
}

HttpChunkDecoder::State HttpChunkDecoder::on_byte(char c) {
  switch (state_) {
    case State::kSizeStart:
    case State::kSize: return on_size(c);
    case State::kExtensionSpace:
    case State::kNameStart:
    case State::kName:
    case State::kNameSpace:
    case State::kValueStart:
    case State::kValue:
    case State::kQuoted:
    case State::kQuotedEscape:
    case State::kValueEnd:
      if (++extension_bytes_ > limits_.extension_bytes) return fail(400, "the chunk extensions are too long");
      return on_extension(c);
    case State::kSizeLineFeed: return c == '\n' ? after_size() : fail(400, "the chunk size line does not end in CRLF");
    case State::kDataReturn: return c == '\r' ? State::kDataLineFeed : fail(400, "the chunk is longer than its size");
    case State::kDataLineFeed: return c == '\n' ? State::kSizeStart : fail(400, "the chunk data does not end in CRLF");
    case State::kTrailerStart:
    case State::kTrailerName:
    case State::kTrailerValue:
    case State::kTrailerLineFeed:
      if (++trailer_bytes_ > limits_.trailer_bytes) return fail(431, "the trailers are too long");
      return on_trailer(c);
    case State::kLastLineFeed: return c == '\n' ? State::kDone : fail(400, "the chunked body does not end in CRLF");
    case State::kData:
    case State::kDone:
    case State::kFault: break;
  }
  return state_;
}

HttpChunkDecoder::State HttpChunkDecoder::on_size(char c) {
  const int digit = hex_digit_value(c);
  if (digit >= 0) {
    if (++size_digits_ > kSizeDigitsMax) return fail(400, "the chunk size has too many digits");
    size_ = size_ * 16 + static_cast<std::uint64_t>(digit);
    return State::kSize;
  }
  if (state_ == State::kSizeStart) return fail(400, "the chunk size is no hexadecimal number");
  if (c == '\r') return State::kSizeLineFeed;
  if (c == ';' || is_http_space(c)) {
    ++extension_bytes_;
    return c == ';' ? State::kNameStart : State::kExtensionSpace;
  }
  return fail(400, "the chunk size is no hexadecimal number");
}

HttpChunkDecoder::State HttpChunkDecoder::after_size() {
  if (size_ == 0) return State::kTrailerStart;
  if (size_ > limits_.body_bytes - body_bytes_) return fail(413, "the body is too large");
  body_bytes_ += size_;
  size_digits_ = 0;
  return State::kData;
}

// chunk-ext = *( BWS ";" BWS chunk-ext-name [ BWS "=" BWS chunk-ext-val ] ), the value a token or a quoted string.
HttpChunkDecoder::State HttpChunkDecoder::on_extension(char c) {
  switch (state_) {
    case State::kNameStart:
      if (is_http_space(c)) return state_;
      return is_http_token_char(c) ? State::kName : fail(400, "the chunk extension has no name");
    case State::kName:
      if (is_http_token_char(c)) return state_;
      [[fallthrough]];
    case State::kNameSpace:
      if (c == '=') return State::kValueStart;
      return behind_extension_part(c, State::kNameSpace);
    case State::kValueStart:
      if (is_http_space(c)) return state_;
      if (c == '"') return State::kQuoted;
      return is_http_token_char(c) ? State::kValue : fail(400, "the chunk extension has no value");
    case State::kValue:
      if (is_http_token_char(c)) return state_;
      return behind_extension_part(c, State::kExtensionSpace);
    case State::kQuoted:
      if (c == '"') return State::kValueEnd;
      if (c == '\\') return State::kQuotedEscape;
      return is_text_char(c) ? state_ : fail(400, "a control character in a chunk extension");
    case State::kQuotedEscape: return is_text_char(c) ? State::kQuoted : fail(400, "a control character in a chunk extension");
    default: return behind_extension_part(c, State::kExtensionSpace);
  }
}

// White space must lead to more of the extension: a size line may not end in it.
HttpChunkDecoder::State HttpChunkDecoder::behind_extension_part(char c, State otherwise_space) {
  if (c == ';') return State::kNameStart;
  if (is_http_space(c)) return otherwise_space;
  const bool after_space = state_ == State::kExtensionSpace || state_ == State::kNameSpace;
  if (c == '\r' && !after_space) return State::kSizeLineFeed;
  return fail(400, "the chunk extension is malformed");
}

HttpChunkDecoder::State HttpChunkDecoder::on_trailer(char c) {
  switch (state_) {
    case State::kTrailerStart:
      if (c == '\r') return State::kLastLineFeed;
      return is_http_token_char(c) ? State::kTrailerName : fail(400, "the trailer has no name");
    case State::kTrailerName:
      if (c == ':') return State::kTrailerValue;
      return is_http_token_char(c) ? state_ : fail(400, "the trailer's name is malformed");
    case State::kTrailerValue:
      if (c == '\r') return State::kTrailerLineFeed;
      return is_text_char(c) ? state_ : fail(400, "a control character in a trailer");
    default: return c == '\n' ? State::kTrailerStart : fail(400, "the trailer does not end in CRLF");
  }
}

HttpChunkDecoder::State HttpChunkDecoder::fail(int status, const char* text) {
  fault_status_ = status;
  fault_ = text;
  return State::kFault;
}

}  // namespace carillon
