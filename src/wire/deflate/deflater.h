// Deflater: compresses one message of permessage-deflate at a time, without context takeover (RFC 7692, section 7.2.1).
//
// One per loop, shared by all its connections and encodings: nothing of a message stays behind. About 380 KB.
#pragma once

#include <memory>
#include <string>
#include <string_view>

namespace carillon {

class Deflater {
 public:
  Deflater();
  ~Deflater();
  Deflater(const Deflater&) = delete;
  Deflater& operator=(const Deflater&) = delete;

  // Appends the payload of a compressed message. No reference looks back farther than 2^window_bits bytes (8 to 15), so
  // one result serves everybody who agreed on that window or a larger one. Random bytes grow by about 1 in 3000.
  void append_deflated(std::string& out, std::string_view payload, int window_bits = 15);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace carillon
