#include "wire/websocket/websocket_frame.h"

#include <array>
#include <cstring>

#include "base/check.h"

namespace carillon {
namespace {

constexpr unsigned char kFinBit = 0x80;
constexpr unsigned char kRsv1Bit = 0x40;
constexpr unsigned char kMaskBit = 0x80;

// The longest part of `text` that fits and does not end within a character.
std::string_view cut_at_character(std::string_view text, std::size_t bytes_max) {
  if (text.size() <= bytes_max) return text;
  std::size_t end = bytes_max;
  while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xC0) == 0x80) --end;
  return text.substr(0, end);
}

}  // namespace

bool may_be_sent(std::uint16_t close_code) {
  if (close_code >= 3000 && close_code <= 4999) return true;  // Libraries' and applications' own (section 7.4.2).
  return close_code >= 1000 && close_code <= 1014 && close_code != 1004 && close_code != kCloseNoStatus &&
         close_code != kCloseAbnormal;
}

std::size_t write_frame_header(char* out, WebSocketOpcode opcode, WebSocketFrameFlags flags, std::uint64_t length) {
  out[0] =
      static_cast<char>((flags.fin ? kFinBit : 0) | (flags.compressed ? kRsv1Bit : 0) | static_cast<unsigned char>(opcode));
  if (length < 126) {
    out[1] = static_cast<char>(length);
    return 2;
  }
  const int length_bytes = length <= 0xFFFF ? 2 : 8;
  out[1] = static_cast<char>(length_bytes == 2 ? 126 : 127);
  for (int i = 0; i < length_bytes; ++i) out[2 + i] = static_cast<char>(length >> 8 * (length_bytes - 1 - i));
  return 2 + static_cast<std::size_t>(length_bytes);
}

void append_frame(std::string& out, WebSocketOpcode opcode, std::string_view payload, WebSocketFrameFlags flags) {
  char header[kFrameHeaderMax];
  out.append(header, write_frame_header(header, opcode, flags, payload.size()));
  out.append(payload);
}

void append_masked_frame(std::string& out, WebSocketOpcode opcode, std::string_view payload, std::uint32_t key,
                         WebSocketFrameFlags flags) {
  char header[kMaskedFrameHeaderMax];
  std::size_t size = write_frame_header(header, opcode, flags, payload.size());
  header[1] = static_cast<char>(static_cast<unsigned char>(header[1]) | kMaskBit);
  std::memcpy(header + size, &key, sizeof key);
  out.append(header, size + sizeof key);
  const std::size_t payload_at = out.size();
  out.append(payload);
  unmask({out.data() + payload_at, payload.size()}, key);
}

std::string close_payload(std::uint16_t code, std::string_view reason) {
  if (code == kCloseNoStatus) return {};
  CHECK(may_be_sent(code));
  std::string payload{static_cast<char>(code >> 8), static_cast<char>(code & 0xFF)};
  payload.append(cut_at_character(reason, kCloseReasonMax));
  return payload;
}

void append_close_frame(std::string& out, std::uint16_t code, std::string_view reason) {
  append_frame(out, WebSocketOpcode::kClose, close_payload(code, reason));
}

void unmask(std::span<char> bytes, std::uint32_t key, std::size_t phase) {
  // The key as it falls on the bytes from here on, twice, so that eight bytes are done at a time.
  std::array<char, 8> pattern;
  const auto* key_bytes = reinterpret_cast<const char*>(&key);
  for (std::size_t i = 0; i < pattern.size(); ++i) pattern[i] = key_bytes[(phase + i) % 4];
  std::uint64_t eight_keys;
  std::memcpy(&eight_keys, pattern.data(), sizeof eight_keys);

  char* at = bytes.data();
  std::size_t left = bytes.size();
  for (; left >= sizeof eight_keys; left -= sizeof eight_keys, at += sizeof eight_keys) {
    std::uint64_t eight;
    std::memcpy(&eight, at, sizeof eight);
    eight ^= eight_keys;
    std::memcpy(at, &eight, sizeof eight);
  }
  for (std::size_t i = 0; i < left; ++i) at[i] = static_cast<char>(at[i] ^ pattern[i]);
}

}  // namespace carillon
