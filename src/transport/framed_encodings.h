// FramedEncodings: encodings with a link's framing around them, one object for each pair, so that all links of a kind share
// their frames. One per loop.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "hub/encoding.h"
#include "wire/deflate/deflater.h"

namespace carillon {

struct Framing {
  enum class Kind : std::uint8_t { kWebSocketText, kWebSocketBinary, kChunk, kPlain };
  Kind kind = Kind::kPlain;
  // WebSocket only: permessage-deflate was agreed on with this window (8 to 15); 0: not.
  std::uint8_t window_bits = 0;
  friend bool operator==(const Framing&, const Framing&) = default;
};

class FramedEncodings {
 public:
  // Messages below `compress_from` bytes are sent as they are, which permessage-deflate allows (RFC 7692, section 6).
  explicit FramedEncodings(std::size_t compress_from);
  ~FramedEncodings();

  const Encoding& framed(const Encoding& inner, Framing framing);
  // Appends one message.
  void append(std::string& out, std::string_view message, Framing framing);

 private:
  class Framed;

  const std::size_t compress_from_;
  Deflater deflater_;
  std::string compressed_;
  std::vector<std::unique_ptr<Framed>> all_;
};

}  // namespace carillon
