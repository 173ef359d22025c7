// Refuses options that contradict themselves or are out of range, wherever they came from. Any thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "carillon/result.h"
#include "carillon/server_options.h"

namespace carillon {

// The first thing that is wrong, by the names of the settings. Opens nothing and looks nothing up.
Result<void> check_options(const ServerOptions& options);

// What an outbox must hold for one message of `message_bytes` to fit in: its envelope goes with it.
std::size_t message_room(std::size_t message_bytes);

// "127.0.0.1:8080" or "[::1]:8080" taken apart; the host without its brackets.
struct ListenAddress {
  std::string host;
  std::uint16_t port = 0;
};
Result<ListenAddress> parse_listen_address(std::string_view text);

// Whether only this machine can reach the address: 127.0.0.0/8, ::1 or `localhost`.
bool is_loopback_host(std::string_view host);

}  // namespace carillon
