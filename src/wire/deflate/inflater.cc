#include "wire/deflate/inflater.h"

#include <zlib.h>

#include <algorithm>
#include <limits>

#include "base/check.h"

namespace carillon {
namespace {

constexpr std::size_t kOutputFirst = 16 * 1024;
constexpr std::size_t kOutputKept = 1024 * 1024;  // A larger one is given back before the next message.
constexpr int kBetweenBlocks = 128;               // In z_stream::data_type: inflate stopped right after a block.

// What the sender cut off (RFC 7692, section 7.2.1): the end of an empty stored block.
constexpr std::string_view kTail("\x00\x00\xFF\xFF", 4);

Error too_large() {
  return {ErrorKind::kTooLarge, "the message inflates beyond the size limit"};
}
Error corrupt() {
  return {ErrorKind::kCorrupt, "the message is not valid DEFLATE data"};
}

}  // namespace

PerMessageInflater::PerMessageInflater() : stream_(std::make_unique<z_stream>()) {
  // The largest window reads what any smaller one wrote.
  CHECK(inflateInit2(stream_.get(), -MAX_WBITS) == Z_OK);
}

PerMessageInflater::~PerMessageInflater() {
  inflateEnd(stream_.get());
}

Result<std::string_view> PerMessageInflater::inflate(std::string_view payload, std::size_t bytes_max) {
  if (output_.size() > kOutputKept) output_ = {};
  if (payload.size() > std::numeric_limits<uInt>::max()) return too_large();
  bytes_max = std::min<std::size_t>(bytes_max, std::numeric_limits<uInt>::max() - 1);
  z_stream& stream = *stream_;
  CHECK(inflateReset(&stream) == Z_OK);
  std::size_t size = 0;
  bool ended_by_final_block = false;

  for (std::string_view piece : {payload, kTail}) {
    stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(piece.data()));
    stream.avail_in = static_cast<uInt>(piece.size());
    // A payload that ends with a final block lacks the byte that section 7.2.3.4 asks for; the tail means nothing then.
    if (piece.data() == kTail.data() && ended_by_final_block) break;
    for (bool more = true; more;) {
      if (size == output_.size()) {
        output_.resize(std::min(std::max(kOutputFirst, 2 * size), bytes_max + 1));
      }
      // One byte above the limit is enough to see that the limit is passed.
      const std::size_t room = std::min(output_.size(), bytes_max + 1) - size;
      stream.next_out = reinterpret_cast<Bytef*>(output_.data() + size);
      stream.avail_out = static_cast<uInt>(room);
      const int outcome = ::inflate(&stream, Z_SYNC_FLUSH);
      size += room - stream.avail_out;
      if (size > bytes_max) return too_large();
      ended_by_final_block = outcome == Z_STREAM_END;
      if (ended_by_final_block) {
        // Blocks may follow a final one (section 7.2.3.4) and look back beyond it, so the window is kept.
        CHECK(inflateResetKeep(&stream) == Z_OK);
        more = stream.avail_in > 0;
      } else if (outcome == Z_OK || outcome == Z_BUF_ERROR) {
        more = stream.avail_in > 0 || stream.avail_out == 0;
      } else {
        return corrupt();
      }
    }
  }
  if (!ended_by_final_block && (stream.data_type & kBetweenBlocks) == 0) return corrupt();
  return std::string_view(output_.data(), size);
}

}  // namespace carillon
