// Writes the frames a WebSocket client sends: whole messages, masked (RFC 6455, section 5.3).
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace carillon {

constexpr std::uint8_t kTextOpcode = 1;
constexpr std::uint8_t kCloseOpcode = 8;
constexpr std::uint8_t kPingOpcode = 9;
constexpr std::uint8_t kPongOpcode = 10;

// Always the same masking key, which is no zero, so that the server's unmasking is work as in earnest. Masks protect proxies
// from scripts in browsers; a load generator has neither.
void append_masked_frame(std::string& out, std::uint8_t opcode, std::string_view payload);

}  // namespace carillon
