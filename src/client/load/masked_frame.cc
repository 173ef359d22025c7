#include "client/load/masked_frame.h"

#include <array>

namespace carillon {

void append_masked_frame(std::string& out, std::uint8_t opcode, std::string_view payload) {
  constexpr std::array<char, 4> kMask = {'\x5a', '\x13', '\x7e', '\x21'};
  const std::uint64_t length = payload.size();
  out += static_cast<char>(0x80 | opcode);
  const int length_bytes = length < 126 ? 0 : length < 65536 ? 2 : 8;
  out += static_cast<char>(0x80 | (length_bytes == 0 ? length : length_bytes == 2 ? 126 : 127));
  for (int shift = 8 * (length_bytes - 1); shift >= 0; shift -= 8) out += static_cast<char>(length >> shift & 0xff);
  out.append(kMask.data(), kMask.size());
  const std::size_t body = out.size();
  out.append(payload);
  for (std::size_t i = 0; i < payload.size(); ++i) out[body + i] = static_cast<char>(out[body + i] ^ kMask[i & 3]);
}

}  // namespace carillon
