// permessage-deflate (RFC 7692): what is agreed on in the handshake. Pure functions, any thread.
//
// This server always asks for no context takeover on both sides: then a broadcast is compressed once for everybody, and an
// idle connection holds no compressor.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace carillon {

struct DeflateAgreement {
  // The server's messages look back at most 2^bits bytes. 8 to 15.
  int server_window_bits = 15;
  // Whether the client asked for that; then the answer must repeat it (section 7.1.2.1).
  bool names_server_window = false;

  // The value of Sec-WebSocket-Extensions in the response.
  std::string text() const;
};

// Picks the first acceptable offer in the value of a Sec-WebSocket-Extensions field. An offer with an unknown, repeated or
// invalid parameter is passed over (section 7.1); where the field's own syntax breaks, the rest of it is not read. Nothing: no
// compression.
std::optional<DeflateAgreement> negotiate_deflate(std::string_view offers);

}  // namespace carillon
