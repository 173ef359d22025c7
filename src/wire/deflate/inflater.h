// PerMessageInflater: one message of permessage-deflate at a time, without context takeover (RFC 7692, section 7.2.2).
//
// One per loop, shared by all its connections: nothing of a message stays behind. About 40 KB, and the last output.
#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>

#include "carillon/result.h"

struct z_stream_s;

namespace carillon {

class PerMessageInflater {
 public:
  PerMessageInflater();
  ~PerMessageInflater();
  PerMessageInflater(const PerMessageInflater&) = delete;
  PerMessageInflater& operator=(const PerMessageInflater&) = delete;

  // `payload` is a message's whole payload, all frames joined. The text lives until the next call. Errors: kTooLarge as soon
  // as the output would pass `bytes_max` (the rest is not inflated), kCorrupt when the data is not DEFLATE or is cut off.
  Result<std::string_view> inflate(std::string_view payload, std::size_t bytes_max);

 private:
  std::unique_ptr<z_stream_s> stream_;
  std::string output_;
};

}  // namespace carillon
