// WebSocket frames (RFC 6455, section 5) and how they are written. Pure functions, any thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

namespace carillon {

enum class WebSocketOpcode : std::uint8_t {
  kContinuation = 0,
  kText = 1,
  kBinary = 2,
  kClose = 8,
  kPing = 9,
  kPong = 10,
};

// Close codes: RFC 6455, section 7.4.1, and the IANA registry (1012 to 1014).
inline constexpr std::uint16_t kCloseNormal = 1000;
inline constexpr std::uint16_t kCloseGoingAway = 1001;
inline constexpr std::uint16_t kCloseProtocolError = 1002;
inline constexpr std::uint16_t kCloseUnsupportedData = 1003;
inline constexpr std::uint16_t kCloseNoStatus = 1005;  // Never on the wire: the close frame held no code.
inline constexpr std::uint16_t kCloseAbnormal = 1006;  // Never on the wire: there was no close frame.
inline constexpr std::uint16_t kCloseInvalidPayload = 1007;
inline constexpr std::uint16_t kClosePolicyViolation = 1008;
inline constexpr std::uint16_t kCloseMessageTooBig = 1009;
inline constexpr std::uint16_t kCloseMandatoryExtension = 1010;
inline constexpr std::uint16_t kCloseInternalError = 1011;
inline constexpr std::uint16_t kCloseServiceRestart = 1012;
inline constexpr std::uint16_t kCloseTryAgainLater = 1013;
inline constexpr std::uint16_t kCloseBadGateway = 1014;

// Whether a close frame may hold this code.
bool may_be_sent(std::uint16_t close_code);

inline constexpr std::size_t kControlPayloadMax = 125;
inline constexpr std::size_t kCloseReasonMax = kControlPayloadMax - 2;
inline constexpr std::size_t kFrameHeaderMax = 10;        // Unmasked, as servers send.
inline constexpr std::size_t kMaskedFrameHeaderMax = 14;  // As clients send.

struct WebSocketFrameFlags {
  bool fin = true;          // The last (or only) frame of its message.
  bool compressed = false;  // RSV1 (RFC 7692): only on the first frame of a message.
};

// Writes an unmasked header to `out`, which has room for kFrameHeaderMax bytes; returns how many were written.
std::size_t write_frame_header(char* out, WebSocketOpcode opcode, WebSocketFrameFlags flags, std::uint64_t length);

// Appends one whole frame, as a server sends it.
void append_frame(std::string& out, WebSocketOpcode opcode, std::string_view payload, WebSocketFrameFlags flags = {});

// As a client sends it. `key` must be unpredictable to whoever made the payload (RFC 6455, section 5.3).
void append_masked_frame(std::string& out, WebSocketOpcode opcode, std::string_view payload, std::uint32_t key,
                         WebSocketFrameFlags flags = {});

// What a close frame holds: the code and the reason, cut to kCloseReasonMax bytes where a character ends. The code 1005
// gives an empty payload. The code must otherwise be one that may be sent.
std::string close_payload(std::uint16_t code, std::string_view reason);
void append_close_frame(std::string& out, std::uint16_t code, std::string_view reason = {});

// Masks or unmasks in place. `key` holds the four key bytes in their order on the wire (copied, not converted);
// `phase` is how many bytes of the payload came before these.
void unmask(std::span<char> bytes, std::uint32_t key, std::size_t phase = 0);

}  // namespace carillon
