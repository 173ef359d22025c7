#include "wire/deflate/deflater.h"

#include <isa-l/igzip_lib.h>

#include <algorithm>
#include <array>
#include <cstdint>

#include "base/check.h"

namespace carillon {
namespace {

constexpr std::size_t kTailSize = 4;                     // 00 00 FF FF, which the receiver adds again.
constexpr std::size_t kPieceMax = std::size_t{1} << 30;  // ISA-L counts in 32 bits.

}  // namespace

struct Deflater::State {
  isal_zstream stream;
  std::array<std::uint8_t, ISAL_DEF_LVL1_DEFAULT> level_buffer;
  std::array<std::uint8_t, 16 * 1024> output;
};

Deflater::Deflater() : state_(new State) {
  isal_zstream& stream = state_->stream;
  isal_deflate_init(&stream);
  stream.level = 1;
  stream.level_buf = state_->level_buffer.data();
  stream.level_buf_size = ISAL_DEF_LVL1_DEFAULT;
  stream.flush = SYNC_FLUSH;
}

Deflater::~Deflater() = default;

void Deflater::append_deflated(std::string& out, std::string_view payload, int window_bits) {
  CHECK(window_bits >= 8 && window_bits <= 15);
  if (payload.empty()) {
    out.push_back('\0');  // Section 7.2.3.6.
    return;
  }
  isal_zstream& stream = state_->stream;
  isal_deflate_reset(&stream);
  stream.hist_bits = static_cast<std::uint16_t>(window_bits);
  while (!payload.empty()) {
    const std::size_t piece = std::min(payload.size(), kPieceMax);
    stream.next_in = reinterpret_cast<std::uint8_t*>(const_cast<char*>(payload.data()));
    stream.avail_in = static_cast<std::uint32_t>(piece);
    payload.remove_prefix(piece);
    do {
      stream.next_out = state_->output.data();
      stream.avail_out = static_cast<std::uint32_t>(state_->output.size());
      CHECK(isal_deflate(&stream) == COMP_OK);
      out.append(reinterpret_cast<const char*>(state_->output.data()), state_->output.size() - stream.avail_out);
      // The state says that the flush is complete too; that the input is used up would not.
    } while (stream.avail_in > 0 || stream.internal_state.state != ZSTATE_NEW_HDR);
  }
  CHECK(out.ends_with(std::string_view("\x00\x00\xFF\xFF", kTailSize)));
  out.resize(out.size() - kTailSize);
}

}  // namespace carillon
