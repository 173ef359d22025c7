// Socket addresses as text and back.
#pragma once

#include <sys/socket.h>

#include <string>
#include <string_view>

#include "base/stream.h"
#include "carillon/result.h"

namespace carillon {

struct SocketAddress {
  sockaddr_storage storage{};
  socklen_t size = 0;
};

// "127.0.0.1:8080", "[::1]:8080", "localhost:0", ":8080" (every IPv4 address). Host names are looked up, which may block.
Result<SocketAddress> parse_address(std::string_view text);
PeerAddress describe_address(const sockaddr_storage& address);

}  // namespace carillon
