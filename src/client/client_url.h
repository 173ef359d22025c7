// Where a server is: http://host:port, or ws://host:port, with the path below which a proxy may serve it. Any thread.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "carillon/result.h"

namespace carillon {

struct ClientUrl {
  std::string host;  // Without brackets.
  std::uint16_t port = 80;
  std::string base_path;  // "" or "/hub": goes before every path.

  // "127.0.0.1:8080", "[::1]:8080": what the Host field says.
  std::string authority() const;
};

// Refuses other schemes, user information, queries and fragments.
Result<ClientUrl> parse_client_url(std::string_view text);

// Everything but letters, digits and "-._~" as %XX (RFC 3986, section 2.1), for one segment of a path or a query's value.
std::string percent_encoded(std::string_view text);

}  // namespace carillon
