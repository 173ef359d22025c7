// Takes the chunked transfer coding off a body (RFC 9112 section 7.1), piece by piece, for requests and responses.
//
// Our own rather than Beast's, which puts trailers among the header fields (RFC 9110 section 6.5.1 forbids it), lets any byte
// stand in a quoted extension, and wants the last chunk and its trailers in one piece. Extensions and trailers are checked
// and dropped.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace carillon {

struct HttpChunkLimits {
  std::uint64_t body_bytes = 1 << 20;      // A chunk that would pass it is refused (413) before its data is taken.
  std::size_t extension_bytes = 4 * 1024;  // Over the whole body, so that many small chunks gain nothing; refused (400).
  std::size_t trailer_bytes = 8 * 1024;    // Over all trailers; refused (431).
};

class HttpChunkDecoder {
 public:
  explicit HttpChunkDecoder(const HttpChunkLimits& limits) : limits_(limits) {}

  // Appends data to `body` and returns how many bytes were used; stops behind the last chunk and at a fault.
  std::size_t feed(std::string_view bytes, std::string& body);

  bool done() const { return state_ == State::kDone; }
  bool failed() const { return state_ == State::kFault; }
  int fault_status() const { return fault_status_; }  // 400, 413 or 431: what a server answers.
  const char* fault() const { return fault_; }

 private:
  enum class State {
    kSizeStart,
    kSize,
    kExtensionSpace,  // White space before ';'.
    kNameStart,       // Behind ';'.
    kName,
    kNameSpace,
    kValueStart,  // Behind '='.
    kValue,
    kQuoted,
    kQuotedEscape,
    kValueEnd,  // Behind the closing quote.
    kSizeLineFeed,
    kData,
    kDataReturn,
    kDataLineFeed,
    kTrailerStart,
    kTrailerName,
    kTrailerValue,
    kTrailerLineFeed,
    kLastLineFeed,
    kDone,
    kFault,
  };

  State on_byte(char c);
  State on_size(char c);
  State on_extension(char c);
  State on_trailer(char c);
  State after_size();
  State behind_extension_part(char c, State otherwise_space);
  State fail(int status, const char* text);

  HttpChunkLimits limits_;
  State state_ = State::kSizeStart;
  std::uint64_t size_ = 0;  // Of the current chunk; while its data comes, what is left of it.
  int size_digits_ = 0;
  std::uint64_t body_bytes_ = 0;  // Of all chunks whose size is known.
  std::size_t extension_bytes_ = 0;
  std::size_t trailer_bytes_ = 0;
  int fault_status_ = 0;
  const char* fault_ = nullptr;
};

}  // namespace carillon
